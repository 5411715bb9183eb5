"""What a prepared image will look like on average: summed exactly over delivered sets, or drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from channels.fading.models import Channel
from channels.phy.table import TablePhy
from scmc_comm.systems.base import Phy, Prepared

Score = Callable[[frozenset[str]], float]
"""Utility of what is shown for a set of usable tags."""


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


def expected_sets(
    prepared: Prepared, channel: Channel, esno_db: Mapping[float, float], phy: TablePhy
) -> dict[frozenset[str], float]:
    """Probability of every usable set.

    Args:
        prepared: What is sent.
        channel: Over what.
        esno_db: From mean Es/N0 in dB to its probability.
        phy: The tables.
    """
    if not prepared.frames:
        return {frozenset(): 1.0}
    found: dict[frozenset[str], float] = {}
    for mean_db, share in esno_db.items():
        for tags, p in phy.expected_delivery(prepared.frames, channel, mean_db).items():
            usable = prepared.usable(tags)
            found[usable] = found.get(usable, 0.0) + share * p
    return found


def expected_score(sets: Mapping[frozenset[str], float], score: Score) -> float:
    """Expected utility, given the probabilities of the sets.

    Example:
        >>> expected_score({frozenset(): 0.25, frozenset({"signal"}): 0.75}, len)
        0.75
    """
    return sum(p * score(tags) for tags, p in sets.items())


def simulate(
    prepared: Prepared,
    channel: Channel,
    esno_db: Sequence[float],
    seeds: Sequence[int],
    phy: Phy,
    score: Score,
    confidence: float = 0.95,
) -> Simulated:
    """Mean utility over drawn channels.

    Args:
        prepared: What is sent.
        channel: Over what.
        esno_db: Mean Es/N0 in dB of each trial.
        seeds: One per trial.
        phy: What draws.
        score: Utility of a usable set.
        confidence: Of the interval.
    """
    values = np.empty(len(seeds))
    means = np.asarray(esno_db, float)
    for mean_db in np.unique(means):
        at = np.nonzero(means == mean_db)[0]
        sent = prepared.send(channel, float(mean_db), [seeds[int(i)] for i in at], phy)
        values[at] = [score(prepared.usable(tags)) for tags in sent.delivered]
    every = frozenset(prepared.tags)
    ends = (score(frozenset()), score(prepared.usable(every)))
    return interval(values, ends, confidence)


def interval(values: np.ndarray, ends: Sequence[float], confidence: float = 0.95) -> Simulated:
    """Normal interval of a mean, with one trial at each end of the scale added.

    As with Agresti and Coull's proportion ("Approximate is better than exact", American
    Statistician 1998), the two keep it honest where all trials gave the same.

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
