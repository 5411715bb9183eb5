"""The compiled loops of the mapper and the exact soft demapper."""

from __future__ import annotations

from typing import Any

import numpy as np

from channels.kernels.compiled import compiled
from channels.kernels.float_math import exp32, log32
from channels.kernels.simd import peek

_TILE = 256
# Below this the exponents of the demapper leave float32; it is 100 dB of Es/N0.
_MIN_NO, _MIN_GAIN = np.float32(1e-10), np.float32(1e-20)
# Sums of exponentials below this have lost their digits; the largest term alone is exact then to
# ln(8) in an LLR above 60.
_LEAST_SUM = np.float32(1e-27)


@compiled(error_model="numpy")
def map_labels(bits: Any, num_bits_per_symbol: int, points: Any, out: Any) -> None:
    """Points of the labels that the bits spell, first bit highest."""
    for i in range(out.size):
        label = 0
        for j in range(num_bits_per_symbol):
            label = 2 * label + peek(bits, i * num_bits_per_symbol + j)
        out[i] = points[label]


@compiled(error_model="numpy")
def equalise(received: Any, gain: Any, no: Any, parts: Any, inv_no: Any) -> None:
    """Symbols y / h and |h|^2 / no; complex as pairs, float32 [2 n], the rest float32 [n]."""
    for i in range(inv_no.size):
        a, b = peek(gain, 2 * i), peek(gain, 2 * i + 1)
        x, y = peek(received, 2 * i), peek(received, 2 * i + 1)
        power = a * a + b * b
        power = power if power > _MIN_GAIN else _MIN_GAIN
        variance = peek(no, i)
        variance = _MIN_NO if variance < _MIN_NO else variance  # a NaN stays
        parts[2 * i] = (x * a + y * b) / power
        parts[2 * i + 1] = (y * a - x * b) / power
        inv_no[i] = power / variance


# Rows of a matrix are passed whole, with a size: numba knows those to be contiguous, slices not.
@compiled(error_model="numpy")
def _metrics(
    parts: Any, inv_no: Any, start: int, part: int, level: Any, size: int, out: Any
) -> None:
    for i in range(size):
        distance = peek(parts, 2 * (start + i) + part) - level
        out[i] = -(distance * distance) * peek(inv_no, start + i)


@compiled(error_model="numpy")
def _maximum(a: Any, size: int, out: Any) -> None:
    for i in range(size):
        out[i] = a[i] if a[i] > out[i] else out[i]


@compiled(error_model="numpy")
def _exponential(metric: Any, top: Any, size: int, out: Any) -> None:
    for i in range(size):
        out[i] = exp32(metric[i] - top[i])


@compiled(error_model="numpy")
def _add(a: Any, size: int, out: Any) -> None:
    for i in range(size):
        out[i] += a[i]


@compiled(error_model="numpy")
def _ratio(ones: Any, zeros: Any, top_ones: Any, top_zeros: Any, size: int, out: Any) -> None:
    least = _LEAST_SUM
    for i in range(size):
        exact = (ones[i] > least) & (zeros[i] > least)
        one = ones[i] if ones[i] > least else least
        zero = zeros[i] if zeros[i] > least else least
        smooth = log32(one) - log32(zero)
        out[i] = smooth if exact else top_ones[i] - top_zeros[i]


@compiled(error_model="numpy")
def _two_levels(parts: Any, inv_no: Any, high: Any, low: Any, out: Any) -> None:
    """One bit a dimension: the LLR is linear. ``high`` is the amplitude of a 1."""
    slope = np.float32(2.0) * (high - low)
    for i in range(inv_no.size):
        out[2 * i] = slope * parts[2 * i] * inv_no[i]
        out[2 * i + 1] = slope * parts[2 * i + 1] * inv_no[i]


@compiled(error_model="numpy")
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
            top[:] = np.float32(-np.inf)
            for level in range(num_levels):
                _metrics(parts, inv_no, start, part, levels[level], size, metric[level])
                _maximum(metric[level], size, top)
            for level in range(num_levels):
                _exponential(metric[level], top, size, weight[level])
            for j in range(half):
                sums[:] = np.float32(0.0)
                tops[:] = np.float32(-np.inf)
                for level in range(num_levels):
                    bit = (level >> (half - 1 - j)) & 1
                    _add(weight[level], size, sums[bit])
                    _maximum(metric[level], size, tops[bit])
                _ratio(sums[1], sums[0], tops[1], tops[0], size, soft)
                to = start * 2 * half + 2 * j + part
                for i in range(size):
                    llr[to + i * 2 * half] = soft[i]
