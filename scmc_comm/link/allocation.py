"""The value of a protection plan: expected utility over the fades and over what is delivered.

A plan gives each of the six units (semantic, structure, four parts of the signal) a modulation and
coding scheme, or leaves the unit out. The channel uses that caption and structure leave go to
the signal layer, whose rate is as high as its parts' schemes then allow. Frames arrive
independently given the fade, a part of the signal counts if those before it arrived::

    U = sum_fades w sum_lower P(lower) ( q(lower) + sum_j d_j(lower) prod_{i <= j} p_i )

with p_i the delivery probabilities of the BLER tables, q the utility of the layers below
and d_j what part j adds to it at the signal's rate (`scmc_comm.link.quality`). A signal that is
coded given the structure has other sizes and another d than one sent without a structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels.coding.transport_block import num_channel_uses
from channels.types import Mcs
from scmc_comm.link.delivery import Link
from scmc_comm.link.quality import SignalRates
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


@dataclass(frozen=True)
class Signal:
    """The signal layer in whole bytes and channel uses.

    Attributes:
        part_bits: int [R, P], packet bits of each part at each rate; 0 for one that is not sent.
        uses: int [G + 1, R, P], channel uses with each scheme of the grid, and left out.
        steps: float64 [R, 4, 1 + P], as in `SignalRates`.
    """

    part_bits: np.ndarray
    uses: np.ndarray
    steps: np.ndarray

    def uses_of(self, plans: np.ndarray) -> np.ndarray:
        """Channel uses of plans int [N, 6] at each rate, [N, R]."""
        return sum(
            (self.uses[plans[:, 2 + part], :, part] for part in range(MAX_PARTS)),
            np.zeros((len(plans), len(self.part_bits))),
        )


class Allocator:
    """Evaluates plans, many at once.

    A plan is int [6], positions in the grid or `LEFT_OUT`; of the signal's parts only the last ones
    may be left out.

    Args:
        num_uses: The budget in channel uses.
        lower_bits: Packet bits of the semantic and of the structure layer.
        rates: The signal where no structure is sent, and where it is.
        link: What arrives.
        grid: The schemes to choose from.
    """

    def __init__(
        self,
        num_uses: int,
        lower_bits: tuple[int, int],
        rates: tuple[SignalRates, SignalRates],
        link: Link,
        grid: Sequence[Mcs],
    ) -> None:
        self.num_uses, self.lower_bits, self.grid = num_uses, lower_bits, tuple(grid)
        self.link = link
        self.lower_uses = self._uses(np.array(lower_bits)).T
        self._signals = tuple(self._signal(each) for each in rates)
        self._rows: dict[tuple[int, int, int, float], np.ndarray] = {}

    def signal(self, with_structure: bool) -> Signal:
        """The signal layer beside a structure that is sent, or without one."""
        return self._signals[int(with_structure)]

    def signal_of(self, plan: np.ndarray) -> Signal:
        """The signal layer of a plan int [6]."""
        return self.signal(bool(plan[1] != LEFT_OUT))

    def _signal(self, rates: SignalRates) -> Signal:
        whole = 8 * np.round(rates.part_bits / 8).astype(np.int64)
        part_bits = np.where(whole >= _LEAST_BITS, whole, 0)  # shorter ones are not sent
        uses = np.maximum.accumulate(self._uses(part_bits), axis=1)
        return Signal(part_bits, uses, rates.steps)

    def _uses(self, bits: np.ndarray) -> np.ndarray:
        """Channel uses of frames of these bits with each scheme of the grid, and left out."""
        flat = tuple(bits.ravel().tolist())
        uses = np.array([*(_uses_of(flat, mcs) for mcs in self.grid), [0] * len(flat)])
        return uses.reshape(len(uses), *bits.shape)

    def evaluate(self, plans: np.ndarray, power_db: np.ndarray | None = None) -> Outcome:
        """Values of plans int [N, 6]; powers float [N, 6] are relative to one another."""
        powers = np.zeros(plans.shape) if power_db is None else power_db
        out = Outcome(np.zeros(len(plans)), np.zeros(len(plans)), np.zeros(plans.shape))
        sent = plans[:, 1] != LEFT_OUT
        for with_structure in (False, True):
            rows = np.flatnonzero(sent == with_structure)
            for start in range(0, len(rows), _CHUNK):
                part = rows[start : start + _CHUNK]
                signal = self.signal(with_structure)
                found = self._evaluate(signal, plans[part], powers[part])
                out.value[part], out.rate[part], out.delivery[part] = found
        return out

    def _evaluate(
        self, signal: Signal, plans: np.ndarray, power_db: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The fields of `Outcome` of plans that all send a structure, or none of them."""
        lower = np.stack([self.lower_uses[u, plans[:, u]] for u in (0, 1)], axis=1)
        left = self.num_uses - lower.sum(axis=1)
        signal_uses = signal.uses_of(plans)
        rate, fits = self._rates(plans, left, signal_uses)
        fits &= left >= 0
        plans = np.where(fits[:, None], plans, LEFT_OUT)
        below = np.floor(rate).astype(int)
        share = (rate - below)[:, None, None]
        above = np.minimum(below + 1, len(signal.steps) - 1)
        steps = (1 - share) * signal.steps[below] + share * signal.steps[above]
        nearest = np.round(rate).astype(int)
        reach = lower.sum(axis=1) + signal_uses[np.arange(len(plans)), nearest]
        nearest = np.where(reach > self.link.num_uses, below, nearest)
        p = self._delivery(signal, plans, nearest, lower, power_db)
        chain = np.cumprod(p[:, 2:], axis=1)
        seen = steps[:, :, :1] + np.einsum("nlj,njs->nls", steps[:, :, 1:], chain)
        a, b = p[:, 0], p[:, 1]
        sets = np.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b], axis=1)
        value = np.einsum("nls,nls,s->n", sets, seen, self.link.weights)
        rate = np.where(plans[:, 2] != LEFT_OUT, rate, np.nan)
        return np.where(fits, value, -np.inf), rate, p @ self.link.weights

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
        signal: Signal,
        plans: np.ndarray,
        nearest: np.ndarray,
        lower: np.ndarray,
        power_db: np.ndarray,
    ) -> np.ndarray:
        """float64 [N, 6, S]; a part that has no bits at the rate counts as one that arrives."""
        uses = np.empty(plans.shape)
        uses[:, :2] = lower
        for part in range(MAX_PARTS):
            uses[:, 2 + part] = signal.uses[plans[:, 2 + part], nearest, part]
        starts = np.zeros(plans.shape, int)
        if not self.link.is_flat:
            starts[:, 1:] = np.cumsum(uses, axis=1)[:, :-1]
        mean = (uses * 10 ** (power_db / 10)).sum(axis=1) / np.maximum(uses.sum(axis=1), 1)
        offsets = power_db - 10 * np.log10(np.maximum(mean, 1e-12))[:, None]
        bits = np.empty(plans.shape, int)
        bits[:, :2] = self.lower_bits
        bits[:, 2:] = signal.part_bits[nearest]
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
