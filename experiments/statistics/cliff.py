"""How a system fails as the SNR falls: where, how fast, and how much in all.

Curves run over Es/N0 and are linear between the points swept. The functions take one curve or many
(bootstrap replicates), [..., snr]. An answer outside the swept range is infinite, never the edge of
the range: minus infinity where the curve never falls that far, plus infinity where it is never that
good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.statistics.means import (
    Interval,
    bootstrap_means,
    expanded_tail,
    image_means,
    no_interval,
    percentile_interval,
)
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

LEAST_IMAGES = 5
"""Fewer images than this, but one, give no intervals."""

_EDGE = 0.1  # a fall runs from 90 % to 10 % of the way between failure and the best
_WINDOW_DB = 1.0


def _axis(esno_db: ArrayLike, curve: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(esno_db, dtype=float), np.asarray(curve, dtype=float)
    if x.ndim != 1 or len(x) < 2 or y.shape[-1:] != x.shape or not (np.diff(x) > 0).all():
        raise ScmcError(
            f"esno_db has shape {x.shape} and the curve {y.shape}; expected at least two rising "
            "SNRs and a curve [..., snr]"
        )
    if np.isnan(y).any():
        raise ScmcError("the curve holds NaN; run every SNR, and score failures by their policy")
    return x, y


def crossing_esno_db(
    esno_db: ArrayLike, curve: ArrayLike, threshold: ArrayLike, higher_is_better: bool = True
) -> Floats:
    """Es/N0 in dB below which quality is first worse than a threshold, coming from high SNR.

    Args:
        esno_db: Rising, [snr].
        curve: Quality, [..., snr].
        threshold: Quality that must hold, broadcastable to [...].
        higher_is_better: False for LPIPS, outage probability and the like.

    Returns:
        [...]; minus infinity where the threshold holds at every SNR swept, plus infinity where it
        does not hold at the highest.

    Example:
        >>> crossing_esno_db([0, 5, 10], [[12, 12, 30], [28, 29, 30], [12, 12, 12]], 21).tolist()
        [7.5, -inf, inf]
    """
    x, y = _axis(esno_db, curve)
    gap = y - np.asarray(threshold, dtype=float)[..., None]
    if not higher_is_better:
        gap = -gap
    worse = gap < 0
    # The last SNR at which it is worse; the crossing lies between it and the next.
    last = len(x) - 1 - worse[..., ::-1].argmax(axis=-1)
    at = np.minimum(last, len(x) - 2)[..., None]
    below, above = (np.take_along_axis(gap, at + step, -1)[..., 0] for step in (0, 1))
    left, right = x[at[..., 0]], x[at[..., 0] + 1]
    rise = np.where(above > below, above - below, 1.0)
    inside = left - below / rise * (right - left)
    found = np.where(worse[..., -1], np.inf, inside)
    return np.where(worse.any(axis=-1), found, -np.inf)


def fall_width_db(
    esno_db: ArrayLike, curve: ArrayLike, failure: float, higher_is_better: bool = True
) -> Floats:
    """Width of the fall in dB: from 90 % to 10 % of the way between failure and the best.

    The best is the quality at the highest SNR swept. 0 is a cliff; a system that degrades
    gracefully is wide.

    Args:
        esno_db: Rising, [snr].
        curve: Quality, [..., snr].
        failure: Quality of the failure image.
        higher_is_better: False for metrics such as LPIPS.

    Returns:
        [...]; plus infinity where quality does not fall that far in the swept range, NaN where it
        is no better than the failure image even at the highest SNR.

    Example:
        >>> fall_width_db([0, 5, 10], [[12, 12, 22], [20, 21, 22]], failure=12).tolist()
        [4.0, inf]
    """
    x, y = _axis(esno_db, curve)
    best = y[..., -1]
    start = crossing_esno_db(x, y, best + _EDGE * (failure - best), higher_is_better)
    end = crossing_esno_db(x, y, failure + _EDGE * (best - failure), higher_is_better)
    better = best > failure if higher_is_better else best < failure
    known = np.isfinite(start) & np.isfinite(end)  # elsewhere infinity minus infinity is no width
    width = np.where(known, np.where(known, start, 0.0) - np.where(known, end, 0.0), np.inf)
    return np.where(better, width, np.nan)


def _weights(x: Floats, at: Floats) -> Floats:
    """Matrix [at, snr] of linear interpolation."""
    return np.stack([np.interp(at, x, unit) for unit in np.eye(len(x))], axis=1)


def largest_drop(esno_db: ArrayLike, curve: ArrayLike, higher_is_better: bool = True) -> Floats:
    """Largest loss of quality over any 1 dB of SNR, in the metric's unit, at least 0.

    Exact for the curve as drawn; a sweep in steps coarser than 1 dB flattens a cliff.

    Args:
        esno_db: Rising, [snr], over 1 dB or more.
        curve: Quality, [..., snr].
        higher_is_better: False for metrics such as LPIPS.

    Example:
        >>> largest_drop([0, 0.5, 1.0, 3.0], [12, 15, 21, 22]).tolist()
        9.0
    """
    x, y = _axis(esno_db, curve)
    if x[-1] - x[0] < _WINDOW_DB:
        raise ScmcError(f"the SNRs span {x[-1] - x[0]:g} dB; expected at least {_WINDOW_DB:g} dB")
    # The extremes of a piecewise linear difference lie where either end meets a point.
    starts = np.unique(np.r_[x, x - _WINDOW_DB])
    starts = starts[(starts >= x[0]) & (starts + _WINDOW_DB <= x[-1] + 1e-9)]
    steps = _weights(x, starts + _WINDOW_DB) - _weights(x, starts)
    rise = np.einsum("...s,ks->...k", y if higher_is_better else -y, steps)
    return np.maximum(rise.max(axis=-1), 0.0)


def mean_over_range(esno_db: ArrayLike, curve: ArrayLike) -> Floats:
    """Area under the curve over the width of the range: mean quality if every SNR is as likely.

    Args:
        esno_db: Rising, [snr].
        curve: Quality, [..., snr].

    Example:
        >>> float(mean_over_range([0, 10], [10, 30]))
        20.0
    """
    x, y = _axis(esno_db, curve)
    return np.trapezoid(y, x, axis=-1) / (x[-1] - x[0])


@dataclass(frozen=True)
class Cliff:
    """Cliff metrics of one curve with bootstrap intervals (`Interval.mean` is the value).

    Attributes:
        threshold_esno_db: See `crossing_esno_db`.
        fall_width_db: See `fall_width_db`.
        largest_drop: See `largest_drop`. Noise only adds to a maximum, so few trials make it large.
        mean_quality: See `mean_over_range`.
    """

    threshold_esno_db: Interval
    fall_width_db: Interval
    largest_drop: Interval
    mean_quality: Interval


def cliff(
    esno_db: ArrayLike,
    values: ArrayLike,
    threshold: float,
    failure: float,
    rng: np.random.Generator,
    higher_is_better: bool = True,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Cliff:
    """The cliff metrics of a system's mean quality over SNR.

    All SNRs share the resampled images and fades, as they do in the experiment. From 2 to
    `LEAST_IMAGES` - 1 images, and for one that saw one fade, there are no intervals: percentiles
    would hold 87 % with three.

    Args:
        esno_db: Rising, [snr].
        values: Quality, [snr, images, trials], NaN after the last trial run.
        threshold: Quality that must hold.
        failure: Mean quality of the failure images.
        rng: Source of the resampling.
        higher_is_better: False for metrics such as LPIPS.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Example:
        >>> esno_db = np.arange(0.0, 11.0)
        >>> mean = np.where(esno_db < 5, 12.0, 30.0)[:, None, None]
        >>> noise = np.random.default_rng(0).normal(0, 1, (1, 20, 50))
        >>> found = cliff(esno_db, mean + noise, 21.0, 12.0, np.random.default_rng(1))
        >>> round(float(found.threshold_esno_db.low), 1), round(float(found.fall_width_db.mean), 1)
        (4.5, 0.8)
    """
    array = np.asarray(values, dtype=float)
    draws = bootstrap_means(array, rng, num_resamples).T
    mean = image_means(array).mean(axis=-1)
    tail = expanded_tail(confidence, *array.shape[-2:])
    up = higher_is_better
    num_images, num_trials = array.shape[-2:]
    known = num_images >= LEAST_IMAGES or (num_images == 1 and num_trials > 1)
    return Cliff(*(
        percentile_interval(metric(mean), metric(draws), tail) if known
        else no_interval(metric(mean))
        for metric in (
            lambda y: crossing_esno_db(esno_db, y, threshold, up),
            lambda y: fall_width_db(esno_db, y, failure, up),
            lambda y: largest_drop(esno_db, y, up),
            lambda y: mean_over_range(esno_db, y),
        )
    ))  # fmt: skip
