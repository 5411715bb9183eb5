"""How the loops of this folder are compiled, wherever the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` without Python's lock; its machine code is kept for the next process.

    Where package and home are both read-only, as in many containers, nothing can be kept: numba
    refuses to, and each process then compiles anew. ``NUMBA_CACHE_DIR`` names a folder to keep in.

    Args:
        **options: More of `numba.njit`.

    Example:
        >>> @compiled(error_model="numpy")
        ... def half(x):
        ...     return x / 2
        >>> half(3.0)
        1.5
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # "no locator available"
            return njit(nogil=True, **options)(function)

    return decorate
