"""The one reader of recorded SNR: a CSV with the columns time_s and esno_db."""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from channels.errors import ChannelError

COLUMNS = ("time_s", "esno_db")
MAX_ROWS = 10_000_000


@lru_cache(maxsize=8)
def read_samples(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads a CSV with the columns time_s and esno_db.

    Args:
        path: File with a header line; at least two rows, times rising, values finite.

    Returns:
        Times in s and Es/N0 in dB, float64 [num_rows] each.

    Raises:
        ChannelError: If the file is missing or is not of this form; it names the line.
    """
    if not Path(path).is_file():
        raise ChannelError(f"no trace file {path!r}; expected a CSV with columns time_s,esno_db")
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise ChannelError(
                    f"trace {path!r} has the columns {','.join(rows.fieldnames or ())[:60]!r}; "
                    "expected time_s,esno_db"
                )
            values = [_row(path, rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise ChannelError(f"trace {path!r} is no CSV: {error}; expected time_s,esno_db") from None
    table = np.array(values, dtype=np.float64).reshape(-1, 2)
    if len(table) < 2:
        raise ChannelError(f"trace {path!r} has {len(table)} rows; expected at least 2")
    falling = np.flatnonzero(np.diff(table[:, 0]) <= 0)
    if falling.size:
        raise ChannelError(
            f"trace {path!r}: time_s does not rise at row {falling[0] + 2}; sort the rows by time"
        )
    return table[:, 0], table[:, 1]


def _row(path: str, line: int, row: dict[str, str]) -> tuple[float, float]:
    if line > MAX_ROWS:
        raise ChannelError(f"trace {path!r} has more than {MAX_ROWS} rows; thin it out")
    cells = [row[name] for name in COLUMNS]
    try:
        time_s, esno_db = map(float, cells)
    except (TypeError, ValueError):
        time_s = esno_db = math.nan
    if not (math.isfinite(time_s) and abs(esno_db) <= 300.0):
        raise ChannelError(
            f"trace {path!r}, line {line}: {str(cells)[:60]}; expected two numbers, seconds and "
            "dB within 300"
        )
    return time_s, esno_db
