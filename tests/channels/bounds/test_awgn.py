"""AWGN bounds against published values and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bounds.awgn import capacity, normal_bits
from channels.errors import ChannelError


@pytest.mark.parametrize(
    ("esno_db", "num_uses", "share"),
    [(0, 256, 0.774), (0, 1024, 0.884), (0, 24576, 0.976),
     (10, 256, 0.924), (10, 1024, 0.961), (10, 24576, 0.992)],
)  # fmt: skip
def test_rate_over_capacity_at_error_one_in_a_thousand(esno_db, num_uses, share):
    carried = normal_bits(num_uses, esno_db, 1e-3) / num_uses
    assert carried / capacity(esno_db) == pytest.approx(share, abs=5e-4)


def test_equals_the_real_channel_of_the_source_at_twice_the_uses():
    # Polyanskiy et al., eqs. 291-293: per real use C = ln(1 + P) / 2, V = P (P + 2) / 2 (P + 1)^2.
    snr, num_uses = 10 ** (0.3), 500
    real = np.log2(1 + snr) / 2
    spread = snr * (snr + 2) / (2 * (snr + 1) ** 2) * np.log2(np.e) ** 2
    assert capacity(3.0) == pytest.approx(2 * real)
    bits = 2 * num_uses * real - np.sqrt(2 * num_uses * spread) * 3.0902323 + np.log2(num_uses) / 2
    assert normal_bits(num_uses, 3.0, 1e-3) == pytest.approx(bits)


@given(
    num_uses=st.integers(16, 200_000), esno_db=st.floats(-30, 40), error=st.floats(1e-9, 0.5),
    step=st.floats(0, 5),
)  # fmt: skip
def test_more_snr_uses_or_errors_never_carry_less(num_uses, esno_db, error, step):
    bits = normal_bits(num_uses, esno_db, error)
    assert normal_bits(num_uses, esno_db + step, error) >= bits
    assert normal_bits(2 * num_uses, esno_db, error) >= bits
    assert normal_bits(num_uses, esno_db, min(2 * error, 0.5)) >= bits
    assert normal_bits(num_uses, -np.inf, error) == 0


def test_arrays_broadcast_and_wrong_input_is_said():
    assert normal_bits([[128], [256]], [0.0, 5.0, 10.0], 1e-3).shape == (2, 3)
    with pytest.raises(ChannelError, match="NaN"):
        capacity(np.nan)
    with pytest.raises(ChannelError, match="at least 1 channel use"):
        normal_bits(0, 0.0, 1e-3)
    with pytest.raises(ChannelError, match="above 0"):
        normal_bits(100, 0.0, 0.0)
