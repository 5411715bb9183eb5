"""A byte-wise range coder with integer tables, which costs about a byte a stream.

Carry propagation as in Martin's range coder (Video & Data Recording Conference, 1979): 32-bit
range, 16-bit frequencies. The end of a stream is cut to the shortest byte string that, continued
with zeros, still decodes; short streams are common here, since every part of a layer is one.

Tables are CompressAI's: row i holds a cumulative distribution from 0 to 2^16 over the values
``offset .. offset + length - 3`` and, last, an escape, after which the value follows in
Exp-Golomb code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

_BITS = 16
_BOTTOM = 1 << 24
_MAX_GOLOMB = 24  # an escaped value has at most so many bits; more is damage
_BYTES_PER_SYMBOL = 12  # room for an escape and its Exp-Golomb code

IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class Tables:
    """Cumulative distributions, one a row.

    Attributes:
        cdf: int32 [rows, longest].
        length: int32 [rows], entries used in each row.
        offset: int32 [rows], the value of each row's first symbol.
    """

    cdf: IntArray
    length: IntArray
    offset: IntArray


class RangeEncoder:
    """Collects symbols; ``finish`` gives the bytes.

    Example:
        >>> tables = Tables(np.array([[0, 60000, 65535, 65536]], np.int32),
        ...                 np.array([4], np.int32), np.array([0], np.int32))
        >>> encoder = RangeEncoder()
        >>> encoder.push(np.array([0, 1, 70, 0], np.int32), np.zeros(4, np.int32), tables)
        >>> data = encoder.finish()
        >>> RangeDecoder(data).pull(np.zeros(4, np.int32), tables).tolist()
        [0, 1, 70, 0]
    """

    def __init__(self) -> None:
        # low, range, last byte not yet written, number of 0xFF bytes behind it
        self._state = np.array([0, 0xFFFFFFFF, 0, 0], np.uint64)
        self._out: list[bytes] = []

    def push(self, symbols: IntArray, indexes: IntArray, tables: Tables) -> None:
        """Code ``symbols`` int32 [n], each with the table row of ``indexes`` int32 [n]."""
        held = int(self._state[3])
        out = np.empty(_BYTES_PER_SYMBOL * symbols.size + held + 8, np.uint8)
        size = _encode(self._state, out, symbols, indexes, tables.cdf, tables.length, tables.offset)
        self._out.append(out[:size].tobytes())

    def finish(self) -> bytes:
        """The stream, at least one byte; the encoder is used up."""
        low, width = int(self._state[0]), int(self._state[1])
        for kept in range(5):  # the fewest leading bytes of low that stay inside the interval
            unit = 1 << (8 * (4 - kept))
            value = -(-low // unit) * unit
            if value < low + width:
                break
        out = np.empty(int(self._state[3]) + 16, np.uint8)
        self._state[0] = value
        size = _flush(self._state, out)
        stream = (b"".join(self._out) + out[:size].tobytes())[1:]  # the first byte is always 0
        return stream.rstrip(b"\0") or b"\0"


class RangeDecoder:
    """Reads symbols back; past the end of the bytes follow zeros, and no bytes are invalid."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)
        head = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self._state = np.array([head, 0xFFFFFFFF, 4], np.uint64)

    def pull(self, indexes: IntArray, tables: Tables) -> IntArray:
        """The next symbols, int32 [n], for the table rows ``indexes`` int32 [n]."""
        out = np.empty(indexes.size, np.int32)
        _decode(self._state, self._data, out, indexes, tables.cdf, tables.length, tables.offset)
        return out


@numba.njit(cache=True)
def _shift_low(state, out, size):  # type: ignore[no-untyped-def]
    low = state[0]
    if low < np.uint64(0xFF000000) or low > np.uint64(0xFFFFFFFF):
        carry = low >> np.uint64(32)
        out[size] = np.uint8((state[2] + carry) & np.uint64(0xFF))
        size += 1
        while state[3] > np.uint64(0):
            out[size] = np.uint8((np.uint64(0xFF) + carry) & np.uint64(0xFF))
            size += 1
            state[3] -= np.uint64(1)
        state[2] = (low >> np.uint64(24)) & np.uint64(0xFF)
    else:
        state[3] += np.uint64(1)
    state[0] = (low & np.uint64(0x00FFFFFF)) << np.uint64(8)
    return size


@numba.njit(cache=True)
def _put(state, out, size, start, freq):  # type: ignore[no-untyped-def]
    unit = state[1] >> np.uint64(_BITS)
    state[0] += unit * np.uint64(start)
    state[1] = unit * np.uint64(freq)
    while state[1] < np.uint64(_BOTTOM):
        state[1] <<= np.uint64(8)
        size = _shift_low(state, out, size)
    return size


@numba.njit(cache=True)
def _encode(state, out, symbols, indexes, cdf, length, offset):  # type: ignore[no-untyped-def]
    size = 0
    half = 1 << (_BITS - 1)
    for i in range(symbols.size):
        row = indexes[i]
        escape = length[row] - 2
        value = symbols[i] - offset[row]
        inside = 0 <= value < escape
        at = value if inside else escape
        size = _put(state, out, size, cdf[row, at], cdf[row, at + 1] - cdf[row, at])
        if not inside:
            folded = 2 * (value - escape) + 2 if value >= escape else -2 * value - 1
            bits = 0
            while folded >> (bits + 1):
                bits += 1
            for _ in range(bits):
                size = _put(state, out, size, half, half)
            size = _put(state, out, size, 0, half)
            for b in range(bits - 1, -1, -1):
                size = _put(state, out, size, half * ((folded >> b) & 1), half)
    return size


@numba.njit(cache=True)
def _flush(state, out):  # type: ignore[no-untyped-def]
    size = 0
    for _ in range(5):
        size = _shift_low(state, out, size)
    return size


@numba.njit(cache=True)
def _take(state, data, start, freq):  # type: ignore[no-untyped-def]
    unit = state[1] >> np.uint64(_BITS)
    state[0] -= unit * np.uint64(start)
    state[1] = unit * np.uint64(freq)
    while state[1] < np.uint64(_BOTTOM):
        position = np.int64(state[2])
        byte = data[position] if position < data.size else np.uint8(0)
        state[0] = (state[0] << np.uint64(8)) | np.uint64(byte)
        state[1] <<= np.uint64(8)
        state[2] += np.uint64(1)


@numba.njit(cache=True)
def _slot(state):  # type: ignore[no-untyped-def]
    slot = state[0] // (state[1] >> np.uint64(_BITS))
    return min(np.int64(slot), (1 << _BITS) - 1)


@numba.njit(cache=True)
def _decode(state, data, out, indexes, cdf, length, offset):  # type: ignore[no-untyped-def]
    half = 1 << (_BITS - 1)
    for i in range(out.size):
        row = indexes[i]
        escape = length[row] - 2
        slot = _slot(state)
        low, high = 0, escape
        while low < high:  # the last entry that is not above the slot
            middle = (low + high + 1) >> 1
            if cdf[row, middle] <= slot:
                low = middle
            else:
                high = middle - 1
        _take(state, data, cdf[row, low], cdf[row, low + 1] - cdf[row, low])
        value = low
        if low == escape:
            bits = 0
            while bits < _MAX_GOLOMB and _slot(state) >= half:
                _take(state, data, half, half)
                bits += 1
            if bits < _MAX_GOLOMB:
                _take(state, data, 0, half)
            folded = 1
            for _ in range(bits):
                bit = 1 if _slot(state) >= half else 0
                _take(state, data, half * bit, half)
                folded = 2 * folded + bit
            value = escape + folded // 2 - 1 if folded % 2 == 0 else -(folded + 1) // 2
        out[i] = value + offset[row]
