"""Rate adaptation of one user: the scheme from a delayed report, corrected by ACKs and NACKs."""

from __future__ import annotations

import math

from channels.timed.traces import SnrTrace
from channels.timed.types import BlockErrorRate, RateAdaptation
from channels.types import Mcs

_RANGE_DB = (-40.0, 60.0)
_TOLERANCE_DB = 0.01
_TYPICAL_BITS = 1024
MAX_OFFSET_DB = 20.0  # of the outer loop, so that an outage does not wind it up


class SchemeTable:
    """The Es/N0 at which each scheme meets the target, for blocks of any size."""

    def __init__(self, adaptation: RateAdaptation, bler: BlockErrorRate) -> None:
        self.schemes = tuple(sorted(adaptation.schemes, key=lambda mcs: mcs.bits_per_use))
        self._target, self._bler = adaptation.target_bler, bler
        self._needed_db: dict[int, list[float]] = {}

    def fastest(self, num_bits: int, esno_db: float) -> Mcs:
        """The fastest scheme that meets the target at `esno_db`; the slowest if none does."""
        # Shorter blocks need a little more Es/N0: rounding the size down is on the safe side.
        size = 1 << (num_bits.bit_length() - 1)
        needed = self._needed_db.get(size)
        if needed is None:
            needed = self._needed_db[size] = [self._find(mcs, size) for mcs in self.schemes]
        for place in range(len(needed) - 1, 0, -1):
            if needed[place] <= esno_db:
                return self.schemes[place]
        return self.schemes[0]

    def _find(self, mcs: Mcs, num_bits: int) -> float:
        low, high = _RANGE_DB
        if self._bler(mcs, num_bits, high) > self._target:
            return math.inf
        while high - low > _TOLERANCE_DB:
            middle = (low + high) / 2
            if self._bler(mcs, num_bits, middle) > self._target:
                low = middle
            else:
                high = middle
        return high


class RateAdapter:
    """Both loops for one user."""

    def __init__(self, adaptation: RateAdaptation, table: SchemeTable, trace: SnrTrace) -> None:
        self._adaptation, self._table, self._trace = adaptation, table, trace
        self._report = (-1.0, 0.0)  # when the channel was measured, and its Es/N0 in dB
        self.offset_db = 0.0

    def reported_db(self, now_s: float) -> float:
        """The Es/N0 that the sender knows of: measured at the last period, delay_s ago."""
        period, delay = self._adaptation.cqi_period_s, self._adaptation.cqi_delay_s
        measured_s = max(now_s - delay, 0.0)
        if period > 0:
            measured_s = math.floor(measured_s / period + 1e-9) * period
        if measured_s != self._report[0]:
            self._report = (measured_s, self._trace.esno_db(measured_s))
        return self._report[1]

    def choose(self, num_bits: int, now_s: float, margin_db: float) -> Mcs:
        """The scheme for a new block."""
        known_db = self.reported_db(now_s) + self.offset_db - margin_db
        return self._table.fastest(num_bits, known_db)

    def rate(self, now_s: float) -> float:
        """Bits per channel use for a block of common size."""
        return self.choose(_TYPICAL_BITS, now_s, 0.0).bits_per_use

    def acknowledged(self, is_ack: bool) -> None:
        """The outer loop's step at the feedback of a first transmission."""
        target = self._adaptation.target_bler
        step = target if is_ack else target - 1.0
        moved = self.offset_db + self._adaptation.step_db * step
        self.offset_db = min(max(moved, -MAX_OFFSET_DB), MAX_OFFSET_DB)
