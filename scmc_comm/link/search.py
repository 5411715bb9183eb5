"""The search for the best protection plan.

Two steps. First every choice of a scheme for the caption, one for the structure and one for the
first parts of the signal, however many are sent, is tried, exactly but for the signal's rate,
between whose nodes the value is interpolated. Then coordinate ascent starts from the best of these
and from every plan that the caller gives: one unit at a time takes the scheme that is best beside
the others, as do all parts of the signal from one on, or up to one; powers, if they are free, step
up and down in turn. It ends where no move helps. What comes out is never worse than any start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scmc_comm.link.allocation import LEFT_OUT, NUM_UNITS, Allocator, Signal
from scmc_comm.types import MAX_PARTS

POWER_STEPS_DB = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
MAX_POWER_DB = 6.0
_NUM_NODES = 16  # of the signal's rate in the enumeration
_NUM_STARTS = 3
_NEAR_STEPS = 4  # of the schemes that are tried beside powers
_GAIN = 1e-6  # less than this is no gain
_IN_VAIN = 1e-5  # a unit is not sent for less than this share of the range of utilities


@dataclass(frozen=True)
class Found:
    """A plan and what it is worth.

    Attributes:
        plan: int [6], as `Allocator` takes it.
        power_db: float64 [6], relative to one another.
        value: Expected utility.
    """

    plan: np.ndarray
    power_db: np.ndarray
    value: float


def search(
    allocator: Allocator,
    starts: Sequence[np.ndarray] = (),
    with_signal: bool = True,
    with_power: bool = False,
) -> Found:
    """The best plan found.

    Args:
        allocator: Says what plans are worth.
        starts: Plans that the result must not be worse than, int [6] each.
        with_signal: Whether a signal layer may be sent.
        with_power: Whether units may be sent with different powers.
    """
    schemes = [_SchemeMove(units, len(allocator.grid), with_signal) for units in _GROUPS]
    every = [*best_common(allocator, with_signal), *starts]
    found = [_ascend(allocator, plan, np.zeros(NUM_UNITS), schemes) for plan in every]
    best = max(found, key=lambda f: f.value)
    if with_power:
        near = [replace(move, most_steps=_NEAR_STEPS) for move in schemes[:NUM_UNITS]]
        best = _ascend(allocator, best.plan, best.power_db, [*map(_PowerMove, _GROUPS), *near])
    return _tidy(allocator, best)


def best_common(allocator: Allocator, with_signal: bool = True) -> list[np.ndarray]:
    """The best plans with one scheme for the parts of the signal, and the best without a signal.

    Over a channel of several fades, where every place differs, only some of the schemes are tried.
    """
    if not allocator.link.is_flat:
        return _best_of_some(allocator, with_signal)
    schemes = np.arange(-1, len(allocator.grid))  # LEFT_OUT first
    a, b = (
        np.stack([allocator.row(bits, int(scheme), 0, 0.0) for scheme in schemes])
        for bits in allocator.lower_bits
    )
    uses = allocator.lower_uses[:, schemes]
    left = allocator.num_uses - (uses[0][:, None] + uses[1][None])
    lower = allocator.signal(True).steps[0, :, :1]
    without = _joint(a, b, lower, allocator.link.weights)
    ranked = [(*_top(np.where(left >= 0, without, -np.inf)), LEFT_OUT, 0)]
    for scheme in range(len(allocator.grid)) if with_signal else ():
        for count in range(1, MAX_PARTS + 1):
            values = _with_signal(allocator, scheme, count, a, b, left)
            ranked.append((*_top(values), scheme, count))
    ranked = [row for row in ranked if np.isfinite(row[0])]
    ranked.sort(key=lambda row: -row[0])
    return [
        np.array([schemes[i], schemes[j], *[scheme] * count, *[LEFT_OUT] * (MAX_PARTS - count)])
        for _, (i, j), scheme, count in ranked[:_NUM_STARTS]
    ]


def _best_of_some(allocator: Allocator, with_signal: bool) -> list[np.ndarray]:
    some = np.unique(np.linspace(0, len(allocator.grid) - 1, 7).round().astype(int)).tolist()
    plans = np.array(
        [
            (a, b, *[signal] * MAX_PARTS)
            for a in (LEFT_OUT, *some)
            for b in (LEFT_OUT, *some)
            for signal in (LEFT_OUT, *(some if with_signal else ()))
        ]
    )
    values = allocator.evaluate(plans).value
    best = np.argsort(values)[::-1][:_NUM_STARTS]
    return [plans[i] for i in best if np.isfinite(values[i])]


def _with_signal(
    allocator: Allocator, scheme: int, count: int, a: np.ndarray, b: np.ndarray, left: np.ndarray
) -> np.ndarray:
    """Values [G + 1, G + 1] over the schemes of both lower layers, some parts at one scheme."""
    groups = (False, slice(0, 1)), (True, slice(1, None))  # the structure left out, then sent
    values = [
        _beside(allocator, allocator.signal(sent), scheme, count, (a, b[rows]), left[:, rows])
        for sent, rows in groups
    ]
    return np.concatenate(values, axis=1)


def _beside(
    allocator: Allocator,
    signal: Signal,
    scheme: int,
    count: int,
    lower: tuple[np.ndarray, np.ndarray],
    left: np.ndarray,
) -> np.ndarray:
    """The same for one signal layer and delivery probabilities [Ga, S], [Gb, S] of those below."""
    nodes = np.unique(np.linspace(0, len(signal.steps) - 1, _NUM_NODES).round().astype(int))
    total = signal.uses[scheme][:, :count].sum(axis=1)
    values = []
    for node in nodes:
        sent = [allocator.row(bits, scheme, 0, 0.0) for bits in signal.part_bits[node][:count]]
        rows = [*sent, *[np.zeros_like(sent[0])] * (MAX_PARTS - count)]
        chain = np.concatenate([np.ones((1, len(rows[0]))), np.cumprod(rows, axis=0)])
        values.append(_joint(*lower, signal.steps[node], allocator.link.weights, chain))
    rate = np.interp(left, total, np.arange(len(total)))
    low = np.clip(np.searchsorted(nodes, rate, side="right") - 1, 0, len(nodes) - 2)
    share = (rate - nodes[low]) / (nodes[low + 1] - nodes[low])
    stacked, i, j = np.array(values), *np.indices(left.shape)
    between = (1 - share) * stacked[low, i, j] + share * stacked[low + 1, i, j]
    return np.where(left >= total[0], between, -np.inf)


def _joint(
    a: np.ndarray,
    b: np.ndarray,
    steps: np.ndarray,
    weights: np.ndarray,
    chain: np.ndarray | None = None,
) -> np.ndarray:
    """Expected utility [Ga, Gb] of delivery probabilities a [Ga, S], b [Gb, S], chains [1 + P, S].

    The sum over the four lower sets, sorted by products of a and b.
    """
    seen = steps @ (np.ones((1, a.shape[1])) if chain is None else chain) * weights
    none, one, two, both = seen
    mixed = (a * (both - one - two + none)) @ b.T
    value: np.ndarray = none.sum() + (a @ (one - none))[:, None] + (b @ (two - none)) + mixed
    return value


def _top(values: np.ndarray) -> tuple[float, tuple[int, int]]:
    i, j = np.unravel_index(int(values.argmax()), values.shape)
    return float(values[i, j]), (int(i), int(j))


_GROUPS: tuple[tuple[int, ...], ...] = (
    *((u,) for u in range(NUM_UNITS)),
    (0, 1),
    *(tuple(range(u, NUM_UNITS)) for u in range(2, NUM_UNITS - 1)),
    *(tuple(range(2, u)) for u in range(4, NUM_UNITS)),
)


@dataclass(frozen=True)
class _SchemeMove:
    """The units of one group at every scheme, or left out.

    Parts of the signal are left out from one on; those in between never.
    """

    units: tuple[int, ...]
    num_schemes: int
    with_signal: bool
    most_steps: int | None = None  # from the scheme that the first unit has

    def __call__(self, plan: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, last = self.units[0], self.units[-1]
        is_signal = first >= 2
        gap = is_signal and first > 2 and plan[first - 1] == LEFT_OUT
        needed = is_signal and last < NUM_UNITS - 1 and plan[last + 1] != LEFT_OUT
        schemes = np.arange(0 if needed else LEFT_OUT, self.num_schemes)
        if gap or (is_signal and not self.with_signal):
            schemes = schemes[:0]
        if self.most_steps is not None:
            schemes = schemes[np.abs(schemes - plan[first]) <= self.most_steps]
        plans = np.repeat(plan[None], len(schemes), axis=0)
        plans[:, self.units] = schemes[:, None]
        return plans, np.repeat(power[None], len(schemes), axis=0)


@dataclass(frozen=True)
class _PowerMove:
    """Those units of one group that are sent at some steps of power from where they are."""

    units: tuple[int, ...]

    def __call__(self, plan: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sent = [u for u in self.units if plan[u] != LEFT_OUT]
        powers = np.repeat(power[None], len(POWER_STEPS_DB), axis=0)
        powers[:, sent] += np.array(POWER_STEPS_DB)[:, None]
        powers = powers.clip(-MAX_POWER_DB, MAX_POWER_DB)
        return np.repeat(plan[None], len(powers), axis=0), powers


def _ascend(
    allocator: Allocator,
    plan: np.ndarray,
    power: np.ndarray,
    moves: Sequence[_SchemeMove | _PowerMove],
) -> Found:
    """Takes the best that each move in turn offers, until none of them gains."""
    value = float(allocator.evaluate(plan[None], power[None]).value[0])
    while True:
        before = value
        for move in moves:
            plans, powers = move(plan, power)
            if len(plans) == 0:
                continue
            values = allocator.evaluate(plans, powers).value
            best = values.argmax()
            if values[best] > value + _GAIN:
                value, plan, power = float(values[best]), plans[best], powers[best]
        if value <= before + _GAIN:
            return Found(plan, power, value)


def _tidy(allocator: Allocator, found: Found) -> Found:
    """Without units that are sent in vain; with those that have nothing to say at this rate.

    The parts of the signal behind the last that has bits cost nothing here. For an image in which
    they do have some, they take the scheme of the part before.
    """
    plan, power = found.plan.copy(), found.power_db.copy()
    worth = np.cumsum(allocator.signal_of(plan).steps, axis=2)
    least = found.value - _IN_VAIN * float(np.ptp(worth))
    for unit in reversed(range(NUM_UNITS)):
        without = plan.copy()
        without[unit] = LEFT_OUT
        is_last = unit < 2 or (without[unit:] == LEFT_OUT).all()
        if is_last and allocator.evaluate(without[None], power[None]).value[0] >= least:
            plan = without
    outcome = allocator.evaluate(plan[None], power[None])
    if np.isfinite(outcome.rate[0]):
        bits = allocator.signal_of(plan).part_bits[round(float(outcome.rate[0]))]
        for part in range(1, MAX_PARTS):
            if bits[part] == 0 and plan[2 + part] == LEFT_OUT != plan[1 + part]:
                plan[2 + part], power[2 + part] = plan[1 + part], power[1 + part]
    return Found(plan, power, float(allocator.evaluate(plan[None], power[None]).value[0]))
