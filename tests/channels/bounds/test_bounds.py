"""AWGN bounds against published values, closed forms, inverses and the project's own demapper."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from channels.bounds.awgn import (
    capacity,
    capacity_esno_db,
    dispersion,
    normal_bits,
    normal_error,
    normal_esno_db,
    normal_rate,
)
from channels.bounds.constrained_capacity import constrained_capacity
from channels.errors import ChannelError
from channels.modulation.qam import constellation, demap, map_bits


@pytest.mark.parametrize(
    ("esno_db", "num_uses", "share"),
    [(0, 256, 0.774), (0, 1024, 0.884), (0, 24576, 0.976),
     (10, 256, 0.924), (10, 1024, 0.961), (10, 24576, 0.992)],
)  # fmt: skip
def test_rate_over_capacity_at_error_one_in_a_thousand(esno_db, num_uses, share):
    assert normal_rate(num_uses, esno_db, 1e-3) / capacity(esno_db) == pytest.approx(
        share, abs=5e-4
    )


@pytest.mark.parametrize(
    ("num_uses", "esno_db"), [(256, 4.0), (512, -0.4), (1024, -4.0), (4096, -10.5)]
)
def test_least_snr_of_a_caption_of_400_bits(num_uses, esno_db):
    assert normal_esno_db(400, num_uses, 1e-3) == pytest.approx(esno_db, abs=0.05)


def test_equals_the_real_channel_of_the_source_at_twice_the_uses():
    # Polyanskiy et al., eqs. 291-293: per real use C = ln(1 + P) / 2, V = P (P + 2) / 2 (P + 1)^2.
    snr, num_uses = 10 ** (0.3), 500
    real = np.log2(1 + snr) / 2
    spread = snr * (snr + 2) / (2 * (snr + 1) ** 2) * np.log2(np.e) ** 2
    assert capacity(3.0) == pytest.approx(2 * real)
    assert dispersion(3.0) == pytest.approx(2 * spread)
    bits = 2 * num_uses * real - np.sqrt(2 * num_uses * spread) * 3.0902323 + np.log2(num_uses) / 2
    assert normal_bits(num_uses, 3.0, 1e-3) == pytest.approx(bits)


def test_dispersion_is_the_variance_of_the_information_density():
    rng = np.random.default_rng(0)
    snr, n = 2.0, 200
    # A codeword of constant power, as the source has it: x = sqrt(snr), noise CN(0, 1).
    noise = (rng.normal(size=(20000, n)) + 1j * rng.normal(size=(20000, n))) / np.sqrt(2)
    y = np.sqrt(snr) + noise
    density = np.log2(1 + snr) + (np.abs(y) ** 2 / (1 + snr) - np.abs(noise) ** 2) / np.log(2)
    total = density.sum(axis=1)
    esno_db = 10 * np.log10(snr)
    assert total.mean() / n == pytest.approx(float(capacity(esno_db)), rel=0.01)
    assert total.var() / n == pytest.approx(float(dispersion(esno_db)), rel=0.04)


SNR = st.floats(-30, 40)
USES = st.integers(16, 200_000)
ERROR = st.floats(1e-9, 0.5)


@given(rate=st.floats(1e-6, 20))
def test_capacity_and_its_inverse(rate):
    assert capacity(capacity_esno_db(rate)) == pytest.approx(rate, rel=1e-9)


@given(num_bits=st.integers(1, 100_000), num_uses=USES, error=ERROR)
def test_least_snr_is_the_inverse_of_most_bits(num_bits, num_uses, error):
    if num_bits > 30 * num_uses:
        return
    esno_db = float(normal_esno_db(num_bits, num_uses, error))
    assert normal_bits(num_uses, esno_db + 1e-6, error) >= num_bits * (1 - 1e-9)
    assert normal_bits(num_uses, esno_db - 1e-3, error) < num_bits


@given(num_uses=USES, esno_db=SNR, error=ERROR)
def test_error_probability_is_the_inverse_of_most_bits(num_uses, esno_db, error):
    bits = float(normal_bits(num_uses, esno_db, error))
    growth = np.log1p(10 ** (esno_db / 10))
    if bits < 1 or growth < 1 or bits >= num_uses * capacity(esno_db) * (1 - 1e-9):
        # The limits at low SNR and at capacity are not in the error.
        return
    assert normal_error(bits, num_uses, esno_db) == pytest.approx(error, rel=1e-6)


@given(num_uses=USES, esno_db=SNR, error=ERROR, step=st.floats(0, 5))
def test_more_snr_uses_or_errors_never_carry_less(num_uses, esno_db, error, step):
    bits = normal_bits(num_uses, esno_db, error)
    assert normal_bits(num_uses, esno_db + step, error) >= bits
    assert normal_bits(2 * num_uses, esno_db, error) >= bits
    assert normal_bits(num_uses, esno_db, min(2 * error, 0.5)) >= bits
    assert normal_bits(num_uses, -np.inf, error) == 0


def test_arrays_broadcast_and_wrong_input_is_said():
    assert normal_bits([[128], [256]], [0.0, 5.0, 10.0], 1e-3).shape == (2, 3)
    assert normal_esno_db([100, 200], 256, 1e-3).shape == (2,)
    assert normal_error(10, 100, -np.inf) == 1
    with pytest.raises(ChannelError, match="NaN"):
        capacity(np.nan)
    with pytest.raises(ChannelError, match="at least 1 channel use"):
        normal_bits(0, 0.0, 1e-3)
    with pytest.raises(ChannelError, match="above 0"):
        normal_bits(100, 0.0, 0.0)
    with pytest.raises(ChannelError, match="more than 0"):
        normal_esno_db(0, 100, 1e-3)
    with pytest.raises(ChannelError, match="num_bits_per_symbol is 3"):
        constrained_capacity(3, 0.0)


def test_qpsk_is_two_binary_antipodal_channels():
    def binary(snr):  # capacity of +-1 in real noise of variance 1 / (2 snr) a dimension
        def loss(z):
            llr = 4 * snr / 2 * (1 + z * np.sqrt(1 / snr))
            return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.log2(1 + np.exp(-llr))

        return 1 - quad(loss, -12, 12, epsabs=1e-12)[0]

    for esno_db in (-10.0, 0.0, 5.0):
        expected = 2 * binary(10 ** (esno_db / 10))
        for bitwise in (True, False):
            found = constrained_capacity(2, esno_db, bitwise)
            assert found == pytest.approx(expected, abs=1e-8)
    # The textbook limit of rate 1/2 over binary input: Eb/N0 = 0.187 dB.
    assert constrained_capacity(2, 0.187) == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize("num_bits_per_symbol", [2, 4, 6, 8])
@pytest.mark.parametrize("esno_db", [0.0, 9.0])
def test_bitwise_capacity_is_what_the_demapper_delivers(num_bits_per_symbol, esno_db):
    rng = np.random.default_rng(num_bits_per_symbol)
    bits = rng.integers(0, 2, (1, 60_000 * num_bits_per_symbol), dtype=np.uint8)
    x = map_bits(bits, num_bits_per_symbol)
    no = 10 ** (-esno_db / 10)
    noise = rng.normal(size=(*x.shape, 2)).astype(np.float32) * np.sqrt(no / 2)
    y = x + torch.view_as_complex(torch.as_tensor(noise, dtype=torch.float32))
    llr = demap(y, torch.ones_like(y), no, num_bits_per_symbol).numpy()
    lost = np.logaddexp(0, np.where(bits == 1, -llr, llr)).mean() / np.log(2)
    measured = num_bits_per_symbol * (1 - lost)
    assert constrained_capacity(num_bits_per_symbol, esno_db) == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize("num_bits_per_symbol", [2, 4, 6, 8])
def test_joint_capacity_by_the_points_of_the_modulator(num_bits_per_symbol):
    points = constellation(num_bits_per_symbol).numpy().astype(complex)
    no, rng = 10**-0.8, np.random.default_rng(0)
    shape = (len(points), 40_000 // len(points), 1)  # [sent, noise, candidate]
    noise = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * np.sqrt(no / 2)
    far = np.abs(points[:, None, None] + noise - points) ** 2 - np.abs(noise) ** 2
    loss = np.log2(np.exp(-far / no).sum(axis=-1)).mean()
    expected = num_bits_per_symbol - loss
    assert constrained_capacity(num_bits_per_symbol, 8.0, False) == pytest.approx(
        expected, abs=0.02
    )


@pytest.mark.parametrize("num_bits_per_symbol", [2, 4, 6, 8])
def test_order_and_limits_of_the_capacities(num_bits_per_symbol):
    esno_db = np.array([-np.inf, -20, -10, 0, 10, 20, 30, 60])
    bitwise = constrained_capacity(num_bits_per_symbol, esno_db)
    joint = constrained_capacity(num_bits_per_symbol, esno_db, False)
    assert (bitwise <= joint + 1e-9).all() and (joint <= capacity(esno_db) + 1e-9).all()
    assert (np.diff(bitwise) > -1e-12).all() and (np.diff(joint) > -1e-12).all()
    assert bitwise[0] == pytest.approx(0, abs=1e-12) and bitwise[-1] == pytest.approx(
        num_bits_per_symbol
    )
    assert joint[1] == pytest.approx(float(capacity(-20.0)), rel=1e-2)
