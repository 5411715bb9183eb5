"""The bit-true link as a whole."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.transport_block import num_channel_uses, transport_block_code
from channels.errors import ChannelError
from channels.fading import added
from channels.fading.models import Awgn, RayleighBlock, RicianBlock, make_channel
from channels.phy import bit_true as phy_module
from channels.phy.bit_true import BitTruePhy
from channels.phy.stream import modulate
from channels.types import BITS_PER_SYMBOL, ChannelState, Frame, Mcs


def _frame(tag: str, k: int, mcs: Mcs, **kwargs: float) -> Frame:
    bits = np.random.default_rng(k).integers(0, 2, k, dtype=np.uint8)
    return Frame(tag, bits, mcs, **kwargs)  # type: ignore[arg-type]


FRAMES = (
    _frame("signal", 300, Mcs(4, 0.5), power_db=-1.0, priority=2),
    _frame("semantic", 80, Mcs(2, 0.2, 2), power_db=3.0),
    _frame("structure", 200, Mcs(6, 0.75), priority=1),
)


@settings(max_examples=20, deadline=None)
@given(
    k=st.integers(1, 3000),
    order=st.sampled_from(BITS_PER_SYMBOL),
    coderate=st.floats(0.2, 0.93),
    repetition=st.integers(1, 3),
    channel=st.sampled_from([Awgn(), RayleighBlock(7), RicianBlock(3.0)]),
)
def test_noiseless_link_returns_every_bit(
    k: int, order: int, coderate: float, repetition: int, channel: Awgn
) -> None:
    frame = _frame("a", k, Mcs(order, coderate, repetition))
    report = BitTruePhy().send([frame], channel, math.inf, [1, 2])
    assert report.delivered.all()
    assert (report.bits_hat[0] == frame.bits).all()


class _Recorder:
    """A channel that remembers how much was asked of it and what it answered."""

    name = "recorder"

    def __init__(self) -> None:
        self.num_symbols: list[int] = []

    def draw(self, num_symbols: int, esno_db: float, seeds: list[int]) -> ChannelState:
        self.num_symbols.append(num_symbols)
        return RayleighBlock(32).draw(num_symbols, esno_db, seeds)


def test_report_and_channel_uses_are_those_sent() -> None:
    channel = _Recorder()
    report = BitTruePhy().send(FRAMES, channel, 40.0, [1, 2, 3])
    assert report.tags == ("signal", "semantic", "structure")
    assert report.channel_uses.tolist() == [num_channel_uses(f.bits.size, f.mcs) for f in FRAMES]
    assert channel.num_symbols[-1] == report.channel_uses.sum()  # before, its power was looked at
    assert report.delivered.shape == (3, 3)
    assert [b.shape for b in report.bits_hat] == [(3, f.bits.size) for f in FRAMES]
    assert report.delivered_tags(0) == {"signal", "semantic", "structure"}


@pytest.mark.parametrize("payload", ["random", "zeros", "ones"])
def test_mean_power_of_each_transmission_is_one(payload: str) -> None:
    frames = list(FRAMES)
    if payload != "random":
        frames = [replace(f, bits=np.full_like(f.bits, payload == "ones")) for f in frames]
    codes = [transport_block_code(f.bits.size, f.mcs) for f in frames]
    symbols, amplitude = modulate(frames, codes)
    power = (symbols * amplitude).abs().square()
    assert float(power.mean()) == pytest.approx(1.0, abs=1e-5)
    # Scrambling keeps even a constant payload spread over the constellation.
    assert float(symbols.abs().square().mean()) == pytest.approx(1.0, abs=0.1)
    num_signal = codes[0].num_symbols
    ratio_db = 20 * math.log10(amplitude[num_signal] / amplitude[0])
    assert ratio_db == pytest.approx(4.0, abs=1e-4)


def test_more_power_for_a_frame_helps_it_at_the_cost_of_the_rest() -> None:
    mcs = Mcs(2, 0.5)
    seeds = range(60)

    def delivered(power_db: float) -> list[float]:
        frames = [_frame("a", 400, mcs, power_db=power_db), _frame("b", 400, mcs)]
        return BitTruePhy().send(frames, Awgn(), 1.0, seeds).delivered.mean(0).tolist()

    (a_up, b_down), (a_even, b_even) = delivered(3.0), delivered(0.0)
    assert a_up > 0.95 > 0.9 > b_down
    assert abs(a_even - b_even) < 0.35


def test_same_seeds_give_the_same_result_however_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    channel, seeds = RayleighBlock(64), [3, 1, 4, 15, 9, 2, 6]
    phy = BitTruePhy()
    whole = phy.send(FRAMES, channel, 8.0, seeds)
    assert 0 < whole.delivered.sum() < whole.delivered.size
    alone = [phy.send(FRAMES, channel, 8.0, [seed]) for seed in seeds]
    monkeypatch.setattr(phy_module, "_SYMBOLS_PER_CHUNK", 2 * int(whole.channel_uses.sum()) + 5)
    chunked = phy.send(FRAMES, channel, 8.0, seeds)
    for i in range(len(FRAMES)):
        assert np.array_equal(whole.bits_hat[i], chunked.bits_hat[i])
        assert np.array_equal(whole.bits_hat[i], np.concatenate([r.bits_hat[i] for r in alone]))
    assert np.array_equal(whole.delivered, chunked.delivered)


def test_frames_follow_one_stream_by_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added, "check_power", id)  # it is one draw, and no channel of mean power 1
    # A fade over the first symbols only must hit the most urgent frame only.
    first = num_channel_uses(80, FRAMES[1].mcs)

    class _Notch:
        name = "notch"

        def draw(self, num_symbols: int, esno_db: float, seeds: list[int]) -> ChannelState:
            h = torch.ones(len(seeds), num_symbols, dtype=torch.complex64)
            h[:, :first] = 1e-3
            return ChannelState(h=h, no=10 ** (-esno_db / 10))

    report = BitTruePhy().send(FRAMES, _Notch(), 20.0, [1])
    assert report.delivered_tags(0) == {"signal", "structure"}


def test_a_longer_transmission_sees_the_same_beginning() -> None:
    short = BitTruePhy().send(FRAMES[1:2], RayleighBlock(64), -7.0, range(30))
    later = replace(FRAMES[1], tag="later", priority=5)
    long = BitTruePhy().send([FRAMES[1], later], RayleighBlock(64), -7.0, range(30))
    assert 0 < short.delivered.sum() < 30
    # Power is normalised over the data sent, so a marginal trial may differ.
    assert (short.delivered[:, 0] == long.delivered[:, 0]).mean() > 0.9


def test_whole_transmission_fade_gives_the_outage_of_its_threshold() -> None:
    # One Rayleigh fade per trial: P(loss) = 1 - exp(-threshold / mean), the AWGN waterfall of
    # a rate-1/2 QPSK block being at about 1 dB.
    trials = range(400)
    frame = _frame("a", 512, Mcs(2, 0.5))
    lost = 1 - BitTruePhy().send([frame], RayleighBlock(), 8.0, trials).delivered.mean()
    expected = 1 - math.exp(-(10 ** ((1.0 - 8.0) / 10)))
    assert lost == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("esno_db", "low", "high"), [(-1.0, 0.95, 1.0), (2.0, 0.0, 0.05)])
def test_waterfall_of_rate_half_qpsk(esno_db: float, low: float, high: float) -> None:
    # Normal approximation, 512 bits in 528 uses, error 1e-3: about 1.1 dB; 5G LDPC some 0.5 dB
    # worse, and nothing decodes below capacity at about 0 dB.
    frame = _frame("a", 512, Mcs(2, 0.5))
    bler = 1 - BitTruePhy().send([frame], Awgn(), esno_db, range(100)).delivered.mean()
    assert low <= bler <= high


def test_both_decoders_agree_away_from_the_waterfall() -> None:
    for esno_db in (-3.0, 4.0):
        reports = [
            BitTruePhy(name).send(FRAMES[1:], make_channel("awgn"), esno_db, [1, 2, 3])
            for name in ("fast", "sionna")
        ]
        assert np.array_equal(reports[0].delivered[:, 0], reports[1].delivered[:, 0])


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ChannelError, match="all different"):
        BitTruePhy().send([FRAMES[0], FRAMES[0]], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="at least one"):
        BitTruePhy().send([], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="no seeds"):
        BitTruePhy().send(FRAMES, Awgn(), 1.0, [])
    with pytest.raises(ChannelError, match="expected one of"):
        BitTruePhy("turbo")
