"""Unit conversions against their definitions and against Sionna."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import units
from channels.errors import ChannelError
from channels.rng import preserve_torch_rng

ORDERS = (2, 4, 6, 8)


@given(st.floats(-80, 80))
def test_db_round_trip(x_db: float) -> None:
    assert units.lin_to_db(units.db_to_lin(x_db)) == pytest.approx(x_db, abs=1e-9)


def test_zero_power_is_minus_infinity_db() -> None:
    assert units.lin_to_db(0.0) == -math.inf
    with pytest.raises(ChannelError, match="0 or more"):
        units.lin_to_db(-1.0)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("coderate", [0.2, 1 / 3, 0.5, 0.75, 0.93, 1.0])
@pytest.mark.parametrize("ebno_db", [-5.0, 0.0, 7.3, 20.0])
def test_ebno_agrees_with_sionna_and_round_trips(
    order: int, coderate: float, ebno_db: float
) -> None:
    with preserve_torch_rng():
        from sionna.phy.utils import ebnodb2no

        expected = float(ebnodb2no(ebno_db, order, coderate, device="cpu"))
    assert units.ebno_db_to_no(ebno_db, order, coderate) == pytest.approx(expected, rel=1e-5)
    esno_db = units.ebno_db_to_esno_db(ebno_db, order, coderate)
    assert esno_db == pytest.approx(ebno_db + 10 * math.log10(order * coderate))
    assert units.esno_db_to_ebno_db(esno_db, order, coderate) == pytest.approx(ebno_db)


def test_constellation_size_is_not_taken_for_bits_per_symbol() -> None:
    # 16-QAM at rate 1/2 carries 2 bits a use: 3.01 dB, not the 9.03 dB that 16 / 2 would give.
    assert units.ebno_db_to_esno_db(0.0, 4, 0.5) == pytest.approx(3.0103, abs=1e-4)


@pytest.mark.parametrize(
    ("inverse_rho", "size"), [(6, (32, 32)), (192, (256, 256)), (48, (768, 512)), (24, (64, 96))]
)
def test_rho_of_whole_uses_is_exact(inverse_rho: int, size: tuple[int, int]) -> None:
    uses = units.rho_to_uses(1 / inverse_rho, size)
    assert uses == 3 * size[0] * size[1] // inverse_rho
    assert units.uses_to_rho(uses, size) == pytest.approx(1 / inverse_rho)
    assert units.cpp(uses, size) == pytest.approx(3 / inverse_rho)


@given(st.integers(0, 10**6), st.integers(1, 999), st.integers(1, 999))
def test_uses_survive_rho(uses: int, height: int, width: int) -> None:
    assert units.rho_to_uses(units.uses_to_rho(uses, (height, width)), (height, width)) == uses


def test_bpp_counts_bytes() -> None:
    assert units.bpp(273, (256, 256)) == pytest.approx(0.0333, abs=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: units.esno_db_to_no(math.nan),
        lambda: units.rho_to_uses(math.nan, (4, 4)),
        lambda: units.rho_to_uses(-0.1, (4, 4)),
        lambda: units.bpp(1, (0, 4)),
        lambda: units.ebno_db_to_no(1.0, 4, 0.0),
        lambda: units.ebno_db_to_no(1.0, 0, 0.5),
    ],
)
def test_wrong_input_is_refused(call) -> None:
    with pytest.raises(ChannelError, match="expected"):
        call()
