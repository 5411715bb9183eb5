"""When a point of a sweep has enough trials: stopping on the width of its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from experiments.statistics.proportions import upper_bound_without_errors
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

# Below this share of the variance more trials narrow the interval by 2.5 % at the very most.
_NEGLIGIBLE = 0.05


@dataclass(frozen=True)
class Stop:
    """Whether points have enough trials, arrays of one shape.

    Attributes:
        done: No more trials are needed, or none would help.
        half_width: Half the width of the interval of the mean over images, as it stands.
        limited_by_images: The target is missed, but what is left of the width comes from the
            images: only more images would narrow it.
    """

    done: NDArray[np.bool_]
    half_width: Floats
    limited_by_images: NDArray[np.bool_]


def stop_decision(
    values: ArrayLike, half_width: float, span: float, confidence: float = 0.95
) -> Stop:
    """Decides on the width of the interval of the mean, without resampling.

    Check at few, growing numbers of trials (such as doublings): every look is one more chance to
    stop on a narrow interval by luck.

    Args:
        values: [..., images, trials] run so far, NaN after the last trial run.
        half_width: Target, in the unit of the values.
        span: The largest difference that one trial can make, best quality minus failure. Where
            no trial of any image differed from its others, an unseen failure may still have any
            probability up to the rule of three, so a point never stops on luck alone.
        confidence: Coverage of the interval.

    Example:
        >>> values = 30 + np.random.default_rng(0).normal(0, 1, (1, 500))
        >>> bool(stop_decision(values, 0.1, span=20).done)
        True
        >>> bool(stop_decision(np.full((1, 8), 30.0), 0.1, span=20).done)  # no failure seen, yet
        False
    """
    array = np.asarray(values, dtype=float)
    if array.ndim < 2 or not half_width > 0 or not span > 0:
        raise ScmcError(
            f"values of shape {array.shape}, half width {half_width}, span {span}; expected "
            "[..., images, trials] and two positive numbers"
        )
    counts = (~np.isnan(array)).sum(axis=-1)
    if not counts.all():
        raise ScmcError("an image has no trial yet; run at least one of each")
    num_images = array.shape[-2]
    means = np.nansum(array, axis=-1) / counts
    squares = np.nansum((array - means[..., None]) ** 2, axis=-1)
    within = squares / np.maximum(counts - 1, 1)
    noise = (within / counts).mean(axis=-1) / num_images  # variance that trials leave
    if num_images > 1:
        total = means.var(axis=-1, ddof=1) / num_images
        quantile = stats.t.ppf(0.5 + confidence / 2, num_images - 1)
    else:
        total = noise
        quantile = stats.t.ppf(0.5 + confidence / 2, np.maximum(counts[..., 0] - 1, 1))
    unseen = span * upper_bound_without_errors(counts.sum(axis=-1), confidence)
    from_trials = np.where(within.max(axis=-1) > 0, quantile * np.sqrt(noise), unseen)
    width = np.maximum(quantile * np.sqrt(total), from_trials)
    reached = width <= half_width
    limited = ~reached & (from_trials**2 <= _NEGLIGIBLE * width**2)
    return Stop(reached | limited, width, limited)
