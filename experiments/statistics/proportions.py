"""Probabilities of rare events: no error seen, trials clustered in images, enough trials."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from channels.bler.table import wilson_interval
from experiments.statistics.means import Interval, bootstrap_interval
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]


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


def known_within(
    successes: ArrayLike, num_trials: int, half_width: float, confidence: float = 0.95
) -> NDArray[np.bool_]:
    """Are probabilities known to plus or minus so much: the stopping rule of a point of a sweep.

    The interval is Wilson's. Where all trials ended alike, what was not seen yet may still have
    any probability up to `upper_bound_without_errors`, so that a point never stops on luck alone.
    Ask at few, growing numbers of trials (such as doublings): every look is one more chance to
    stop on an interval that is narrow by luck.

    Args:
        successes: Counts, such as the deliveries of each frame, any shape.
        num_trials: Trials run, at least one.
        half_width: Half the width that the interval may have.
        confidence: Coverage of the interval.

    Example:
        >>> known_within([50, 250, 0], 500, 0.03).tolist()
        [True, False, True]
        >>> known_within(0, 64, 0.03).tolist(), known_within(0, 128, 0.03).tolist()
        (False, True)
    """
    counts = np.asarray(successes)
    if not half_width > 0 or not ((counts >= 0) & (counts <= num_trials)).all() or num_trials < 1:
        raise ScmcError(
            f"{counts.tolist()} successes in {num_trials} trials, half width {half_width:g}; "
            "expected at least one trial, counts up to their number and a positive width"
        )
    low, high = wilson_interval(counts, np.asarray(num_trials), confidence)
    unseen = upper_bound_without_errors(num_trials, confidence)
    alike = (counts == 0) | (counts == num_trials)
    return np.asarray(np.maximum((high - low) / 2, np.where(alike, unseen, 0.0)) <= half_width)


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
    return at_least_wilson(nested, np.nansum(values, axis=(-2, -1)), run, confidence)


def at_least_wilson(
    found: Interval, successes: ArrayLike, num_trials: ArrayLike, confidence: float = 0.95
) -> Interval:
    """The span of an interval over images and of Wilson's over all trials, within [0, 1].

    Args:
        found: Interval of probabilities, [...]; without limits it stays so.
        successes: Of all images, [...].
        num_trials: Of all images, [...] or one number.
        confidence: Coverage.

    Example:
        >>> found = Interval(*(np.array(x) for x in (0.0, 0.0, 0.0)))
        >>> round(float(at_least_wilson(found, 0, 100).high), 3)
        0.037
    """
    low, high = wilson_interval(np.asarray(successes), np.asarray(num_trials), confidence)
    low = np.clip(np.minimum(low, found.low), 0.0, found.mean)
    high = np.clip(np.maximum(high, found.high), found.mean, 1.0)
    return Interval(found.mean, low, high)
