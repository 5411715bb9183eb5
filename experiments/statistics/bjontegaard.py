"""Bjontegaard deltas: how much rate, bandwidth, SNR or quality lies between two curves.

The integral is that of the `bjontegaard` library with piecewise cubic (pchip) interpolation, the
one of the current common test conditions: the cubic polynomial of 2001 overshoots.

What is decided here is what the library leaves open: curves that are not monotone, metrics where
lower is better, curves that share no quality, and intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.statistics.means import (
    bootstrap_means,
    expanded_tail,
    image_means,
    percentile_interval,
)
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

# Quality that a level stretch is made to rise by, relative to the range of the curve, so that its
# inverse is a function; far below any metric's resolution.
_RISE = 1e-9


@dataclass(frozen=True)
class BdValue:
    """A Bjontegaard delta of curve b against curve a.

    Attributes:
        value: Percent (`bd_rate`), dB (`bd_snr`) or the metric's unit (`bd_quality`); NaN where
            the curves share nothing.
        overlap: Share of the range covered by the two curves together that both cover, 0 to 1.
            Far below 1 the delta speaks of a small part of the curves only.
        reason: Why there is no value; empty where there is one.
    """

    value: float
    overlap: float
    reason: str = ""


@dataclass(frozen=True)
class BdInterval:
    """A Bjontegaard delta with its bootstrap interval.

    Attributes:
        value: The delta of the mean curves; NaN where they share nothing.
        low: Lower limit; minus infinity where too many resamples have no delta.
        high: Upper limit; plus infinity likewise.
        overlap: See `BdValue`.
        undefined: Share of the resamples in which the curves share nothing. These count as
            arbitrarily small for `low` and arbitrarily large for `high`; they are not dropped.
        reason: Why there is no value; empty where there is one.
    """

    value: float
    low: float
    high: float
    overlap: float
    undefined: float
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
    # Of two points at one abscissa the better one stands last.
    return points[:, np.lexsort((points[1], points[0]))]


def _front(points: Floats) -> Floats:
    """Points that no point of lower or equal rate equals in quality: what a user would choose."""
    best = np.maximum.accumulate(points[1])
    rises = np.r_[True, best[1:] > best[:-1]]
    front = points[:, rises]
    last_of_rate = np.r_[front[0, 1:] > front[0, :-1], True]
    return front[:, last_of_rate]


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


def _delta(base_a: Floats, value_a: Floats, base_b: Floats, value_b: Floats) -> BdValue:
    """Mean of value b minus value a over the base range that both cover."""
    if len(base_a) < 2 or len(base_b) < 2:
        return BdValue(np.nan, 0.0, "a curve has fewer than two different points")
    shared = min(base_a.max(), base_b.max()) - max(base_a.min(), base_b.min())
    whole = max(base_a.max(), base_b.max()) - min(base_a.min(), base_b.min())
    if shared <= 0:
        return BdValue(np.nan, 0.0, "the curves do not overlap")
    from bjontegaard import bd_linear  # imports matplotlib

    found = bd_linear(
        base_a, value_a, base_b, value_b, "pchip", require_matching_points=False, min_overlap=0
    )
    return BdValue(float(found), float(shared / whole))


def _log_rates(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    for name, points in (("a", a), ("b", b)):
        if points[0].min() <= 0:
            raise ScmcError(f"curve {name} has a rate of {points[0].min():g}; expected above 0")
    return np.log(a[0]), np.log(b[0])


def bd_rate(
    rate_a: ArrayLike,
    quality_a: ArrayLike,
    rate_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
) -> BdValue:
    """Mean rate difference of b against the anchor a at equal quality, in percent.

    Negative: b needs less. Any rate will do: bytes, bpp, or the bandwidth ratio rho, which makes
    it BD-CBR. Points that a cheaper point equals in quality are never chosen and do not count.

    Args:
        rate_a: Rates of the anchor, positive, [points].
        quality_a: Their quality.
        rate_b: Rates of the other curve; the number of points may differ.
        quality_b: Their quality.
        higher_is_better: False for metrics such as LPIPS.

    Returns:
        The delta, NaN with a reason where the curves share no quality.

    Source: G. Bjontegaard, VCEG-M33 (2001); C. Herglotz et al., "The Bjontegaard Bible", IEEE
        TIP 33 (2024), for the interpolation.

    Example:
        >>> half = bd_rate([2, 4, 8, 16], [30, 33, 36, 39], [1, 2, 4, 8], [30, 33, 36, 39])
        >>> round(half.value, 6), half.overlap
        (-50.0, 1.0)
        >>> bd_rate([1, 2], [30, 33], [1, 2], [40, 43]).reason
        'the curves do not overlap'
    """
    a = _front(_curve(rate_a, quality_a, "a", higher_is_better))
    b = _front(_curve(rate_b, quality_b, "b", higher_is_better))
    log_a, log_b = _log_rates(a, b)
    found = _delta(a[1], log_a, b[1], log_b)
    return BdValue(100 * float(np.expm1(found.value)), found.overlap, found.reason)


def bd_quality(
    rate_a: ArrayLike,
    quality_a: ArrayLike,
    rate_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
) -> BdValue:
    """Mean quality difference of b against the anchor a at equal rate (BD-PSNR for PSNR).

    Args:
        rate_a: See `bd_rate`.
        quality_a: See `bd_rate`.
        rate_b: See `bd_rate`.
        quality_b: See `bd_rate`.
        higher_is_better: Only decides which of several points a user would choose; the sign of
            the answer is that of quality b minus quality a.

    Example:
        >>> round(bd_quality([1, 2, 4], [30, 33, 36], [1, 2, 4], [31, 34, 37]).value, 6)
        1.0
    """
    a = _front(_curve(rate_a, quality_a, "a", higher_is_better))
    b = _front(_curve(rate_b, quality_b, "b", higher_is_better))
    log_a, log_b = _log_rates(a, b)
    found = _delta(log_a, a[1], log_b, b[1])
    return BdValue(found.value if higher_is_better else -found.value, found.overlap, found.reason)


def bd_snr(
    esno_db_a: ArrayLike,
    quality_a: ArrayLike,
    esno_db_b: ArrayLike,
    quality_b: ArrayLike,
    higher_is_better: bool = True,
) -> BdValue:
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


Delta = Callable[[ArrayLike, ArrayLike, ArrayLike, ArrayLike, bool], BdValue]
Curve = tuple[ArrayLike, ArrayLike]


def bd_interval(
    delta: Delta,
    curve_a: Curve,
    curve_b: Curve,
    draws_a: Curve,
    draws_b: Curve,
    tail: float,
    higher_is_better: bool = True,
) -> BdInterval:
    """A delta with the percentile interval of bootstrap replicates of both curves.

    Args:
        delta: `bd_rate`, `bd_snr` or `bd_quality`.
        curve_a: Abscissae and qualities of the anchor's mean curve, each [points].
        curve_b: The same for the other curve.
        draws_a: Its replicates: abscissae [points] or [points, B], qualities [points, B].
        draws_b: The same for the other curve, from the same resampled images and fades.
        tail: Probability below `low` and above `high`; see `statistics.expanded_tail`.
        higher_is_better: False for metrics such as LPIPS.
    """
    point = delta(*curve_a, *curve_b, higher_is_better)
    quality_a, quality_b = np.asarray(draws_a[1], float), np.asarray(draws_b[1], float)
    count = quality_a.shape[-1]
    if quality_a.ndim != 2 or quality_b.ndim != 2 or quality_b.shape[-1] != count:
        raise ScmcError(
            f"replicates have shapes {quality_a.shape} and {quality_b.shape}; expected "
            "[points, B] with one B"
        )
    x_a, x_b = (
        np.broadcast_to(np.asarray(x, float).reshape(len(quality), -1), quality.shape)
        for x, quality in ((draws_a[0], quality_a), (draws_b[0], quality_b))
    )
    values = np.array([
        delta(x_a[:, i], quality_a[:, i], x_b[:, i], quality_b[:, i], higher_is_better).value
        for i in range(count)
    ])  # fmt: skip
    found = percentile_interval(point.value, values, tail)
    return BdInterval(
        point.value, float(found.low), float(found.high), point.overlap,
        float(np.isnan(values).mean()), point.reason,
    )  # fmt: skip


def bd_bootstrap(
    delta: Delta,
    curves_a: Curve,
    curves_b: Curve,
    rng: np.random.Generator,
    higher_is_better: bool = True,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> BdInterval:
    """A delta of the mean curves of a set of images, images resampled with replacement.

    Both curves are resampled with the same images, so what the images share cancels. A curve's
    points are settings (a quality parameter, an SNR); the mean is taken over images at each.

    Args:
        delta: `bd_rate`, `bd_snr` or `bd_quality`.
        curves_a: Abscissae and qualities of the anchor, each [images, points].
        curves_b: The same images, any number of points.
        rng: Source of the resampling.
        higher_is_better: False for metrics such as LPIPS.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> rate = np.exp(rng.normal(0, 0.3, (24, 1))) * [1.0, 2.0, 4.0, 8.0]
        >>> quality = np.tile([30.0, 33.0, 36.0, 39.0], (24, 1))
        >>> found = bd_bootstrap(
        ...     bd_rate, (rate, quality), (0.8 * rate, quality), rng, num_resamples=50
        ... )
        >>> [round(x, 6) for x in (found.low, found.value, found.high)]
        [-20.0, -20.0, -20.0]
    """
    arrays = [np.asarray(part, dtype=float) for part in (*curves_a, *curves_b)]
    num_images = len(arrays[0])
    shapes = [part.shape for part in arrays]
    if any(part.ndim != 2 or len(part) != num_images for part in arrays) or num_images == 0:
        raise ScmcError(f"curves have shapes {shapes}; expected [images, points], same images")
    # How often each image was drawn: the mean of a resample is a product with its shares.
    shares = rng.multinomial(num_images, [1 / num_images] * num_images, num_resamples) / num_images
    means = [part.mean(axis=0) for part in arrays]
    draws = [part.T @ shares.T for part in arrays]
    tail = expanded_tail(confidence, num_images)
    return bd_interval(
        delta, (means[0], means[1]), (means[2], means[3]), (draws[0], draws[1]),
        (draws[2], draws[3]), tail, higher_is_better,
    )  # fmt: skip


def bd_of_trials(
    delta: Delta,
    trials_a: Curve,
    trials_b: Curve,
    rng: np.random.Generator,
    higher_is_better: bool = True,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> BdInterval:
    """A delta of two systems of a sweep, images and fades within them resampled alike for both.

    Args:
        delta: `bd_snr` over an axis of Es/N0, or `bd_rate` over one of rho (BD-CBR).
        trials_a: Axis [points] and quality [points, images, trials] of the anchor, failures
            scored by their policy, NaN after the last trial run.
        trials_b: The same images and fades for the other system, its own axis.
        rng: Source of the resampling.
        higher_is_better: False for metrics such as LPIPS.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Example:
        >>> rng, esno_db = np.random.default_rng(1), np.array([0.0, 5.0, 10.0])
        >>> quality = np.array([12.0, 20.0, 30.0])[:, None, None] + rng.normal(0, 1, (1, 8, 20))
        >>> found = bd_of_trials(
        ...     bd_snr, (esno_db, quality), (esno_db - 2, quality), rng, num_resamples=50
        ... )
        >>> [round(x, 6) for x in (found.low, found.value, found.high)]
        [-2.0, -2.0, -2.0]
    """
    values_a, values_b = (np.asarray(part[1], dtype=float) for part in (trials_a, trials_b))
    if values_a.ndim != 3 or values_a.shape[1:] != values_b.shape[1:]:
        raise ScmcError(
            f"qualities have shapes {values_a.shape} and {values_b.shape}; expected "
            "[points, images, trials], same images and trials"
        )
    both = np.concatenate([values_a, values_b])
    draws, mean = bootstrap_means(both, rng, num_resamples), image_means(both).mean(axis=-1)
    cut, (x_a, x_b) = len(values_a), (trials_a[0], trials_b[0])
    return bd_interval(
        delta, (x_a, mean[:cut]), (x_b, mean[cut:]), (x_a, draws[:cut]), (x_b, draws[cut:]),
        expanded_tail(confidence, *both.shape[-2:]), higher_is_better,
    )  # fmt: skip
