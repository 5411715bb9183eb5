"""Tests of paired differences, and what many of them are worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from experiments.statistics.means import Floats, Interval, no_interval

SIGNIFICANT = 0.05
_ROUNDING = 1e-9  # sums of the same numbers in another order differ by less


class Comparison(NamedTuple):
    """A mean paired difference.

    Attributes:
        difference: With its 95 % interval, not corrected for other comparisons.
        p: Two-sided p-value; NaN for a single image, or none.
        num_images: Images that it is over.
    """

    difference: Interval
    p: float
    num_images: int


def paired_t(differences: ArrayLike, confidence: float = 0.95) -> Comparison:
    """Student's paired t test on images.

    Args:
        differences: Of each image's means, [images]; NaN where it has none, which is left out.
        confidence: Coverage of the interval.

    Example:
        >>> found = paired_t([0.9, 1.0, 1.1, 1.2])
        >>> round(found.p, 4), round(float(found.difference.low), 2)
        (0.0005, 0.84)
        >>> bool(np.isnan(paired_t([2.0]).p))
        True
    """
    values = np.asarray(differences, dtype=float)
    values = values[~np.isnan(values)]
    values = np.where(np.abs(values) < _ROUNDING, 0.0, values)
    mean = values.mean() if len(values) else np.asarray(np.nan)
    if len(values) < 2:
        return Comparison(no_interval(mean), np.nan, len(values))
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * error
    if error > 0:
        p = float(2 * stats.t.sf(abs(mean) / error, len(values) - 1))
    else:  # every image differs by the same
        p = 0.0 if mean else 1.0
    return Comparison(Interval(mean, mean - half, mean + half), p, len(values))


def holm(p_values: ArrayLike) -> Floats:
    """p-values corrected for their number by Holm's step-down rule; NaN is no comparison.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979: the chance of any false finding stays below the level.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)  # NaN last
    number = int((~np.isnan(p)).sum())
    stepped = np.maximum.accumulate(p[order] * np.maximum(number - np.arange(len(p)), 1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out
