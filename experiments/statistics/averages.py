"""The averages beside the plain mean, each with its interval.

The mean of per-image PSNR in dB is `statistics.bootstrap_interval` of PSNR. PSNR of the mean MSE
weighs failures fully; the mean given delivery leaves them out and is never shown alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from experiments.statistics.means import (
    Interval,
    bootstrap_means,
    expanded_tail,
    image_means,
    percentile_interval,
    psnr_of_mean_mse,
)
from scmc_comm.errors import ScmcError


def psnr_of_mean_mse_interval(
    mse: ArrayLike,
    rng: np.random.Generator,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """PSNR in dB of the mean MSE (peak 1) with its nested bootstrap interval.

    Args:
        mse: [..., images, trials], NaN after the last trial run.
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Example:
        >>> found = psnr_of_mean_mse_interval(np.full((4, 3), 0.01), np.random.default_rng(0))
        >>> round(float(found.low), 9), float(found.mean), round(float(found.high), 9)
        (20.0, 20.0, 20.0)
    """
    values = np.asarray(mse, dtype=float)
    with np.errstate(divide="ignore"):
        draws = -10 * np.log10(bootstrap_means(values, rng, num_resamples))
    tail = expanded_tail(confidence, *values.shape[-2:])
    return percentile_interval(psnr_of_mean_mse(values), draws, tail)


def given_delivery_interval(
    values: ArrayLike,
    delivered: ArrayLike,
    rng: np.random.Generator,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Mean quality given delivery with its nested bootstrap interval.

    The ratio of two means: of the quality where something arrived, and of the deliveries. Images
    weigh by how often they arrive.

    Args:
        values: Quality, [..., images, trials], NaN after the last trial run.
        delivered: What counts, bool of the same shape; or the probability of it, from 0 to 1,
            where `values` are the exact means of what was delivered.
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Returns:
        NaN with limits of minus and plus infinity where nothing was ever delivered.

    Example:
        >>> quality, arrived = [[30.0, 12.0], [32.0, 12.0]], [[1, 0], [1, 0]]
        >>> float(given_delivery_interval(quality, arrived, np.random.default_rng(0)).mean)
        31.0
    """
    quality, share = np.asarray(values, dtype=float), np.asarray(delivered, dtype=float)
    if quality.shape != share.shape:
        raise ScmcError(f"values have shape {quality.shape}, delivered {share.shape}")
    both = np.stack([quality * share, np.where(np.isnan(quality), np.nan, share)])
    draws = bootstrap_means(both, rng, num_resamples)
    means = image_means(both).mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = percentile_interval(
            means[0] / means[1], draws[0] / draws[1], expanded_tail(confidence, *quality.shape[-2:])
        )
    return found
