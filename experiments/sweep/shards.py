"""One part of a sweep, for the jobs of an array that share a cache folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from scmc_comm.errors import ScmcError

T = TypeVar("T")

MOST = 10_000
"""Shards of one sweep, at most."""


@dataclass(frozen=True)
class Shard:
    """Every so manieth task.

    Attributes:
        number: Which, from 1 to ``count``.
        count: How many there are.

    Raises:
        ScmcError: There is no such shard.

    Example:
        >>> Shard.parse("2/3").of("abcdefg")
        ['b', 'e']
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST:
            raise ScmcError(
                f"shard {self.number}/{self.count}; expected NUMBER/COUNT from 1/COUNT to "
                f"COUNT/COUNT, COUNT {MOST} at most"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard as ``NUMBER/COUNT``.

        Raises:
            ScmcError: It is written otherwise, or there is no such shard.
        """
        found = re.fullmatch(r"([0-9]{1,18})/([0-9]{1,18})", text.strip())
        if found is None:
            raise ScmcError(f"shard {text[:20]!r}; expected NUMBER/COUNT, such as 3/8")
        return cls(int(found[1]), int(found[2]))

    def of(self, tasks: Sequence[T]) -> list[T]:
        """The tasks of this shard; those of all shards together are all, each once."""
        return list(tasks[self.number - 1 :: self.count])
