"""The packets of one user that wait, and which of them goes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from channels.timed.packets import Packet
from channels.timed.types import TrafficClass


class Discipline(Protocol):
    """Order among the heads of the queues of one user; within a class packets keep theirs."""

    def arrived(self, packet: Packet) -> None:
        """Takes note of a new packet."""
        ...

    def taken(self, packet: Packet) -> None:
        """Takes note that a packet is served."""
        ...

    def key(self, packet: Packet) -> tuple[float, ...]:
        """The packet with the smallest goes first."""
        ...

    def preempts(self, new: Packet, current: Packet) -> bool:
        """Whether a packet that arrives goes before the one in service."""
        ...


class StrictPriority:
    """Lowest priority number first, then order of arrival: FIFO where numbers are equal."""

    def arrived(self, packet: Packet) -> None:
        """See `Discipline`."""

    def taken(self, packet: Packet) -> None:
        """See `Discipline`."""

    def key(self, packet: Packet) -> tuple[float, ...]:
        """See `Discipline`."""
        return packet.kind.priority, packet.sequence

    def preempts(self, new: Packet, current: Packet) -> bool:
        """See `Discipline`."""
        return new.kind.priority < current.kind.priority


class EarliestDeadline:
    """Earliest deadline first, then priority; packets without a deadline go last."""

    def arrived(self, packet: Packet) -> None:
        """See `Discipline`."""

    def taken(self, packet: Packet) -> None:
        """See `Discipline`."""

    def key(self, packet: Packet) -> tuple[float, ...]:
        """See `Discipline`."""
        return packet.deadline_s, packet.kind.priority, packet.sequence

    def preempts(self, new: Packet, current: Packet) -> bool:
        """See `Discipline`."""
        return new.deadline_s < current.deadline_s


class FairQueueing:
    """Self-clocked weighted fair queueing (Golestani, INFOCOM 1994), by bits.

    A packet is tagged with the virtual time at which a fluid link would have served it beside the
    other classes; the smallest tag goes first.
    """

    def __init__(self) -> None:
        self._clock = 0.0
        self._last: dict[int, float] = {}

    def arrived(self, packet: Packet) -> None:
        """See `Discipline`."""
        start = max(self._clock, self._last.get(packet.kind_index, 0.0))
        packet.fair_tag = start + packet.bits / packet.kind.weight
        self._last[packet.kind_index] = packet.fair_tag

    def taken(self, packet: Packet) -> None:
        """See `Discipline`."""
        self._clock = max(self._clock, packet.fair_tag)

    def key(self, packet: Packet) -> tuple[float, ...]:
        """See `Discipline`."""
        return packet.fair_tag, packet.sequence

    def preempts(self, new: Packet, current: Packet) -> bool:
        """See `Discipline`."""
        return False


DISCIPLINES: dict[str, Callable[[], Discipline]] = {
    "strict": StrictPriority,
    "deadline": EarliestDeadline,
    "fair": FairQueueing,
}


class UserQueues:
    """One queue a class.

    A packet is in its queue while it has a block to send; packets that only wait for feedback
    count against the limit but are not in it.
    """

    def __init__(
        self, classes: Sequence[TrafficClass], discipline: Discipline, max_queue: int
    ) -> None:
        self.discipline = discipline
        self._queues: list[deque[Packet]] = [deque() for _ in classes]
        self._held = [0] * len(classes)
        self._max_queue = max_queue

    def accepts(self, kind_index: int) -> bool:
        """Whether there is room for one more packet of a class."""
        return self._held[kind_index] < self._max_queue

    def add(self, packet: Packet) -> None:
        """Takes in a new packet."""
        self._held[packet.kind_index] += 1
        self.discipline.arrived(packet)
        packet.is_queued = True
        self._queues[packet.kind_index].append(packet)

    def put_back(self, packet: Packet) -> None:
        """Puts a packet that has a block to send again before those that were not served yet."""
        if not packet.is_queued:
            packet.is_queued = True
            self._queues[packet.kind_index].appendleft(packet)

    def closed(self, packet: Packet) -> None:
        """Makes room: nothing of the packet is left to send."""
        self._held[packet.kind_index] -= 1

    def first_of(self, kind_index: int) -> Packet | None:
        """The first packet of a class that waits."""
        queue = self._queues[kind_index]
        return queue[0] if queue else None

    def remove_first(self, kind_index: int) -> None:
        """Takes the first packet of a class out of its queue."""
        self._queues[kind_index].popleft().is_queued = False

    def take_out(self, packet: Packet) -> None:
        """Takes a packet out of its queue, wherever it stands; those served lately stand first."""
        self._queues[packet.kind_index].remove(packet)
        packet.is_queued = False
