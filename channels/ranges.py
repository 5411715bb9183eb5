"""The range that a number may lie in, stated once with its type: ``Annotated[float, Range(0, 1)]``.

The types below are those that several components and verbs share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Range:
    """Numbers from one to another, both included unless said otherwise.

    Attributes:
        low: The least.
        high: The greatest.
        open_low: The least itself does not belong to it.
        open_high: Nor does the greatest.

    Example:
        >>> str(Range(0, 1, open_low=True)), 0 in Range(0, 1), 2 in Range(0, 1)
        ('above 0 up to 1', True, False)
    """

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        low, high = _shown(self.low), _shown(self.high)
        if self.open_low or self.open_high:
            return f"{'above' if self.open_low else 'from'} {low} " + (
                f"to below {high}" if self.open_high else f"up to {high}"
            )
        return f"{low} to {high}"


def _shown(value: float) -> str:
    """A bound as people write it: ``2**63 - 1`` rather than nineteen digits."""
    for bits in (63, 32, 31):
        if value == 2**bits - 1:
            return f"2**{bits} - 1"
    return f"{value:g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


Decibels = Annotated[float, Range(-100, 100)]
"""A power ratio."""
EsnoDb = Decibels
Seed = Annotated[int, Range(0, 2**63 - 1)]
CoherenceSymbols = Annotated[int, Range(1, 2**31 - 1)]
SpeedKmh = Annotated[float, Range(0, 1e6)]
CarrierHz = Annotated[float, Range(0, 1e13, open_low=True)]
SymbolRateHz = Annotated[float, Range(0, 1e13, open_low=True)]
Share = Annotated[float, Range(0, 1, open_low=True)]
Jobs = Annotated[int, Range(1, 1024)]
"""Processes or threads."""
