"""Cyclic redundancy checks of 3GPP TS 38.212, 5.1, many payloads at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from channels.kernels.compiled import compiled
from channels.kernels.simd import peek

# Generator polynomials without their leading term (38.212, 5.1).
_CRC_POLYNOMIALS = {"CRC16": (16, 0x1021), "CRC24A": (24, 0x864CFB), "CRC24B": (24, 0x800063)}


@lru_cache(maxsize=len(_CRC_POLYNOMIALS))
def _crc_table(name: str) -> tuple[int, np.ndarray]:
    """Length, and the remainder that each leading byte leaves, uint32 [256]."""
    length, polynomial = _CRC_POLYNOMIALS[name]
    table = np.arange(256, dtype=np.uint64) << np.uint64(length - 8)
    for _ in range(8):
        carry = (table >> np.uint64(length - 1)) & np.uint64(1)
        table = ((table << np.uint64(1)) & np.uint64(2**length - 1)) ^ carry * np.uint64(polynomial)
    return length, table.astype(np.uint32)


@compiled(error_model="numpy")
def _crc_remainders(bits: Any, table: Any, length: int, out: Any) -> None:
    lead = bits.shape[1] % 8  # zeros in front do not change a remainder that starts at zero
    mask = np.uint32((1 << length) - 1)
    for row in range(bits.shape[0]):
        word = bits[row]
        register = np.uint32(0)
        byte = np.uint32(0)
        for i in range(bits.shape[1]):
            byte = np.uint32((byte << np.uint32(1)) | np.uint32(peek(word, i)))
            if (i + 1 - lead) % 8 == 0:
                index = (register >> np.uint32(length - 8)) ^ byte
                register = np.uint32((register << np.uint32(8)) & mask) ^ table[index]
                byte = np.uint32(0)
        out[row] = register


def crc_bits(bits: np.ndarray, name: str) -> np.ndarray:
    """Parity bits of a CRC.

    Args:
        bits: uint8 [b, k] of 0 and 1.
        name: CRC16, CRC24A or CRC24B.

    Returns:
        uint8 [b, 16 or 24].
    """
    length, table = _crc_table(name)
    remainders = np.zeros(len(bits), np.uint32)
    _crc_remainders(np.ascontiguousarray(bits), table, length, remainders)
    shifts = np.arange(length - 1, -1, -1, dtype=np.uint32)
    return ((remainders[:, None] >> shifts) & 1).astype(np.uint8)


def check_crc(bits: np.ndarray, name: str) -> np.ndarray:
    """Whether payloads with their parity bits, uint8 [b, k + 16 or 24], are intact: bool [b].

    >>> payload = np.ones((1, 40), np.uint8)
    >>> bool(check_crc(np.hstack([payload, crc_bits(payload, "CRC16")]), "CRC16")[0])
    True
    """
    length, table = _crc_table(name)
    remainders = np.empty(len(bits), np.uint32)
    _crc_remainders(np.ascontiguousarray(bits), table, length, remainders)
    return remainders == 0
