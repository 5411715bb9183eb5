"""The protection optimiser: its value function, its search, its plans and its promises."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.table import TablePhy
from experiments.statistics.means import bounded_mean
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.allocation import LEFT_OUT, Allocator
from scmc_comm.link.budget import Budget
from scmc_comm.link.delivery import make_link
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.optimiser import (
    Request,
    check_fits,
    compare,
    evaluate_units,
    make_allocator,
    optimise,
)
from scmc_comm.link.planners import best_allocation, make_planner
from scmc_comm.link.protection import equal_plan, unequal_plan
from scmc_comm.link.quality import quality_model
from scmc_comm.link.search import search
from scmc_comm.link.utility import Utility
from scmc_comm.types import LayerKind

SEMANTIC, STRUCTURE, SIGNAL = LayerKind
SIZE = (256, 256)
CHANNELS = ("awgn", "rayleigh_block", "rayleigh_block:coherence_symbols=2048")


def made_up_picture(scale=1.0, alone=(0, 8)):
    """Curves like a picture's: each part and each rate adds something."""
    signal = []
    for i, quality in enumerate((0, 4, 8)):
        base = 18 + 3 * i
        scores = [[base + 1.5 * i * part**0.5, -0.4 + 0.1 * i] for part in range(i + 2)]
        parts = [round(scale * 300 * 2**i / (1 + part)) for part in range(i + 2)]
        shown = {"": scores}
        if quality in alone:
            more = [[psnr + 0.25, other] for psnr, other in scores]
            shown |= dict.fromkeys(("semantic", "structure", "semantic+structure"), more)
        signal.append({"quality": quality, "part_bytes": parts, "shown": shown})
    coarse = {"structure": [15.0, -0.8], "semantic+structure": [15.5, -0.75]}
    fine = {"structure": [16.0, -0.7], "semantic+structure": [17.0, -0.6]}
    return {
        "size": [256, 256],
        "semantic_bytes": 13,
        "lower": {"": [11.0, -1], "semantic": [14.0, -0.9]},
        "structure": [{"bytes": 70, "lower": coarse}, {"bytes": 180, "lower": fine}],
        "signal": signal,
    }


def conditioned_picture(saving=0.7):
    """One whose signal, coded given the structure, takes a share of the bytes."""
    picture = made_up_picture()
    for rate in picture["signal"]:
        rate["shown"] = dict.fromkeys(("", "semantic"), rate["shown"][""])
    for level in picture["structure"]:
        level["given"] = [
            {
                "part_bytes": [round(saving * size) for size in rate["part_bytes"]],
                "shown": dict.fromkeys(("structure", "semantic+structure"), rate["shown"][""]),
            }
            for rate in picture["signal"]
        ]
    return picture


METRICS = ("psnr_db", "ms_ssim")


@pytest.fixture(scope="module")
def quality():
    return quality_model([made_up_picture(), made_up_picture(1.5)], METRICS, SIZE)


def test_utility_reads_sums_and_refuses_the_rest():
    weights = dict(Utility.parse("0.5*psnr_db - 20*lpips+3e1 * ms_ssim").weights)
    assert weights == {"psnr_db": 0.5, "lpips": -20.0, "ms_ssim": 30.0}
    assert Utility.parse("dists").weights == (("dists", -1.0),)
    scores = np.array([[30.0, 0.1], [20.0, 0.5]])
    found = Utility.parse("psnr_db-20*lpips").of(("psnr_db", "lpips"), scores)
    assert found.tolist() == [28.0, 10.0]
    for text in ("", "psnr", "psnr_db*2", "psnr_db lpips", "2*lpips", "-psnr_db", "0*psnr_db",
                 "psnr_db+psnr_db", "__import__('os')"):  # fmt: skip
        with pytest.raises(ScmcError, match="utility"):
            Utility.parse(text)
    with pytest.raises(ScmcError, match="needs dists; there are"):
        Utility.parse("-dists").of(METRICS, scores)


def test_curves_go_through_what_was_measured():
    picture = made_up_picture(alone=(0, 4, 8))
    model = quality_model([picture], METRICS, SIZE)
    sizes = [8 * sum(b + 1 for b in rate["part_bytes"]) for rate in picture["signal"]]
    assert model.lower_bits == (8 * 14, 8 * 181)
    assert model.lower[3, 0] == 17.0
    coarse = quality_model([picture], METRICS, SIZE, level=0)
    assert coarse.lower_bits == (8 * 14, 8 * 71)
    assert coarse.lower[:, 0].tolist() == [11.0, 14.0, 15.0, 15.5]
    curves = model.alone
    assert curves.bits[[0, -1]] == pytest.approx([sizes[0], sizes[-1]])
    assert curves.part_bits.sum(axis=1) == pytest.approx(curves.bits)
    for rate, at in ((0, 0), (2, -1)):
        row = picture["signal"][rate]
        scores = row["shown"][""]
        assert curves.shown[at, 0, len(scores) - 1] == pytest.approx(scores[-1])
        assert curves.shown[at, 0, 3] == pytest.approx(scores[-1]), "missing parts add nothing"
        assert curves.shown[at, 3, 0, 0] == pytest.approx(scores[0][0] + 0.25)
    between = quality_model([made_up_picture(alone=(0, 8))], METRICS, SIZE)
    filled = between.alone.shown
    assert filled == pytest.approx(curves.shown), "a constant difference is filled in exactly"
    large = quality_model([picture], METRICS, (512, 256))
    assert large.alone.bits[0] == pytest.approx(2 * sizes[0], rel=0.02)
    steps = model.rates(Utility.parse("psnr_db"), with_structure=True).steps
    assert np.cumsum(steps, axis=2)[:, 3, 4] == pytest.approx(curves.shown[:, 3, 3, 0])
    assert np.array_equal(model.given.shown, curves.shown), "coded from the picture alone"


def test_a_signal_given_the_structure_has_curves_of_its_own():
    model = quality_model([conditioned_picture()], METRICS, SIZE)
    assert model.given.bits[0] == pytest.approx(0.7 * model.alone.bits[0], rel=0.01)
    utility = Utility.parse("psnr_db")
    given, alone = (model.rates(utility, sent).steps for sent in (True, False))
    assert not given[:, :2, 1:].any(), "without the structure it shows nothing"
    assert (given[:, 2:, 1] > 0).all() and (alone[:, :2, 1] > 0).all()
    assert np.cumsum(given, axis=2)[0, 3, 1] == pytest.approx(np.cumsum(alone, axis=2)[0, 0, 1])


def test_a_plan_without_the_structure_pays_for_the_whole_signal():
    """Sending the structure leaves it fewer uses, which it needs less: the rate tells."""
    found = allocator(
        quality_model([conditioned_picture()], METRICS, SIZE), "awgn", (30.0,), 20_000
    )
    plans = np.array([[9, scheme, *[11] * 4] for scheme in (LEFT_OUT, 9)])
    outcome = found.evaluate(plans)
    left = 20_000 - found.lower_uses[0, 9]
    rates = [
        np.interp(uses, found.signal(sent).uses_of(plans[:1])[0], np.arange(96.0))
        for sent, uses in ((False, left), (True, left - found.lower_uses[1, 9]))
    ]
    assert outcome.rate == pytest.approx(rates) and rates[1] > rates[0]


def test_the_optimiser_knows_that_a_signal_needs_its_structure():
    """What it expects is the exact sum over delivered sets, where a lost structure shows no signal."""
    model = quality_model([conditioned_picture()], METRICS, SIZE)
    found = optimise(Request(6000, "rayleigh_block", (9.0,)), model, SIZE)
    frames = found.frames()
    assert {"structure", "signal"} <= {frame.tag for frame in frames}
    sets = TablePhy().expected_delivery(frames, make_channel("rayleigh_block"), 9.0)
    exact = sum(p * found.score(tags) for tags, p in sets.items())
    assert found.utility == pytest.approx(exact, abs=0.06)
    lost = frozenset(frame.tag for frame in frames) - {"structure"}
    assert found.score(lost) == found.score(lost - {"signal"})


def allocator(quality, channel, esno_db=(6.0,), num_uses=6000, grid=MCS_GRID, weights=None):
    link = make_link(channel, num_uses, esno_db, weights)
    rates = tuple(quality.rates(Utility.parse("psnr_db"), sent) for sent in (False, True))
    return Allocator(num_uses, quality.lower_bits, rates, link, grid)


@pytest.mark.parametrize(
    ("channel", "power"), [*((channel, False) for channel in CHANNELS), (CHANNELS[1], True)]
)
def test_the_model_agrees_with_the_exact_sum_over_delivered_sets(quality, channel, power):
    """The value of a plan is the expectation that the table link gives for frames of its sizes."""
    request = Request(6000, channel, (9.0,), with_power=power)
    found = optimise(request, quality, SIZE)
    frames = found.frames()
    assert sum(num_channel_uses(f.bits.size, f.mcs) for f in frames) <= 6000
    sets = TablePhy().expected_delivery(frames, make_channel(channel), 9.0)
    exact = sum(p * found.score(tags) for tags, p in sets.items())
    # Quasi-random nodes over several fades leave a tenth of a dB; over one fade cells are fine.
    assert found.utility == pytest.approx(exact, abs=0.3 if "coherence" in channel else 0.06)


def test_value_of_a_plan_by_hand(quality):
    found = allocator(quality, "awgn", (2.0,), num_uses=20_000)
    plan = np.array([6, 9, 10, 11, 11, 11])
    outcome = found.evaluate(plan[None])
    a, b, *parts = outcome.delivery[0]
    low = int(outcome.rate[0])
    share = outcome.rate[0] - low
    steps = found.signal(True).steps
    steps = (1 - share) * steps[low] + share * steps[low + 1]
    total = 0.0
    for sem, struct in itertools.product((0, 1), repeat=2):
        weight = (a if sem else 1 - a) * (b if struct else 1 - b)
        gains = steps[sem + 2 * struct]
        total += weight * (gains[0] + np.cumprod(parts) @ gains[1:])
    assert outcome.value[0] == pytest.approx(total, abs=1e-9)


def test_what_does_not_fit_is_worth_nothing(quality):
    small = allocator(quality, "awgn", num_uses=300)
    plans = np.array([[0, LEFT_OUT, *[LEFT_OUT] * 4], [30, LEFT_OUT, *[30] * 4], [30, *[-1] * 5]])
    values = small.evaluate(plans).value
    assert values[0] == values[1] == -np.inf and np.isfinite(values[2])


@settings(deadline=None, max_examples=15)
@given(st.floats(-6, 20), st.integers(500, 9000), st.sampled_from(CHANNELS[:2]), st.booleans())
def test_never_worse_than_the_rules(quality, esno_db, num_uses, channel, with_signal):
    request = Request(num_uses, channel, (esno_db,), with_signal=with_signal)
    found = optimise(request, quality, SIZE)
    for rule in (equal_plan, unequal_plan):
        other = compare(rule, request, quality, SIZE)
        assert other is None or found.utility >= other.utility - 1e-5
    if not with_signal:
        assert found.units[2:] == (None,) * 4


@pytest.mark.parametrize("channel", CHANNELS[:2])
@pytest.mark.parametrize("esno_db", [0.0, 8.0])
def test_gap_of_the_search_on_small_instances(quality, channel, esno_db):
    """Every plan over five schemes, one by one; the search comes within a hundredth of a dB."""
    grid = [MCS_GRID[i] for i in (2, 8, 11, 16, 22)]
    found = allocator(quality, channel, (esno_db,), grid=grid)
    ladders = [
        (*sent, *[LEFT_OUT] * (4 - len(sent)))
        for count in range(5)
        for sent in itertools.product(range(5), repeat=count)
    ]
    plans = [(a, b, *ladder) for a in range(-1, 5) for b in range(-1, 5) for ladder in ladders]
    exact = found.evaluate(np.array(plans)).value.max()
    assert exact - 0.01 <= search(found).value <= exact + 1e-9


def test_the_sender_who_does_not_know_the_snr_gains_by_reckoning_with_it(quality):
    means = (-3.0, 3.0, 9.0)
    robust = optimise(Request(6000, "awgn", means), quality, SIZE)
    blind = optimise(Request(6000, "awgn", (9.0,)), quality, SIZE)
    request = Request(6000, "awgn", means)
    assert robust.utility > evaluate_units(make_allocator(request, quality), blind.units).utility
    sure = optimise(Request(6000, "awgn", means, (0.0, 0.0, 1.0)), quality, SIZE)
    assert sure.utility == pytest.approx(blind.utility, abs=1e-6)


def test_power_only_helps(quality):
    for channel in CHANNELS[:2]:
        plain = optimise(Request(4000, channel, (5.0,)), quality, SIZE)
        powers = optimise(Request(4000, channel, (5.0,), with_power=True), quality, SIZE)
        assert powers.utility >= plain.utility - 1e-6


@pytest.mark.parametrize("name", ["optimised", "range"])
def test_plans_for_other_images_keep_the_budget(name):
    planner = make_planner(name)
    for rho, structure in ((1 / 24, 1800), (1 / 24, 40_000), (1 / 300, 900)):
        budget = Budget(rho, 6.0, "rayleigh_block")
        bits = {SEMANTIC: 160, STRUCTURE: structure}
        for with_signal in (True, False):
            _, plan = planner.plan(budget, [bits], SIZE, with_signal)
            used = plan.signal_uses + sum(
                num_channel_uses(bits[kind], how.mcs)
                for kind, how in plan.layers.items()
                if kind is not SIGNAL
            )
            assert 0 < used <= budget.uses(SIZE)
            assert with_signal or SIGNAL not in plan.layers
    with pytest.raises(InfeasibleBudgetError, match="bandwidth ratio of 1/"):
        planner.plan(Budget(1 / 20_000, 6.0), [{SEMANTIC: 160}], SIZE, False)


@pytest.mark.parametrize("name", ["unequal", "equal", "optimised"])
def test_a_tight_budget_takes_the_coarse_structure(name):
    """The finer level comes with room for it, and never goes again as the budget grows."""
    planner, taken = make_planner(name), []
    options = [{SEMANTIC: 280, STRUCTURE: 660}, {SEMANTIC: 280, STRUCTURE: 1800}]
    for uses in (400, 900, 1200, 2000, 4000):
        budget = Budget(uses / (3 * 256 * 256), 3.0)
        level, plan = planner.plan(budget, options, SIZE, with_signal=False)
        taken.append(level if STRUCTURE in plan.layers else -1)
    assert taken == sorted(taken) and {0, 1} <= set(taken), taken


def test_resized_curves_keep_the_qualities_and_the_shares_of_the_parts(quality):
    coarsest = round(1.7 * quality.given.bits[0])
    other = quality.resized({SEMANTIC: 96, SIGNAL: coarsest})
    assert other.lower_bits == (96, quality.lower_bits[1])
    for name in ("given", "alone"):
        new, old = getattr(other, name), getattr(quality, name)
        assert new.part_bits.sum(axis=1) == pytest.approx(new.bits)
        assert new.bits == pytest.approx(1.7 * old.bits, rel=1e-3)
        assert new.shown is old.shown
    assert other.given.bits[0] == pytest.approx(coarsest)
    same = quality.resized({})
    assert same.lower_bits == quality.lower_bits
    assert np.array_equal(same.given.part_bits, quality.given.part_bits)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0, 3.0])
def test_a_planned_signal_has_room_for_the_coarsest_of_the_picture(channel, scale):
    """A busy picture's coarsest signal is larger than that of the validation pictures."""
    planner, bits = make_planner("optimised"), {SEMANTIC: 100, STRUCTURE: round(1500 * scale)}
    coarsest, planned = round(2050 * scale), []
    for esno_db in (-6.0, -2.0, 2.0, 8.0):
        budget = Budget(1 / 24, esno_db, channel)
        _, plan = planner.plan(budget, [{**bits, SIGNAL: coarsest}], SIZE)
        planned.append(SIGNAL in plan.layers)
        if planned[-1]:
            assert plan.signal_fits([8 * math.ceil(coarsest / 8)])
            assert planner.plan(budget, [{**bits, SIGNAL: 10 * coarsest}], SIZE)[1] != plan
    assert planned == sorted(planned) and planned[-1], "from some Es/N0 on there is a signal"


def test_the_planner_is_a_pure_function_of_what_it_knows():
    request = Request(4096, "rayleigh_block", (6.0,))
    assert best_allocation(request, SIZE) is best_allocation(request, SIZE)
    assert make_planner("optimised").side_information == {"esno_db", "channel"}
    assert make_planner("range").side_information == {"channel"}
    assert make_planner("unequal").side_information == frozenset()


def test_hopeless_requests_say_so(quality):
    assert optimise(Request(3, "awgn", (6.0,)), quality, SIZE).units == (None,) * 6
    with pytest.raises(ScmcError, match="3 channel uses; no layer fits, the least needs"):
        check_fits(Request(3, "awgn", (6.0,)), quality)
    with pytest.raises(ScmcError, match="one weight for"):
        optimise(Request(6000, "awgn", (6.0,), (1.0, 2.0)), quality, SIZE)


def test_intervals_hold_what_they_promise():
    rng, p, inside = np.random.default_rng(0), 0.9, 0
    for _ in range(400):
        found = bounded_mean((rng.random(60) < p).astype(float), (0.0, 1.0))
        inside += found.low <= p <= found.high
    assert inside / 400 > 0.93
