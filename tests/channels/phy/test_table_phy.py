"""The link from tables against the bit-true link, and expectations against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from channels.bler.table import BlerTable, default_table
from channels.coding.segmentation import plan_blocks
from channels.errors import ChannelError
from channels.fading import added
from channels.fading.models import Awgn, Channel, RayleighBlock, RicianBlock
from channels.modulation.mutual_information import bicm_information
from channels.phy.bit_true import BitTruePhy
from channels.phy.table import MAX_EXPECTED_FRAMES, TablePhy, frame_layout, set_probabilities
from channels.types import ChannelState, Frame, Mcs

BIT_TRUE = BitTruePhy()


@pytest.fixture(scope="module")
def table() -> BlerTable:
    return default_table()


def _scheme(table: BlerTable, bits: int, rate: float, repetition: int = 1) -> Mcs:
    """The scheme of the table nearest to a rate."""
    known = [mcs for mcs in table.schemes if mcs.num_bits_per_symbol == bits]
    return Mcs(bits, min(known, key=lambda m: abs(m.coderate - rate)).coderate, repetition)


def _frame(tag: str, k: int, mcs: Mcs, power_db: float = 0.0, priority: int = 0) -> Frame:
    bits = np.random.default_rng(k + priority).integers(0, 2, k, dtype=np.uint8)
    return Frame(tag, bits, mcs, power_db, priority)


def _frames(table: BlerTable) -> list[Frame]:
    return [
        _frame("signal", 9000, _scheme(table, 4, 0.5), priority=2),
        _frame("semantic", 120, _scheme(table, 2, 0.21, 3), power_db=1.0),
        _frame("structure", 1600, _scheme(table, 2, 0.3), priority=1),
    ]


def _trials(frame: Frame, channel: Channel, esno_db: float, num: int) -> tuple[float, float]:
    """Loss of other payloads of the frame's length: bit-true, and from the table."""
    lost, expected = [], []
    for payload in range(4):
        bits = np.random.default_rng(payload).integers(0, 2, frame.bits.size, dtype=np.uint8)
        other = [Frame("a", bits, frame.mcs)]
        seeds = range(payload * num, (payload + 1) * num)
        lost.append(1 - BIT_TRUE.send(other, channel, esno_db, seeds).delivered.mean())
        phy = TablePhy()
        expected.append(1 - phy.delivery_probabilities(other, channel, esno_db, seeds).mean())
    return float(np.mean(lost)), float(np.mean(expected))


# Payload bits, bits per symbol, code rate, repetition: several blocks, all constellations.
SIZES = [
    (60, 2, 0.21, 1), (200, 2, 0.21, 4), (700, 2, 0.5, 1), (3000, 2, 0.3, 1), (12_000, 2, 0.5, 1),
    (260, 4, 0.35, 1), (2500, 4, 0.6, 1), (1000, 6, 0.65, 1), (500, 8, 0.75, 1), (9000, 8, 0.9, 1),
]  # fmt: skip


@pytest.mark.parametrize(("k", "bits", "rate", "repetition"), SIZES)
def test_awgn_loss_is_that_of_the_bit_true_link(
    table: BlerTable, k: int, bits: int, rate: float, repetition: int
) -> None:
    mcs = _scheme(table, bits, rate, repetition)
    plan = plan_blocks(k, mcs)
    at_db = table.esno_db(mcs, plan.block_bits, 0.15) - 10 * math.log10(repetition)
    lost, expected = _trials(_frame("a", k, mcs), Awgn(), at_db, 250)
    # Points of the table rest on 30 errors or more; a payload of its own may be off by as much.
    assert lost == pytest.approx(expected, rel=0.35, abs=3 * math.sqrt(0.15 * 0.85 / 1000))


@pytest.mark.parametrize("num_fades", [3, 8])
@pytest.mark.parametrize(
    ("k", "bits", "rate"), [(300, 2, 0.21), (1900, 2, 0.44), (1900, 4, 0.5), (3000, 8, 0.75)]
)
def test_effective_esno_is_within_three_tenths_of_a_db(
    table: BlerTable, k: int, bits: int, rate: float, num_fades: int
) -> None:
    mcs = _scheme(table, bits, rate)
    num_symbols = plan_blocks(k, mcs).num_symbols
    channel, phy = RayleighBlock(-(-num_symbols // num_fades)), TablePhy(table)
    frame, seeds = _frame("a", k, mcs), range(1500)

    def expected(esno_db: float) -> float:
        return 1 - float(phy.delivery_probabilities([frame], channel, esno_db, seeds).mean())

    grid_db = np.arange(-5.0, 40.0, 0.25)
    at_db = float(grid_db[np.argmax([expected(e) < 0.1 for e in grid_db])])
    p = phy.delivery_probabilities([frame], channel, at_db, seeds)[:, 0]
    lost = 1 - BIT_TRUE.send([frame], channel, at_db, seeds).delivered.mean()
    # Given the fades only the noise is left to chance.
    chance = 2.5 * math.sqrt(float((p * (1 - p)).sum())) / len(p)
    assert expected(at_db + 0.3) - chance <= lost <= expected(at_db - 0.3) + chance


CHANNELS = [Awgn(), RayleighBlock(), RicianBlock(6.0), RayleighBlock(400), RayleighBlock(50)]


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
@pytest.mark.parametrize("esno_db", [-2.0, 3.0, 9.0])
def test_expectation_draws_and_bits_agree(
    table: BlerTable, channel: Channel, esno_db: float
) -> None:
    frames, phy, num = _frames(table), TablePhy(table), 1500
    seeds = range(num)
    sets = phy.expected_delivery(frames, channel, esno_db)
    assert sum(sets.values()) == pytest.approx(1.0) and min(sets.values()) > 0
    p = phy.delivery_probabilities(frames, channel, esno_db, seeds)
    drawn = phy.send(frames, channel, esno_db, seeds).delivered
    true = BIT_TRUE.send(frames, channel, esno_db, seeds[:400]).delivered
    for i, frame in enumerate(frames):
        expected = sum(q for tags, q in sets.items() if frame.tag in tags)
        error = math.sqrt(max(expected * (1 - expected), 1e-3) / num)
        assert p[:, i].mean() == pytest.approx(expected, abs=4 * error + 0.003)
        assert drawn[:, i].mean() == pytest.approx(expected, abs=4 * error + 0.003)
        chance = 3.5 * math.sqrt(float((p[:400, i] * (1 - p[:400, i])).sum()) + 1) / 400
        assert true[:, i].mean() == pytest.approx(p[:400, i].mean(), abs=chance + 0.03)
    all_drawn = drawn.all(axis=1).mean()
    assert all_drawn == pytest.approx(sets.get(frozenset(f.tag for f in frames), 0.0), abs=0.045), (
        "the joint probability keeps the dependence that a shared fade makes"
    )


def test_expected_outage_of_one_rayleigh_fade_is_the_integral(table: BlerTable) -> None:
    frame = _frame("a", 1000, _scheme(table, 2, 0.5))
    mcs, bits = frame.mcs, plan_blocks(1000, frame.mcs).block_bits
    for esno_db in (2.0, 15.0):
        sets = TablePhy(table).expected_delivery([frame], RayleighBlock(), esno_db)

        power = np.geomspace(1e-9, 60.0, 400_001)
        lost = table.bler(mcs, bits, esno_db + 10 * np.log10(power))
        exact = float(np.trapezoid(np.exp(-power) * lost, power))
        assert sets.get(frozenset(), 0.0) == pytest.approx(exact, rel=0.005)


def test_same_seeds_same_fades_and_more_power_never_hurts(table: BlerTable) -> None:
    frames, phy, seeds = _frames(table), TablePhy(table), [7, 3, 99, 12345, 8, 1]
    steps = [
        phy.send(frames, RayleighBlock(), e, seeds).delivered for e in np.arange(-5.0, 20.0, 1.0)
    ]
    for low, high in zip(steps[:-1], steps[1:], strict=True):
        assert not (low & ~high).any()
    assert 0 < np.mean(steps) < 1
    alone = [phy.send(frames, RayleighBlock(), 3.0, [s]).delivered[0] for s in seeds]
    assert np.array_equal(alone, phy.send(frames, RayleighBlock(), 3.0, seeds).delivered)
    # One fade over all: which trials are lost is the fades' doing, bit-true or not.
    fades = RayleighBlock().draw(1, 0.0, range(300)).h.abs().square().numpy()[:, 0]
    true = BIT_TRUE.send(frames, RayleighBlock(), 3.0, range(300)).delivered[:, 0]
    p = phy.delivery_probabilities(frames, RayleighBlock(), 3.0, range(300))[:, 0]
    assert np.array_equal(p[fades > 6.0] > 0.9, true[fades > 6.0])
    assert np.corrcoef(p, true)[0, 1] > 0.9


def test_report_has_the_form_of_the_bit_true_one(table: BlerTable) -> None:
    frames = _frames(table)
    ours = TablePhy(table).send(frames, Awgn(), 30.0, [1, 2])
    true = BIT_TRUE.send(frames, Awgn(), 30.0, [1, 2])
    assert ours.tags == true.tags and ours.bits_hat == ()
    assert ours.channel_uses.tolist() == true.channel_uses.tolist()
    assert ours.delivered.shape == true.delivered.shape
    assert ours.delivered.all()


def test_power_moves_a_frame_by_its_decibels(table: BlerTable) -> None:
    mcs = _scheme(table, 2, 0.5)
    phy = TablePhy(table)
    up = [_frame("a", 1000, mcs, power_db=3.0), _frame("b", 1000, mcs)]
    even = [_frame("a", 1000, mcs), _frame("b", 1000, mcs)]
    # Powers 2 : 1 share a mean of 1: the stronger frame gains 10 log10(4 / 3) = 1.25 dB.
    gain_db = 10 * math.log10(2 * 10**0.3 / (1 + 10**0.3))
    a = phy.delivery_probabilities(up, Awgn(), 0.5, [1])[0]
    b = phy.delivery_probabilities(even, Awgn(), 0.5 + gain_db, [1])[0]
    assert a[0] == pytest.approx(b[0], abs=1e-3)
    assert a[1] < phy.delivery_probabilities(even, Awgn(), 0.5, [1])[0, 1] + 1e-12


def test_a_channel_without_blocks_is_taken_symbol_by_symbol(
    table: BlerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(added, "check_power", id)  # it is one draw, and no channel of mean power 1

    class _Halves:
        name = "halves"

        def draw(self, num_symbols: int, esno_db: float, seeds: list[int]) -> ChannelState:
            h = torch.ones(len(seeds), num_symbols, dtype=torch.complex64)
            h[:, : num_symbols // 2] = 1e-3
            return ChannelState(h=h, no=10 ** (-esno_db / 10))

    mcs = _scheme(table, 2, 0.5)
    first, second = _frame("a", 500, mcs), _frame("b", 500, mcs, priority=1)
    sets = TablePhy(table).expected_delivery([second, first], _Halves(), 8.0)
    assert sets[frozenset({"b"})] > 0.99


def test_layout_cuts_at_fades_and_code_blocks_and_counts_every_symbol() -> None:
    mcs = Mcs(2, 0.3, 2)
    plan = plan_blocks(9000, mcs)
    layout = frame_layout(9000, mcs, start=37, block_symbols=1000)
    assert plan.num_blocks > 1 and layout.length.sum() == plan.symbols_once
    assert sorted(set(layout.block.tolist())) == list(range(plan.num_blocks))
    position = np.cumsum(layout.length) - layout.length
    for r in range(2):
        for run, (begin, length) in enumerate(zip(position, layout.length, strict=True)):
            symbols = 37 + r * plan.symbols_once + np.arange(begin, begin + length)
            assert set((symbols // 1000).tolist()) == {int(layout.fade[run, r])}


def test_sets_of_many_states_are_summed() -> None:
    delivery = np.array([[1.0, 0.0, 0.5], [0.0, 0.25, 1.0]])
    sets = set_probabilities(["a", "b", "c"], delivery, np.array([0.5, 0.5]))
    assert sets == pytest.approx(
        {frozenset("a"): 0.25, frozenset("ac"): 0.25, frozenset("c"): 0.375, frozenset("bc"): 0.125}
    )


def test_wrong_input_is_refused(table: BlerTable) -> None:
    phy, mcs = TablePhy(table), _scheme(table, 4, 0.5)
    with pytest.raises(ChannelError, match="all different"):
        phy.send([_frame("a", 100, mcs), _frame("a", 90, mcs)], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="no seeds"):
        phy.send([_frame("a", 100, mcs)], Awgn(), 1.0, [])
    with pytest.raises(ChannelError, match="the BLER table has"):
        phy.send([_frame("a", 1, mcs)], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="has no Mcs"):
        phy.send([_frame("a", 100, Mcs(4, 0.4321))], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="QPSK only"):
        phy.send([_frame("a", 100, Mcs(4, mcs.coderate, 2))], Awgn(), 1.0, [1])
    many = [_frame(str(i), 100, mcs) for i in range(MAX_EXPECTED_FRAMES + 1)]
    with pytest.raises(ChannelError, match="at most 16 frames"):
        phy.expected_delivery(many, Awgn(), 1.0)


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_mutual_information_is_that_of_the_demappers_llrs(bits: int) -> None:
    from channels.modulation.qam import demap, map_bits

    rng = np.random.default_rng(bits)
    sent = rng.integers(0, 2, bits * 40_000, dtype=np.uint8)
    curve = bicm_information(bits)
    for esno_db in (-3.0, 5.0, 14.0):
        no = 10 ** (-esno_db / 10)
        x = map_bits(sent, bits)
        noise = torch.randn(x.shape, dtype=torch.complex64, generator=torch.manual_seed(1))
        llr = demap(x + math.sqrt(no) * noise, torch.ones(()), no, bits).numpy()
        measured = 1 - np.mean(np.logaddexp(0, np.where(sent, -llr, llr))) / np.log(2)
        assert float(curve(np.array(1 / no))) == pytest.approx(measured, abs=0.006)
    grid = np.array([0.02, 0.3, 0.7, 0.99])
    assert np.allclose(curve(10 ** (curve.inverse_db(grid) / 10)), grid, atol=1e-9)


def test_qpsk_information_is_the_biawgn_capacity() -> None:
    def density(y: float, mu: float, sigma: float) -> float:
        return math.exp(-((y - mu) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))

    for esno_db in (-5.0, 1.0, 6.0):
        sigma = math.sqrt(10 ** (-esno_db / 10))  # of one dimension relative to its amplitude
        loss = quad(
            lambda y, s=sigma: density(y, 1, s) * np.logaddexp(0, -2 * y / s**2) / math.log(2),
            -9, 11,
        )[0]  # fmt: skip
        found = float(bicm_information(2)(np.array(10 ** (esno_db / 10))))
        assert found == pytest.approx(1 - loss, abs=2e-4)
