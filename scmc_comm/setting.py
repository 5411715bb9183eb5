"""How pictures are sent: a system, a link, a budget, and the draws of the channel."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import numpy as np

from channels.errors import ChannelError
from channels.fading.models import make_channel
from channels.phy.names import make_phy
from channels.ranges import EsnoDb, Range, Seed
from channels.specs import fits, type_name
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget, design_for
from scmc_comm.ranges import ALIASES, Rho
from scmc_comm.registry import make_system
from scmc_comm.systems.base import System

_NUMBERS: dict[str, Any] = {
    "esno_db": EsnoDb,
    "rho": Rho,
    "trials": Annotated[int, Range(1, 10_000_000)],
    "seed": Seed,
    "design_esno_db": EsnoDb | None,
}


@dataclass(frozen=True)
class Setting:
    """By what system, over what link and how often pictures are sent.

    Attributes:
        system: The system.
        channel: As `channels.fading.models.make_channel` takes it.
        esno_db: Mean Es/N0 per complex channel use in dB.
        rho: Bandwidth ratio, complex channel uses / (3 H W).
        phy: As `channels.phy.names.make_phy` takes it.
        trials: Draws of the channel for each picture.
        seed: Of the draws, 0 or more.
        design_esno_db: What systems without that side information are designed for, in dB; None
            for the mean Es/N0.
    """

    system: System
    channel: str
    esno_db: float
    rho: float
    phy: str = "flat"
    trials: int = 1
    seed: int = 0
    design_esno_db: float | None = None

    def __post_init__(self) -> None:
        for name, kind in _NUMBERS.items():
            _check_number(name, getattr(self, name), kind)
        for name in ("channel", "phy"):
            if not isinstance(getattr(self, name), str):
                told = reprlib.repr(getattr(self, name))
                raise ScmcError(f"{name} is {told}; expected its name, NAME:key=value")
        try:
            make_channel(self.channel), make_phy(self.phy)
        except ChannelError as error:  # which callers of this package need not know of
            raise ScmcError(str(error)) from error

    def budget(self) -> Budget:
        """What may be spent, and what the sender assumes of the link."""
        stated = self.esno_db if self.design_esno_db is None else self.design_esno_db
        known = self.system.side_information
        design = design_for(known, self.channel, self.esno_db, self.phy, stated)
        return design.budget(self.rho)

    def seeds(self, number: int) -> tuple[int, ...]:
        """Of the draws of one of the pictures, counted from 0; the first of all is `seed`.

        Example:
            >>> setting = Setting(make_system("jpeg"), "awgn", 4.0, 1 / 24, trials=3, seed=7)
            >>> setting.seeds(0)[0], len({*setting.seeds(0), *setting.seeds(1)})
            (7, 6)
        """
        drawn = np.random.default_rng([self.seed, number]).integers(2**63, size=self.trials)
        first = drawn.tolist() if number else [self.seed, *drawn.tolist()[1:]]
        return tuple(map(int, first))


def _check_number(name: str, value: object, kind: Any) -> None:
    plain = value.item() if isinstance(value, np.generic) else value
    if not fits(plain, kind):
        raise ScmcError(f"{name} is {reprlib.repr(value)}; expected {type_name(kind)}")


def setting_of(
    system: str | System, channel: str, phy: str, trials: int, seed: int, **named: Any
) -> Setting:
    """A setting whose numbers may have the names of `Setting`, or their `ALIASES`.

    Args:
        system: Its name, or the system itself.
        channel: As in `Setting`, as what follows.
        phy: The physical layer.
        trials: Draws of the channel.
        seed: Of the draws.
        **named: Both names of each number; None for what is not given.

    Raises:
        ScmcError: Of two names both are given, or none, or a value is wrong.
    """
    if not isinstance(system, str | System):
        raise ScmcError(f"system is {reprlib.repr(system)}; expected a name or a System")
    found = {}
    for name, alias in ALIASES.items():
        told, value = one_of(name, named[name], alias, named[alias], name != "design_esno_db")
        found[name] = bandwidth_ratio(value, told) if name == "rho" else value
        _check_number(told, found[name], _NUMBERS[name])
    made = make_system(system) if isinstance(system, str) else system
    return Setting(
        made, channel, found["esno_db"], found["rho"], phy, trials, seed, found["design_esno_db"]
    )


def one_of(name: str, value: Any, alias: str, other: Any, required: bool = True) -> tuple[str, Any]:
    """Which of two names of one argument is given, and its value; the alias if none has to be.

    Raises:
        ScmcError: Both are, or none.

    Example:
        >>> one_of("rho", None, "cbr", "1/24")
        ('cbr', '1/24')
    """
    if value is not None and other is not None:
        raise ScmcError(f"{alias} and {name} are both given, two names of one value; keep one")
    if value is None and other is None and required:
        raise ScmcError(f"{alias} is missing; give it, or {name}, its other name")
    return (alias, other) if value is None else (name, value)


def bandwidth_ratio(ratio: float | str, name: str = "cbr") -> float:
    """A bandwidth ratio: a number, or a fraction in text.

    Args:
        ratio: What was given.
        name: As what.

    Raises:
        ScmcError: It is none.

    Example:
        >>> bandwidth_ratio("1/16")
        0.0625
    """
    try:
        if isinstance(ratio, bool):
            raise TypeError
        found = float(Fraction(ratio) if isinstance(ratio, str) else ratio)
        if math.isnan(found):
            raise ValueError
        return found
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise ScmcError(
            f"{name} is {ratio!r}; expected a bandwidth ratio, a number or a fraction such as "
            "'1/16'"
        ) from None
