"""The protection optimiser: the plan with the highest expected utility for a budget and a channel.

What is sent, how protected and at what rate is chosen by `scmc_comm.link.search` for the sizes
and qualities of a `QualityModel`. Of that plan the modulation and coding schemes are kept for any
image; its own caption and structure take what they need, its signal layer the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from channels.coding.transport_block import num_channel_uses
from channels.types import Frame, Mcs
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.allocation import LEFT_OUT, NUM_UNITS, Allocator, Signal
from scmc_comm.link.delivery import COARSE_STATES, make_link, shares
from scmc_comm.link.mcs import MCS_GRID, required_esno_db
from scmc_comm.link.protection import (
    Protection,
    ProtectionPlan,
    check_caption,
    equal_plan,
    unequal_plan,
)
from scmc_comm.link.quality import QualityModel
from scmc_comm.link.search import Found, search
from scmc_comm.link.utility import Utility
from scmc_comm.types import MAX_PARTS, LayerKind, part_tag

UNITS = (
    LayerKind.SEMANTIC.tag,
    LayerKind.STRUCTURE.tag,
    *(part_tag(LayerKind.SIGNAL, part) for part in range(MAX_PARTS)),
)
"""Tags of the units, in the order of sending."""

_START_OFFSETS_DB = (-12.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0)
_TYPICAL_BITS = 1024


@dataclass(frozen=True)
class Request:
    """What a plan is wanted for.

    Attributes:
        num_uses: Budget in channel uses.
        channel: Law of the channel, by name and parameters.
        esno_db: Mean Es/N0 in dB; several if the transmitter does not know which.
        weights: How likely each is; None for alike.
        utility: What to make best, as `Utility.parse` reads it.
        with_signal: Whether a signal layer may be sent.
        with_power: Whether units may differ in power.
        phy: Physical layer, as `channels.phy.names.make_phy` takes it.
    """

    num_uses: int
    channel: str
    esno_db: tuple[float, ...]
    weights: tuple[float, ...] | None = None
    utility: str = "psnr_db"
    with_signal: bool = True
    with_power: bool = False
    phy: str = "flat"

    def __post_init__(self) -> None:
        shares(self.esno_db, self.weights)


@dataclass(frozen=True)
class Allocation:
    """A plan by the model, and what the model says of it.

    Attributes:
        units: How each of `UNITS` is sent; None if it is not.
        num_bits: Packet bits of each in the model, 0 if it is not sent or has nothing to say.
        delivery: Probability that each arrives.
        seen: Utility of what is shown: a row for each set below the signal (`quality.LOWER`), in
            it a column for each number of parts that arrived, from none on.
        utility: Expected utility.
    """

    units: tuple[Protection | None, ...]
    num_bits: tuple[int, ...]
    delivery: tuple[float, ...]
    seen: tuple[tuple[float, ...], ...]
    utility: float

    def frames(self, seed: int = 0) -> tuple[Frame, ...]:
        """Frames of random bits, as long as the plan's, to try it on a link."""
        rng = np.random.default_rng(seed)
        return tuple(
            Frame(tag, rng.integers(0, 2, bits, np.uint8), how.mcs, how.power_db, how.priority)
            for tag, how, bits in zip(UNITS, self.units, self.num_bits, strict=True)
            if how is not None and bits
        )

    def score(self, delivered: frozenset[str]) -> float:
        """Utility of what is shown for a delivered set of tags."""
        row = sum(1 << kind for kind in (0, 1) if UNITS[kind] in delivered)
        arrived = 0
        for tag, bits, how in list(zip(UNITS, self.num_bits, self.units, strict=True))[2:]:
            if how is None or (bits and tag not in delivered):
                break
            arrived += 1  # a part that has nothing to say is as good as there
        return self.seen[row][arrived]

    def plan_for(
        self, num_uses: int, num_bits: Mapping[LayerKind, int], size: tuple[int, int]
    ) -> ProtectionPlan:
        """The plan for an image whose layers have other sizes.

        Caption, then structure, are sent as planned if they fit, else left out; the signal takes
        the rest. If that leaves nothing at all, the caption goes alone with the most robust
        scheme that fits.

        Args:
            num_uses: Budget in channel uses.
            num_bits: Packet bits of the layers below the signal that there are.
            size: ``(H, W)``, to express a shortage as a bandwidth ratio.

        Raises:
            InfeasibleBudgetError: Not even the caption fits, sent with the fastest scheme.
        """
        layers: dict[LayerKind, Protection] = {}
        left = num_uses
        for kind in (LayerKind.SEMANTIC, LayerKind.STRUCTURE):
            how = self.units[kind]
            if how is None or kind not in num_bits:
                continue
            uses = num_channel_uses(num_bits[kind], how.mcs)
            if uses <= left:
                layers[kind] = how
                left -= uses
        parts = [how for how in self.units[LayerKind.SIGNAL :] if how is not None]
        if parts and left > 0:
            signal = {**layers, LayerKind.SIGNAL: parts[0]}
            return ProtectionPlan(signal, left, tuple(parts[1:]), len(parts))
        if not layers:
            layers[LayerKind.SEMANTIC] = _caption_alone(
                num_uses, num_bits[LayerKind.SEMANTIC], size
            )
        return ProtectionPlan(layers)


def _caption_alone(num_uses: int, num_bits: int, size: tuple[int, int]) -> Protection:
    fastest = max(MCS_GRID, key=lambda mcs: mcs.bits_per_use)
    check_caption(num_uses, num_bits, fastest, size)
    fitting = [mcs for mcs in MCS_GRID if num_channel_uses(num_bits, mcs) <= num_uses]
    return Protection(min(fitting, key=lambda mcs: required_esno_db(mcs, num_bits)))


def optimise(request: Request, quality: QualityModel, size: tuple[int, int]) -> Allocation:
    """The best allocation found; deterministic.

    Args:
        request: For what.
        quality: Sizes and qualities, of pictures of ``size``.
        size: ``(H, W)``.

    Returns:
        A plan without any unit where none fits (`check_fits`), or all would be sent in vain.

    Raises:
        ScmcError: A wrong utility.
    """
    named = [
        named_plan(make, request, quality, size, offset, with_signal)
        for make in (unequal_plan, equal_plan)
        for offset in _START_OFFSETS_DB
        for with_signal in (True, False)
    ]
    plans = [plan for plan in named if plan is not None]
    schemes = {how.mcs for plan in plans for how in plan if how is not None}
    grid = (*_efficient(), *schemes)
    coarse = make_allocator(request, quality, grid, COARSE_STATES)
    starts = _best_starts(coarse, plans)
    found = search(coarse, starts, request.with_signal, request.with_power)
    if coarse.link.is_flat:
        return _allocation(coarse, found)
    fine = make_allocator(request, quality, grid)
    equal_power = np.zeros(NUM_UNITS)
    candidates = (found, *(Found(plan, equal_power, 0.0) for plan in starts))
    every = [_allocation(fine, candidate) for candidate in candidates]
    return max(every, key=lambda allocation: allocation.utility)


def check_fits(request: Request, quality: QualityModel) -> None:
    """Raise ScmcError if the budget holds no layer at all, sent with the fastest scheme."""
    signal = min(quality.alone.part_bits[0, 0], quality.given.part_bits[0, 0])
    bits = (*quality.lower_bits, int(signal))
    least = min(num_channel_uses(b, mcs) for mcs in MCS_GRID for b in bits)
    if least > request.num_uses:
        raise ScmcError(
            f"the budget is {request.num_uses} channel uses; no layer fits, the least needs "
            f"{least}; raise rho"
        )


Units = tuple[Protection | None, ...]


def named_plan(
    make: Callable[..., ProtectionPlan],
    request: Request,
    quality: QualityModel,
    size: tuple[int, int],
    offset_db: float = 0.0,
    with_signal: bool = True,
) -> Units | None:
    """What `unequal_plan` or `equal_plan` would do; None if nothing fits or decodes.

    Args:
        make: One of the two.
        request: As for `optimise`.
        quality: As for `optimise`.
        size: As for `optimise`.
        offset_db: Added to the mean of the mean Es/N0, for which it then is designed.
        with_signal: Whether it keeps room for a signal layer, if the request lets it.
    """
    bits = dict(zip((LayerKind.SEMANTIC, LayerKind.STRUCTURE), quality.lower_bits, strict=True))
    design_db = float(np.average(request.esno_db, weights=request.weights)) + offset_db
    signal = with_signal and request.with_signal
    try:
        plan = make(request.num_uses, bits, design_db, size, signal)
    except InfeasibleBudgetError:
        return None
    lower = [plan.layers.get(kind) for kind in bits]
    parts = [
        plan.protection(LayerKind.SIGNAL, part) if LayerKind.SIGNAL in plan.layers else None
        for part in range(MAX_PARTS)
    ]
    return (*lower, *parts)


def compare(
    make: Callable[..., ProtectionPlan],
    request: Request,
    quality: QualityModel,
    size: tuple[int, int],
) -> Allocation | None:
    """What the model says of `unequal_plan` or `equal_plan`, designed for the request.

    Like the system, it does without the signal where even its lowest rate has no room; None if
    nothing can be sent.
    """
    for with_signal in (True, False):
        units = named_plan(make, request, quality, size, with_signal=with_signal)
        if units is not None:
            found = evaluate_units(make_allocator(request, quality), units)
            if found is not None:
                return found
    return None


def make_allocator(
    request: Request,
    quality: QualityModel,
    grid: tuple[Mcs, ...] = MCS_GRID,
    num_states: int | None = None,
) -> Allocator:
    """The evaluator of plans for a request, over the given schemes, each once."""
    link = make_link(
        request.channel, request.num_uses, request.esno_db, request.weights, num_states,
        request.phy,
    )  # fmt: skip
    distinct = sorted(set(grid), key=lambda mcs: (mcs.bits_per_use, mcs.num_bits_per_symbol))
    utility = Utility.parse(request.utility)
    rates = quality.rates(utility, False), quality.rates(utility, True)
    return Allocator(request.num_uses, quality.lower_bits, rates, link, distinct)


def evaluate_units(allocator: Allocator, units: Units) -> Allocation | None:
    """What the model says of a given plan; None if it does not fit the budget."""
    plan = _positions(allocator, units)
    power_db = np.array([0.0 if u is None else u.power_db for u in units])
    value = float(allocator.evaluate(plan[None], power_db[None]).value[0])
    return _allocation(allocator, Found(plan, power_db, value)) if np.isfinite(value) else None


def _positions(allocator: Allocator, units: Units) -> np.ndarray:
    """The units' schemes as `Allocator` takes them."""
    return np.array([LEFT_OUT if u is None else allocator.grid.index(u.mcs) for u in units])


def _efficient() -> tuple[Mcs, ...]:
    """The schemes that no other beats in both speed and robustness."""

    def beaten(mcs: Mcs) -> bool:
        need = required_esno_db(mcs, _TYPICAL_BITS)
        return any(
            other.bits_per_use >= mcs.bits_per_use and required_esno_db(other, _TYPICAL_BITS) < need
            for other in MCS_GRID
        )

    return tuple(mcs for mcs in MCS_GRID if not beaten(mcs))


def _best_starts(allocator: Allocator, plans: list[Units]) -> list[np.ndarray]:
    """The best two of the given plans, as positions in the grid."""
    if not plans:
        return []
    found = np.array([_positions(allocator, plan) for plan in plans])
    values = allocator.evaluate(found).value
    best = [i for i in np.argsort(values)[::-1][:2] if np.isfinite(values[i])]
    return [found[i] for i in best]


def _allocation(allocator: Allocator, found: Found) -> Allocation:
    outcome = allocator.evaluate(found.plan[None], found.power_db[None])
    rate = float(np.nan_to_num(outcome.rate[0]))
    signal = allocator.signal_of(found.plan)
    low, high = int(rate), min(int(rate) + 1, len(signal.steps) - 1)
    share = rate - low
    steps = (1 - share) * signal.steps[low] + share * signal.steps[high]
    sent = found.plan != LEFT_OUT
    units = tuple(
        Protection(allocator.grid[found.plan[u]], float(found.power_db[u]), priority=u)
        if sent[u]
        else None
        for u in range(NUM_UNITS)
    )
    return Allocation(
        units,
        _whole_bits(allocator, signal, units, rate),
        tuple(outcome.delivery[0].tolist()),
        tuple(map(tuple, np.cumsum(steps, axis=1).tolist())),
        float(outcome.value[0]),
    )


def _whole_bits(allocator: Allocator, signal: Signal, units: Units, rate: float) -> tuple[int, ...]:
    """Bits of the units in whole bytes: at a rate between two of the model's, within the budget."""
    low, high = int(rate), min(int(rate) + 1, len(signal.part_bits) - 1)
    between = (high - rate) * signal.part_bits[low] + (rate - low) * signal.part_bits[high]
    parts = between if high > low else signal.part_bits[low]
    parts = np.where(signal.part_bits[round(rate)] > 0, 8 * (parts // 8), 0)
    bits = [*allocator.lower_bits, *map(int, parts)]
    bits = [b if how is not None else 0 for b, how in zip(bits, units, strict=True)]

    def uses() -> int:
        sent = zip(bits, units, strict=True)
        return sum(num_channel_uses(b, how.mcs) for b, how in sent if how is not None and b)

    largest = max(range(LayerKind.SIGNAL, NUM_UNITS), key=bits.__getitem__)
    while uses() > allocator.num_uses:
        bits[largest] -= 8
    return tuple(bits)
