"""Which of several users goes first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from channels.timed.packets import Packet

_AVERAGE_S = 1.0  # memory of the throughput that proportional fairness compares with
_LEAST_AVERAGE = 1e-3  # bit/s; a user that was never served comes first, but not infinitely so


class Candidate(Protocol):
    """A user with something to send."""

    @property
    def index(self) -> int:
        """Number of the user."""
        ...

    def rate(self) -> float:
        """Bits per channel use that its channel carries now, as far as the sender knows."""
        ...


class Scheduler(Protocol):
    """Chooses among users, a block at a time."""

    crosses_users: bool  # whether a packet may suspend the block of another user

    def choose(self, candidates: Sequence[tuple[Candidate, Packet]]) -> int:
        """Place of the next user in a list of users, each with the packet it would send."""
        ...

    def served(self, user: int, num_bits: float, now_s: float) -> None:
        """Takes note of bits sent to a user."""
        ...


class RoundRobin:
    """A block for each user that has one, in turn."""

    crosses_users = False

    def __init__(self, num_users: int) -> None:
        self._num_users, self._last = num_users, -1

    def choose(self, candidates: Sequence[tuple[Candidate, Packet]]) -> int:
        """See `Scheduler`."""
        turns = [(user.index - self._last - 1) % self._num_users for user, _ in candidates]
        return turns.index(min(turns))

    def served(self, user: int, num_bits: float, now_s: float) -> None:
        """See `Scheduler`."""
        self._last = user


class ProportionalFair:
    """Highest rate now over throughput so far (Tse; Viswanath, Tse, Laroia, IEEE Trans. IT 2002).

    Throughput is averaged with an exponential window of a second.
    """

    crosses_users = False

    def __init__(self, num_users: int) -> None:
        self._average = [0.0] * num_users
        self._updated_s = 0.0

    def metric(self, user: Candidate) -> float:
        """What proportional fairness ranks users by."""
        return user.rate() / max(self._average[user.index], _LEAST_AVERAGE)

    def choose(self, candidates: Sequence[tuple[Candidate, Packet]]) -> int:
        """See `Scheduler`."""
        if len(candidates) == 1:
            return 0
        metrics = [self.metric(user) for user, _ in candidates]
        return metrics.index(max(metrics))

    def served(self, user: int, num_bits: float, now_s: float) -> None:
        """See `Scheduler`."""
        kept = math.exp(-(now_s - self._updated_s) / _AVERAGE_S)
        self._updated_s = now_s
        self._average = [kept * average for average in self._average]
        self._average[user] += num_bits / _AVERAGE_S


class LayerAware(ProportionalFair):
    """Most urgent packet first, whosever it is; proportionally fair among equals."""

    crosses_users = True

    def choose(self, candidates: Sequence[tuple[Candidate, Packet]]) -> int:
        """See `Scheduler`."""
        urgent = min(packet.kind.priority for _, packet in candidates)
        places = [i for i, (_, p) in enumerate(candidates) if p.kind.priority == urgent]
        return places[super().choose([candidates[i] for i in places])]


SCHEDULERS: dict[str, Callable[[int], Scheduler]] = {
    "round_robin": RoundRobin,
    "proportional_fair": ProportionalFair,
    "layer_aware": LayerAware,
}
