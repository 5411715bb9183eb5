"""The grid of schemes and the Es/N0 that each one needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.bler.table import wilson_interval
from channels.coding.segmentation import num_channel_uses
from channels.fading.models import Awgn
from channels.fading.states import channel_states
from channels.phy.bit_true import BitTruePhy
from channels.phy.table import TablePhy
from channels.types import Frame, Mcs
from channels.units import lin_to_db
from scmc_comm.errors import ScmcError
from scmc_comm.link.mcs import MCS_GRID, TARGET_LOSS, choose_mcs, required_esno_db


def test_grid_reaches_from_30_to_948_of_1024():
    rates = [m.coderate / m.repetition * 1024 for m in MCS_GRID]
    assert min(rates) == pytest.approx(30) and max(rates) == pytest.approx(948)
    assert {m.num_bits_per_symbol for m in MCS_GRID} == {2, 4, 6, 8}
    assert any(rate == pytest.approx(120) for rate in rates)


def test_required_esno_lies_above_capacity_and_within_reach():
    for mcs in MCS_GRID:
        shannon_db = lin_to_db(2 ** (mcs.coderate * mcs.num_bits_per_symbol) - 1)
        for num_bits in (1, 64, 300, 5000, 50_000):
            once_db = required_esno_db(mcs, num_bits) + lin_to_db(mcs.repetition)
            assert 0.8 < once_db - shannon_db < (16 if num_bits < 64 else 8)


def test_short_blocks_need_more():
    for mcs in MCS_GRID:
        if mcs.coderate < 0.9:  # beyond it, blocks this short are coded at a lower rate
            assert required_esno_db(mcs, 64) > required_esno_db(mcs, 1024)


@pytest.mark.parametrize("num_bits", [40, 848, 3000, 30_000])
def test_the_tables_lose_the_promised_share(num_bits):
    for mcs in MCS_GRID[::3]:
        uses = num_channel_uses(num_bits, mcs)
        states = channel_states(Awgn(), uses, required_esno_db(mcs, num_bits))
        (arrives,) = TablePhy().arrival(num_bits, mcs, 0, 1.0, states)
        assert 1 - arrives == pytest.approx(TARGET_LOSS, rel=0.02)


def scheme(num_bits_per_symbol, rate_1024):
    """The scheme of the grid with that rate."""
    return next(
        mcs for mcs in MCS_GRID
        if (mcs.num_bits_per_symbol, round(1024 * mcs.coderate / mcs.repetition, 1))
        == (num_bits_per_symbol, rate_1024)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("num_bits_per_symbol", "rate_1024", "num_bits"),
    [(8, 916.5, 112), (8, 682.5, 300), (6, 873, 64), (4, 616, 900), (2, 120, 104), (2, 30, 128)],
)
def test_the_bit_true_link_loses_the_promised_share(num_bits_per_symbol, rate_1024, num_bits):
    mcs, num = scheme(num_bits_per_symbol, rate_1024), 4000
    bits = np.random.default_rng(num_bits).integers(0, 2, num_bits, dtype=np.uint8)
    needed_db = required_esno_db(mcs, num_bits)
    report = BitTruePhy().send([Frame("a", bits, mcs)], Awgn(), needed_db, range(num))
    lost = num - int(report.delivered.sum())
    low, high = wilson_interval(np.array(lost), np.array(num), 0.999)
    assert low < 2 * TARGET_LOSS and high > TARGET_LOSS / 2, lost


def test_unmeasured_schemes_are_refused():
    with pytest.raises(ScmcError, match="MCS_GRID"):
        required_esno_db(Mcs(2, 0.5123))


@settings(deadline=None, max_examples=50)
@given(st.floats(-8, 30), st.floats(0, 5), st.integers(64, 20_000))
def test_choice_decodes_and_nothing_faster_does(design, backoff, num_bits):
    try:
        chosen = choose_mcs(design, backoff, num_bits=num_bits)
    except ScmcError:
        assert all(required_esno_db(m, num_bits) > design - backoff for m in MCS_GRID)
        return
    assert required_esno_db(chosen, num_bits) <= design - backoff
    for mcs in MCS_GRID:
        if mcs.bits_per_use > chosen.bits_per_use:
            assert required_esno_db(mcs, num_bits) > design - backoff


def test_no_two_schemes_are_equally_fast():
    """So that the fastest one that decodes is one."""
    assert len({mcs.bits_per_use for mcs in MCS_GRID}) == len(MCS_GRID)


def test_hopeless_design_point_is_an_error():
    with pytest.raises(ScmcError, match="raise the design"):
        choose_mcs(-40.0)
