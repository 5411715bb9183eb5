"""Bootstrap from counts of delivered sets: its time does not grow with the number of trials."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.means import (
    FEW_IMAGES,
    Floats,
    Interval,
    Statistic,
    expanded_tail,
    no_interval,
    of_few_images,
    percentile_interval,
)

_MAX_DRAWS = 2_000_000  # counts drawn at once; bounds memory


def nested_means(
    quality: Floats,
    counts: NDArray[np.int64],
    rng: np.random.Generator,
    num_resamples: int = 2000,
) -> Floats:
    """Nested bootstrap of the mean: images with replacement, then trials within each of them.

    Drawing n trials with replacement from those of an image is drawing how often each of its
    delivered sets comes up: one multinomial, whatever n is.

    Args:
        quality: [metrics, images, sets]; what stands where the count is 0 plays no part.
        counts: Trials that delivered each set, [images, sets], at least one an image.
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates B.

    Returns:
        Means [metrics, B].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draws = nested_means(np.array([[[0.0, 1.0]]]), np.array([[50, 50]]), rng)
        >>> bool(abs(draws.std() - 0.05) < 0.005)
        True
    """
    used = counts.any(axis=0)
    counts, quality = counts[:, used], np.where(counts > 0, quality, 0.0)[..., used]
    num_images, num_sets = counts.shape
    totals = counts.sum(axis=1)
    shares = counts / totals[:, None]
    out = np.empty((len(quality), num_resamples))
    step = max(1, _MAX_DRAWS // (num_images * num_sets))
    for start in range(0, num_resamples, step):
        size = min(step, num_resamples - start)
        images = rng.integers(num_images, size=(size, num_images))
        drawn = rng.multinomial(totals[images], shares[images])
        drawn = drawn / totals[images][..., None]
        for m, values in enumerate(quality):
            means = np.einsum("bis,bis->bi", drawn, values[images])
            out[m, start : start + size] = means.mean(axis=1)
    return out


def interval(
    quality: Floats,
    counts: NDArray[np.int64],
    rng: np.random.Generator,
    num_resamples: int = 2000,
    confidence: float = 0.95,
    statistic: Statistic = np.asarray,
) -> Interval:
    """Means over images (of means over trials) with their intervals.

    Nested bootstraps, or with few images Student's t, as of `means.bootstrap_interval`.

    Args:
        quality: [metrics, images, sets].
        counts: [images, sets].
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.
        statistic: What is made of the means, [metrics] or [metrics, B]; see
            `means.bootstrap_interval`.

    Returns:
        Interval of arrays [metrics].
    """
    weights = counts / counts.sum(axis=1, keepdims=True)
    means = (np.where(counts > 0, quality, 0.0) * weights).sum(axis=-1)
    num_images, num_trials = len(counts), int(counts.sum(axis=1).max())
    if 1 < num_images < FEW_IMAGES:
        return of_few_images(means, statistic, confidence)
    mean = statistic(means.mean(axis=-1))
    if num_images == num_trials == 1:
        return no_interval(mean)
    draws = nested_means(quality, counts, rng, num_resamples)
    tail = expanded_tail(confidence, num_images, num_trials)
    return percentile_interval(mean, statistic(draws), tail)
