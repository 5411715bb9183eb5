"""Fast encoder of the 5G NR LDPC codes, many blocks at once (3GPP TS 38.212, 5.3.2 and 5.4.2).

The first parity block follows from the sum of the four core rows, in which the others cancel; each
further row then has one unknown. Blocks are kept twice in a row in memory, so that a cyclic shift
is one contiguous read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from channels.coding.ldpc_tables import NUM_CORE_ROWS, NrCode, nr_code
from channels.errors import ChannelError
from channels.kernels.compiled import compiled
from channels.kernels.simd import peek, poke


class LdpcEncoder:
    """Encodes as Sionna's ``LDPC5GEncoder(k, n, bg=...)`` does, without its interleaver.

    Args:
        k: Information bits of a code block, 12 to 8448.
        n: Transmitted bits of a code block, with 0.2 <= k / n <= 0.95.
        base_graph: As in `channels.coding.ldpc_tables.nr_code`.

    >>> coded = LdpcEncoder(20, 40)(np.zeros((3, 20), np.uint8))
    >>> coded.shape, int(coded.sum())
    ((3, 40), 0)
    """

    def __init__(self, k: int, n: int, base_graph: int | None = None) -> None:
        self.code = nr_code(k, n, base_graph)
        self._first_shift = _first_parity_shift(self.code)

    def __call__(self, bits: np.ndarray) -> np.ndarray:
        """Information bits uint8 [b, k] of 0 and 1 to code bits uint8 [b, n]."""
        code = self.code
        if bits.dtype != np.uint8 or bits.ndim != 2 or bits.shape[1] != code.k:
            raise ChannelError(f"bits are {bits.dtype} {bits.shape}; expected uint8 [b, {code.k}]")
        out = np.empty((len(bits), code.n), np.uint8)
        _encode(
            np.ascontiguousarray(bits), out, code.row_ptr, code.edge_col, code.edge_shift,
            code.z, code.num_info_cols, code.num_cols, self._first_shift,
        )  # fmt: skip
        return out


@lru_cache(maxsize=256)
def ldpc_encoder(k: int, n: int, base_graph: int | None = None) -> LdpcEncoder:
    """The cached encoder of k information and n coded bits."""
    return LdpcEncoder(k, n, base_graph)


def _first_parity_shift(code: NrCode) -> int:
    """Shift with which the first parity block stands in the sum of the core rows."""
    core = slice(0, int(code.row_ptr[NUM_CORE_ROWS]))
    shifts = code.edge_shift[core][code.edge_col[core] == code.num_info_cols].tolist()
    (odd,) = {s for s in shifts if shifts.count(s) % 2}
    return int(odd)


@compiled(error_model="numpy")
def _add_shifted(blocks: Any, at: int, total: Any, z: int) -> None:
    for i in range(z):
        poke(total, i, np.uint8(peek(total, i) ^ peek(blocks, at + i)))


@compiled(error_model="numpy")
def _put(blocks: Any, col: int, shift: int, values: Any, z: int) -> None:
    """Block col such that its shifted reading is ``values``, written twice in a row."""
    at = 2 * z * col
    for i in range(z - shift):
        poke(blocks, at + shift + i, peek(values, i))
    for i in range(shift):
        poke(blocks, at + i, peek(values, z - shift + i))
    for i in range(z):
        poke(blocks, at + z + i, peek(blocks, at + i))


@compiled(error_model="numpy")
def _encode(
    bits: Any, out: Any, row_ptr: Any, edge_col: Any, edge_shift: Any,
    z: int, num_info: int, num_cols: int, first_shift: int,
) -> None:  # fmt: skip
    k, n = bits.shape[1], out.shape[1]
    blocks = np.zeros(2 * z * num_cols, np.uint8)
    total = np.zeros(z, np.uint8)
    rows = np.zeros((4, z), np.uint8)
    for word in range(bits.shape[0]):
        sent = bits[word]
        for col in range((k + z - 1) // z):
            size = min(z, k - col * z)
            for i in range(size):
                bit = peek(sent, col * z + i)
                poke(blocks, 2 * z * col + i, bit)
                poke(blocks, 2 * z * col + z + i, bit)
        total[:] = 0
        for row in range(4):
            rows[row, :] = 0
            for e in range(row_ptr[row], row_ptr[row + 1]):
                if edge_col[e] < num_info:
                    _add_shifted(blocks, 2 * z * edge_col[e] + edge_shift[e], rows[row], z)
            _add_shifted(rows[row], 0, total, z)
        _put(blocks, num_info, first_shift, total, z)
        # Rows 0, 1 and 2 each hold one more unknown parity block, with shift 0; so does every
        # row of the extension.
        for row in range(row_ptr.size - 1):
            own = num_info + row + 1 if row < 3 else num_info + row
            if row == 3:
                continue
            if row < 3:
                total[:] = rows[row]
            else:
                total[:] = 0
            for e in range(row_ptr[row], row_ptr[row + 1]):
                col = edge_col[e]
                if col != own and (row > 3 or col >= num_info):
                    _add_shifted(blocks, 2 * z * col + edge_shift[e], total, z)
            _put(blocks, own, 0, total, z)
        # Send all but the first two blocks and the filler (38.212, 5.4.2.1).
        place = out[word]
        for i in range(k - 2 * z):
            bit = 2 * z + i
            poke(place, i, peek(blocks, 2 * z * (bit // z) + bit % z))
        done = k - 2 * z
        for col in range(num_info, num_cols):
            for i in range(min(z, n - done)):
                poke(place, done + i, peek(blocks, 2 * z * col + i))
            done += min(z, n - done)
