"""The timed link: priority queues, HARQ, delays, deadlines, several users; by SimPy.

The door to `channels.timed`: describe the link (`LinkConfig`), the kinds of packets
(`TrafficClass`, one a layer) and the users (`User`: a `channels.timed.traces.SnrTrace` and
frames that arrive), and `simulate` says what came of every packet.
"""

from __future__ import annotations

from channels.timed.link import simulate
from channels.timed.report import FATES, ClassSummary, TimedReport
from channels.timed.sources import periodic_arrivals, poisson_arrivals
from channels.timed.tables import TableBler
from channels.timed.types import (
    Arrival,
    BlockErrorRate,
    Feedback,
    LinkConfig,
    RateAdaptation,
    TrafficClass,
    User,
)

__all__ = [
    "FATES",
    "Arrival",
    "BlockErrorRate",
    "ClassSummary",
    "Feedback",
    "LinkConfig",
    "RateAdaptation",
    "TableBler",
    "TimedReport",
    "TrafficClass",
    "User",
    "periodic_arrivals",
    "poisson_arrivals",
    "simulate",
]
