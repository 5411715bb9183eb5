"""Random numbers that depend on (seed, name, position) alone: Gaussian noise, fades, decisions.

Counter-based: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1,
2, 3", SC 2011), keyed by the seed, then the Box-Muller transform. A row is the same in any batch
and a shorter one is the beginning of a longer one, without streams or chunks, and LLVM computes
many positions side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numba import njit

from channels.errors import ChannelError
from channels.kernels.compiled import compiled
from channels.kernels.float_math import cos_sin_turns, log32

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_TILE = 256


def stream_keys(seeds: Sequence[int], name: str) -> np.ndarray:
    """Philox keys uint32 [len(seeds), 2]: unrelated for any other seed or name.

    Raises:
        ChannelError: A seed is not an integer.
    """
    try:
        digests = [hashlib.sha256(f"{index(s)}\x1f{name}".encode()).digest()[:8] for s in seeds]
    except TypeError:
        raise ChannelError(f"seeds are {list(seeds)[:4]}...; expected integers") from None
    return np.frombuffer(b"".join(digests), "<u4").astype(np.uint32).reshape(-1, 2)


@njit(inline="always")
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    p0 = _M0 * np.uint64(c0)
    p1 = _M1 * np.uint64(c2)
    return (
        np.uint32(np.uint32(p1 >> _32) ^ c1 ^ k0),
        np.uint32(p1 & _MASK),
        np.uint32(np.uint32(p0 >> _32) ^ c3 ^ k1),
        np.uint32(p0 & _MASK),
        np.uint32(k0 + _W0),
        np.uint32(k1 + _W1),
    )


@njit(inline="always")
def philox(c0: Any, c1: Any, k0: Any, k1: Any) -> Any:
    """Four uint32 from a 64-bit counter (its upper words are 0) and a 64-bit key."""
    c2, c3 = np.uint32(0), np.uint32(0)
    # Ten rounds, written out: LLVM does not vectorise around an inner loop.
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


@compiled(error_model="numpy")
def _random_words(key: Any, start: int, size: int, a: Any, b: Any, c: Any, d: Any) -> None:
    k0, k1 = key[0], key[1]
    for i in range(size):
        a[i], b[i], c[i], d[i] = philox(np.uint32(start + i), np.uint32(0), k0, k1)


@compiled(error_model="numpy")
def _box_muller(radial: Any, angular: Any, size: int, scale: Any, real: Any, imag: Any) -> None:
    tiny = np.float32(2.0**-33)
    step = np.float32(2.0**-32)
    turn = np.float32(2.0**-24)
    minus = np.float32(-1.0)
    for i in range(size):
        uniform = np.float32(radial[i]) * step + tiny
        radius = np.sqrt(minus * log32(uniform)) * scale
        cosine, sine = cos_sin_turns(np.float32(angular[i] >> np.uint32(8)) * turn)
        real[i] = radius * cosine
        imag[i] = radius * sine


@compiled(error_model="numpy")
def _fill(keys: Any, scale: Any, out: Any) -> None:
    """CN(0, 1) times scale into out float32 [b, 4 * num_counters]."""
    a = np.empty(_TILE, np.uint32)
    b = np.empty(_TILE, np.uint32)
    c = np.empty(_TILE, np.uint32)
    d = np.empty(_TILE, np.uint32)
    part = np.empty((4, _TILE), np.float32)
    for row in range(out.shape[0]):
        num = out.shape[1] // 4
        for start in range(0, num, _TILE):
            size = min(_TILE, num - start)
            _random_words(keys[row], start, size, a, b, c, d)
            _box_muller(a, b, size, scale, part[0], part[1])
            _box_muller(c, d, size, scale, part[2], part[3])
            to = out[row, 4 * start : 4 * (start + size)]
            for i in range(size):
                for j in range(4):
                    to[4 * i + j] = part[j, i]


def complex_normal(num: int, keys: np.ndarray, variance: float = 1.0) -> np.ndarray:
    """CN(0, variance): half the variance in each real dimension.

    Args:
        num: Samples per row.
        keys: uint32 [b, 2], from `stream_keys`.
        variance: Linear.

    Returns:
        complex64 [b, num]; row i depends on its key alone, and its beginning not on ``num``.

    >>> keys = stream_keys([1, 2], "noise")
    >>> bool((complex_normal(7, keys) == complex_normal(100, keys)[:, :7]).all())
    True
    """
    out = np.empty((len(keys), 4 * -(-num // 2)), np.float32)
    _fill(keys, np.float32(np.sqrt(variance)), out)
    return out.view(np.complex64)[:, :num]


@compiled(error_model="numpy")
def _first_uniform(keys: Any, out: Any) -> None:
    for row in range(out.size):
        high, low, _, _ = philox(np.uint32(0), np.uint32(0), keys[row, 0], keys[row, 1])
        word = (np.uint64(high) << _32) | np.uint64(low)
        out[row] = np.float64(word >> np.uint64(11)) * 2.0**-53


def uniform(keys: np.ndarray) -> np.ndarray:
    """One number in [0, 1) for each key uint32 [b, 2]: float64 [b]."""
    out = np.empty(len(keys))
    _first_uniform(keys, out)
    return out
