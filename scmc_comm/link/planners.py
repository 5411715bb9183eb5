"""How a sender protects the layers, by name: by rule, or by the optimiser and measured curves."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from channels.errors import no_such
from channels.fading.models import channel_identity
from channels.plugins import Plugin, PluginError
from channels.registry import Registry
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.budget import CHANNEL_LAW, SIDE_INFORMATION, Budget
from scmc_comm.link.optimiser import Allocation, Request, optimise
from scmc_comm.link.plan_file import load_plan
from scmc_comm.link.protection import ProtectionPlan, equal_plan, unequal_plan
from scmc_comm.link.utility import Utility
from scmc_comm.types import FINEST, LayerKind

Sizes = Mapping[LayerKind, int]
"""Packet bits of layers."""
_NO_BITS: Sizes = MappingProxyType({})
SPREAD_DB = (-15.0, -12.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0)
"""Mean Es/N0 around the design that a sender who does not know it reckons with, all alike."""


class Planner(Protocol):
    """Splits a budget over the layers of an image."""

    @property
    def side_information(self) -> frozenset[str]:
        """As `scmc_comm.systems.base.System.side_information`."""
        ...

    def plan(
        self,
        budget: Budget,
        options: Sequence[Sizes],
        size: tuple[int, int],
        with_signal: bool = True,
    ) -> tuple[int, ProtectionPlan]:
        """The plan for one image, and the level of the structure layer that it is for.

        Args:
            budget: What may be spent, and what is known of the channel.
            options: For each level of the structure layer, the coarsest first, the packet bits of
                the semantic layer, of the structure layer if there is one, and of the coarsest
                signal layer if that is known.
            size: ``(H, W)``.
            with_signal: Keep room for a signal layer.

        Raises:
            InfeasibleBudgetError: Not even the caption fits or decodes.
        """
        ...


@dataclass(frozen=True)
class RulePlanner:
    """A rule that looks at the design Es/N0 alone, which is fixed.

    Of the structure layer it takes the finest level that has room.

    Attributes:
        rule: `unequal_plan` or `equal_plan`.
    """

    rule: Callable[..., ProtectionPlan]
    side_information: frozenset[str] = frozenset()

    def plan(
        self,
        budget: Budget,
        options: Sequence[Sizes],
        size: tuple[int, int],
        with_signal: bool = True,
    ) -> tuple[int, ProtectionPlan]:
        """See `Planner`."""
        uses = budget.uses(size)
        for level in reversed(range(len(options))):
            plan = self.rule(uses, options[level], budget.design_esno_db, size, with_signal)
            if LayerKind.STRUCTURE in plan.layers:
                break
        return level, plan


@dataclass(frozen=True)
class OptimisedPlanner:
    """The optimiser: the validation pictures' curves at the sizes of this picture's layers.

    Attributes:
        spread_db: Mean Es/N0 that it reckons with, around the design.
        side_information: What it knows of the channel.
        utility: What to make best whatever the budget says; None takes the budget's.
    """

    spread_db: tuple[float, ...] = (0.0,)
    side_information: frozenset[str] = SIDE_INFORMATION
    utility: str | None = None

    def plan(
        self,
        budget: Budget,
        options: Sequence[Sizes],
        size: tuple[int, int],
        with_signal: bool = True,
    ) -> tuple[int, ProtectionPlan]:
        """See `Planner`; what happens where it does not fit: `Allocation.plan_for`."""
        uses = budget.uses(size)
        if not uses:
            raise InfeasibleBudgetError("the budget holds no channel use for data; raise rho")
        means_db = tuple(budget.design_esno_db + spread for spread in self.spread_db)
        utility = self.utility or budget.utility
        request = Request(
            uses, budget.channel, means_db, utility=utility, with_signal=with_signal, phy=budget.phy
        )
        found = [best_allocation(request, size, bits, i) for i, bits in enumerate(options)]
        level = max(range(len(found)), key=lambda i: found[i].utility)
        return level, found[level].plan_for(uses, options[level], size)


def best_allocation(
    request: Request, size: tuple[int, int], num_bits: Sizes = _NO_BITS, level: int = FINEST
) -> Allocation:
    """The optimiser's answer for a picture as good as the mean of the validation pictures.

    Answers are kept, and pictures whose layers have about the same sizes share one: sizes are
    rounded up by at most 9 %.

    Args:
        request: For what.
        size: ``(H, W)``.
        num_bits: Packet bits of the picture's layers, as for `Planner.plan`; those of the
            validation pictures for a layer that is missing.
        level: Of the structure layer.

    Example:
        >>> found = best_allocation(Request(2048, "awgn", (0.0,)), (256, 256))
        >>> found.delivery[0] > 0.99
        True
    """
    from scmc_comm.link.layer_curves import layer_curves_state

    about = tuple(sorted((kind, _round_up(bits)) for kind, bits in num_bits.items()))
    identity = channel_identity(request.channel)
    return _cached(request, size, about, level, layer_curves_state(), identity)


@lru_cache(maxsize=4096)
def _cached(
    request: Request,
    size: tuple[int, int],
    about: tuple[tuple[LayerKind, int], ...],
    level: int,
    *_: str,
) -> Allocation:
    from scmc_comm.link.layer_curves import load_quality

    return optimise(request, load_quality(size, level).resized(dict(about)), size)


def _round_up(num_bits: int) -> int:
    """To whole bytes, on a grid of eight steps an octave."""
    step = math.ceil(8 * math.log2(num_bits) - 1e-9)
    return 8 * math.ceil(2 ** (step / 8) / 8 - 1e-9)


def _plugin_planner(plugin: Plugin) -> Planner:
    """A plug-in's planner, or the rule that its function is."""
    component = plugin.component() if isinstance(plugin.component, type) else plugin.component
    if callable(getattr(component, "plan", None)) and hasattr(component, "side_information"):
        return component  # type: ignore[no-any-return]
    if inspect.isfunction(component):
        return RulePlanner(component)
    raise PluginError(
        f"planner {plugin.name!r} of {plugin.origin} is {component!r}; expected a Planner with "
        "plan and side_information, or a function (num_uses, num_bits, design_esno_db, size, "
        "with_signal) -> ProtectionPlan"
    )


PROTECTIONS: Registry[Planner] = Registry(
    "planner",
    {
        "unequal": RulePlanner(unequal_plan),
        "equal": RulePlanner(equal_plan),
        "optimised": OptimisedPlanner(),
        "range": OptimisedPlanner(SPREAD_DB, frozenset({CHANNEL_LAW})),
    },
    _plugin_planner,
)
"""Planners by name; ``range`` is optimised for a range of mean Es/N0, none of which it knows."""


def make_planner(name: str, utility: str | None = None, plan: str | None = None) -> Planner:
    """The planner of a protection.

    Args:
        name: Of `PROTECTIONS`.
        utility: What the optimiser makes best whatever the budget says; None takes the budget's.
        plan: A file with the plan, see `scmc_comm.link.plan_file`, in place of a planner.

    Raises:
        ScmcError: An unknown name, a utility that is none, or one for a rule, which has none.
    """
    if name not in PROTECTIONS:
        raise ScmcError(no_such("protection", name, PROTECTIONS))
    planner = PROTECTIONS[name]
    if plan is not None:
        if utility is not None:
            raise ScmcError(f"plan is {plan!r} and utility is {utility!r}; keep one of them")
        return load_plan(plan)
    if utility is None:
        return planner
    Utility.parse(utility)
    if isinstance(planner, OptimisedPlanner):
        return replace(planner, utility=utility)
    raise ScmcError(
        f"utility is {utility!r} and protection is {name!r}, a rule that makes nothing best; "
        "use protection=optimised"
    )
