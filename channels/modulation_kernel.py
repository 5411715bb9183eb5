"""The compiled loops of the mapper and the exact soft demapper."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from channels.float_math import exp32, log32
from channels.ldpc_simd import peek

_TILE = 256
# Sums of exponentials below this have lost their digits; the largest term alone is exact then to
# ln(8) in an LLR above 60.
_LEAST_SUM = np.float32(1e-27)


@njit(nogil=True, cache=True, error_model="numpy")
def map_labels(bits: Any, num_bits_per_symbol: int, points: Any, out: Any) -> None:
    """Points of the labels that the bits spell, first bit highest."""
    for i in range(out.size):
        label = 0
        for j in range(num_bits_per_symbol):
            label = (label << 1) | np.int64(peek(bits, i * num_bits_per_symbol + j))
        out[i] = points[label]


@njit(nogil=True, cache=True, error_model="numpy")
def _metrics(parts: Any, start: int, part: int, inv_no: Any, level: Any, out: Any) -> None:
    for i in range(out.size):
        distance = parts[2 * (start + i) + part] - level
        out[i] = -(distance * distance) * inv_no[start + i]


@njit(nogil=True, cache=True, error_model="numpy")
def _maximum(a: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = a[i] if a[i] > out[i] else out[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _exponential(metric: Any, top: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = exp32(metric[i] - top[i])


@njit(nogil=True, cache=True, error_model="numpy")
def _add(a: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] += a[i]


@njit(nogil=True, cache=True, error_model="numpy")
def _ratio(sums: Any, tops: Any, out: Any) -> None:
    least = _LEAST_SUM
    for i in range(out.size):
        one = sums[1, i]
        zero = sums[0, i]
        exact = (one > least) & (zero > least)
        one = one if one > least else least
        zero = zero if zero > least else least
        smooth = log32(one) - log32(zero)
        out[i] = smooth if exact else tops[1, i] - tops[0, i]


@njit(nogil=True, cache=True, error_model="numpy")
def _two_levels(parts: Any, inv_no: Any, high: Any, low: Any, out: Any) -> None:
    """One bit a dimension: the LLR is linear. ``high`` is the amplitude of a 1."""
    slope = np.float32(2.0) * (high - low)
    for i in range(inv_no.size):
        out[2 * i] = slope * parts[2 * i] * inv_no[i]
        out[2 * i + 1] = slope * parts[2 * i + 1] * inv_no[i]


@njit(nogil=True, cache=True, error_model="numpy")
def soft_bits(parts: Any, inv_no: Any, levels: Any, llr: Any) -> None:
    """Exact LLRs ln P(1)/P(0) of equalised symbols.

    Args:
        parts: float32 [2 n], real and imaginary parts in turn.
        inv_no: float32 [n], one over the noise variance of each symbol after equalisation.
        levels: float32 [2**half], amplitudes of one dimension by label.
        llr: float32 [n * 2 * half], written.
    """
    num_levels = levels.size
    if num_levels == 2:
        _two_levels(parts, inv_no, levels[1], levels[0], llr)
        return
    half = 0
    while (1 << half) < num_levels:
        half += 1
    metric = np.empty((num_levels, _TILE), np.float32)
    weight = np.empty((num_levels, _TILE), np.float32)
    top = np.empty(_TILE, np.float32)
    sums = np.empty((2, _TILE), np.float32)
    tops = np.empty((2, _TILE), np.float32)
    soft = np.empty(_TILE, np.float32)
    for start in range(0, inv_no.size, _TILE):
        size = min(_TILE, inv_no.size - start)
        for part in range(2):
            top[:size] = np.float32(-np.inf)
            for level in range(num_levels):
                _metrics(parts, start, part, inv_no, levels[level], metric[level, :size])
                _maximum(metric[level, :size], top[:size])
            for level in range(num_levels):
                _exponential(metric[level, :size], top[:size], weight[level, :size])
            for j in range(half):
                sums[:, :size] = np.float32(0.0)
                tops[:, :size] = np.float32(-np.inf)
                for level in range(num_levels):
                    bit = (level >> (half - 1 - j)) & 1
                    _add(weight[level, :size], sums[bit, :size])
                    _maximum(metric[level, :size], tops[bit, :size])
                _ratio(sums[:, :size], tops[:, :size], soft[:size])
                to = start * 2 * half + 2 * j + part
                for i in range(size):
                    llr[to + i * 2 * half] = soft[i]
