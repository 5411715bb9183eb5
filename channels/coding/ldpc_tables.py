"""5G NR LDPC code construction (3GPP TS 38.212, 5.3.2 and 5.4.2) as compact decoder tables."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from channels.errors import ChannelError

MIN_K, MAX_K = 12, 8448
NUM_CORE_ROWS = 4
# Table 5.3.2-1: Z = a * 2^j, one set per a.
LIFTING_SETS = tuple(
    tuple(a * 2**j for j in range(8) if 2 <= a * 2**j <= 384) for a in (2, 3, 5, 7, 9, 11, 13, 15)
)


@dataclass(frozen=True)
class NrCode:
    """One rate-matched code.

    Attributes:
        k: Information bits.
        n: Transmitted bits.
        base_graph: 1 or 2.
        z: Lifting size.
        set_index: Set of lifting sizes, 0 to 7, which selects the shifts.
        num_info_cols: Information columns of the base graph, 22 or 10.
        num_cols: Columns the decoder needs: later ones were not sent and say nothing.
        row_ptr: int64 [num_rows + 1], first edge of each base-graph row.
        edge_col: int64 [num_edges], base-graph column of each edge.
        edge_shift: int64 [num_edges], cyclic shift of each edge, below z.
    """

    k: int
    n: int
    base_graph: int
    z: int
    set_index: int
    num_info_cols: int
    num_cols: int
    row_ptr: np.ndarray
    edge_col: np.ndarray
    edge_shift: np.ndarray

    @property
    def num_filler(self) -> int:
        """Filler bits between the information bits and the parity bits; known zeros."""
        return self.num_info_cols * self.z - self.k


def select_base_graph(payload_bits: int, coderate: float) -> int:
    """Base graph of a transport block (38.212, 6.2.2 / 7.2.2).

    Args:
        payload_bits: A of the standard: the payload, without any CRC.
        coderate: R of the standard: of the modulation and coding scheme, without the repetition
            of the whole block, which is one over slots.

    >>> [select_base_graph(bits, 0.5) for bits in (292, 3824, 3825)]
    [2, 2, 1]
    """
    small = payload_bits <= 292 or (payload_bits <= 3824 and coderate <= 0.67)
    return 2 if small or coderate <= 0.25 else 1


def select_lifting(k: int, base_graph: int) -> tuple[int, int]:
    """Smallest lifting size that holds k bits, and its set index (38.212, 5.2.2)."""
    num_cols = 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
    if base_graph == 1:
        num_cols = 22
    return min(
        (z, index) for index, sizes in enumerate(LIFTING_SETS) for z in sizes if num_cols * z >= k
    )


@lru_cache(maxsize=2)
def _base_graph(base_graph: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column [edges] and shift [edges, 8 sets] of a base graph, from Sionna's own table.

    The file is found without importing Sionna, whose import reseeds torch.
    """
    spec = find_spec("sionna")
    if spec is None or not spec.submodule_search_locations:
        raise ChannelError("sionna is not installed; install the package sionna-no-rt")
    root = Path(next(iter(spec.submodule_search_locations)))
    path = root / "phy" / "fec" / "ldpc" / "codes" / f"5G_bg{base_graph}.csv"
    if not path.is_file():
        raise ChannelError(f"no base graph at {path}; expected Sionna 2.x (sionna-no-rt)")
    rows, cols, shifts = [], [], []
    row = -1
    with path.open(newline="", encoding="utf-8-sig") as file:
        for fields in list(csv.reader(file, delimiter=";"))[2:]:
            if len(fields) < 10 or not fields[1].strip():
                continue
            row = int(fields[0]) if fields[0].strip() else row
            rows.append(row)
            cols.append(int(fields[1]))
            shifts.append([int(v) for v in fields[2:10]])
    return np.array(rows), np.array(cols), np.array(shifts)


def _check(k: int, n: int) -> None:
    if not MIN_K <= k <= MAX_K:
        raise ChannelError(
            f"k is {k}; expected {MIN_K} to {MAX_K} information bits a code block; "
            "segment a longer one"
        )
    if n < 1:
        raise ChannelError(f"n is {n}; expected at least {k}, the information bits")
    if not 0.2 <= k / n <= 0.95:
        raise ChannelError(
            f"k = {k}, n = {n} is rate {k / n:.4f}; expected 0.2 to 0.95; "
            "repeat coded bits for a lower rate"
        )


@lru_cache(maxsize=256)
def nr_code(k: int, n: int, base_graph: int | None = None) -> NrCode:
    """Tables of the code that Sionna's ``LDPC5GEncoder(k, n)`` uses.

    Args:
        k: Information bits, 12 to 8448.
        n: Transmitted bits, with 0.2 <= k / n <= 0.95.
        base_graph: 1 or 2, which a transport block's payload decides; None takes k as one.

    Raises:
        ChannelError: If no such code exists.

    >>> code = nr_code(512, 1024)
    >>> code.base_graph, code.z, code.num_filler
    (2, 64, 128)
    """
    _check(k, n)
    base_graph = select_base_graph(k, k / n) if base_graph is None else base_graph
    if base_graph not in (1, 2):
        raise ChannelError(f"base_graph is {base_graph}; expected 1, 2 or None")
    if base_graph == 2 and k > 3840:
        raise ChannelError(
            f"k = {k}, n = {n} is rate {k / n:.4f}; base graph 2 carries at most 3840 bits; "
            "segment the block or raise the rate above 1/4"
        )
    if base_graph == 1 and k / n < 1 / 3:
        raise ChannelError(
            f"k = {k}, n = {n} is rate {k / n:.4f}; base graph 1 needs at least 1/3; "
            "segment the block or repeat coded bits"
        )
    z, set_index = select_lifting(k, base_graph)
    num_info_cols = 22 if base_graph == 1 else 10
    num_filler = num_info_cols * z - k
    # The first two columns are never sent, nor are the fillers; columns after the last sent bit
    # have degree one and leave the graph with their rows.
    sent_cols = -(-(n + 2 * z + num_filler) // z)
    num_cols = max(num_info_cols + NUM_CORE_ROWS, sent_cols)
    row, col, shift = _base_graph(base_graph)
    # Columns of nothing but filler are known zeros: they leave the check sums unchanged.
    filler_col = (col < num_info_cols) & (col * z >= k)
    keep = (row < num_cols - num_info_cols) & ~filler_col
    row, col, shift = row[keep], col[keep], shift[keep, set_index] % z
    row_ptr = np.searchsorted(row, np.arange(num_cols - num_info_cols + 1))
    tables = [a.astype(np.int64) for a in (row_ptr, col, shift)]
    for table in tables:
        table.setflags(write=False)
    return NrCode(k, n, base_graph, z, set_index, num_info_cols, num_cols, *tables)
