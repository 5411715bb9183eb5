"""The timed link: order, preemption, feedback, rate adaptation, users, limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.segmentation import num_channel_uses
from channels.errors import ChannelError
from channels.timed import (
    FATES,
    Arrival,
    Feedback,
    LinkConfig,
    RateAdaptation,
    TableBler,
    TimedReport,
    TrafficClass,
    User,
    periodic_arrivals,
    poisson_arrivals,
    simulate,
)
from channels.timed import server as server_module
from channels.timed.traces import ClarkeTrace, ConstantTrace
from channels.timed.types import QUEUEING, SCHEDULING
from channels.types import Mcs

MCS = Mcs(2, 0.5)
NOW = Feedback()
CLEAN = LinkConfig(bandwidth_hz=1000.0, slot_s=0.01, feedback=NOW)


def bits(uses: int) -> int:
    """Payload that takes so many channel uses at MCS, in one block with its CRC."""
    assert num_channel_uses(uses - 16, MCS) == uses
    return uses - 16


def never(*block: object) -> float:
    return 0.0


def run(
    arrivals: Sequence[Arrival] | Sequence[Sequence[Arrival]],
    classes: Sequence[TrafficClass],
    config: LinkConfig = CLEAN,
    bler: Callable[..., float] = never,
    duration_s: float = 1e3,
    seed: int = 1,
) -> TimedReport:
    per_user = [arrivals] if isinstance(arrivals[0], Arrival) else arrivals
    users = [User(ConstantTrace(10.0), frames) for frames in per_user]  # type: ignore[arg-type]
    return simulate(config, classes, users, bler, duration_s, seed)


CAPTION = TrafficClass("caption", 0, mcs=MCS)
SIGNAL = TrafficClass("signal", 2, mcs=MCS)


# Preemption


def test_a_caption_waits_for_the_end_of_the_slot_and_the_signal_keeps_its_work() -> None:
    # 1 s of signal; a caption of 0.1 s arrives 5 ms into a slot of 10 ms.
    frames = [Arrival(0.0, {"signal": bits(1000)}), Arrival(0.505, {"caption": bits(100)})]
    report = run(frames, [CAPTION, SIGNAL])
    np.testing.assert_allclose(report.start_s, [0.0, 0.51])
    np.testing.assert_allclose(report.done_s, [1.1, 0.61])
    np.testing.assert_allclose(report.uses, [1000, 100])
    assert report.attempts.tolist() == [1, 1]


def test_without_preemption_the_caption_waits_for_the_block() -> None:
    frames = [Arrival(0.0, {"signal": bits(1000)}), Arrival(0.505, {"caption": bits(100)})]
    report = run(frames, [CAPTION, SIGNAL], replace(CLEAN, preemption=False))
    np.testing.assert_allclose(report.done_s, [1.0, 1.1])


def test_a_caption_of_another_user_preempts_only_where_layers_count() -> None:
    frames = [[Arrival(0.0, {"signal": bits(1000)})], [Arrival(0.505, {"caption": bits(100)})]]
    for scheduling, start_s in [("layer_aware", 0.51), ("round_robin", 1.0)]:
        report = run(frames, [CAPTION, SIGNAL], replace(CLEAN, scheduling=scheduling))
        assert report.start_s[1] == pytest.approx(start_s)


def test_many_preemptions_lose_no_work() -> None:
    captions = [Arrival(0.003 + 0.0371 * i, {"caption": bits(20)}) for i in range(40)]
    report = run([Arrival(0.0, {"signal": bits(1000)}), *captions], [CAPTION, SIGNAL])
    assert report.uses[0] == pytest.approx(1000)
    assert report.done_s[0] == pytest.approx(1.8)  # its second and 40 captions of 20 ms
    assert (report.start_s - report.arrival_s)[1:].max() <= 0.01 + 1e-9


# Order


def test_queueing_orders() -> None:
    # All arrive while a first packet is sent; blocks take 100 ms.
    urgent = replace(CAPTION, deadline_s=50.0)
    early = replace(SIGNAL, deadline_s=10.0)
    first = Arrival(0.0, {"signal": bits(100)})
    rest = Arrival(0.01, {"signal": bits(100), "caption": bits(100)})
    both = [first, rest]
    config = replace(CLEAN, preemption=False)
    order = {}
    for queueing in ("strict", "deadline"):
        report = run(both, [urgent, early], replace(config, queueing=queueing))
        order[queueing] = [report.tags[k] for k in report.kind[np.argsort(report.start_s)]]
    assert order == {
        "strict": ["signal", "caption", "signal"],
        "deadline": ["signal", "signal", "caption"],
    }
    equal = [replace(CAPTION, priority=5), replace(SIGNAL, priority=5)]
    report = run(both, equal, config)  # equal priorities: first come, first served
    assert report.tags[report.kind[np.argsort(report.start_s)][1]] == "signal"


def test_fair_queueing_shares_by_weight() -> None:
    classes = [replace(CAPTION, weight=3.0, priority=9), replace(SIGNAL, weight=1.0)]
    flood = [Arrival(0.0, {"caption": bits(50), "signal": bits(100)}) for _ in range(400)]
    report = run(flood, classes, replace(CLEAN, queueing="fair"))
    early = report.done_s < 15.0  # both classes still wait
    sent = [report.bits[early & (report.kind == kind)].sum() for kind in (0, 1)]
    assert sent[0] / sent[1] == pytest.approx(3.0, rel=0.05)


def test_round_robin_gives_each_user_a_block_in_turn() -> None:
    frames = [[Arrival(0.0, {"signal": bits(100)}) for _ in range(3)] for _ in range(3)]
    report = run(frames, [SIGNAL])
    assert report.user[np.argsort(report.start_s)].tolist() == [0, 1, 2] * 3


def test_proportional_fair_rides_the_fades_and_starves_nobody() -> None:
    def throughput(scheduling: str) -> np.ndarray:
        users = [
            User(ClarkeTrace(mean_db, 1.0, 1e9, seed), periodic_arrivals(40, [{"s": 3000}]))
            for seed, mean_db in enumerate((5.0, 10.0, 15.0))
        ]
        config = LinkConfig(bandwidth_hz=3e4, scheduling=scheduling, max_queue=20, feedback=NOW)
        report = simulate(config, [TrafficClass("s")], users, TableBler(), 60.0, seed=1)
        return np.bincount(report.user, report.bits * report.delivered)

    fair, turns = throughput("proportional_fair"), throughput("round_robin")
    assert fair.sum() > 1.15 * turns.sum()
    assert fair.min() > 0.5 * turns.min()


def test_layer_aware_serves_every_caption_before_any_signal() -> None:
    frames = [[Arrival(0.0, {"signal": bits(100), "caption": bits(50)})] for _ in range(4)]
    report = run(frames, [CAPTION, SIGNAL], replace(CLEAN, scheduling="layer_aware"))
    assert report.kind[np.argsort(report.start_s)].tolist() == [0] * 4 + [1] * 4


# Retransmissions and feedback


@pytest.mark.parametrize("limit", [1, 3])
def test_attempts_are_a_truncated_geometric_variable(limit: int) -> None:
    lost = 0.4
    flood = [Arrival(0.2 * i, {"signal": bits(100)}) for i in range(4000)]
    kind = replace(SIGNAL, max_transmissions=limit)
    report = run(flood, [kind], bler=lambda *block: lost)
    assert report.delivered.mean() == pytest.approx(1 - lost**limit, abs=0.025)
    assert report.attempts.mean() == pytest.approx((1 - lost**limit) / (1 - lost), rel=0.03)
    np.testing.assert_allclose(report.uses, 100 * report.attempts)
    assert set(report.fate) == {0, FATES.index("max transmissions")}


def test_a_retransmission_waits_for_its_feedback_and_others_use_the_time() -> None:
    outcomes = iter([1.0, 0.0, 0.0])
    frames = [Arrival(0.0, {"signal": bits(100)}), Arrival(0.0, {"signal": bits(100)})]
    config = replace(CLEAN, feedback=Feedback(delay_s=0.25))
    report = run(frames, [SIGNAL], config, lambda *block: next(outcomes))
    # The second packet is sent at once, the first again at 0.1 + 0.25.
    np.testing.assert_allclose(report.done_s, [0.45, 0.2])
    assert report.attempts.tolist() == [2, 1]


def test_soft_buffers_are_limited() -> None:
    frames = [Arrival(0.0, {"signal": bits(100)}) for _ in range(2)]
    config = replace(CLEAN, feedback=Feedback(delay_s=0.25), num_processes=1)
    np.testing.assert_allclose(run(frames, [SIGNAL], config).done_s, [0.1, 0.45])


def test_a_soft_buffer_that_a_deadline_frees_is_used() -> None:
    # "b" goes first and holds the only buffer until it expires; nothing else wakes the sender.
    classes = [TrafficClass("a", mcs=MCS), TrafficClass("b", mcs=MCS, deadline_s=0.15)]
    config = replace(CLEAN, queueing="deadline", num_processes=1)
    frames = [Arrival(0.0, {"a": bits(100), "b": bits(100)})]
    outcomes = iter([1.0, 1.0, 0.0])
    report = run(frames, classes, config, lambda *block: next(outcomes))
    assert [FATES[fate] for fate in report.fate] == ["delivered", "deadline"]
    assert report.start_s[0] == pytest.approx(0.2)


def test_misread_feedback_loses_blocks_or_wastes_channel_uses() -> None:
    flood = [Arrival(0.5 * i, {"signal": bits(100)}) for i in range(3000)]
    kind = replace(SIGNAL, max_transmissions=2)
    config = replace(CLEAN, feedback=Feedback(nack_to_ack=0.25))
    report = run(flood, [kind], config, lambda *block: 0.5, duration_s=2e3)
    given_up = (report.fate == FATES.index("feedback error")).mean()
    # Misread after the first or after the second transmission.
    assert given_up == pytest.approx(0.5 * 0.25 + 0.5 * 0.75 * 0.5 * 0.25, abs=0.02)
    config = replace(CLEAN, feedback=Feedback(ack_to_nack=0.25))
    report = run(flood, [kind], config, duration_s=2e3)
    assert report.delivered.all()
    assert report.attempts.mean() == pytest.approx(1.25, abs=0.03)
    np.testing.assert_allclose(report.latency_s, 0.1)  # what is in vain delays nothing


def test_harq_combines_on_the_link() -> None:
    # At 3 dB below the threshold two chase transmissions are exactly enough.
    def bler(mcs: Mcs, num_bits: int, esno_db: float) -> float:
        return float(esno_db < 12.9)

    frames = [Arrival(0.0, {"signal": bits(100)})]
    for kind, attempts in [("chase", 2), ("incremental", 2)]:
        report = run(frames, [SIGNAL], replace(CLEAN, harq=kind), bler)
        assert (report.delivered.tolist(), report.attempts.tolist()) == ([True], [attempts])


def test_power_of_a_class_is_heard_and_paid() -> None:
    def bler(mcs: Mcs, num_bits: int, esno_db: float) -> float:
        assert esno_db == pytest.approx(13.0)
        return 0.0

    frames = [Arrival(0.0, {"signal": bits(100)})]
    config = replace(CLEAN, power_w=2.0)
    report = run(frames, [replace(SIGNAL, power_db=3.0)], config, bler)
    assert report.energy_j[0] == pytest.approx(2.0 * 10**0.3 * 0.1)


# Deadlines and limits


def test_deadlines() -> None:
    frames = [Arrival(0.0, {"signal": bits(200)}) for _ in range(3)]
    report = run(frames, [replace(SIGNAL, deadline_s=0.3)])
    # The first in time, the second complete at 0.4 s, the third never sent.
    assert [FATES[f] for f in report.fate] == ["delivered", "late", "deadline"]
    assert np.isnan(report.start_s[2]) and np.isnan(report.done_s[2])
    assert report.delivered_sets() == {
        (0, 0): frozenset({"signal"}), (0, 1): frozenset(), (0, 2): frozenset(),
    }  # fmt: skip


def test_compute_time_of_the_codec_counts() -> None:
    kind = replace(SIGNAL, encode_s=0.05, decode_s=0.07)
    report = run([Arrival(1.0, {"signal": bits(100)})], [kind])
    assert report.start_s[0] == pytest.approx(1.05)
    assert report.latency_s[0] == pytest.approx(0.05 + 0.1 + 0.07)


def test_an_encoder_delays_and_a_decoder_holds_up_nothing_else() -> None:
    """Service 0.1 s; arrivals at 0, 0.05 and 0.3 s can be sent 0.2 s later, and wait in line."""
    kind = replace(SIGNAL, encode_s=0.2, decode_s=0.03, deadline_s=0.35)
    frames = [Arrival(t, {"signal": bits(100)}) for t in (0.0, 0.05, 0.3)]
    report = run(frames, [kind])
    np.testing.assert_allclose(report.start_s, [0.2, 0.3, 0.5])
    np.testing.assert_allclose(report.latency_s, [0.33, 0.38, 0.33])
    assert [FATES[f] for f in report.fate] == ["delivered", "late", "delivered"]
    # Nothing of the codec is on the air.
    np.testing.assert_allclose(report.energy_j, 0.1 * CLEAN.power_w)


def test_a_full_queue_drops_and_an_expired_packet_makes_room() -> None:
    frames = [Arrival(0.0, {"signal": bits(100)}) for _ in range(5)]
    report = run(frames, [SIGNAL], replace(CLEAN, max_queue=2))
    assert [FATES[f] for f in report.fate] == ["delivered"] * 2 + ["queue full"] * 3
    frames = [Arrival(t, {"signal": bits(1000)}) for t in (0.0, 0.0, 0.5)]
    report = run(frames, [replace(SIGNAL, deadline_s=0.4)], replace(CLEAN, max_queue=2))
    assert [FATES[f] for f in report.fate] == ["late", "deadline", "deadline"]


@pytest.mark.slow
def test_a_million_packets_in_bounded_memory() -> None:
    num, live = 10**6, []
    add = server_module.UserQueues.add

    class Watched(server_module.UserQueues):
        def add(self, packet) -> None:  # type: ignore[no-untyped-def]
            add(self, packet)
            live.append(max(self._held))
            del live[:-1]

    frames = (Arrival(1e-6 * i, {"signal": bits(100)}) for i in range(num))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_module, "UserQueues", Watched)
        user = User(ConstantTrace(10.0), frames)
        config = replace(CLEAN, max_queue=1000)
        report = simulate(config, [SIGNAL], [user], never, 10.0, seed=1)
    assert live == [1000]
    assert report.num_packets == num
    assert report.delivered.sum() == 1000 + 9  # nine more find room in the second of arrivals
    assert (report.fate[~report.delivered] == FATES.index("queue full")).all()


# Rate adaptation


def test_the_outer_loop_finds_the_target_where_reports_are_stale() -> None:
    adaptation = RateAdaptation(cqi_period_s=0.02, cqi_delay_s=0.03, target_bler=0.1)
    kind = TrafficClass("s", max_transmissions=1)
    lost = {}
    for step_db in (0.0, 0.5):
        config = LinkConfig(
            bandwidth_hz=1e6, feedback=NOW, adaptation=replace(adaptation, step_db=step_db)
        )
        user = User(ClarkeTrace(12.0, 3.0, 2e9, 1), periodic_arrivals(100, [{"s": 1500}]))
        report = simulate(config, [kind], [user], TableBler(), 60.0, seed=1)
        lost[step_db] = 1 - report.delivered.mean()
    assert lost[0.0] > 0.2
    assert lost[0.5] == pytest.approx(0.1, abs=0.02)


def test_a_better_channel_gets_a_faster_scheme_and_a_margin_a_slower_one() -> None:
    def uses(esno_db: float, margin_db: float) -> float:
        user = User(ConstantTrace(esno_db), [Arrival(0.0, {"s": 1000})])
        kind = TrafficClass("s", margin_db=margin_db)
        return simulate(CLEAN, [kind], [user], TableBler(), 1.0, seed=1).uses[0]

    assert uses(0.0, 0.0) > uses(10.0, 0.0) > uses(20.0, 0.0)
    assert uses(20.0, 10.0) == uses(10.0, 0.0)


def test_a_fade_within_a_block_counts_by_its_information() -> None:
    heard = []

    def bler(mcs: Mcs, num_bits: int, esno_db: float) -> float:
        heard.append(esno_db)
        return 0.0

    class Step:
        def esno_db(self, time_s: float) -> float:
            return 10.0 if time_s < 0.5 else -20.0

    user = User(Step(), [Arrival(0.0, {"signal": bits(1000)})])
    simulate(CLEAN, [SIGNAL], [user], bler, 1.0, seed=1)
    # QPSK: half of the bits at 1 bit, half at nothing, is a channel of half a bit.
    assert heard[0] == pytest.approx(0.2, abs=0.5)


# Conservation and reproducibility


def _random_link(draw: st.DrawFn) -> tuple[LinkConfig, list[TrafficClass], float]:
    tags = ["a", "b", "c"][: draw(st.integers(1, 3))]
    deadlines = st.one_of(st.none(), st.floats(0.02, 0.5))
    classes = [
        TrafficClass(
            tag,
            priority=draw(st.integers(0, 2)),
            weight=draw(st.floats(0.1, 5.0)),
            deadline_s=draw(deadlines),
            max_transmissions=draw(st.integers(1, 4)),
            mcs=draw(st.sampled_from([None, MCS])),
            encode_s=draw(st.sampled_from([0.0, 0.01])),
            decode_s=draw(st.sampled_from([0.0, 0.01])),
        )
        for tag in tags
    ]
    feedback = Feedback(
        delay_s=draw(st.sampled_from([0.0, 0.013])),
        nack_to_ack=draw(st.sampled_from([0.0, 0.2])),
        ack_to_nack=draw(st.sampled_from([0.0, 0.2])),
    )
    config = LinkConfig(
        bandwidth_hz=draw(st.floats(1e4, 3e5)),
        slot_s=draw(st.sampled_from([1e-3, 1e-2])),
        queueing=draw(st.sampled_from(QUEUEING)),
        scheduling=draw(st.sampled_from(SCHEDULING)),
        preemption=draw(st.booleans()),
        harq=draw(st.sampled_from(["chase", "incremental"])),
        feedback=feedback,
        max_block_bits=draw(st.sampled_from([300, 3800])),
        num_processes=draw(st.sampled_from([1, 3, 16])),
        max_queue=draw(st.sampled_from([1, 5, 1000])),
    )
    return config, classes, draw(st.floats(0.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_is_lost_and_nothing_is_counted_twice(data: st.DataObject) -> None:
    config, classes, lost = _random_link(data.draw)
    num_users, frames = data.draw(st.integers(1, 3)), 25
    sizes = [{kind.tag: 500 + 900 * i for i, kind in enumerate(classes)}]
    users = [
        User(ClarkeTrace(6.0, 3.0, 2e9, u), _take(poisson_arrivals(50, sizes, u), 25))
        for u in range(num_users)
    ]
    traced = server_module.Server(config, classes, users, lambda *block: lost, 1e3, 1)
    report = traced.run()

    assert report.num_packets == num_users * frames * len(classes)
    keys = set(zip(report.user.tolist(), report.frame.tolist(), report.kind.tolist(), strict=True))
    assert len(keys) == report.num_packets
    assert report.bits.sum() == num_users * frames * sum(sizes[0].values())
    summaries = [report.summary(kind.tag) for kind in classes]
    assert sum(s.delivered + sum(s.drops.values()) for s in summaries) == report.num_packets
    assert sum(s.uses for s in summaries) == pytest.approx(report.uses.sum())

    # The link sends one block at a time: its busy time is what the packets took.
    assert report.uses.sum() / config.bandwidth_hz == pytest.approx(report.busy_s)
    np.testing.assert_allclose(report.energy_j, report.uses / config.bandwidth_hz)
    assert (np.diff(report.arrival_s) >= 0).all()
    done = ~np.isnan(report.done_s)
    assert (report.start_s[done] >= report.arrival_s[done]).all()
    assert (report.done_s[done] >= report.start_s[done]).all()
    assert (report.delivered <= done).all()
    for index, kind in enumerate(classes):
        rows = report.kind == index
        on_time = report.latency_s <= (math.inf if kind.deadline_s is None else kind.deadline_s)
        assert (on_time[rows & done] == report.delivered[rows & done]).all()
        blocks = -(-report.bits[rows] // config.max_block_bits)
        assert (report.attempts[rows] <= blocks * kind.max_transmissions).all()
        assert (
            report.attempts[rows & done] >= -(-report.bits[rows & done] // config.max_block_bits)
        ).all()
    assert np.isnan(report.start_s[report.attempts == 0]).all()

    # Every soft buffer and every place in a queue is free again.
    for receiver in traced._receivers:
        assert receiver.free_processes == config.num_processes
        assert receiver.queues._held == [0] * len(classes)
        assert not any(receiver.queues._queues)


def _take(arrivals, num):  # type: ignore[no-untyped-def]
    return [next(arrivals) for _ in range(num)]


def test_the_seed_decides_everything() -> None:
    def once(seed: int) -> TimedReport:
        users = [
            User(
                ClarkeTrace(8.0, 3.0, 2e9, u),
                poisson_arrivals(20, [{"caption": 100, "signal": 5000}], u),
            )
            for u in range(2)
        ]
        classes = [TrafficClass("caption", 0), TrafficClass("signal", 1, deadline_s=0.2)]
        config = LinkConfig(bandwidth_hz=1e5, feedback=Feedback(4e-3, 0.01, 0.01))
        return simulate(config, classes, users, TableBler(), 5.0, seed)

    one, again, other = once(1), once(1), once(2)
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(again, field.name))
    assert not np.array_equal(one.attempts, other.attempts)


def test_age_of_information_of_a_periodic_source() -> None:
    # Every second a packet that takes 0.1 s: the age is a sawtooth between 0.1 and 1.1.
    report = run(
        [Arrival(float(i), {"signal": bits(100)}) for i in range(100)], [SIGNAL], duration_s=100.0
    )
    assert report.age_s("signal", 0) == pytest.approx(0.6, abs=0.01)
    assert report.utilisation == pytest.approx(0.1)


# Wrong input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth_hz": 0.0}, "bandwidth_hz is 0"),
        ({"bandwidth_hz": math.nan}, "bandwidth_hz is nan"),
        ({"bandwidth_hz": 50.0}, "less than one channel use"),
        ({"slot_s": -1.0}, "slot_s is -1"),
        ({"queueing": "lifo"}, "expected one of strict, fair, deadline"),
        ({"scheduling": "random"}, "expected one of round_robin"),
        ({"harq": "none"}, "expected one of chase"),
        ({"max_queue": 0}, "max_queue is 0"),
    ],
)
def test_a_wrong_link_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ChannelError, match=message):
        replace(CLEAN, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deadline_s": 0.0}, "deadline_s is 0"),
        ({"weight": 0.0}, "weight is 0"),
        ({"max_transmissions": 0}, "max_transmissions is 0"),
        ({"encode_s": -1.0}, "encode_s is -1"),
        ({"power_db": math.inf}, "finite"),
    ],
)
def test_a_wrong_class_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ChannelError, match=message):
        replace(SIGNAL, **change)


def test_settings_that_contradict_each_other_are_refused() -> None:
    frame = [Arrival(0.0, {"signal": 100})]
    with pytest.raises(ChannelError, match="less than a slot"):
        run(frame, [replace(SIGNAL, deadline_s=0.005)])
    with pytest.raises(ChannelError, match="all different"):
        run(frame, [SIGNAL, SIGNAL])
    with pytest.raises(ChannelError, match="no users"):
        simulate(CLEAN, [SIGNAL], [], never, 1.0, seed=1)
    with pytest.raises(ChannelError, match="duration_s is 0"):
        run(frame, [SIGNAL], duration_s=0.0)
    with pytest.raises(ChannelError, match="a class among caption"):
        run(frame, [CAPTION])
    with pytest.raises(ChannelError, match="0 bits of 'signal'"):
        run([Arrival(0.0, {"signal": 0})], [SIGNAL])
    with pytest.raises(ChannelError, match="ascending order"):
        run([Arrival(1.0, {"signal": 9}), Arrival(0.5, {"signal": 9})], [SIGNAL])
    with pytest.raises(ChannelError, match="expected a probability"):
        run(frame, [SIGNAL], bler=lambda *block: math.nan)
    with pytest.raises(ChannelError, match="frames_per_s is 0"):
        periodic_arrivals(0.0, [{"signal": 1}])
    with pytest.raises(ChannelError, match="target_bler is 1"):
        RateAdaptation(target_bler=1.0)
    with pytest.raises(ChannelError, match="expected a probability"):
        Feedback(nack_to_ack=1.5)
    with pytest.raises(ChannelError, match="no class 'x'"):
        run(frame, [SIGNAL]).summary("x")
