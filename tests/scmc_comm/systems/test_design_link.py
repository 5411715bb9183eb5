"""A design is for the link that it is used on: its law, its physical layer, what is known of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_adaptive import RHO, SIZE, toy_curves
from test_separation import ToyCodec
from test_transmit import FakeCodec

from channels.errors import ChannelError
from channels.fading.models import make_channel
from channels.phy.names import make_phy
from channels.types import Frame
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget, design_for
from scmc_comm.link.delivery import make_link
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.planners import SPREAD_DB, OptimisedPlanner
from scmc_comm.registry import make_system
from scmc_comm.systems.adaptive import (
    delivery_probability,
    design_link,
    expected_utility,
    ranking,
)
from scmc_comm.systems.scmc import Scmc
from scmc_comm.systems.separate import Separate

TDL = "tdl:model=C,delay_spread_s=1e-7,speed_kmh=30"
OFDM = "ofdm:antennas=1x2,csi=ls"
BLACK = torch.zeros(3, *SIZE)


def scheme(budget, **options):
    (frame,) = (
        Separate(ToyCodec(), curves=toy_curves(), scale="1", **options)
        .prepare(BLACK, budget)
        .frames
    )
    return frame.mcs


@pytest.mark.parametrize("law", ["awgn", "rayleigh_block", "nakagami_block:m=2"])
def test_a_fixed_design_is_the_best_for_the_law_at_the_design_mean(law):
    system, curves = Separate(ToyCodec(), curves=toy_curves()), toy_curves()
    design = design_for(system.side_information, law, -3.0, "flat", 10.0)
    assert (design.channel, design.esno_db) == (law, 10.0)
    budget = design.budget(RHO)
    link = design_link(budget, SIZE)
    value = {mcs: expected_utility(curves, mcs, SIZE, budget, link) for mcs in MCS_GRID}
    assert value[scheme(budget)] == pytest.approx(max(value.values()), abs=1e-8)


def test_over_fading_it_is_slower_than_the_design_for_awgn_and_better_on_average():
    budget = Budget(RHO, 10.0, "rayleigh_block")
    own, foreign = scheme(budget), scheme(budget, law="awgn")
    assert own.bits_per_use < foreign.bits_per_use
    link = design_link(budget, SIZE)
    quality = [expected_utility(toy_curves(), mcs, SIZE, budget, link) for mcs in (own, foreign)]
    assert quality[0] > quality[1] + 1


def test_a_design_for_a_range_is_the_best_over_all_its_means():
    budget, curves = Budget(RHO, 10.0, "rayleigh_block"), toy_curves()

    def mean(mcs):
        at = [replace(budget, design_esno_db=10.0 + spread) for spread in SPREAD_DB]
        return np.mean([
            expected_utility(curves, mcs, SIZE, each, design_link(each, SIZE)) for each in at
        ])  # fmt: skip

    chosen = scheme(budget, mcs="range")
    assert mean(chosen) == pytest.approx(max(map(mean, MCS_GRID)), abs=1e-6)
    assert chosen.bits_per_use < scheme(budget).bits_per_use  # the range reaches far down


@pytest.mark.parametrize("csi", ["perfect", "ls", "lmmse"])
def test_delivery_over_ofdm_is_that_of_the_link_itself(csi):
    phy = f"ofdm:antennas=1x2,csi={csi}"
    budget, size = Budget(1 / 6, 4.0, TDL, phy=phy), (64, 64)
    rng, tables = np.random.default_rng(0), make_phy(phy, "expected")
    for mcs in (MCS_GRID[10], MCS_GRID[13], MCS_GRID[17]):
        frame = Frame("image", rng.integers(0, 2, 900, np.uint8), mcs)
        sent = tables.expected_delivery([frame], make_channel(TDL), 4.0)
        planned = delivery_probability(mcs, 900, design_link(budget, size))
        assert planned == pytest.approx(sent.get(frozenset({"image"}), 0.0), abs=0.03)


def test_adaptive_mcs_over_ofdm_knows_its_antennas():
    curves, size = toy_curves(), (128, 128)

    def rate(phy):
        return ranking(curves, size, Budget(1 / 12, 6.0, TDL, phy=phy))[0].bits_per_use

    two, one, flat = (rate(phy) for phy in ("ofdm:antennas=1x2", "ofdm:antennas=1x1", "flat"))
    assert two > one and two > flat


def test_the_optimiser_plans_for_the_physical_layer():
    budgets = [Budget(1 / 12, 4.0, TDL, phy=f"ofdm:antennas={text}") for text in ("1x1", "1x2")]
    system = Scmc(protection="optimised", codec=FakeCodec())
    rates = []
    for budget in budgets:
        assert isinstance(system._planner(), OptimisedPlanner)
        prepared = system.prepare(torch.full((3, 128, 128), 0.25), budget)
        arrives = make_phy(budget.phy, "expected").expected_delivery(
            prepared.frames, make_channel(TDL), 4.0
        )
        assert sum(p for tags, p in arrives.items() if tags) > 0.9
        rates.append(sum(f.bits.size for f in prepared.frames) / prepared.ledger.used)
    assert rates[1] > 1.2 * rates[0]


def test_a_link_that_cannot_run_over_the_channel_is_refused():
    budget = Budget(RHO, 10.0, "tdl:model=A,delay_spread_s=1e-4", phy="ofdm")
    with pytest.raises(ChannelError, match="prefix"):
        scheme(budget)
    with pytest.raises(ChannelError, match="prefix"):
        make_link(budget.channel, 100, (10.0,), phy="ofdm")


def test_what_contradicts_itself_is_one_clear_line():
    for name, says in (
        ("vvc:mcs=adaptive,law=awgn", "leave one of them out"),
        ("vvc:law=awgn,utility=lpips", "leave law out"),
        ("vvc:mcs=best", "one of fixed, range, adaptive"),
    ):
        with pytest.raises(ScmcError, match=says) as error:
            make_system(name)
        assert "\n" not in str(error.value)
