"""Bjontegaard deltas: how much rate, bandwidth, SNR or quality lies between two curves.

The integral is that of the `bjontegaard` library with piecewise cubic (pchip) interpolation, the
one of the current common test conditions: the cubic polynomial of 2001 overshoots.

What is decided here is what the library leaves open: curves that are not monotone, metrics where
lower is better, curves that share little quality, and ranges of rate. Intervals of the deltas are
in `experiments.statistics.bjontegaard_intervals`.

Source: G. Bjontegaard, VCEG-M33 (2001); C. Herglotz et al., "The Bjontegaard Bible", IEEE TIP 33
(2024), for the interpolation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from experiments.headless import import_matplotlib
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]
Window = tuple[float, float]

EVERY_RATE: Window = (0.0, np.inf)
LEAST_OVERLAP = 0.05  # a mean over less than this share of the curves says nothing

# Quality that a level stretch is made to rise by, relative to the range of the curve, so that its
# inverse is a function; far below any metric's resolution.
_RISE = 1e-9


@dataclass(frozen=True)
class BdDelta:
    """A Bjontegaard delta of curve b against curve a.

    Attributes:
        value: Percent (`bd_rate`), dB (`bd_snr`) or the metric's unit (`bd_quality`); NaN where
            the curves share too little.
        low: Lower limit of the bootstrap interval; NaN where none was taken, minus infinity where
            too many resamples have no delta.
        high: Upper limit; plus infinity likewise.
        common: Ends of the range that both curves cover: quality from the worst to the best, or
            for `bd_quality` rates.
        overlap: Length of that range over that of the range which either covers, 0 to 1. Far
            below 1 the delta speaks of a small part of the curves only; there is none below
            `LEAST_OVERLAP`.
        undefined: Share of the resamples without a delta. These count as arbitrarily small for
            `low` and arbitrarily large for `high`; they are not dropped.
        reason: Why there is no value; empty where there is one.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    common: tuple[float, float] = (np.nan, np.nan)
    overlap: float = 0.0
    undefined: float = 0.0
    reason: str = ""


def _curve(x: ArrayLike, quality: ArrayLike, name: str, higher_is_better: bool) -> Floats:
    """Points [2, n] sorted by x, quality turned so that higher is better."""
    if np.size(x) != np.size(quality) or np.size(x) == 0:
        raise ScmcError(
            f"curve {name} has {np.size(x)} abscissae and {np.size(quality)} qualities; "
            "expected as many, at least one"
        )
    points = np.array([np.ravel(x), np.ravel(quality)], dtype=float)
    if not np.isfinite(points).all():
        raise ScmcError(
            f"curve {name} holds NaN or infinity; score failures by their policy (mid-grey) and "
            "leave out lossless points"
        )
    if not higher_is_better:
        points[1] *= -1
    return points[:, np.lexsort((points[1], points[0]))]


def _front(points: Floats) -> Floats:
    """The Pareto front of sorted points: no point of lower or equal rate equals one in quality."""
    best = np.maximum.accumulate(points[1])
    rises = np.r_[True, best[1:] > best[:-1]]
    front = points[:, rises]
    last_of_rate = np.r_[front[0, 1:] > front[0, :-1], True]
    return front[:, last_of_rate]


def num_dominated(rate: ArrayLike, quality: ArrayLike, higher_is_better: bool = True) -> int:
    """Number of points at which the curve itself gives as much quality for less rate.

    Example:
        >>> num_dominated([0.1, 0.2, 0.4], [20.0, 19.0, 25.0])
        1
    """
    points = _curve(rate, quality, "a", higher_is_better)
    return points.shape[1] - _front(points).shape[1]


def _staircase(points: Floats) -> Floats:
    """The running maximum of quality, as a curve that can be inverted.

    Unlike a codec's rate, SNR is not chosen: between a floor and the point where quality starts to
    rise there is nothing to skip. The floor ends at its last point, the ceiling starts at its
    first, and level stretches between rise by a hair.
    """
    best = np.maximum.accumulate(points[1])
    first = int(np.searchsorted(best, best[0], side="right")) - 1
    last = int(np.searchsorted(best, best[-1], side="left"))
    kept = slice(min(first, last), last + 1)
    x, y = points[0, kept], best[kept].copy()
    rise = _RISE * max(float(np.ptp(y)), 1e-300)
    level = np.r_[False, np.diff(y) <= 0]
    y += rise * np.cumsum(level)
    return np.array([x, y])


def _log_front(
    rate: ArrayLike, quality: ArrayLike, name: str, higher_is_better: bool, window: Window
) -> Floats:
    """Logarithms of the rates of a curve's Pareto front within a window, and its qualities."""
    front = _front(_curve(rate, quality, name, higher_is_better))
    if front[0, 0] <= 0:
        raise ScmcError(f"curve {name} has a rate of {front[0, 0]:g}; expected above 0")
    inside = (front[0] >= window[0]) & (front[0] <= window[1])
    front[0] = np.log(front[0])
    if inside.all() or front.shape[1] < 2:
        return front
    ends = np.log([end for end in window if 0 < end < np.inf])
    ends = ends[(front[0, 0] < ends) & (ends < front[0, -1])]
    added = np.array([ends, PchipInterpolator(*front)(ends)])
    points = np.concatenate([front[:, inside], added], axis=1)
    points = points[:, np.lexsort((points[1], points[0]))]
    return _front(points) if points.size else points


def _delta(
    base_a: Floats,
    value_a: Floats,
    base_b: Floats,
    value_b: Floats,
    shown: Callable[[Floats], Floats] = np.abs,
) -> BdDelta:
    """Mean of value b minus value a over the base range that both cover.

    ``shown`` makes numbers for readers of those of the base.
    """
    if min(len(base_a), len(base_b)) < 2:
        return BdDelta(np.nan, reason="fewer than two points on a curve")
    ends = np.array([[base.min(), base.max()] for base in (base_a, base_b)])
    common = ends[:, 0].max(), ends[:, 1].min()
    overlap = (common[1] - common[0]) / np.ptp(ends)
    if overlap < LEAST_OVERLAP:
        text = [" to ".join(f"{end:.4g}" for end in sorted(shown(pair))) for pair in ends]
        return BdDelta(np.nan, reason=f"no overlap: {text[1]} against {text[0]} of the reference")
    import_matplotlib()  # which the next line imports
    from bjontegaard import bd_linear

    found = bd_linear(
        base_a, value_a, base_b, value_b, "pchip", require_matching_points=False, min_overlap=0
    )
    low, high = shown(np.array(common))
    return BdDelta(float(found), common=(float(low), float(high)), overlap=float(overlap))


def bd_rate(
    rate_a: ArrayLike,
    quality_a: ArrayLike,
    rate_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
    window: Window = EVERY_RATE,
) -> BdDelta:
    """Mean rate difference of b against the anchor a at equal quality, in percent.

    Negative: b needs less. Any rate will do: bytes, bpp, or the bandwidth ratio rho, which makes
    it BD-CBR. Points that a cheaper point equals in quality are never chosen and do not count.

    Args:
        rate_a: Rates of the anchor, positive, [points].
        quality_a: Their quality.
        rate_b: Rates of the other curve; the number of points may differ.
        quality_b: Their quality.
        higher_is_better: False for metrics such as LPIPS.
        window: Only rates in this range count.

    Returns:
        The delta, NaN with a reason where the curves share no quality.

    Example:
        >>> half = bd_rate([2, 4, 8, 16], [30, 33, 36, 39], [1, 2, 4, 8], [30, 33, 36, 39])
        >>> round(half.value, 6), half.overlap, half.common
        (-50.0, 1.0, (30.0, 39.0))
        >>> bd_rate([1, 2], [30, 33], [1, 2], [40, 43]).reason
        'no overlap: 40 to 43 against 30 to 33 of the reference'
    """
    a = _log_front(rate_a, quality_a, "a", higher_is_better, window)
    b = _log_front(rate_b, quality_b, "b", higher_is_better, window)
    found = _delta(a[1], a[0], b[1], b[0])
    return replace(found, value=100 * float(np.expm1(found.value)))


def bd_quality(
    rate_a: ArrayLike,
    quality_a: ArrayLike,
    rate_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
    window: Window = EVERY_RATE,
) -> BdDelta:
    """Mean quality difference of b against the anchor a at equal rate (BD-PSNR for PSNR).

    Args:
        rate_a: See `bd_rate`.
        quality_a: See `bd_rate`.
        rate_b: See `bd_rate`.
        quality_b: See `bd_rate`.
        higher_is_better: Only decides which of several points a user would choose; the sign of
            the answer is that of quality b minus quality a.
        window: See `bd_rate`.

    Example:
        >>> round(bd_quality([1, 2, 4], [30, 33, 36], [1, 2, 4], [31, 34, 37]).value, 6)
        1.0
    """
    a = _log_front(rate_a, quality_a, "a", higher_is_better, window)
    b = _log_front(rate_b, quality_b, "b", higher_is_better, window)
    found = _delta(a[0], a[1], b[0], b[1], np.exp)
    return found if higher_is_better else replace(found, value=-found.value)


def bd_snr(
    esno_db_a: ArrayLike,
    quality_a: ArrayLike,
    esno_db_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
) -> BdDelta:
    """Mean SNR difference of b against the anchor a at equal quality, in dB.

    Negative: b needs less. Floors and ceilings of a curve are kept as such: only what lies
    between them has an inverse. A dip is bridged by the best quality of the lower SNRs.

    Args:
        esno_db_a: Es/N0 of the anchor's points in dB, [points].
        quality_a: Their quality.
        esno_db_b: Es/N0 of the other curve's points.
        quality_b: Their quality.
        higher_is_better: False for metrics such as LPIPS.

    Example:
        >>> esno_db, quality = [0, 5, 10, 15], [12, 12, 30, 30]
        >>> round(bd_snr(esno_db, quality, [-3, 2, 7, 12], quality).value, 6)
        -3.0
    """
    a = _staircase(_curve(esno_db_a, quality_a, "a", higher_is_better))
    b = _staircase(_curve(esno_db_b, quality_b, "b", higher_is_better))
    return _delta(a[1], a[0], b[1], b[0])
