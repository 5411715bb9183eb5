"""Analog systems in a sweep: each trial is a set of its own, since its noise shows.

A point's trials are taken for units of one transmission, tagged ``draw.0``, ``draw.1``, ..., of
which each trial delivers just one. All else, from the cache to the figures, is then as for coded
systems, but that a design belongs to one point alone.
"""

from __future__ import annotations

import numpy as np

from experiments.sweep.points import MAX_FRAMES, Masks, mask_dtype
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError

DRAW = "draw."


def num_draws(spec: SweepSpec) -> int:
    """Trials of an analog system at each point and image."""
    exact = spec.estimator == "expected"
    return spec.analog_trials if exact else min(spec.num_trials, spec.analog_trials)


def draw_tags(count: int) -> tuple[str, ...]:
    """Tags of so many draws.

    Example:
        >>> draw_tags(2)
        ('draw.0', 'draw.1')
    """
    if count > MAX_FRAMES:
        raise ScmcError(f"{count} draws of an analog system; at most {MAX_FRAMES} can be recorded")
    return tuple(f"{DRAW}{trial}" for trial in range(count))


def draw_masks(count: int) -> Masks:
    """The masks of so many trials, each of which delivers its own draw alone.

    Example:
        >>> draw_masks(3).tolist()
        [1, 2, 4]
    """
    masks: Masks = np.uint64(1) << np.arange(count, dtype=np.uint64)
    return masks.astype(mask_dtype(count))
