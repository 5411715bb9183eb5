"""Means over images and fades with confidence intervals; none assumes infinitely many images.

Every function takes values of trials, [..., images, trials], failures scored by their policy and
so in every mean. Systems of a sweep see the same images and fades, so the interval of the mean of
their difference, trial by trial, is a paired one. An exact expectation over fades stands as the
one trial of its image, so that intervals resample images alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
LOWER_IS_BETTER = {"mse", "lpips", "lpips_vgg", "dists", "kid_vgg16", "fid_vgg16"}
"""Metrics of which less is better; `declare` adds those of plug-ins, as a result store tells."""
FEW_IMAGES = 10
"""With fewer images than this a percentile bootstrap is too narrow: Student's t takes its place."""

_MAX_DRAWS = 4_000_000  # numbers gathered at once; bounds memory


def declare(metric: str, better: str) -> None:
    """Says which way a metric is better: a plug-in's, whose results are read without it."""
    (LOWER_IS_BETTER.add if better == "lower" else LOWER_IS_BETTER.discard)(metric)


@dataclass(frozen=True)
class Interval:
    """Point estimates with confidence limits, arrays of one shape.

    Attributes:
        mean: The estimate.
        low: Lower limit.
        high: Upper limit.
    """

    mean: Floats
    low: Floats
    high: Floats


def _num_run(values: Floats) -> NDArray[np.int64]:
    """Number of trials that were run of each image, [..., images]."""
    if values.ndim < 2 or 0 in values.shape:
        raise ScmcError(f"values have shape {values.shape}; expected [..., images, trials]")
    run = ~np.isnan(values)
    counts = run.sum(axis=-1)
    if not np.array_equal(run, np.arange(values.shape[-1]) < counts[..., None]):
        raise ScmcError("trials not run (NaN) must stand after those that were run")
    return counts


def image_means(values: ArrayLike) -> Floats:
    """Mean over the trials that were run of each image; NaN where none was.

    Args:
        values: [..., images, trials], NaN where not run.

    Returns:
        [..., images].
    """
    array = np.asarray(values, dtype=float)
    counts = (~np.isnan(array)).sum(axis=-1)
    total = np.nansum(array, axis=-1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def bootstrap_means(
    values: ArrayLike, rng: np.random.Generator, num_resamples: int = 2000
) -> Floats:
    """Nested bootstrap of the mean: images with replacement, then fades within each of them.

    All leading entries share the resampled images and fades, as they share the fades in the
    experiment, so differences of resamples are paired.

    Args:
        values: [..., images, trials], NaN after the last trial run.
        rng: Source of the resampling.
        num_resamples: Number of bootstrap replicates B.

    Returns:
        [..., B]; NaN where an image has no trial at all.
    """
    array = np.asarray(values, dtype=float)
    counts = _num_run(array)
    num_images, num_trials = array.shape[-2:]
    flat = np.nan_to_num(array.reshape(-1, num_images * num_trials))
    # Points stopped after the same numbers of trials share one set of weights.
    patterns, pattern = np.unique(counts.reshape(-1, num_images), axis=0, return_inverse=True)
    out = np.empty((flat.shape[0], num_resamples))
    step = max(1, _MAX_DRAWS // (num_images * num_trials))
    for start in range(0, num_resamples, step):
        size = min(step, num_resamples - start)
        images = rng.integers(num_images, size=(size, num_images))
        uniform = rng.random((size, num_images, num_trials))
        for which, count in enumerate(patterns):
            rows = pattern.ravel() == which
            weights = _resample_weights(count, images, uniform)
            # Not BLAS: its sums depend on the number of rows and threads.
            out[rows, start : start + size] = np.einsum("rk,bk->rb", flat[rows], weights)
    return out.reshape(*array.shape[:-2], num_resamples)


def _resample_weights(
    count: NDArray[np.int64], images: NDArray[np.int64], uniform: Floats
) -> Floats:
    """Weight of each trial in each replicate's mean, [B, images * trials].

    Args:
        count: Trials run of each image.
        images: Images drawn, [B, images].
        uniform: One number in [0, 1) for each trial to draw, [B, images, trials].
    """
    size, num_images, num_trials = uniform.shape
    if count.min() == 0:
        return np.full((size, num_images * num_trials), np.nan)
    n = count[images][..., None]
    place = images[..., None] * num_trials + (uniform * n).astype(np.int64)
    place += np.arange(size)[:, None, None] * (num_images * num_trials)
    share = (np.arange(num_trials) < n) / (n * num_images)
    total = np.bincount(place.ravel(), share.ravel(), size * num_images * num_trials)
    return np.asarray(total, dtype=float).reshape(size, -1)


def expanded_tail(confidence: float, num_images: int, num_trials: int = 1) -> float:
    """Tail probability of the expanded percentile interval.

    A percentile interval of n clusters is too narrow by sqrt((n-1)/n) and by Student's t;
    Hesterberg (2015, The American Statistician 69(4), section 4.2) widens the percentiles to
    make up for both. With one image the trials are the clusters.

    Args:
        confidence: Coverage wanted.
        num_images: Number of images resampled.
        num_trials: Number of trials an image.

    Example:
        >>> expanded_tail(0.95, 10) < 0.025
        True
    """
    n = num_images if num_images > 1 else num_trials
    if n < 2:
        return (1 - confidence) / 2
    wide = np.sqrt(n / (n - 1)) * stats.t.ppf(0.5 + confidence / 2, n - 1)
    return float(stats.norm.cdf(-wide))


def percentile_interval(mean: ArrayLike, draws: ArrayLike, tail: float) -> Interval:
    """Interval of any statistic from its bootstrap replicates.

    Args:
        mean: The statistic of the data, [...].
        draws: Its replicates, [..., B]. A replicate may be infinite; NaN, where the statistic
            does not exist, counts as arbitrarily small for the lower limit and arbitrarily large
            for the upper one, so nothing is dropped.
        tail: Probability beyond each limit, see `expanded_tail`.

    Example:
        >>> found = percentile_interval(0.5, np.linspace(0, 1, 101), 0.25)
        >>> float(found.low), float(found.high)
        (0.25, 0.75)
    """
    values = np.asarray(draws, dtype=float)
    exists = np.isfinite(values).all(axis=-1, keepdims=True)
    low, high = np.quantile(np.where(exists, values, 0.0), [tail, 1 - tail], axis=-1)
    if not exists.all():  # between a number and infinity nothing can be interpolated
        lost = np.isnan(values)
        lowest = np.quantile(np.where(lost, -np.inf, values), tail, axis=-1, method="lower")
        highest = np.quantile(np.where(lost, np.inf, values), 1 - tail, axis=-1, method="higher")
        low = np.where(exists[..., 0], low, lowest)
        high = np.where(exists[..., 0], high, highest)
    return Interval(np.asarray(mean, dtype=float), np.asarray(low), np.asarray(high))


def no_interval(mean: ArrayLike) -> Interval:
    """An estimate without limits: they are NaN.

    Example:
        >>> no_interval(2.0).low
        array(nan)
    """
    value = np.asarray(mean, dtype=float)
    return Interval(value, np.full_like(value, np.nan), np.full_like(value, np.nan))


def jackknife_interval(mean: ArrayLike, left_out: Floats, confidence: float = 0.95) -> Interval:
    """Student's t with the jackknife's standard error, for few images.

    Of a mean over images it is the t interval of the images' means, and of a smooth function of
    means that of its linear part (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 11). With 3, 4 and 8 images it holds 95 % where percentiles of a bootstrap hold 87,
    91 and 97 %.

    Args:
        mean: The statistic of all images, [...].
        left_out: The statistic with each of the images left out, [..., images].
        confidence: Coverage.

    Returns:
        Interval of arrays [...]; without limits where the statistic does not exist once an image
        is left out.

    Example:
        >>> found = jackknife_interval(2.0, np.array([2.5, 2.0, 1.5]))  # images 1, 2, 3
        >>> [round(float(x), 2) for x in (found.low, found.high)]
        [-0.48, 4.48]
    """
    value, n = np.asarray(mean, dtype=float), left_out.shape[-1]
    with np.errstate(invalid="ignore"):
        spread = left_out - left_out.mean(axis=-1, keepdims=True)
    error = np.sqrt((n - 1) / n * np.einsum("...i,...i->...", spread, spread))
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * error
    return Interval(value, value - half, value + half)


def of_few_images(means: Floats, statistic: Statistic, confidence: float = 0.95) -> Interval:
    """`jackknife_interval` of a statistic of means over images.

    Args:
        means: Each image's, [..., images].
        statistic: What is made of the means over images, as `bootstrap_interval` takes it.
        confidence: Coverage.
    """
    n = means.shape[-1]
    left_out = (means.sum(axis=-1, keepdims=True) - means) / (n - 1)
    return jackknife_interval(statistic(means.mean(axis=-1)), statistic(left_out), confidence)


def bootstrap_interval(
    values: ArrayLike,
    rng: np.random.Generator,
    num_resamples: int = 2000,
    confidence: float = 0.95,
    statistic: Statistic = np.asarray,
) -> Interval:
    """Mean over images (of means over fades) with its confidence interval.

    A nested bootstrap, or with fewer than `FEW_IMAGES` images Student's t on the images' means.

    Args:
        values: [..., images, trials], NaN after the last trial run.
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.
        statistic: What is made of the means, [...] or [..., B], if not shown as they are: such as
            the ratio of the first to the second.

    Returns:
        Interval of arrays [...]; a single image gives an interval over fades alone, a single
        trial of it none.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> found = bootstrap_interval(rng.normal(5.0, 1.0, (20, 10)), rng)
        >>> bool(found.low < 5.0 < found.high)
        True
    """
    array = np.asarray(values, dtype=float)
    num_images, num_trials = array.shape[-2:]
    means = image_means(array)
    if 1 < num_images < FEW_IMAGES:
        _num_run(array)
        return of_few_images(means, statistic, confidence)
    draws = bootstrap_means(array, rng, num_resamples)
    mean = statistic(means.mean(axis=-1))
    if num_images == num_trials == 1:
        return no_interval(mean)
    tail = expanded_tail(confidence, num_images, num_trials)
    return percentile_interval(mean, statistic(draws), tail)


def bounded_mean(values: Floats, ends: Sequence[float], confidence: float = 0.95) -> Interval:
    """Normal interval of the mean of drawn values, with one at each end of the scale added.

    As with Agresti and Coull's proportion ("Approximate is better than exact", American
    Statistician 1998), the two keep it honest where all draws gave the same.

    Args:
        values: Of the draws, [n].
        ends: The least and the greatest value that a draw can have.
        confidence: Coverage.

    Example:
        >>> found = bounded_mean(np.ones(100), (0.0, 1.0))
        >>> float(found.mean), bool(found.low < 0.99 < found.high)
        (1.0, True)
    """
    padded, mean = np.concatenate([values, ends]), values.mean()
    half = stats.norm.ppf(0.5 + confidence / 2) * padded.std(ddof=1) / np.sqrt(len(padded))
    low, high = min(padded.mean() - half, mean), max(padded.mean() + half, mean)
    return Interval(*np.array([mean, low, high]))
