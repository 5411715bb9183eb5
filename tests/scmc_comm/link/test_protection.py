"""The two plans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import plugins
from channels.coding.transport_block import max_payload_bits, num_channel_uses
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.mcs import MCS_GRID, choose_mcs, required_esno_db
from scmc_comm.link.planners import OptimisedPlanner, make_planner
from scmc_comm.link.protection import (
    SIGNAL_MARGINS_DB,
    equal_plan,
    unequal_plan,
)
from scmc_comm.types import LayerKind

SEMANTIC, STRUCTURE, SIGNAL = LayerKind
SIZE = (256, 256)
BITS = {SEMANTIC: 104, STRUCTURE: 848}


def margin_db(plan, kind, design):
    return design - required_esno_db(plan.layers[kind].mcs, BITS[kind])


def test_unequal_margins():
    plan = unequal_plan(8192, BITS, 10.0, SIZE)
    assert list(plan.layers) == [SEMANTIC, STRUCTURE, SIGNAL]
    assert 10 < margin_db(plan, SEMANTIC, 10.0) < 14
    assert 5 <= margin_db(plan, STRUCTURE, 10.0) < 8
    first, second, third = (plan.protection(SIGNAL, part).mcs for part in range(3))
    assert first == choose_mcs(10.0, SIGNAL_MARGINS_DB[0], num_uses=plan.signal_uses)
    assert third == choose_mcs(10.0, num_uses=plan.signal_uses)
    # Steps of the grid may be wider than those of the margins.
    assert first.bits_per_use <= second.bits_per_use <= third.bits_per_use
    assert first.bits_per_use < third.bits_per_use
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
        # One scheme for all must decode the shortest layer as well.
        shortest = min(filter(None, (semantic, structure))) if make is equal_plan else semantic
        decoding = [m for m in MCS_GRID if required_esno_db(m, shortest) <= design]
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


def test_an_optimiser_of_somebody_keeps_the_utility_it_was_made_with(monkeypatch):
    monkeypatch.setattr(plugins, "_state", plugins._State({}, {}, None, "run", plugins.changes()))
    plugins.register("planner", "theirs", OptimisedPlanner(utility="lpips"))
    assert make_planner("theirs").utility == "lpips"
    assert make_planner("theirs", utility="ms_ssim").utility == "ms_ssim"


def test_an_unknown_planner_is_named():
    with pytest.raises(ScmcError, match="unequal, equal"):
        make_planner("some")
