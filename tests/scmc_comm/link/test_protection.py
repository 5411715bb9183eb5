"""The grid, the thresholds, and the two plans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.transport_block import max_payload_bits, num_channel_uses
from channels.types import Mcs
from channels.units import lin_to_db
from scmc_comm.errors import ScmcError
from scmc_comm.link.mcs import MARGIN_DB, MCS_GRID, choose_mcs, required_esno_db
from scmc_comm.link.planners import make_planner
from scmc_comm.link.protection import (
    SIGNAL_MARGINS_DB,
    InfeasibleBudgetError,
    equal_plan,
    unequal_plan,
)
from scmc_comm.link.thresholds import THRESHOLD_BITS, THRESHOLDS_DB, measure_threshold_db
from scmc_comm.types import LayerKind

SEMANTIC, STRUCTURE, SIGNAL = LayerKind
SIZE = (256, 256)
BITS = {SEMANTIC: 104, STRUCTURE: 848}


def margin_db(plan, kind, design):
    return design - required_esno_db(plan.layers[kind].mcs, BITS[kind])


def test_grid_reaches_from_30_to_948_of_1024():
    rates = [m.coderate / m.repetition * 1024 for m in MCS_GRID]
    assert min(rates) == pytest.approx(30) and max(rates) == pytest.approx(948)
    assert {m.num_bits_per_symbol for m in MCS_GRID} == {2, 4, 6, 8}
    assert any(rate == pytest.approx(120) for rate in rates)


def test_thresholds_lie_above_capacity_and_within_reach():
    assert len(THRESHOLDS_DB) == len(MCS_GRID)
    for mcs, row in zip(MCS_GRID, THRESHOLDS_DB, strict=True):
        shannon_db = lin_to_db(2 ** (mcs.coderate * mcs.num_bits_per_symbol) - 1)
        assert all(1.0 < threshold - shannon_db < 8.0 for threshold in row)


def test_short_blocks_need_more():
    for mcs in MCS_GRID:
        if mcs.coderate < 0.9:  # beyond it, blocks this short are coded at a lower rate
            assert required_esno_db(mcs, 64) > required_esno_db(mcs, 1024)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (4, 0), (14, 2), (18, 4)])
def test_thresholds_are_those_of_the_present_link(row, column):
    """Fails when the coding chain changes: measure the table again, do not widen the tolerance."""
    mcs = Mcs(MCS_GRID[row].num_bits_per_symbol, MCS_GRID[row].coderate)
    recorded_db = THRESHOLDS_DB[row][column]
    start_db = recorded_db - 1.25
    again_db = measure_threshold_db(mcs, THRESHOLD_BITS[column], start_db, 150, seed=7)
    assert again_db == pytest.approx(recorded_db, abs=0.3)


def test_repetition_gains_its_energy_on_the_bit_true_link():
    mcs, num_bits = MCS_GRID[0], 128
    assert mcs.repetition == 7
    measured_db = measure_threshold_db(mcs, num_bits, required_esno_db(mcs, num_bits) - 2.0, 150)
    assert required_esno_db(mcs, num_bits) - measured_db == pytest.approx(MARGIN_DB, abs=0.3)


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


def test_hopeless_design_point_is_an_error():
    with pytest.raises(ScmcError, match="raise the design"):
        choose_mcs(-40.0)


def test_unequal_margins():
    plan = unequal_plan(8192, BITS, 10.0, SIZE)
    assert list(plan.layers) == [SEMANTIC, STRUCTURE, SIGNAL]
    assert 10 < margin_db(plan, SEMANTIC, 10.0) < 14
    assert 5 <= margin_db(plan, STRUCTURE, 10.0) < 8
    first, second, third = (plan.protection(SIGNAL, part).mcs for part in range(3))
    assert first == choose_mcs(10.0, SIGNAL_MARGINS_DB[0], num_uses=plan.signal_uses)
    assert third == choose_mcs(10.0, num_uses=plan.signal_uses)
    assert first.bits_per_use < second.bits_per_use < third.bits_per_use
    assert plan.protection(SIGNAL, 9).mcs == third
    assert [p.priority for p in plan.layers.values()] == [0, 1, 2]


def test_equal_plan_has_one_mcs():
    plan = equal_plan(8192, BITS, 10.0, SIZE)
    assert len({p.mcs for p in plan.layers.values()}) == 1
    assert margin_db(plan, SEMANTIC, 10.0) >= 0


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from([unequal_plan, equal_plan]),
    st.integers(10, 40_000),
    st.integers(16, 800),
    st.integers(0, 8000),
    st.floats(-6, 25),
    st.booleans(),
)
def test_plans_keep_the_budget(make, num_uses, semantic, structure, design, with_signal):
    num_bits = {SEMANTIC: semantic, STRUCTURE: structure}
    try:
        plan = make(num_uses, num_bits, design, SIZE, with_signal)
    except ScmcError:
        decoding = [m for m in MCS_GRID if required_esno_db(m, semantic) <= design]
        assert all(num_channel_uses(semantic, mcs) > num_uses for mcs in decoding)
        return
    used = plan.signal_uses + sum(
        num_channel_uses(num_bits[kind], how.mcs)
        for kind, how in plan.layers.items()
        if kind is not SIGNAL
    )
    assert used <= num_uses
    assert SEMANTIC in plan.layers
    assert (SIGNAL in plan.layers) == (plan.signal_uses > 0)
    if SIGNAL in plan.layers:
        assert with_signal
        most = max_payload_bits(plan.signal_uses, plan.layers[SIGNAL].mcs)
        assert plan.signal_fits([most]) and not plan.signal_fits([most + 64])
        assert not plan.signal_fits([most, 200])
    if make is unequal_plan and SIGNAL in plan.layers:
        semantic_uses = num_channel_uses(semantic, plan.layers[SEMANTIC].mcs)
        basic = num_channel_uses(semantic, choose_mcs(design, num_bits=semantic))
        assert semantic_uses <= max(0.25 * num_uses, basic)


def test_small_budgets_leave_layers_out_then_fail():
    assert SEMANTIC in unequal_plan(300, BITS, 10.0, SIZE).layers
    assert STRUCTURE not in unequal_plan(200, BITS, 10.0, SIZE, False).layers
    for plan in (unequal_plan, equal_plan):
        with pytest.raises(InfeasibleBudgetError, match="bandwidth ratio of 1/") as error:
            plan(20, BITS, 10.0, SIZE)
        needed = int(str(error.value).split(" needs ")[1].split(",")[0])
        assert SEMANTIC in plan(needed, BITS, 10.0, SIZE).layers


def test_an_unknown_planner_is_named():
    with pytest.raises(ScmcError, match="unequal, equal"):
        make_planner("some")
