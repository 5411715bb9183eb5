"""What lies in the cache, by kind, as the first bytes of the entries tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.execution.cache import Cache
from scmc_comm.new_file import is_part

KINDS = {
    "pictures": "what receivers show (PNG)",
    "coded": "what systems sent: frames, symbols, ledgers",
    "scores": "metrics of what is shown",
    "curves": "rate and quality of codecs: bounds, rd, anchors",
    "costs": "what a part of a sweep takes on this machine",
    "trials": "what arrived in each draw, results of points and timed runs, features",
}
"""Kinds of entries, and what each is."""
CHECKSUM_BYTES = 32
_ENTRY = re.compile(r"[0-9a-f]{62}")
_NUMBER = re.compile(rb"-?\d+(\.\d+(e[-+]?\d+)?|e[-+]?\d+)|NaN|-?Infinity")
_STARTS = (
    (b"\x89PNG", "pictures"),
    (b'{"size":', "coded"),
    (b'{"metrics":', "scores"),
    (b'{"bits":', "curves"),
    (b'{"s":', "costs"),
    (b'{"cell_s":', "costs"),
)


@dataclass(frozen=True)
class Entry:
    """A file of the cache.

    Attributes:
        path: Where it lies.
        kind: Of `KINDS`.
        size: In bytes.
    """

    path: Path
    kind: str
    size: int


def entries(folder: Path) -> Iterator[Entry]:
    """All entries of a cache and of those in its folders; other files are passed over.

    Example:
        >>> list(entries(Path("no such folder")))
        []
    """
    for path in folder.rglob("*"):
        if len(path.parent.name) == 2 and _ENTRY.fullmatch(path.name) and path.is_file():
            with path.open("rb") as file:
                start = file.read(CHECKSUM_BYTES + 32)[CHECKSUM_BYTES:]
            yield Entry(path, _kind(start), path.stat().st_size)


def _kind(start: bytes) -> str:
    """Kind of what begins like this."""
    if _NUMBER.fullmatch(start):
        return "scores"
    return next((kind for mark, kind in _STARTS if start.startswith(mark)), "trials")


def clear(folder: Path, kinds: Collection[str] = ()) -> tuple[int, int]:
    """Deletes entries, and what killed runs left half written; nothing else in the folder.

    Args:
        folder: The cache.
        kinds: Of `KINDS`; empty for all.

    Returns:
        How many entries, and how many bytes.
    """
    count = size = 0
    for entry in list(entries(folder)):
        if not kinds or entry.kind in kinds:
            entry.path.unlink(missing_ok=True)
            count, size = count + 1, size + entry.size
    for path in [path for path in folder.rglob(".*.tmp") if is_part(path)]:
        path.unlink(missing_ok=True)
    return count, size


def merge(source: Path, target: Path) -> int:
    """Copies the entries of another cache that this one lacks; damaged ones are left out.

    Args:
        source: The other cache, or a folder of such.
        target: This cache.

    Returns:
        How many were copied.
    """
    count = 0
    for entry in entries(source):
        key = entry.path.parent.name + entry.path.name
        relative = entry.path.relative_to(source).parts[:-2]
        mine = Cache(target.joinpath(*relative))
        if key not in mine and (body := Cache(entry.path.parent.parent).get(key)) is not None:
            mine.put(key, body)
            count += 1
    return count
