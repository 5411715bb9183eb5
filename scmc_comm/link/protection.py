"""Who gets how much of the channel: modulation, code rate, power and order of each layer.

Unequal protection makes the caption survive about 11 dB below the design Es/N0 and the structure
about 5 dB below; the signal layer runs at the design point with what is left, its first parts
with a small margin too. Equal protection sends all with one scheme, so that all are lost together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from channels.coding.transport_block import max_payload_bits, num_channel_uses
from channels.types import Mcs
from channels.units import uses_to_rho
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.mcs import choose_mcs
from scmc_comm.types import MAX_PARTS, LayerKind

# Margin below the design Es/N0 that a layer aims at, and the share of the channel uses that it
# may take for it while there is a signal layer to feed.
MARGINS_DB = {LayerKind.SEMANTIC: 11.0, LayerKind.STRUCTURE: 5.0}
SHARES = {LayerKind.SEMANTIC: 0.25, LayerKind.STRUCTURE: 0.5}
# The same for the parts of the signal layer, the last value for those behind.
SIGNAL_MARGINS_DB = (2.0, 1.0, 0.0)
_STEPS = 11
MIN_SIGNAL_BITS = 256  # below this no signal layer is tried


@dataclass(frozen=True)
class Protection:
    """How one layer is sent.

    Attributes:
        mcs: Modulation, code rate, repetition.
        power_db: Power relative to the other layers; the mean over a transmission is 1.
        priority: 0 is sent first.
    """

    mcs: Mcs
    power_db: float = 0.0
    priority: int = 0


@dataclass(frozen=True)
class ProtectionPlan:
    """The split of one budget.

    Attributes:
        layers: Protection of each layer that has room; a layer that is missing is not sent.
        signal_uses: Channel uses left to the signal layer, 0 if it has no room.
        later_parts: Protection of the signal layer's second, third, ... part; a part behind these
            is sent like the last of them, or like the first part if there are none.
        num_parts: Of the signal's parts only the first so many are sent.
        exact: Frames are sent just so; otherwise what is left over makes them more robust.
        left_out: Of layers that were to be sent, by tag, why they are not.
    """

    layers: Mapping[LayerKind, Protection]
    signal_uses: int = 0
    later_parts: tuple[Protection, ...] = ()
    num_parts: int = MAX_PARTS
    exact: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))

    def protection(self, kind: LayerKind, part: int = 0) -> Protection:
        """How one part of a layer is sent; ScmcError if the layer has no room."""
        if kind not in self.layers:
            raise ScmcError(f"the plan has no protection for the {kind.tag} layer")
        ladder = (self.layers[kind], *(self.later_parts if kind is LayerKind.SIGNAL else ()))
        return ladder[min(part, len(ladder) - 1)]

    def signal_fits(self, num_bits: Sequence[int]) -> bool:
        """Whether signal packets of these bits, one a part, fit the channel uses left to them."""
        uses = (
            num_channel_uses(bits, self.protection(LayerKind.SIGNAL, part).mcs)
            for part, bits in enumerate(num_bits)
        )
        return sum(uses) <= self.signal_uses


def unequal_plan(
    num_uses: int,
    num_bits: Mapping[LayerKind, int],
    design_esno_db: float,
    size: tuple[int, int],
    with_signal: bool = True,
) -> ProtectionPlan:
    """Protect the caption most, the structure next, and give the signal what is left.

    The layers take the largest margins, up to their targets, that their shares of the budget
    afford; layers too long for their shares may take more, and the structure is left out if it
    does not fit beside the caption even without margins.

    Args:
        num_uses: Budget in complex channel uses.
        num_bits: Packet bits of the semantic and, if there is one, the structure layer.
        design_esno_db: Es/N0 in dB at which the signal layer is to arrive.
        size: ``(H, W)``, to express a shortage as a bandwidth ratio.
        with_signal: Keep room for a signal layer; without one the others may take it all.

    Raises:
        InfeasibleBudgetError: Not even the caption fits or decodes.
    """
    both = _base_layers(num_bits)
    caption = {LayerKind.SEMANTIC: both[LayerKind.SEMANTIC]}
    basic = choose_mcs(design_esno_db, num_bits=caption[LayerKind.SEMANTIC])
    check_caption(num_uses, caption[LayerKind.SEMANTIC], basic, size)
    no_limit = dict.fromkeys(LayerKind, 1.0)
    least = num_channel_uses(caption[LayerKind.SEMANTIC], basic) / num_uses + 1e-9
    needed = {**no_limit, LayerKind.SEMANTIC: max(SHARES[LayerKind.SEMANTIC], least)}
    attempts = [(both, SHARES), (both, needed), (caption, SHARES), (caption, needed)]
    if not with_signal:
        attempts = [(both, no_limit), (caption, no_limit)]
    fits = (_fit(bits, shares, num_uses, design_esno_db) for bits, shares in attempts)
    mcs = next(fit for fit in fits if fit is not None)  # the caption alone does fit
    layers = {kind: Protection(mcs[kind], priority=kind) for kind in mcs}
    left = num_uses - sum(num_channel_uses(both[kind], mcs[kind]) for kind in mcs)
    if not with_signal:
        return ProtectionPlan(layers)
    ladder: list[Mcs] = []
    for margin_db in reversed(SIGNAL_MARGINS_DB):
        try:
            ladder.insert(0, choose_mcs(design_esno_db, margin_db, num_uses=max(left, 1)))
        except InfeasibleBudgetError:  # no scheme is that robust
            break
    return _add_signal(layers, left, ladder)


def equal_plan(
    num_uses: int,
    num_bits: Mapping[LayerKind, int],
    design_esno_db: float,
    size: tuple[int, int],
    with_signal: bool = True,
) -> ProtectionPlan:
    """Send every layer with the fastest scheme at which all of them decode at the design point.

    Arguments and errors are those of `unequal_plan`. As a rule the caption decides: at one code
    rate the shortest block needs the most Es/N0.
    """
    base = _base_layers(num_bits)
    choices = [choose_mcs(design_esno_db, num_bits=bits) for bits in base.values()]
    choices.append(choose_mcs(design_esno_db, num_uses=num_uses))
    mcs = min(choices, key=lambda mcs: mcs.bits_per_use)
    check_caption(num_uses, base[LayerKind.SEMANTIC], mcs, size)
    layers, left = {}, num_uses
    for kind, bits in base.items():
        if num_channel_uses(bits, mcs) <= left:
            layers[kind] = Protection(mcs, priority=kind)
            left -= num_channel_uses(bits, mcs)
    return _add_signal(layers, left, [mcs]) if with_signal else ProtectionPlan(layers)


def _base_layers(num_bits: Mapping[LayerKind, int]) -> dict[LayerKind, int]:
    if num_bits.get(LayerKind.SEMANTIC, 0) <= 0:
        raise ScmcError("the plan needs the size of the semantic layer, in bits above 0")
    return {kind: num_bits[kind] for kind in MARGINS_DB if num_bits.get(kind, 0) > 0}


def check_caption(num_uses: int, num_bits: int, mcs: Mcs, size: tuple[int, int]) -> None:
    """InfeasibleBudgetError, which says what would do, unless the caption fits the budget."""
    needed = num_channel_uses(num_bits, mcs)
    if needed > num_uses:
        height, width = size
        rho = uses_to_rho(needed, size)
        raise InfeasibleBudgetError(
            f"the budget is {num_uses} channel uses; the semantic layer alone ({num_bits} bits) "
            f"needs {needed}, which for {height}x{width} pixels is a bandwidth ratio of "
            f"1/{math.floor(1 / rho)} ({rho:.3g}); raise rho or the design Es/N0"
        )


def _fit(
    num_bits: Mapping[LayerKind, int],
    shares: Mapping[LayerKind, float],
    num_uses: int,
    design_esno_db: float,
) -> dict[LayerKind, Mcs] | None:
    """The largest margins with which these layers keep their shares and the budget.

    All margins shrink in proportion until the layers fit; then each in turn, the caption first,
    takes back what still fits. None if they do not even fit without margin.
    """

    def fits(chosen: Mapping[LayerKind, Mcs]) -> bool:
        uses = {kind: num_channel_uses(num_bits[kind], chosen[kind]) for kind in chosen}
        kept = all(uses[kind] <= shares[kind] * num_uses for kind in uses)
        return kept and sum(uses.values()) <= num_uses

    def with_margin(kind: LayerKind, share: float) -> Mcs | None:
        try:
            return choose_mcs(design_esno_db, share * MARGINS_DB[kind], num_bits=num_bits[kind])
        except InfeasibleBudgetError:  # no scheme is that robust
            return None

    ladder = {
        kind: [with_margin(kind, 1 - step / _STEPS) for step in range(_STEPS + 1)]
        for kind in num_bits
    }
    for rungs in zip(*ladder.values(), strict=True):
        chosen = {kind: mcs for kind, mcs in zip(ladder, rungs, strict=True) if mcs is not None}
        if len(chosen) == len(ladder) and fits(chosen):
            break
    else:
        return None
    for kind, options in ladder.items():
        better = ({**chosen, kind: mcs} for mcs in options if mcs is not None)
        chosen = next(candidate for candidate in better if fits(candidate))
    return chosen


def _add_signal(
    layers: dict[LayerKind, Protection], left: int, ladder: Sequence[Mcs]
) -> ProtectionPlan:
    if not ladder or max_payload_bits(left, ladder[0]) < MIN_SIGNAL_BITS:
        return ProtectionPlan(layers)
    first, *later = (
        Protection(mcs, priority=LayerKind.SIGNAL + part) for part, mcs in enumerate(ladder)
    )
    return ProtectionPlan({**layers, LayerKind.SIGNAL: first}, left, tuple(later))
