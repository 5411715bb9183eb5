"""The value of a protection plan: expected utility over the fades and over what is delivered.

A plan gives each of the six units (semantic, structure, four parts of the signal) a modulation and
coding scheme, or leaves the unit out. The channel uses that caption and structure leave go to
the signal layer, whose rate is as high as its parts' schemes then allow. Frames arrive
independently given the fade, a part of the signal counts if those before it arrived::

    U = sum_fades w sum_lower P(lower) ( q(lower) + sum_j d_j(lower) prod_{i <= j} p_i )

with p_i the delivery probabilities of the BLER tables, q the utility of the layers below
and d_j what part j adds to it at the signal's rate (`scmc_comm.link.quality`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels.coding.transport_block import num_channel_uses
from channels.types import Mcs
from scmc_comm.link.delivery import Link
from scmc_comm.types import MAX_PARTS

NUM_UNITS = 2 + MAX_PARTS
LEFT_OUT = -1
_LEAST_BITS = 16  # a packet has a header and a byte
_CHUNK, _MAX_ROWS = 512, 20_000


@dataclass(frozen=True)
class Outcome:
    """What some plans give.

    Attributes:
        value: float64 [N], expected utility; minus infinity for a plan that does not fit.
        rate: float64 [N], the signal's rate as a position in the rates of the model; NaN where
            no signal is sent.
        delivery: float64 [N, 6], probability that each unit arrives, 0 for one that is not sent.
    """

    value: np.ndarray
    rate: np.ndarray
    delivery: np.ndarray


class Allocator:
    """Evaluates plans, many at once.

    A plan is int [6], positions in the grid or `LEFT_OUT`; of the signal's parts only the last ones
    may be left out.

    Args:
        num_uses: The budget in channel uses.
        lower_bits: Packet bits of the semantic and of the structure layer.
        part_bits: float64 [R, P], packet bits of the signal's parts at each of its rates.
        steps: float64 [R, 4, 1 + P], from `QualityModel.steps`.
        link: What arrives.
        grid: The schemes to choose from.
    """

    def __init__(
        self,
        num_uses: int,
        lower_bits: tuple[int, int],
        part_bits: np.ndarray,
        steps: np.ndarray,
        link: Link,
        grid: Sequence[Mcs],
    ) -> None:
        whole = 8 * np.round(part_bits / 8).astype(np.int64)
        self.num_uses, self.lower_bits, self.grid = num_uses, lower_bits, tuple(grid)
        self.part_bits = np.where(whole >= _LEAST_BITS, whole, 0)  # shorter ones are not sent
        self.steps, self.link = steps, link
        bits = (*lower_bits, *self.part_bits.ravel().tolist())
        uses = np.array([_uses_of(bits, mcs) for mcs in self.grid])
        uses = np.concatenate([uses, np.zeros((1, uses.shape[1]), uses.dtype)])  # left out: 0
        self.lower_uses = uses[:, :2].T
        by_part = uses[:, 2:].reshape(len(uses), *self.part_bits.shape)
        self.part_uses = np.maximum.accumulate(by_part, axis=1)
        self._rows: dict[tuple[int, int, int, float], np.ndarray] = {}

    def evaluate(self, plans: np.ndarray, power_db: np.ndarray | None = None) -> Outcome:
        """Values of plans int [N, 6]; powers float [N, 6] are relative to one another."""
        powers = np.zeros(plans.shape) if power_db is None else power_db
        chunks = [slice(i, i + _CHUNK) for i in range(0, len(plans), _CHUNK)]
        parts = [self._evaluate(plans[rows], powers[rows]) for rows in chunks]
        return Outcome(*map(np.concatenate, zip(*parts, strict=True)))

    def _evaluate(
        self, plans: np.ndarray, power_db: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The fields of `Outcome`."""
        lower = np.stack([self.lower_uses[u, plans[:, u]] for u in (0, 1)], axis=1)
        left = self.num_uses - lower.sum(axis=1)
        signal_uses = self._signal_uses(plans)
        rate, fits = self._rates(plans, left, signal_uses)
        fits &= left >= 0
        plans = np.where(fits[:, None], plans, LEFT_OUT)
        below = np.floor(rate).astype(int)
        share = (rate - below)[:, None, None]
        above = np.minimum(below + 1, len(self.steps) - 1)
        steps = (1 - share) * self.steps[below] + share * self.steps[above]
        nearest = np.round(rate).astype(int)
        reach = lower.sum(axis=1) + signal_uses[np.arange(len(plans)), nearest]
        nearest = np.where(reach > self.link.num_uses, below, nearest)
        p = self._delivery(plans, nearest, lower, power_db)
        chain = np.cumprod(p[:, 2:], axis=1)
        seen = steps[:, :, :1] + np.einsum("nlj,njs->nls", steps[:, :, 1:], chain)
        a, b = p[:, 0], p[:, 1]
        sets = np.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b], axis=1)
        value = np.einsum("nls,nls,s->n", sets, seen, self.link.weights)
        signal = plans[:, 2] != LEFT_OUT
        value = np.where(fits, value, -np.inf)
        return value, np.where(signal, rate, np.nan), p @ self.link.weights

    def _signal_uses(self, plans: np.ndarray) -> np.ndarray:
        """Channel uses of the signal at each rate of the model, [N, R]."""
        total = np.zeros((len(plans), len(self.part_bits)))
        for part in range(MAX_PARTS):
            total += self.part_uses[plans[:, 2 + part], :, part]
        return total

    def _rates(
        self, plans: np.ndarray, left: np.ndarray, total: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The highest rate of the signal that fits, between two of the model's if need be."""
        below = (total <= left[:, None]).sum(axis=1) - 1
        low = np.maximum(below, 0)
        high = np.minimum(low + 1, total.shape[1] - 1)
        each = np.arange(len(plans))
        gap = np.maximum(total[each, high] - total[each, low], 1e-9)
        share = np.clip((left - total[each, low]) / gap, 0, 1)
        signal = plans[:, 2] != LEFT_OUT
        rate = np.where(signal & (high > low), low + share, low)
        return np.where(signal, rate, 0.0), ~signal | (below >= 0)

    def _delivery(
        self,
        plans: np.ndarray,
        nearest: np.ndarray,
        lower: np.ndarray,
        power_db: np.ndarray,
    ) -> np.ndarray:
        """float64 [N, 6, S]; a part that has no bits at the rate counts as one that arrives."""
        uses = np.empty(plans.shape)
        uses[:, :2] = lower
        for part in range(MAX_PARTS):
            uses[:, 2 + part] = self.part_uses[plans[:, 2 + part], nearest, part]
        starts = np.zeros(plans.shape, int)
        if not self.link.is_flat:
            starts[:, 1:] = np.cumsum(uses, axis=1)[:, :-1]
        mean = (uses * 10 ** (power_db / 10)).sum(axis=1) / np.maximum(uses.sum(axis=1), 1)
        offsets = power_db - 10 * np.log10(np.maximum(mean, 1e-12))[:, None]
        bits = np.empty(plans.shape, int)
        bits[:, :2] = self.lower_bits
        bits[:, 2:] = self.part_bits[nearest]
        p = np.zeros((*plans.shape, len(self.link.weights)))
        for u in range(NUM_UNITS):
            keys = np.stack([bits[:, u], plans[:, u], starts[:, u], offsets[:, u]], axis=1)
            distinct, each = np.unique(keys, axis=0, return_inverse=True)
            p[:, u] = np.stack([self.row(*key) for key in distinct.tolist()])[each.ravel()]
        return p

    def row(self, bits: float, scheme: float, start: float, offset_db: float) -> np.ndarray:
        """Delivery probability of one frame, float64 [S]: 0 if left out, 1 if it has no bits."""
        if scheme == LEFT_OUT or bits == 0:
            return np.full(len(self.link.weights), float(scheme != LEFT_OUT))
        key = (int(bits), int(scheme), int(start), offset_db)
        if key not in self._rows:
            if len(self._rows) > _MAX_ROWS:
                self._rows.clear()
            self._rows[key] = self.link.delivery(key[0], self.grid[key[1]], key[2], key[3])
        return self._rows[key]


@lru_cache(maxsize=1024)
def _uses_of(bits: tuple[int, ...], mcs: Mcs) -> tuple[int, ...]:
    return tuple(num_channel_uses(b, mcs) if b else 0 for b in bits)
