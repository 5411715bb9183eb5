"""Layered digital transmission: how many channel uses, and which scheme, each layer of a file gets.

A ladder has layers of rising rate, the first the best protected. They are *independent* (a
simulcast, of which the receiver shows the finest that arrived) or *nested* (each refines those
before it and is of no use without them). With p_j the delivery probabilities in a state of the
channel and q_j what is shown up to layer j, the expected utility is, for independent layers::

    U = sum_states w sum_j q_j p_j prod_{i > j} (1 - p_i)

and for nested ones ``q_j prod_{i <= j} p_i (1 - p_{j+1})`` in the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from channels.coding.transport_block import max_payload_bits
from channels.types import Mcs
from scmc_comm.errors import InfeasibleBudgetError
from scmc_comm.link.delivery import Link
from scmc_comm.link.mcs import MCS_GRID, choose_mcs, required_esno_db

MAX_LAYERS = 4
SHARES = {2: (8, 24), 3: (4, 8, 20), 4: (4, 4, 8, 16)}
"""Thirty-seconds of the channel uses that the rules give each layer."""
MARGINS_DB = {2: (11.0, 0.0), 3: (11.0, 5.0, 0.0), 4: (11.0, 5.0, 2.0, 0.0)}
"""Margin in dB below the design Es/N0 that the rule of unequal protection gives each layer."""
_UNITS = 32  # that the optimiser divides the channel uses into
_MOVES = (0, 1, -1, 3, -3, 8, -8)
_TYPICAL_BITS, _GAIN = 1024, 1e-6


@dataclass(frozen=True)
class Rung:
    """One layer of a plan.

    Attributes:
        mcs: Modulation and coding.
        num_uses: Channel uses that it may take.
    """

    mcs: Mcs
    num_uses: int


Ladder = tuple[Rung, ...]


def rule_ladder(num_layers: int, num_uses: int, design_esno_db: float, equal: bool) -> Ladder:
    """Fixed shares, with margins below the design Es/N0, or one scheme for all.

    A margin that no scheme can give is made smaller in quarters.

    Raises:
        InfeasibleBudgetError: Nothing decodes at the design Es/N0.

    Example:
        >>> [rung.num_uses for rung in rule_ladder(3, 3200, 10.0, equal=False)]
        [400, 800, 2000]
    """
    uses = [num_uses * share // _UNITS for share in SHARES[num_layers]]
    if equal:
        each = [choose_mcs(design_esno_db, num_uses=max(n, 1)) for n in uses]
        slowest = min(each, key=lambda mcs: mcs.bits_per_use)
        return tuple(Rung(slowest, n) for n in uses)
    margins = MARGINS_DB[num_layers]
    return tuple(
        Rung(_with_margin(design_esno_db, margin, n), n)
        for n, margin in zip(uses, margins, strict=True)
    )


def _with_margin(design_esno_db: float, margin_db: float, num_uses: int) -> Mcs:
    for quarter in (1.0, 0.75, 0.5, 0.25):
        try:
            return choose_mcs(design_esno_db, quarter * margin_db, num_uses=max(num_uses, 1))
        except InfeasibleBudgetError:
            continue
    return choose_mcs(design_esno_db, num_uses=max(num_uses, 1))


@dataclass
class LadderSearch:
    """Finds the ladder with the highest expected utility, by coordinate ascent.

    Attributes:
        num_layers: At most so many; a layer that gains nothing is left out.
        num_uses: Budget in channel uses.
        link: What the layers are sent over.
        quality: Utility of what so many payload bits show, on average.
        failure: Utility of mid-grey.
        nested: Whether each layer needs those before it; then quality is of all their bits.
    """

    num_layers: int
    num_uses: int
    link: Link
    quality: Callable[[int], float]
    failure: float
    nested: bool = False
    _rows: dict[tuple[int, Mcs, int], np.ndarray] = field(default_factory=dict, repr=False)
    _known: dict[int, float] = field(default_factory=dict, repr=False)

    def best(self) -> Ladder:
        """The best found; no worse than any single layer or than the rules' shares.

        Deterministic.
        """
        schemes = [mcs for mcs in MCS_GRID if self._efficient(mcs)]
        single = max(([(mcs, _UNITS)] for mcs in schemes), key=self._value)
        found = [single, *(self._ascend(start, schemes) for start in self._starts(single[0][0]))]
        plan = max(found, key=self._value)
        return tuple(Rung(mcs, n) for mcs, n in zip(*self._uses(plan), strict=True) if n)

    def value(self, ladder: Ladder) -> float:
        """Expected utility of a ladder."""
        return self._expected([r.mcs for r in ladder], [r.num_uses for r in ladder])

    def _efficient(self, mcs: Mcs) -> bool:
        need = required_esno_db(mcs, _TYPICAL_BITS)
        return not any(
            other.bits_per_use >= mcs.bits_per_use and required_esno_db(other, _TYPICAL_BITS) < need
            for other in MCS_GRID
        )

    def _starts(self, mcs: Mcs) -> Iterator[list[tuple[Mcs, int]]]:
        """All layers at the best single scheme, in the rules' shares or nearly all in the last."""
        yield [(mcs, share) for share in SHARES[self.num_layers]]
        few = [1] * (self.num_layers - 1)
        yield [(mcs, share) for share in (*few, _UNITS - len(few))]

    def _uses(self, plan: list[tuple[Mcs, int]]) -> tuple[list[Mcs], list[int]]:
        return [mcs for mcs, _ in plan], [self.num_uses * units // _UNITS for _, units in plan]

    def _value(self, plan: list[tuple[Mcs, int]]) -> float:
        return self._expected(*self._uses(plan))

    def _expected(self, schemes: list[Mcs], uses: list[int]) -> float:
        start, total, rows, seen = 0, 0, [], [self.failure]
        for mcs, n in zip(schemes, uses, strict=True):
            bits = max_payload_bits(n, mcs) // 8 * 8 if n else 0
            if bits:
                total = total + bits if self.nested else bits
                rows.append(self._row(bits, mcs, start))
                seen.append(self._quality(total))
            start += n
        shown = np.full(len(self.link.weights), seen[-1] if self.nested else self.failure)
        if self.nested:
            for p, below in zip(reversed(rows), reversed(seen[:-1]), strict=True):
                shown = p * shown + (1 - p) * below
        else:
            for p, q in zip(rows, seen[1:], strict=True):
                shown = p * q + (1 - p) * shown
        return float(shown @ self.link.weights)

    def _row(self, bits: int, mcs: Mcs, start: int) -> np.ndarray:
        quarter = max(1, self.num_uses // 4)  # a few places tell late layers from early ones
        key = (bits, mcs, 0 if self.link.is_flat else start // quarter * quarter)
        if key not in self._rows:
            self._rows[key] = self.link.delivery(bits, mcs, key[2], 0.0)
        return self._rows[key]

    def _quality(self, bits: int) -> float:
        if bits not in self._known:
            self._known[bits] = self.quality(bits)
        return self._known[bits]

    def _ascend(self, plan: list[tuple[Mcs, int]], schemes: list[Mcs]) -> list[tuple[Mcs, int]]:
        value = self._value(plan)
        while True:
            before = value
            for layer in range(len(plan)):
                tried = list(self._moves(plan, layer, schemes))
                values = [self._value(each) for each in tried]
                at = int(np.argmax(values))
                if values[at] > value + _GAIN:
                    plan, value = tried[at], values[at]
            if value <= before + _GAIN:
                return plan

    def _moves(
        self, plan: list[tuple[Mcs, int]], layer: int, schemes: list[Mcs]
    ) -> Iterator[list[tuple[Mcs, int]]]:
        """One layer at any scheme, with units taken from another or given to it."""
        for other in (i for i in range(len(plan)) if i != layer):
            for units in _MOVES:
                own, rest = plan[layer][1] + units, plan[other][1] - units
                if min(own, rest) < 0:
                    continue
                for mcs in schemes:
                    moved = list(plan)
                    moved[layer], moved[other] = (mcs, own), (plan[other][0], rest)
                    yield moved
