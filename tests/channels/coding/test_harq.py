"""HARQ bit by bit, and its abstraction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import exp1

from channels.bler.combining import effective_esno_db
from channels.coding.harq import Feedback, HarqCode, circular_buffer, harq_code, redundancy_version
from channels.coding.transport_block import num_channel_uses, transport_block_code
from channels.errors import ChannelError
from channels.fading.models import Awgn, RayleighBlock, noise
from channels.modulation.mutual_information import bicm_information
from channels.modulation.qam import demap, map_bits
from channels.phy.bit_true import BitTruePhy
from channels.phy.harq import HarqPhy
from channels.types import BITS_PER_SYMBOL, Frame, Mcs


def payload(k: int, num: int = 1) -> np.ndarray:
    return np.random.default_rng(k).integers(0, 2, (num, k), dtype=np.uint8)


def frame(tag: str, k: int, mcs: Mcs, **kwargs: float) -> Frame:
    return Frame(tag, payload(k)[0], mcs, **kwargs)  # type: ignore[arg-type]


def llr_of(code: HarqCode, bits: np.ndarray, attempt: int, esno_db: float, seed: int):
    """LLRs of one transmission over AWGN."""
    order, no = code.mcs.num_bits_per_symbol, 10 ** (-esno_db / 10)
    symbols = map_bits(code.encode(bits, attempt), order)
    seeds = [seed * 10_000 + i for i in range(len(bits))]
    y = symbols + noise(symbols.shape[1], no, seeds)
    return demap(y, torch.ones(1, dtype=torch.complex64), no, order)


def block_errors(code: HarqCode, num: int, esno_db: float, attempts: int) -> float:
    bits = payload(code.k, num)
    soft = code.empty_buffer(num)
    for attempt in range(1, attempts + 1):
        code.combine(soft, llr_of(code, bits, attempt, esno_db, attempt), attempt)
    return float(1 - code.decode(soft, attempts)[1].mean())


# The circular buffer


def test_redundancy_versions_start_where_the_standard_says() -> None:
    # Full blocks have no filler: 3GPP TS 38.212, table 5.4.2.1-2, with N_cb = N.
    assert circular_buffer(3200).starts == (0, 13 * 320, 25 * 320, 43 * 320)
    assert circular_buffer(3200).num_bits == 50 * 320
    assert circular_buffer(8448).starts == (0, 17 * 384, 33 * 384, 56 * 384)
    assert circular_buffer(8448).num_bits == 66 * 384


@given(st.integers(24, 8448))
def test_starts_rise_within_the_buffer(block_bits: int) -> None:
    buffer = circular_buffer(block_bits)
    assert 0 == buffer.starts[0] < buffer.starts[1] < buffer.starts[2] < buffer.starts[3]
    assert buffer.starts[3] < buffer.num_bits == block_bits * (5 if block_bits <= 3824 else 3)


def test_fillers_are_skipped() -> None:
    # 500 information bits in 8 columns of 64: 12 + 2 * 64 fillers stand before the parity, which
    # begins at place 640 - 128 = 512 of the buffer, bit 372 of those sent.
    z, filler, systematic = 64, 140, 500 - 128
    first_parity = systematic
    for rv, start in enumerate(circular_buffer(500).starts[1:], start=1):
        place = (13, 25, 43)[rv - 1] * (2500 + filler) // (50 * z) * z
        assert start == place - filler if place >= systematic + filler else start <= first_parity


def test_the_order_of_versions() -> None:
    assert [redundancy_version("incremental", a) for a in range(1, 7)] == [0, 2, 3, 1, 0, 2]
    assert [redundancy_version("chase", a) for a in range(1, 4)] == [0, 0, 0]


# The code


@pytest.mark.parametrize(
    ("k", "mcs"),
    [(20, Mcs(2, 0.5)), (500, Mcs(4, 0.5)), (1500, Mcs(2, 0.2, 3)), (6000, Mcs(6, 0.75)),
     (9000, Mcs(4, 0.3)), (20_000, Mcs(2, 0.6))],
)  # fmt: skip
def test_the_first_transmission_is_that_of_a_link_without_harq(k: int, mcs: Mcs) -> None:
    bits = payload(k, 2)
    sent = transport_block_code(k, mcs).encode(bits)
    for kind in ("chase", "incremental"):
        np.testing.assert_array_equal(harq_code(k, mcs, kind).encode(bits), sent)


@settings(max_examples=25, deadline=None)
@given(
    k=st.integers(8, 5000),
    order=st.sampled_from(BITS_PER_SYMBOL),
    coderate=st.floats(0.2, 0.9),
    repetition=st.integers(1, 2),
    kind=st.sampled_from(["chase", "incremental"]),
    attempts=st.integers(1, 5),
)
def test_all_transmissions_agree_without_noise(
    k: int, order: int, coderate: float, repetition: int, kind: str, attempts: int
) -> None:
    mcs = Mcs(order, coderate, repetition)
    code, bits = harq_code(k, mcs, kind), payload(k, 2)
    soft = code.empty_buffer(2)
    for attempt in range(1, attempts + 1):
        sent = code.encode(bits, attempt)
        assert sent.shape == (2, num_channel_uses(k, mcs) * order)
        code.combine(soft, torch.as_tensor(sent * 8.0 - 4.0, dtype=torch.float32), attempt)
    bits_hat, ok = code.decode(soft, attempts)
    assert ok.all() and (bits_hat == bits).all()


def test_silence_does_not_decode() -> None:
    code = harq_code(100, Mcs(2, 0.5), "incremental")
    assert not code.decode(code.empty_buffer(3), 1)[1].any()


def test_wrong_shapes_and_names_are_refused() -> None:
    code = harq_code(100, Mcs(2, 0.5), "chase")
    with pytest.raises(ChannelError, match="expected"):
        code.encode(payload(99))
    with pytest.raises(ChannelError, match="expected"):
        code.combine(code.empty_buffer(1), torch.zeros(1, 3), 1)
    with pytest.raises(ChannelError, match="expected one of chase, incremental"):
        HarqPhy("turbo")
    with pytest.raises(ChannelError, match="expected 1 or more"):
        HarqPhy(max_transmissions=0)
    with pytest.raises(ChannelError, match="attempt is 0"):
        redundancy_version("chase", 0)
    with pytest.raises(ChannelError, match="no max_transmissions"):
        HarqPhy(max_transmissions={"b": 1}).send([frame("a", 50, Mcs(2, 0.5))], Awgn(), 1.0, [1])


# Gains against theory


@pytest.mark.parametrize("attempts", [2, 4])
def test_chase_combining_gains_the_energy_of_its_transmissions(attempts: int) -> None:
    # Without fading m transmissions are one with m times the Es/N0, exactly.
    code, num = harq_code(500, Mcs(2, 0.5), "chase"), 400
    once = block_errors(code, num, 1.0, attempts=1)
    combined = block_errors(code, num, 1.0 - 10 * math.log10(attempts), attempts)
    assert 0.2 < once < 0.7
    assert combined == pytest.approx(once, abs=4 * math.sqrt(2 * 0.25 / num))


def test_incremental_redundancy_gains_code_rate_as_well() -> None:
    mcs, num = Mcs(4, 0.75), 60
    chase, incremental = (harq_code(1000, mcs, kind) for kind in ("chase", "incremental"))
    assert block_errors(chase, num, 5.5, attempts=2) > 0.95
    assert block_errors(incremental, num, 5.5, attempts=2) < 0.05


@pytest.mark.parametrize(
    ("k", "mcs", "attempts"),
    [(1000, Mcs(2, 602 / 1024), 2), (1000, Mcs(2, 602 / 1024), 4), (300, Mcs(4, 616 / 1024), 3),
     (3600, Mcs(6, 666 / 1024), 2)],
)  # fmt: skip
def test_the_abstraction_meets_the_bit_true_chain(k: int, mcs: Mcs, attempts: int) -> None:
    """Es/N0 at which half of the blocks are lost, within 0.5 dB."""
    code, num = harq_code(k, mcs, "incremental"), 60

    def half_lost(attempts: int, low: float, high: float) -> float:
        while high - low > 0.1:
            middle = (low + high) / 2
            if block_errors(code, num, middle, attempts) > 0.5:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    needed = half_lost(1, -5.0, 20.0)
    measured = half_lost(attempts, needed - 15.0, needed)
    effective = effective_esno_db(mcs, k, "incremental", [measured] * attempts)
    slope = (
        effective_esno_db(mcs, k, "incremental", [measured + 0.1] * attempts) - effective
    ) / 0.1
    assert abs(effective - needed) / slope < 0.5


def test_the_abstraction_of_chase_combining_is_closed() -> None:
    mcs = Mcs(6, 0.5)
    levels = [-3.0, 0.0, 4.0]
    total = 10 * math.log10(sum(10 ** (x / 10) for x in levels))
    assert effective_esno_db(mcs, 800, "chase", levels) == pytest.approx(total)
    assert effective_esno_db(mcs, 800, "incremental", [4.0]) == pytest.approx(4.0)
    with pytest.raises(ChannelError, match="empty"):
        effective_esno_db(mcs, 800, "chase", [])


@given(
    order=st.sampled_from(BITS_PER_SYMBOL),
    coderate=st.floats(0.2, 0.9),
    k=st.integers(24, 9000),
    levels=st.lists(st.floats(-20.0, 25.0), min_size=2, max_size=6),
)
@settings(deadline=None)
def test_in_the_abstraction_new_bits_and_transmissions_never_hurt(
    order: int, coderate: float, k: int, levels: list[float]
) -> None:
    mcs = Mcs(order, coderate)
    chase, incremental = (
        [effective_esno_db(mcs, k, kind, levels[: i + 1]) for i in range(len(levels))]
        for kind in ("chase", "incremental")
    )
    assert all(b >= a - 1e-9 for a, b in zip(chase, incremental, strict=True))
    assert all(b >= a - 1e-9 for a, b in zip(chase, chase[1:], strict=False))


# The link


FRAMES = (frame("signal", 500, Mcs(4, 0.7), priority=1), frame("caption", 80, Mcs(2, 0.5)))


def test_one_transmission_is_the_bit_true_link() -> None:
    mcs = Mcs(4, 0.6)
    frames = [frame("a", 500, mcs, priority=1), frame("b", 80, Mcs(2, 0.5), power_db=2.0)]
    plain = BitTruePhy().send(frames, RayleighBlock(64), 6.0, range(60))
    harq = HarqPhy("chase", 1).send(frames, RayleighBlock(64), 6.0, range(60))
    assert 0 < plain.delivered.sum() < plain.delivered.size
    assert np.mean(plain.delivered == harq.delivered) > 0.99  # amplitudes differ by rounding
    assert (harq.attempts == 1).all()
    assert harq.channel_uses.tolist() == plain.channel_uses.tolist()


def test_limits_are_kept_for_each_frame_and_a_delivered_one_is_not_sent_again() -> None:
    phy = HarqPhy("incremental", {"signal": 2, "caption": 4})
    report = phy.send(FRAMES, RayleighBlock(), 2.0, range(200))
    assert report.attempts.max(0).tolist() == [2, 4]
    first = HarqPhy("incremental", 1).send(FRAMES, RayleighBlock(), 2.0, range(200))
    assert (report.attempts[first.delivered] == 1).all()
    assert (report.attempts[~first.delivered] > 1).all()
    assert (report.delivered >= first.delivered).all()
    for i, sent in enumerate(FRAMES):
        assert (report.bits_hat[i][report.delivered[:, i]] == sent.bits).all()


def test_a_trial_depends_on_its_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    phy = HarqPhy("incremental", 4, Feedback(nack_to_ack=0.2, ack_to_nack=0.2))
    whole = phy.send(FRAMES, RayleighBlock(), 2.0, range(20))
    monkeypatch.setattr("channels.phy.harq._SYMBOLS_PER_CHUNK", 1500)
    parts = phy.send(FRAMES, RayleighBlock(), 2.0, range(20))
    np.testing.assert_array_equal(whole.delivered, parts.delivered)
    np.testing.assert_array_equal(whole.attempts, parts.attempts)


def test_misread_feedback() -> None:
    seeds = range(400)
    easy = HarqPhy("chase", 2, Feedback(ack_to_nack=0.3)).send(FRAMES, Awgn(), 30.0, seeds)
    assert easy.delivered.all()
    assert easy.attempts.mean() == pytest.approx(1.3, abs=0.06)
    hopeless = HarqPhy("chase", 3, Feedback(nack_to_ack=0.3)).send(FRAMES, Awgn(), -30.0, seeds)
    assert not hopeless.delivered.any()
    assert hopeless.attempts.mean() == pytest.approx(1 + 0.7 + 0.49, abs=0.1)


# Throughput


def ergodic_capacity(esno_db: float) -> float:
    """Rayleigh fading, Gaussian input, bits per use: exp(1/g) E1(1/g) / ln 2."""
    g = 10 ** (esno_db / 10)
    return float(np.exp(1 / g) * exp1(1 / g) / math.log(2))


def bicm_capacity(esno_db: float) -> float:
    """Rayleigh fading, best of QPSK to 256-QAM with bitwise demapping."""

    fades = -np.log((np.arange(4000) + 0.5) / 4000)  # quantiles of the exponential distribution
    esno = 10 ** (esno_db / 10) * fades

    def of(order: int) -> float:
        return order * float(bicm_information(order)(esno).mean())

    return max(of(order) for order in BITS_PER_SYMBOL)


def gap_db(capacity, throughput: float, esno_db: float) -> float:  # type: ignore[no-untyped-def]
    """How much less Es/N0 would do at capacity."""
    low, high = esno_db - 20.0, esno_db
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if capacity(middle) < throughput else (low, middle)
    return esno_db - high


def throughput(kind: str, mcs: Mcs, channel: RayleighBlock, esno_db: float, num: int, k: int):
    """Mean and standard error of delivered bits per channel use."""
    report = HarqPhy(kind, 4).send([frame("a", k, mcs)], channel, esno_db, range(num))
    got, spent = report.delivered[:, 0] * k, report.attempts[:, 0] * report.channel_uses[0]
    rate = got.sum() / spent.sum()
    return rate, float(np.std(got - rate * spent) / spent.mean() / math.sqrt(num))


@pytest.mark.slow
@pytest.mark.parametrize("mcs", [Mcs(2, 0.6), Mcs(4, 0.75), Mcs(6, 0.6)], ids=str)
def test_incremental_redundancy_never_falls_below_chase_combining(mcs: Mcs) -> None:
    better = 0
    for esno_db in range(-4, 21, 4):
        chase, incremental = (
            throughput(kind, mcs, RayleighBlock(), esno_db, 120, 500)
            for kind in ("chase", "incremental")
        )
        slack = 2 * math.hypot(chase[1], incremental[1])
        assert incremental[0] >= chase[0] - slack, esno_db
        better += incremental[0] > chase[0] + slack
    assert better >= 1 or mcs.coderate < 0.7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("esno_db", "mcs"),
    [(-2.0, Mcs(2, 0.46)), (0.0, Mcs(2, 0.63)), (4.0, Mcs(4, 0.55)), (6.0, Mcs(4, 0.71))],
)
def test_incremental_redundancy_comes_near_ergodic_capacity(esno_db: float, mcs: Mcs) -> None:
    """Fast fading, a first transmission at twice the rate that the channel carries.

    The bound is the ergodic capacity of the constellations with bitwise demapping; Gaussian
    symbols would gain another 0.4 to 0.9 dB there, which no HARQ can give back.
    """
    rate, error = throughput("incremental", mcs, RayleighBlock(4), esno_db, 40, 3600)
    assert gap_db(bicm_capacity, rate - error, esno_db) < 2.0
    assert gap_db(ergodic_capacity, rate + error, esno_db) > 0.5
    assert gap_db(ergodic_capacity, rate - error, esno_db) < 2.8
