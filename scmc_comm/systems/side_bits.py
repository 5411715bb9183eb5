"""Bits beside analog symbols, sent and paid: what published receivers are given for nothing.

They are a transport block of QPSK at code rate 1/5 in front of the symbols, which arrives whole or
not at all.
"""

from __future__ import annotations

import numpy as np
import torch

from channels.coding.transport_block import transport_block_code
from channels.modulation.qam import demap, map_bits
from channels.types import Mcs

MCS = Mcs(2, 0.2)
POWER_BITS = 10
_STEP_DB = 0.1


def num_uses(num_bits: int) -> int:
    """Channel uses of so many bits.

    Example:
        >>> num_uses(POWER_BITS)
        65
    """
    return transport_block_code(num_bits, MCS).num_symbols


def to_symbols(bits: np.ndarray) -> torch.Tensor:
    """Bits uint8 [k] as complex64 [num_uses(k)] of mean power 1."""
    return map_bits(transport_block_code(len(bits), MCS).encode(bits[None])[0], 2)


def from_symbols(symbols: torch.Tensor, no: float, num_bits: int) -> np.ndarray | None:
    """The bits, or None if the check fails.

    Args:
        symbols: ``x + n``, complex64 [num_uses(num_bits)].
        no: Variance of n per complex symbol.
        num_bits: How many.

    Example:
        >>> bits = np.array([1, 0, 1, 1, 0, 0, 1, 0], np.uint8)
        >>> bool((from_symbols(to_symbols(bits), 0.1, 8) == bits).all())
        True
    """
    ones = torch.ones(1, len(symbols), dtype=torch.complex64)
    llr = demap(symbols[None], ones, torch.full((1, len(symbols)), no), 2)
    found, ok = transport_block_code(num_bits, MCS).decode(llr)
    bits: np.ndarray = found[0]
    return bits if ok[0] else None


def power_bits(power: float) -> np.ndarray:
    """A mean power in steps of 0.1 dB within 51 dB of 1, uint8 [POWER_BITS].

    Example:
        >>> round(power_of(power_bits(2.0)), 2)
        2.0
    """
    half = 2 ** (POWER_BITS - 1)
    step = int(np.clip(round(10 * np.log10(power) / _STEP_DB), -half, half - 1)) + half
    return np.array([step >> i & 1 for i in range(POWER_BITS)], np.uint8)


def power_of(bits: np.ndarray) -> float:
    """The inverse of `power_bits`."""
    step = sum(int(bit) << i for i, bit in enumerate(bits)) - 2 ** (POWER_BITS - 1)
    return float(10 ** (step * _STEP_DB / 10))
