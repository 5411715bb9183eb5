"""The grid of modulation and coding schemes, the Es/N0 each one needs, and the choice of one."""

from __future__ import annotations

import math
from functools import lru_cache

from channels.bler.table import default_table
from channels.coding.segmentation import max_payload_bits, plan_blocks
from channels.types import MIN_CODERATE, Mcs
from channels.units import lin_to_db
from scmc_comm.errors import InfeasibleBudgetError, ScmcError

TARGET_LOSS = 1e-3
LONG_BLOCK_BITS = 10_000

# Code rate x 1024 per bits per symbol: 3GPP TS 38.214 tables 5.1.3.1-2 and -3, united.
_RATES_1024 = {
    2: (30, 40, 50, 64, 78, 99, 120, 157, 193, 251, 308, 379, 449, 526, 602),
    4: (340, 378, 434, 490, 553, 616, 658),
    6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873),
    8: (682.5, 711, 754, 797, 841, 885, 916.5, 948),
}


def _mcs(num_bits_per_symbol: int, rate: float) -> Mcs:
    repetition = max(1, math.ceil(MIN_CODERATE / rate - 1e-9))
    return Mcs(num_bits_per_symbol, rate * repetition, repetition)


MCS_GRID: tuple[Mcs, ...] = tuple(
    _mcs(bits, rate / 1024) for bits, rates in _RATES_1024.items() for rate in rates
)


@lru_cache(maxsize=65536)
def required_esno_db(mcs: Mcs, num_bits: int = LONG_BLOCK_BITS) -> float:
    """Es/N0 in dB at which a transport block of ``num_bits`` is lost once in a thousand over AWGN.

    From the BLER table that ships, for the code blocks that the payload becomes. Repetition adds
    energy and no coding gain, so it shifts the value of the same code sent once by
    ``10 log10(repetition)``.

    Raises:
        ScmcError: The scheme is not in `MCS_GRID`.

    Example:
        >>> robust, fast = MCS_GRID[0], MCS_GRID[-1]
        >>> required_esno_db(robust) < -9 < 20 < required_esno_db(fast)
        True
    """
    if mcs not in MCS_GRID:
        raise ScmcError(f"{mcs} is not in the BLER table; expected a scheme of MCS_GRID")
    plan = plan_blocks(num_bits, mcs)
    once_db = _once_esno_db(mcs.num_bits_per_symbol, mcs.coderate, plan.block_bits, plan.num_blocks)
    return once_db - lin_to_db(mcs.repetition)


@lru_cache(maxsize=65536)
def _once_esno_db(
    num_bits_per_symbol: int, coderate: float, block_bits: int, num_blocks: int
) -> float:
    mcs = Mcs(num_bits_per_symbol, coderate)
    table, lost = default_table(), -math.expm1(math.log1p(-TARGET_LOSS) / num_blocks)
    # Payloads below a byte make blocks shorter than the table's first.
    return table.esno_db(mcs, max(block_bits, table.lengths(mcs)[0]), lost)


def choose_mcs(
    design_esno_db: float,
    backoff_db: float = 0.0,
    *,
    num_bits: int | None = None,
    num_uses: int | None = None,
) -> Mcs:
    """The fastest scheme of the grid that decodes ``backoff_db`` below the design Es/N0.

    Args:
        design_esno_db: Es/N0 in dB that the link is designed for.
        backoff_db: Margin in dB.
        num_bits: Payload bits of the block, if known.
        num_uses: Or the channel uses that the block will fill.

    Raises:
        InfeasibleBudgetError: Even the most robust scheme needs more.

    Example:
        >>> choose_mcs(10.0).bits_per_use > choose_mcs(10.0, 5.0).bits_per_use
        True
    """

    def needed_db(mcs: Mcs) -> float:
        if num_uses is not None:
            return required_esno_db(mcs, max(1, max_payload_bits(num_uses, mcs)))
        return required_esno_db(mcs, LONG_BLOCK_BITS if num_bits is None else num_bits)

    target_db = design_esno_db - backoff_db
    usable = [mcs for mcs in MCS_GRID if needed_db(mcs) <= target_db]
    if not usable:
        least = min(needed_db(mcs) for mcs in MCS_GRID)
        raise InfeasibleBudgetError(
            f"no modulation and coding decodes at {target_db:g} dB Es/N0 (design "
            f"{design_esno_db:g} dB less {backoff_db:g} dB); the most robust one needs "
            f"{least:.1f} dB, raise the design Es/N0"
        )
    return max(usable, key=lambda mcs: mcs.bits_per_use)
