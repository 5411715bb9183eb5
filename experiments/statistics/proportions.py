"""Probabilities of rare events: exact limits, zero observed errors, trials clustered in images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from experiments.statistics.means import Interval, bootstrap_interval, wilson_interval
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]


def clopper_pearson_interval(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Exact limits of a probability: never less than the nominal coverage, wider than Wilson's.

    Args:
        successes: Counts, any shape.
        trials: Number of trials, broadcastable; 0 gives (0, 1).
        confidence: Coverage of the two-sided interval.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934).

    Example:
        >>> low, high = clopper_pearson_interval(0, 100)
        >>> float(low), round(float(high), 4)
        (0.0, 0.0362)
    """
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(trials, float))
    if np.any((k < 0) | (k > n)):
        raise ScmcError("successes must lie between 0 and the number of trials")
    tail = (1 - confidence) / 2
    low = np.where(k == 0, 0.0, stats.beta.ppf(tail, np.maximum(k, 1), n - k + 1))
    high = np.where(k == n, 1.0, stats.beta.isf(tail, k + 1, np.maximum(n - k, 1)))
    return low, high


def upper_bound_without_errors(trials: ArrayLike, confidence: float = 0.95) -> Floats:
    """One-sided upper bound on an error probability when no error was seen in `trials`.

    Exactly 1 - (1 - confidence)^(1/n); near 3 / n at 95 %, the rule of three.

    Args:
        trials: Independent trials, any shape; 0 gives 1.
        confidence: One-sided coverage.

    Example:
        >>> round(float(upper_bound_without_errors(1000)), 5)
        0.00299
    """
    n = np.asarray(trials, dtype=float)
    if not (n >= 0).all():
        raise ScmcError(f"trials is {trials!r}; expected 0 or more")
    with np.errstate(divide="ignore"):
        return -np.expm1(np.log(1 - confidence) / n)


def clustered_interval(
    events: ArrayLike,
    rng: np.random.Generator,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Probability of an event whose trials are clustered in images, sound also without events.

    Wilson's interval takes trials as independent and is too narrow where images differ; the nested
    bootstrap sees nothing where no event, or only events, occurred. This is the span of both.

    Args:
        events: 0 or 1, [..., images, trials], NaN after the last trial run.
        rng: Source of the resampling.
        num_resamples: Bootstrap replicates.
        confidence: Coverage.

    Returns:
        Interval of arrays [...]; the estimate is the mean over images.

    Example:
        >>> found = clustered_interval(np.zeros((10, 30)), np.random.default_rng(0))
        >>> float(found.mean), float(found.low), round(float(found.high), 4)
        (0.0, 0.0, 0.0126)
    """
    values = np.asarray(events, dtype=float)
    if not np.isin(values[~np.isnan(values)], (0, 1)).all():
        raise ScmcError("events must be 0 or 1, or NaN where not run")
    nested = bootstrap_interval(values, rng, num_resamples, confidence)
    run = (~np.isnan(values)).sum(axis=(-2, -1))
    low, high = wilson_interval(np.nansum(values, axis=(-2, -1)), run, confidence)
    low = np.clip(np.minimum(low, nested.low), 0.0, nested.mean)
    high = np.clip(np.maximum(high, nested.high), nested.mean, 1.0)
    return Interval(nested.mean, low, high)
