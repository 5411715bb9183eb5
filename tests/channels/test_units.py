"""Unit conversions against their definitions and against Sionna."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import units
from channels.errors import ChannelError


@given(st.floats(-80, 80))
def test_db_round_trip(x_db: float) -> None:
    assert units.lin_to_db(units.db_to_lin(x_db)) == pytest.approx(x_db, abs=1e-9)


def test_zero_power_is_minus_infinity_db() -> None:
    assert units.lin_to_db(0.0) == -math.inf
    with pytest.raises(ChannelError, match="0 or more"):
        units.lin_to_db(-1.0)


@pytest.mark.parametrize(
    ("inverse_rho", "size"), [(6, (32, 32)), (192, (256, 256)), (48, (768, 512)), (24, (64, 96))]
)
def test_rho_of_whole_uses_is_exact(inverse_rho: int, size: tuple[int, int]) -> None:
    uses = units.rho_to_uses(1 / inverse_rho, size)
    assert uses == 3 * size[0] * size[1] // inverse_rho
    assert units.uses_to_rho(uses, size) == pytest.approx(1 / inverse_rho)


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
        lambda: units.kmh_to_mps(-1.0),
        lambda: units.max_doppler_hz(1.0, 0.0),
    ],
)
def test_wrong_input_is_refused(call) -> None:
    with pytest.raises(ChannelError, match="expected"):
        call()
