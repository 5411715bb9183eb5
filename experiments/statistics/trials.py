"""The two compact forms of results, as the values of trials that statistics take.

A receiver's state is the set of delivered layers, so a sweep keeps per trial the index of that set
and per (system, image, set) the quality. Where the channel allows it the probabilities of the sets
replace trials: their exact expectation stands as the one trial of its image, so that intervals
resample images alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]


def trial_quality(index: ArrayLike, table: ArrayLike, not_run: int) -> Floats:
    """Quality of each trial from the index of its delivered set.

    Args:
        index: int [..., images, trials].
        table: Quality of each set, [..., images, sets]; leading axes broadcast.
        not_run: Index that marks trials not run.

    Returns:
        [..., images, trials], NaN where not run.

    Raises:
        ScmcError: A trial delivered a set whose quality is not in the table.

    Example:
        >>> trial_quality([[0, 2, 2, 255]], [[12.0, 20.0, 30.0]], not_run=255).tolist()
        [[12.0, 30.0, 30.0, nan]]
    """
    at, scores = np.asarray(index, dtype=np.int64), np.asarray(table, dtype=float)
    run = at != not_run
    if ((at < 0) | (at >= scores.shape[-1]))[run].any():
        raise ScmcError(f"index of a delivered set outside the table's {scores.shape[-1]} sets")
    lead = np.broadcast_shapes(at.shape[:-1], scores.shape[:-1])
    at, run = (np.broadcast_to(part, (*lead, part.shape[-1])) for part in (at, run))
    scores = np.broadcast_to(scores, (*lead, scores.shape[-1]))
    found = np.take_along_axis(scores, np.where(run, at, 0), axis=-1)
    if np.isnan(found[run]).any():
        raise ScmcError("a trial delivered a set that has no quality; score that set first")
    return np.where(run, found, np.nan)


def expected_quality(probabilities: ArrayLike, table: ArrayLike) -> Floats:
    """Exact mean quality of each image from the probabilities of its delivered sets.

    Args:
        probabilities: [..., images, sets], summing to 1 over sets.
        table: Quality of each set, [..., images, sets]; may be NaN where the probability is 0.

    Returns:
        [..., images, 1]: one trial an image, as all functions here take them.

    Example:
        >>> expected_quality([[0.5, 0.5]], [[12.0, 30.0]]).tolist()
        [[21.0]]
    """
    share, scores = np.broadcast_arrays(
        np.asarray(probabilities, dtype=float), np.asarray(table, dtype=float)
    )
    if not (share >= 0).all() or not np.allclose(share.sum(axis=-1), 1, atol=1e-6):
        raise ScmcError("probabilities of delivered sets must be 0 or more and sum to 1")
    if np.isnan(scores[share > 0]).any():
        raise ScmcError("a set that can be delivered has no quality; score that set first")
    return np.asarray((share * np.where(share > 0, scores, 0.0)).sum(axis=-1, keepdims=True))
