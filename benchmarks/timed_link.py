"""The timed link under congestion, and how fast it runs.

    python benchmarks/timed_link.py            # delivery against load, with and without priorities
    python benchmarks/timed_link.py --speed    # ten minutes, four users, five frames a second

Four users walk (Rayleigh fading by Clarke, 1.5 m/s, 2 GHz, mean Es/N0 12 to 18 dB) and get frames
of three layers with deadlines as a Poisson process. Load 1 is the frame rate at which the link,
were it never to wait, would be busy all the time: channel uses per frame are measured in a run at
a load near 0.1.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from channels.timed import (
    LinkConfig,
    TableBler,
    TimedReport,
    TrafficClass,
    User,
    poisson_arrivals,
    simulate,
)
from channels.timed.traces import ClarkeTrace

NUM_USERS = 4
SIZES = [{"semantic": 110, "structure": 1900, "signal": 9600}]  # bits a frame
LAYERS = (
    TrafficClass("semantic", priority=0, deadline_s=0.2, margin_db=3.0),
    TrafficClass("structure", priority=1, deadline_s=0.3),
    TrafficClass("signal", priority=2, deadline_s=0.5),
)
EQUAL = tuple(replace(layer, priority=0) for layer in LAYERS)
LINK = LinkConfig(bandwidth_hz=100e3, scheduling="layer_aware")
PLAIN = replace(LINK, scheduling="round_robin", preemption=False)
LOADS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)


def send(
    config: LinkConfig, classes: tuple[TrafficClass, ...], frames_per_s: float, duration_s: float
) -> TimedReport:
    """One run; `frames_per_s` is that of each user."""
    users = [
        User(ClarkeTrace(12.0 + 2 * u, 1.5, 2e9, u), poisson_arrivals(frames_per_s, SIZES, u))
        for u in range(NUM_USERS)
    ]
    return simulate(config, classes, users, TableBler(), duration_s, seed=1)


def congestion(duration_s: float) -> None:
    quiet = send(LINK, LAYERS, 0.2, duration_s)
    uses = quiet.uses.sum() / (quiet.num_packets / len(LAYERS))
    full = LINK.bandwidth_hz / uses / NUM_USERS
    print(f"{uses:.0f} channel uses a frame, load 1 is {full:.2f} frames/s for each user")
    print("delivered within the deadline, in per cent: semantic / structure / signal")
    print("load  priorities, layer aware   equal priority, round robin   all packets, equal")
    for load in LOADS:
        cells = []
        for config, classes in ((LINK, LAYERS), (PLAIN, EQUAL)):
            report = send(config, classes, load * full, duration_s)
            ratios = [report.summary(kind.tag).delivery_ratio for kind in classes]
            cells.append(" / ".join(f"{100 * ratio:5.1f}" for ratio in ratios))
        print(f"{load:.1f}   {cells[0]:25} {cells[1]:29} {100 * report.delivered.mean():5.1f}")


def speed() -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    report = send(replace(LINK, bandwidth_hz=200e3), LAYERS, 5.0, 600.0)
    print(
        f"600 s, {NUM_USERS} users, 5 frames/s each: {report.num_packets} packets, "
        f"{report.attempts.sum()} blocks sent, utilisation {report.utilisation:.2f}: "
        f"{time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--duration", type=float, default=120.0, help="seconds a load")
    args = parser.parse_args()
    if args.speed:
        speed()
    else:
        congestion(args.duration)


if __name__ == "__main__":
    main()
