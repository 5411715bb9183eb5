"""What arrives at a (system, image, rho, channel, Es/N0): drawn trials, or the exact sum.

Inside, a delivered set is a *mask*: bit i says that frame i of the transmission arrived. A trial
is then one number, and a million of them are one small array.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.execution.cache import Cache, digest
from experiments.statistics.proportions import known_within
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.transmission import send

if TYPE_CHECKING:
    from scmc_comm.link.prepared import Prepared

logger = logging.getLogger(__name__)

CHUNK = 1024  # trials of one cache entry, and the most that are sent at once
NEGLIGIBLE = 1e-6
"""Probability of all sets together that an exact sum leaves out: each would cost a reconstruction.

No delivery probability is then off by more, no mean by more than this times the metric's range:
1e-4 dB of PSNR.
"""
MAX_FRAMES = 64

Masks = NDArray[Any]
Draw = Callable[[int, int], Masks]
"""Masks of the trials from one number up to another."""


def mask_of(frames: tuple[str, ...], delivered: frozenset[str]) -> int:
    """The mask of a delivered set.

    Example:
        >>> mask_of(("semantic", "structure", "signal"), frozenset({"semantic", "signal"}))
        5
    """
    return sum(1 << i for i, tag in enumerate(frames) if tag in delivered)


def set_of(frames: tuple[str, ...], mask: int) -> frozenset[str]:
    """The delivered set of a mask, the inverse of `mask_of`."""
    return frozenset(tag for i, tag in enumerate(frames) if mask >> i & 1)


def mask_dtype(num_frames: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds a mask; one byte up to eight frames."""
    if num_frames > MAX_FRAMES:
        raise ScmcError(
            f"a transmission has {num_frames} frames; at most {MAX_FRAMES} can be recorded"
        )
    return np.min_scalar_type((1 << max(1, num_frames)) - 1)


@functools.lru_cache(maxsize=256)  # systems, channels and SNRs of one image ask for the same
def trial_seeds(seed: int, image: str, start: int, stop: int) -> tuple[int, ...]:
    """Seeds of channel realisations: the same for every system, channel, SNR and bandwidth.

    Example:
        >>> trial_seeds(1, "coffee", 0, 3)[1:] == trial_seeds(1, "coffee", 1, 3)
        True
    """
    stream = np.random.Philox(key=int(digest("trials", seed, image)[:32], 16))
    blocks = stream.advance(start).random_raw(4 * (stop - start))  # four words a counter
    return tuple((blocks[::4] >> np.uint64(1)).tolist())


def send_masks(
    prepared: Prepared, model: Any, esno_db: float, seeds: tuple[int, ...], phy: Any
) -> Masks:
    """Sends once per seed and says what arrived, without an object a trial.

    Args:
        prepared: What is sent; without frames nothing ever arrives.
        model: The channel.
        esno_db: Mean Es/N0 in dB.
        seeds: One per trial.
        phy: The physical layer.

    Returns:
        Masks [len(seeds)].
    """
    dtype = mask_dtype(len(prepared.frames))
    report = send(prepared, model, esno_db, seeds, phy)
    bits = np.array([1 << i for i in range(len(prepared.frames))], dtype)
    masks: Masks = (report.delivered * bits).sum(axis=1, dtype=dtype)
    return masks


@dataclass(frozen=True)
class TrialLog:
    """The masks of a point's trials in the cache, `CHUNK` of them an entry.

    So a run can stop anywhere, and more trials extend what is there.

    Attributes:
        cache: Where they lie.
        key: Content key of the point.
        dtype: Type of a mask.
    """

    cache: Cache
    key: str
    dtype: np.dtype[Any]

    def _read(self, chunk: int) -> Masks:
        known = self.cache.get(digest("trials", self.key, chunk))
        return np.frombuffer(known or b"", self.dtype)

    def is_begun(self) -> bool:
        """Was any trial of the point sent?"""
        return digest("trials", self.key, 0) in self.cache

    def extend(self, start: int, stop: int, draw: Draw) -> Iterator[Masks]:
        """Masks of the trials from ``start`` up to ``stop``, sending those that are not known."""
        for chunk in range(start // CHUNK, -(-stop // CHUNK)):
            first = chunk * CHUNK
            wanted = min(stop - first, CHUNK)
            masks = self._read(chunk)
            if len(masks) < wanted:
                masks = np.concatenate([masks, draw(first + len(masks), first + wanted)])
                longer = self._read(chunk)  # by another run of more trials, meanwhile
                if len(longer) > len(masks):
                    masks = longer
                else:
                    self.cache.put(digest("trials", self.key, chunk), masks.tobytes())
            yield masks[max(0, start - first) : wanted]

    def read(self, num_trials: int) -> Iterator[Masks]:
        """The first trials, an array a chunk.

        Raises:
            ScmcError: They are not there.
        """
        for chunk in range(-(-num_trials // CHUNK)):
            wanted = min(num_trials - chunk * CHUNK, CHUNK)
            masks = self._read(chunk)
            if len(masks) < wanted:
                raise ScmcError(
                    f"the trials that a worker wrote are not in the cache {self.cache.folder}; "
                    "workers need the same cache folder (set SCMC_COMM_CACHE to a shared one); "
                    "if another run cleared it or shares it, start again"
                )
            yield masks[:wanted]


def _enough(spec: SweepSpec, num_frames: int, counts: Counter[int]) -> bool:
    """Does every frame satisfy one of the stopping rules?"""
    if spec.stop_half_width is None and spec.stop_errors is None:
        return False
    num_trials = counts.total()
    arrived = np.array([
        sum(n for mask, n in counts.items() if mask >> i & 1) for i in range(num_frames)
    ])  # fmt: skip
    enough = np.zeros(num_frames, dtype=bool)
    if spec.stop_half_width is not None:
        enough |= known_within(arrived, num_trials, spec.stop_half_width)
    if spec.stop_errors is not None:
        enough |= num_trials - arrived >= spec.stop_errors
    return bool(enough.all())


def run_trials(spec: SweepSpec, log: TrialLog, num_frames: int, draw: Draw) -> Counter[int]:
    """How often each mask came, over as many trials as the stopping rules ask for.

    They are asked after `SweepSpec.min_trials`, then at each doubling, so that where a point
    stops does not depend on how its trials were split. Without frames it stops at once there.
    """
    counts: Counter[int] = Counter()
    ruled = spec.stop_half_width is not None or spec.stop_errors is not None
    until = spec.min_trials if ruled else spec.num_trials
    while True:
        stop = min(spec.num_trials, until)
        for masks in log.extend(counts.total(), stop, draw):
            values, numbers = np.unique(masks, return_counts=True)
            counts.update(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
        if stop == spec.num_trials or _enough(spec, num_frames, counts):
            return counts
        until = 2 * stop


def expected_masks(prepared: Prepared, model: Any, esno_db: float, phy: Any) -> dict[int, float]:
    """Probability of each mask, joint over the fades that the frames share.

    The least likely sets are left out, at most `NEGLIGIBLE` in all.

    Raises:
        ScmcError: The physical layer's probabilities do not add up to one.
    """
    if not prepared.frames:
        return {0: 1.0}
    found = phy.expected_delivery(prepared.frames, model, esno_db)
    total = sum(found.values())
    if not abs(total - 1) <= 1e-6 or min(found.values()) < 0:
        raise ScmcError(f"probabilities of delivered sets add up to {total}; expected 1")
    rising = sorted(found.items(), key=lambda item: item[1])
    left_out = [p <= NEGLIGIBLE * total for p in itertools.accumulate(p for _, p in rising)]
    kept = {
        mask_of(prepared.tags, s): p
        for (s, p), left in zip(rising, left_out, strict=True)
        if not left
    }
    total = sum(kept.values())
    return {mask: kept[mask] / total for mask in sorted(kept)}
