"""What came of every packet, and what that says of each class."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from channels.errors import ChannelError
from channels.timed.packets import Packet

FATES = (
    "delivered",
    "late",  # complete, but after its deadline
    "deadline",  # dropped at the sender when its deadline had passed
    "max transmissions",  # a block failed for the last time
    "feedback error",  # a NACK was read as an ACK
    "queue full",
)
DELIVERED, LATE, DEADLINE, MAX_TRANSMISSIONS, FEEDBACK_ERROR, QUEUE_FULL = range(len(FATES))

_COLUMNS = {
    "sequence": "q", "user": "i", "frame": "q", "kind": "i", "bits": "q", "fate": "b",
    "attempts": "i", "arrival_s": "d", "start_s": "d", "done_s": "d", "uses": "d", "energy_j": "d",
}  # fmt: skip


@dataclass(frozen=True)
class ClassSummary:
    """One class of traffic over a whole run.

    Attributes:
        tag: Its name.
        offered: Packets that arrived.
        delivered: Packets that were complete within their deadline.
        drops: How many met each other fate.
        latency_s: Median, 95th and 99th percentile from arrival to use, of delivered packets.
        mean_wait_s: From arrival to the first transmission, of packets that were sent.
        mean_age_s: Age of information at the receiver, averaged over time and users.
        uses: Channel uses spent.
        energy_j: Energy spent.
    """

    tag: str
    offered: int
    delivered: int
    drops: dict[str, int]
    latency_s: tuple[float, float, float]
    mean_wait_s: float
    mean_age_s: float
    uses: float
    energy_j: float


@dataclass(frozen=True)
class TimedReport:
    """Every packet of a run, in order of arrival.

    Attributes:
        tags: Names of the classes.
        num_users: Users of the link.
        duration_s: Time over which frames arrived; what was on the link then was still sent.
        busy_s: Time that the link sent in it.
        user: int32 [num_packets].
        frame: int64 [num_packets], number of the frame among those of its user.
        kind: int32 [num_packets], index into `tags`.
        bits: int64 [num_packets].
        fate: int8 [num_packets], index into `FATES`.
        attempts: int32 [num_packets], transmissions of all its blocks.
        arrival_s: float64 [num_packets].
        start_s: float64 [num_packets], of its first transmission; NaN if there was none.
        done_s: float64 [num_packets], when it was of use at the receiver; NaN if never.
        uses: float64 [num_packets], channel uses, also of transmissions in vain.
        energy_j: float64 [num_packets].
    """

    tags: tuple[str, ...]
    num_users: int
    duration_s: float
    busy_s: float
    user: np.ndarray
    frame: np.ndarray
    kind: np.ndarray
    bits: np.ndarray
    fate: np.ndarray
    attempts: np.ndarray
    arrival_s: np.ndarray
    start_s: np.ndarray
    done_s: np.ndarray
    uses: np.ndarray
    energy_j: np.ndarray

    @property
    def num_packets(self) -> int:
        """Packets offered."""
        return len(self.fate)

    @property
    def delivered(self) -> np.ndarray:
        """Whether each was complete within its deadline, bool [num_packets]."""
        return self.fate == DELIVERED

    @property
    def latency_s(self) -> np.ndarray:
        """float64 [num_packets], from arrival to use; NaN if never."""
        return self.done_s - self.arrival_s

    @property
    def utilisation(self) -> float:
        """Share of the time in which the link sent."""
        return self.busy_s / self.duration_s

    def delivered_sets(self) -> dict[tuple[int, int], frozenset[str]]:
        """For each (user, frame) the tags that were delivered, also where none was."""
        sets: dict[tuple[int, int], set[str]] = {}
        rows = zip(
            self.user.tolist(), self.frame.tolist(), self.kind.tolist(), self.delivered.tolist(),
            strict=True,
        )  # fmt: skip
        for user, frame, kind, delivered in rows:
            tags = sets.setdefault((user, frame), set())
            if delivered:
                tags.add(self.tags[kind])
        return {key: frozenset(tags) for key, tags in sets.items()}

    def age_s(self, tag: str, user: int) -> float:
        """Mean age of information of one class at one receiver.

        The age is the time since the arrival of the newest frame whose packet was delivered
        (Kaul, Yates, Gruteser, INFOCOM 2012); it is 0 at time 0 and averaged over the run.
        """
        rows = (self.kind == self._index(tag)) & (self.user == user) & self.delivered
        rows &= self.done_s <= self.duration_s
        order = np.argsort(self.done_s[rows], kind="stable")
        done, born = self.done_s[rows][order], self.arrival_s[rows][order]
        # From each delivery on the newest frame so far counts.
        newest = np.maximum.accumulate(np.concatenate([[0.0], born]))
        edges = np.concatenate([[0.0], done, [self.duration_s]])
        areas = ((edges[1:] - newest) ** 2 - (edges[:-1] - newest) ** 2) / 2
        return float(areas.sum() / self.duration_s)

    def summary(self, tag: str) -> ClassSummary:
        """All numbers of one class."""
        rows = self.kind == self._index(tag)
        delivered = rows & self.delivered
        latency = self.latency_s[delivered]
        wait = (self.start_s - self.arrival_s)[rows & ~np.isnan(self.start_s)]
        quantiles = np.quantile(latency, [0.5, 0.95, 0.99]) if len(latency) else [np.nan] * 3
        counts = np.bincount(self.fate[rows], minlength=len(FATES))
        ages = [self.age_s(tag, user) for user in range(self.num_users)]
        return ClassSummary(
            tag=tag,
            offered=int(rows.sum()),
            delivered=int(delivered.sum()),
            drops={FATES[i]: int(counts[i]) for i in range(1, len(FATES)) if counts[i]},
            latency_s=(float(quantiles[0]), float(quantiles[1]), float(quantiles[2])),
            mean_wait_s=float(wait.mean()) if len(wait) else float("nan"),
            mean_age_s=float(np.mean(ages)),
            uses=float(self.uses[rows].sum()),
            energy_j=float(self.energy_j[rows].sum()),
        )

    def _index(self, tag: str) -> int:
        if tag not in self.tags:
            raise ChannelError(f"no class {tag!r}; expected one of {', '.join(self.tags)}")
        return self.tags.index(tag)


class Recorder:
    """Collects packets that are through, in columns: some 70 bytes each."""

    def __init__(self) -> None:
        self._columns: dict[str, array[Any]] = {
            name: array(code) for name, code in _COLUMNS.items()
        }

    def add(self, packet: Packet, energy_j: float) -> None:
        """Takes in a packet whose fate is known."""
        column = self._columns
        column["sequence"].append(packet.sequence)
        column["user"].append(packet.user)
        column["frame"].append(packet.frame)
        column["kind"].append(packet.kind_index)
        column["bits"].append(packet.bits)
        column["fate"].append(packet.fate)
        column["attempts"].append(packet.attempts)
        column["arrival_s"].append(packet.arrival_s)
        column["start_s"].append(packet.start_s)
        column["done_s"].append(packet.done_s)
        column["uses"].append(packet.uses)
        column["energy_j"].append(energy_j)

    def report(
        self, tags: Sequence[str], num_users: int, duration_s: float, busy_s: float
    ) -> TimedReport:
        """The report, packets sorted by arrival."""
        columns = {name: np.array(values) for name, values in self._columns.items()}
        order = np.argsort(columns.pop("sequence"))
        sorted_ = {name: values[order] for name, values in columns.items()}
        return TimedReport(tuple(tags), num_users, duration_s, busy_s, **sorted_)
