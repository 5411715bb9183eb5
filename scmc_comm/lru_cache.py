"""A cache of what was computed, bounded in bytes, that drops the least recently used first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar, cast

from cachetools import LRUCache
from torch import Tensor

T = TypeVar("T")

_KEPT_BYTES = 256 * 2**20


class LruCache:
    """Results by key, the least recently used dropped first.

    Args:
        max_bytes: How much is kept, counting tensors and byte strings; one result that is larger
            is not kept at all.

    Example:
        >>> cache = LruCache()
        >>> [cache.get("key", lambda: b"made"), cache.get("key", lambda: b"again")]
        [b'made', b'made']
    """

    def __init__(self, max_bytes: int = _KEPT_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: LRUCache[Hashable, object] = LRUCache(max_bytes, _num_bytes)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of that key, made if it is not kept; do not write into it."""
        if key in self._kept:
            return cast(T, self._kept[key])
        made = make()
        if _num_bytes(made) <= self.max_bytes:
            self._kept[key] = made
        return made


def _num_bytes(made: object) -> int:
    if isinstance(made, Tensor):
        return made.numel() * made.element_size()
    if isinstance(made, Sequence) and not isinstance(made, str | bytes):
        return sum(_num_bytes(part) for part in made)
    return len(made) if isinstance(made, bytes) else 64
