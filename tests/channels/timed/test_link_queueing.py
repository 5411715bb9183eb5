"""The timed link against queueing theory."""

from __future__ import annotations

import numpy as np
import pytest

from channels.timed import Arrival, Feedback, LinkConfig, TrafficClass, User, simulate
from channels.timed import server as server_module
from channels.timed.traces import ConstantTrace
from channels.types import Mcs
from tests.references import queueing

BITS = 10**6  # of a mean service, so that rounding to bits does not matter
MCS = Mcs(2, 0.5)
LOADS = (0.3, 0.6, 0.9)
CLASSES = [TrafficClass("high", 0, mcs=MCS), TrafficClass("low", 1, mcs=MCS)]


@pytest.fixture(autouse=True)
def _a_bit_a_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Service times must be exponential, not exponential plus a CRC."""
    monkeypatch.setattr(server_module, "num_channel_uses", lambda bits, mcs: bits)


def draw(seed: int, num: int, load: float, kind: str) -> tuple[np.ndarray, ...]:
    """Arrival times, service times and whether each is of the high class."""
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1 / load, num))
    service = np.ones(num) if kind == "md1" else rng.exponential(size=num)
    service = np.maximum(np.rint(service * BITS), 1) / BITS
    is_high = rng.random(num) < 0.5 if kind == "preemptive" else np.ones(num, bool)
    return arrival, service, is_high


def send(arrival: np.ndarray, service: np.ndarray, is_high: np.ndarray) -> np.ndarray:
    """Completion times on the link."""
    config = LinkConfig(
        bandwidth_hz=BITS, slot_s=1 / BITS, feedback=Feedback(), max_block_bits=10**9,
        max_queue=10**9, num_processes=10**9,
    )  # fmt: skip
    frames = (
        Arrival(t, {"high" if high else "low": round(s * BITS)})
        for t, s, high in zip(arrival, service, is_high, strict=True)
    )
    user = User(ConstantTrace(0.0), frames)
    report = simulate(config, CLASSES, [user], lambda *block: 0.0, 1e12, seed=1)
    assert report.delivered.all()
    assert report.arrival_s == pytest.approx(arrival)
    return report.done_s


def waits(arrival: np.ndarray, service: np.ndarray, is_high: np.ndarray, done: np.ndarray):
    """Mean time in system less the own service, of the high and the low class."""
    wait = done - arrival - service
    return np.array([wait[is_high].mean(), wait[~is_high].mean() if not is_high.all() else 0.0])


def expected(load: float, kind: str) -> np.ndarray:
    if kind == "preemptive":
        return np.array(queueing.preemptive_waits(load / 2, load / 2))
    return np.array([queueing.mm1_wait(load) if kind == "mm1" else queueing.md1_wait(load), 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mm1", "md1", "preemptive"])
@pytest.mark.parametrize("load", LOADS)
def test_mean_waits_are_those_of_theory(load: float, kind: str) -> None:
    """Within 3 %, with the exact path of the same draws as a control variate.

    At load 0.9 a mean over n packets of M/M/1 has a standard deviation of 21 / sqrt(n) of itself;
    1 % would take some 4 million packets through SimPy. The recursion of the queue has the same
    mean and costs nothing, so the link's mean is corrected by how far the recursion of the very
    same packets is from its own mean over 10 million.
    """
    jobs = draw(1, 12_000, load, kind)
    on_link = waits(*jobs, send(*jobs))
    same_path = waits(*jobs, queueing.path(*jobs))
    batches = (draw(seed, 10**6, load, kind) for seed in range(2, 12))
    long_run = np.mean([waits(*batch, queueing.path(*batch)) for batch in batches], axis=0)
    assert on_link + (long_run - same_path) == pytest.approx(expected(load, kind), rel=0.03)
    # The control is not what makes it pass: the paths agree, packet by packet.
    assert on_link == pytest.approx(same_path, rel=1e-4)


@pytest.mark.parametrize("kind", ["mm1", "md1", "preemptive"])
def test_every_packet_leaves_when_the_exact_recursion_says(kind: str) -> None:
    jobs = draw(5, 2000, 0.8, kind)
    grain_s = 0.0 if kind != "preemptive" else 1e-3  # slots of 1e-6 add up over a busy period
    np.testing.assert_allclose(send(*jobs), queueing.path(*jobs), rtol=0, atol=1e-6 + grain_s)


def test_age_of_information_of_a_queue() -> None:
    load, num = 0.5, 20_000
    arrival, service, _ = draw(3, num, load, "mm1")
    config = LinkConfig(
        bandwidth_hz=BITS, feedback=Feedback(), max_block_bits=10**9, max_queue=10**9
    )
    frames = (Arrival(t, {"high": round(s * BITS)}) for t, s in zip(arrival, service, strict=True))
    user = User(ConstantTrace(0.0), frames)
    report = simulate(config, CLASSES, [user], lambda *block: 0.0, float(arrival[-1]), seed=1)
    assert report.age_s("high", 0) == pytest.approx(queueing.mm1_age(load), rel=0.05)
    assert report.utilisation == pytest.approx(load, rel=0.05)
