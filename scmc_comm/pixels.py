"""How many pixels a picture may have: one limit, asked before anything is allocated.

Bytes from a file or the link state a size in a few bits, and a size costs memory and time. Above
`FREE_PIXELS` a container has to bring a byte for every `PIXELS_PER_BYTE` pixels that it declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from scmc_comm.errors import ScmcError

MAX_PIXELS = 64_000_000
"""The most pixels of a picture, unless `pixel_limit` says otherwise."""
FREE_PIXELS = 1 << 20
PIXELS_PER_BYTE = 1 << 16
_BYTES_PER_PIXEL = 72
"""Memory that decoding takes at its peak, about."""

_limit: ContextVar[int | None] = ContextVar("pixel_limit", default=None)


@contextmanager
def pixel_limit(max_pixels: int | None) -> Iterator[None]:
    """Within it pictures may have so many pixels, whatever bytes they come in.

    Args:
        max_pixels: The limit; None for the usual one.

    Raises:
        ScmcError: It is below 1.

    Example:
        >>> with pixel_limit(100_000_000):
        ...     check_pixels((10_000, 10_000))
    """
    if max_pixels is not None and max_pixels < 1:
        raise ScmcError(f"max_pixels is {max_pixels}; expected 1 or more")
    token = _limit.set(max_pixels)
    try:
        yield
    finally:
        _limit.reset(token)


def check_pixels(size: Sequence[int], what: str = "image", num_bytes: int | None = None) -> None:
    """Refuses a size of too many pixels; nothing was allocated for it yet.

    Args:
        size: ``(H, W)``.
        what: What is of that size, for the error.
        num_bytes: Length of the untrusted bytes that state it; None where they do not.

    Raises:
        ScmcError: It has more pixels than the limit, or than such bytes may declare.
    """
    height, width = size
    limit, num_pixels = _limit.get(), height * width
    most, why = limit or MAX_PIXELS, ""
    if limit is None and num_bytes is not None:
        worth = max(FREE_PIXELS, PIXELS_PER_BYTE * num_bytes)
        most, why = min(most, worth), f" of {num_bytes} bytes" if worth < most else ""
    if num_pixels > most:
        needed_gb = num_pixels * _BYTES_PER_PIXEL / 1e9
        raise ScmcError(
            f"{what}{why} states {height} x {width} = {num_pixels} pixels, about "
            f"{needed_gb:.1f} GB to decode; the limit is {most}: if you trust it, raise it with "
            "--max-pixels (pixel_limit in Python), or cut the picture into tiles"
        )
