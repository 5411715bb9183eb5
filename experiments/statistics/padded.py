"""A mean over drawn channels, with an interval that holds where all trials gave the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True)
class Simulated:
    """A mean over drawn channels.

    Attributes:
        mean: Mean utility.
        low, high: Confidence interval of the expected utility.
        num_trials: How many were drawn.
    """

    mean: float
    low: float
    high: float
    num_trials: int


def interval(values: np.ndarray, ends: Sequence[float], confidence: float = 0.95) -> Simulated:
    """Normal interval of a mean, with one trial at each end of the scale added.

    As with Agresti and Coull's proportion ("Approximate is better than exact", American
    Statistician 1998), the two keep it honest where all trials gave the same.

    Args:
        values: Of the trials, float [n].
        ends: The least and the greatest value that a trial can have.
        confidence: Of the interval.

    Example:
        >>> found = interval(np.ones(100), (0.0, 1.0))
        >>> found.mean, found.low < 0.99 < found.high
        (1.0, True)
    """
    padded = np.concatenate([values, ends])
    half = norm.ppf(0.5 + confidence / 2) * padded.std(ddof=1) / np.sqrt(len(padded))
    centre = padded.mean()
    low, high = min(centre - half, values.mean()), max(centre + half, values.mean())
    return Simulated(float(values.mean()), float(low), float(high), len(values))
