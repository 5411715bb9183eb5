"""Analog systems in a sweep: each trial is a set of its own, since its noise shows.

A point's trials are taken for units of one transmission, tagged ``draw.0``, ``draw.1``, ..., of
which each trial delivers just one. All else, from the cache to the figures, is then as for coded
systems, but that a design belongs to one point alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.sweep.points import MAX_FRAMES, Masks, mask_dtype
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.systems.analog import draw_tag
from scmc_comm.systems.base import Prepared, Transmission
from scmc_comm.types import Reconstruction

_BATCH = 8  # draws sent together, whichever of them are asked for: results then repeat bit by bit


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
    return tuple(draw_tag(trial) for trial in range(count))


def draw_masks(count: int) -> Masks:
    """The masks of so many trials, each of which delivers its own draw alone.

    Example:
        >>> draw_masks(3).tolist()
        [1, 2, 4]
    """
    masks: Masks = np.uint64(1) << np.arange(count, dtype=np.uint64)
    return masks.astype(mask_dtype(count))


class Draws:
    """The trials of an analog transmission at one point, sent when one of them is looked at.

    Args:
        prepare: Prepares the image; not called unless a draw is looked at.
        model: The channel.
        esno_db: Mean Es/N0 in dB.
        seeds: Seeds of the first trials, `num_seeds` of them.
        phy: The physical layer.
    """

    def __init__(
        self,
        prepare: Callable[[], Prepared],
        model: Any,
        esno_db: float,
        seeds: Sequence[int],
        phy: Any,
    ) -> None:
        self._prepare, self._seeds = functools.cache(prepare), seeds
        self._link = (model, esno_db, phy)
        self._last: tuple[int, Transmission] | None = None

    def _sent(self, batch: int) -> Transmission:
        if self._last is None or self._last[0] != batch:
            model, esno_db, phy = self._link
            seeds = self._seeds[batch * _BATCH : (batch + 1) * _BATCH]
            self._last = batch, self._prepare().send(model, esno_db, seeds, phy)
        return self._last[1]

    def reconstruct(self, tags: frozenset[str]) -> Reconstruction:
        """What the receiver shows in the trial of this tag."""
        (tag,) = tags
        trial = int(tag.rpartition(".")[2])
        return self._sent(trial // _BATCH).reconstruction(trial % _BATCH)

    @staticmethod
    def usable(tags: frozenset[str]) -> frozenset[str]:
        """All of them."""
        return tags


def num_seeds(count: int) -> int:
    """Seeds that so many draws need: whole batches.

    Example:
        >>> num_seeds(10)
        16
    """
    return -(-count // _BATCH) * _BATCH
