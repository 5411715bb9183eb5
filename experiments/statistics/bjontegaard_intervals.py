"""Bootstrap intervals of Bjontegaard deltas: over images, or over images and their fades."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from experiments.statistics.bjontegaard import BdDelta
from experiments.statistics.means import (
    FEW_IMAGES,
    Floats,
    Interval,
    bootstrap_means,
    expanded_tail,
    image_means,
    jackknife_interval,
    percentile_interval,
)
from scmc_comm.errors import ScmcError

LEAST_POINTS = 4
"""Rates or SNRs of a curve that a delta with an interval needs (ITU-T VCEG-M33 has four)."""

Limits = Callable[[float, Floats], Interval]
"""Interval of a value from its replicates."""

Delta = Callable[[ArrayLike, ArrayLike, ArrayLike, ArrayLike, bool], BdDelta]
Curve = tuple[ArrayLike, ArrayLike]


def bd_interval(
    delta: Delta,
    curve_a: Curve,
    curve_b: Curve,
    draws_a: Curve,
    draws_b: Curve,
    limits: Limits,
    higher_is_better: bool = True,
) -> BdDelta:
    """A delta with the interval of replicates of both curves.

    Args:
        delta: `bd_rate`, `bd_snr` or `bd_quality`.
        curve_a: Abscissae and qualities of the anchor's mean curve, each [points].
        curve_b: The same for the other curve.
        draws_a: Its replicates: abscissae [points] or [points, B], qualities [points, B].
        draws_b: The same for the other curve, from the same resampled images and fades.
        limits: Makes the interval: `means.percentile_interval` of a bootstrap, or
            `means.jackknife_interval` of curves with each image left out.
        higher_is_better: False for metrics such as LPIPS.
    """
    quality_a, quality_b = np.asarray(draws_a[1], float), np.asarray(draws_b[1], float)
    if quality_a.ndim != 2 or quality_b.ndim != 2 or quality_b.shape[-1] != quality_a.shape[-1]:
        raise ScmcError(
            f"replicates have shapes {quality_a.shape} and {quality_b.shape}; expected "
            "[points, B] with one B"
        )
    point = delta(*curve_a, *curve_b, higher_is_better)
    if point.reason:
        return point
    x_a, x_b = (
        np.broadcast_to(np.asarray(x, float).reshape(len(quality), -1), quality.shape)
        for x, quality in ((draws_a[0], quality_a), (draws_b[0], quality_b))
    )
    values = np.array([
        delta(*curves, higher_is_better).value
        for curves in zip(x_a.T, quality_a.T, x_b.T, quality_b.T, strict=True)
    ])  # fmt: skip
    found = limits(point.value, values)
    undefined = float(np.isnan(values).mean())
    return replace(point, low=float(found.low), high=float(found.high), undefined=undefined)


def bd_of_images(
    delta: Delta,
    curves_a: Curve,
    curves_b: Curve,
    rng: np.random.Generator,
    higher_is_better: bool = True,
    num_resamples: int = 500,
    confidence: float = 0.95,
) -> BdDelta:
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

    Returns:
        The delta; without an interval for a single image, refused below `LEAST_POINTS`.

    Example:
        >>> from experiments.statistics.bjontegaard import bd_rate
        >>> rng = np.random.default_rng(1)
        >>> rate = np.exp(rng.normal(0, 0.3, (24, 1))) * [1.0, 2.0, 4.0, 8.0]
        >>> quality = np.tile([30.0, 33.0, 36.0, 39.0], (24, 1))
        >>> found = bd_of_images(
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
    x_a, y_a, x_b, y_b = (part.mean(axis=0) for part in arrays)
    if min(len(y_a), len(y_b)) < LEAST_POINTS:
        return _refused(y_a, y_b)
    if num_images == 1:
        return delta(x_a, y_a, x_b, y_b, higher_is_better)
    limits: Limits
    if num_images < FEW_IMAGES:
        draws = [_each_left_out(part.T) for part in arrays]
        limits = functools.partial(jackknife_interval, confidence=confidence)
    else:
        images = rng.integers(num_images, size=(num_resamples, num_images))
        draws = [part[images].mean(axis=1).T for part in arrays]
        tail = expanded_tail(confidence, num_images)
        limits = functools.partial(percentile_interval, tail=tail)
    return bd_interval(
        delta, (x_a, y_a), (x_b, y_b), (draws[0], draws[1]), (draws[2], draws[3]), limits,
        higher_is_better,
    )  # fmt: skip


def _refused(quality_a: Floats, quality_b: Floats) -> BdDelta:
    few = min(len(quality_a), len(quality_b))
    return BdDelta(np.nan, reason=f"{few} points on a curve, fewer than {LEAST_POINTS}")


def _each_left_out(means: Floats) -> Floats:
    """Means over images with each of them left out, [..., images], of [..., images]."""
    return (means.sum(axis=-1, keepdims=True) - means) / (means.shape[-1] - 1)


def bd_of_trials(
    delta: Delta,
    trials_a: Curve,
    trials_b: Curve,
    rng: np.random.Generator,
    higher_is_better: bool = True,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> BdDelta:
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

    Returns:
        The delta; without an interval for a single trial of a single image, refused below
        `LEAST_POINTS`.

    Example:
        >>> from experiments.statistics.bjontegaard import bd_snr
        >>> rng, esno_db = np.random.default_rng(1), np.array([0.0, 5.0, 10.0, 15.0])
        >>> quality = np.array([12.0, 20.0, 27.0, 30.0])[:, None, None]
        >>> quality = quality + rng.normal(0, 1, (1, 8, 20))
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
    cut, (x_a, x_b) = len(values_a), (trials_a[0], trials_b[0])
    both = np.concatenate([values_a, values_b])
    each = image_means(both)
    mean, num_images = each.mean(axis=-1), both.shape[1]
    if min(cut, len(both) - cut) < LEAST_POINTS:
        return _refused(mean[:cut], mean[cut:])
    if both.shape[1:] == (1, 1):
        return delta(x_a, mean[:cut], x_b, mean[cut:], higher_is_better)
    limits: Limits
    if 1 < num_images < FEW_IMAGES:
        draws = _each_left_out(each)
        limits = functools.partial(jackknife_interval, confidence=confidence)
    else:
        draws = bootstrap_means(both, rng, num_resamples)
        tail = expanded_tail(confidence, *both.shape[-2:])
        limits = functools.partial(percentile_interval, tail=tail)
    return bd_interval(
        delta, (x_a, mean[:cut]), (x_b, mean[cut:]), (x_a, draws[:cut]), (x_b, draws[cut:]),
        limits, higher_is_better,
    )  # fmt: skip
