"""How fast the timed link runs: four walking users with frames of three layers for ten minutes."""

from __future__ import annotations

import time
from typing import Any

from channels.timed import (
    LinkConfig,
    TableBler,
    TrafficClass,
    User,
    poisson_arrivals,
    simulate,
)
from channels.timed.traces import ClarkeTrace

SIZES = [{"semantic": 110, "structure": 1900, "signal": 9600}]  # bits a frame
LAYERS = (
    TrafficClass("semantic", priority=0, deadline_s=0.2, margin_db=3.0),
    TrafficClass("structure", priority=1, deadline_s=0.3),
    TrafficClass("signal", priority=2, deadline_s=0.5),
)


def run(duration_s: float = 600.0) -> dict[str, Any]:
    """Runs the link once at five frames a second for each user.

    Args:
        duration_s: Simulated seconds.
    """
    users = [
        User(ClarkeTrace(12.0 + 2 * user, 1.5, 2e9, user), poisson_arrivals(5.0, SIZES, user))
        for user in range(4)
    ]
    link = LinkConfig(bandwidth_hz=200e3, scheduling="layer_aware")
    wall, cpu = time.perf_counter(), time.process_time()
    report = simulate(link, LAYERS, users, TableBler(), duration_s, seed=1)
    return {
        "simulated_s": duration_s,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "packets": report.num_packets,
        "blocks": int(report.attempts.sum()),
        "utilisation": report.utilisation,
    }
