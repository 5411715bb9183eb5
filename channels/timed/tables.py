"""Block error rates of the timed link: the BLER tables, fast for one value at a time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from channels.bler.table import BlerTable, default_table
from channels.coding.segmentation import plan_blocks
from channels.errors import ChannelError
from channels.types import Mcs
from channels.units import lin_to_db

_STEP_DB = 0.05
_LOWEST_DB = -30.0
_GRID_DB = np.arange(_LOWEST_DB, 50.0 + _STEP_DB / 2, _STEP_DB)


class TableBler:
    """`channels.timed.types.BlockErrorRate` by lookup.

    Args:
        table: Block error rates over AWGN; None for the table that ships.

    >>> bler = TableBler()
    >>> mcs = Mcs(num_bits_per_symbol=2, coderate=449 / 1024)
    >>> bler(mcs, 500, -10.0), bler(mcs, 500, 20.0) < 1e-2
    (1.0, True)
    """

    def __init__(self, table: BlerTable | None = None) -> None:
        self._table = default_table() if table is None else table
        self._curve = lru_cache(maxsize=65536)(self._tabulate)

    def __call__(self, mcs: Mcs, num_bits: int, esno_db: float) -> float:
        """Probability that a block is lost, interpolated in steps of 0.05 dB."""
        curve = self._curve(mcs, num_bits)
        place = (esno_db - _LOWEST_DB) / _STEP_DB
        if place <= 0:
            return curve[0]
        if place >= len(curve) - 1:
            return curve[-1]
        left = int(place)
        return curve[left] + (place - left) * (curve[left + 1] - curve[left])

    def _tabulate(self, mcs: Mcs, num_bits: int) -> list[float]:
        if mcs.repetition > 1 and mcs.num_bits_per_symbol != 2:
            raise ChannelError(f"{mcs} repeats symbols of more than 2 bits; expected QPSK")
        plan = plan_blocks(num_bits, mcs)
        once_db = _GRID_DB + lin_to_db(mcs.repetition)
        scheme = Mcs(mcs.num_bits_per_symbol, mcs.coderate)
        lost = self._table.bler(scheme, plan.block_bits, once_db)
        any_lost = np.clip(1.0 - (1.0 - lost) ** plan.num_blocks, 0.0, 1.0)
        return [float(p) for p in any_lost]
