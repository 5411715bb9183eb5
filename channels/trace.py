"""Replay of a recorded SNR over time."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from channels.draws import check_size, uniform
from channels.errors import ChannelError
from channels.fading import check_rate, with_random_phase
from channels.grid import OfdmGrid
from channels.specs import spec_of
from channels.types import ChannelState
from channels.units import esno_db_to_no

COLUMNS = ("time_s", "esno_db")
MAX_ROWS = 10_000_000


@dataclass(frozen=True)
class Trace:
    """Gains that follow a recorded SNR over time, interpolated in dB.

    A trial starts at a random time of the trace and goes round from its end to its beginning. The
    gains have mean power 1 over the trace, so `esno_db` stays the mean Es/N0: set it to
    `mean_esno_db` to replay the trace as it was recorded.

    Attributes:
        path: CSV file with the columns time_s and esno_db, times rising.
        symbol_rate_hz: Channel uses per second, for a link without a grid.

    Source: a file of the user's.
    """

    path: str
    symbol_rate_hz: float = 1e6

    def __post_init__(self) -> None:
        check_rate(self.symbol_rate_hz)
        read_trace(self.path)

    @property
    def name(self) -> str:
        """``"trace"`` with its parameters."""
        return spec_of("trace", self)

    @property
    def mean_esno_db(self) -> float:
        """Es/N0 of the mean power over the recording, in dB."""
        times, levels_db = read_trace(self.path)
        nats = levels_db * (math.log(10) / 10)
        # The mean of an exponential between two ends, which tends to either as they meet.
        low, rise = np.minimum(nats[:-1], nats[1:]), np.abs(np.diff(nats))
        mean = np.exp(low) * np.where(rise > 1e-9, np.expm1(rise) / np.maximum(rise, 1e-9), 1.0)
        return 10 * math.log10(float((mean * np.diff(times)).sum() / (times[-1] - times[0])))

    def power_at(self, time_s: np.ndarray) -> np.ndarray:
        r"""Power relative to the mean, at times counted from the beginning of the trace.

        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "snr.csv"
        >>> _ = path.write_text("time_s,esno_db\n0,10\n1,0\n2,10\n")
        >>> trace = Trace(str(path))
        >>> level_db = 10 * np.log10(trace.power_at(np.array([0.5, 1.0, 2.5])))
        >>> (level_db + trace.mean_esno_db).round(3).tolist()
        [5.0, 0.0, 5.0]
        """
        times, levels_db = read_trace(self.path)
        place = times[0] + np.mod(time_s, times[-1] - times[0])
        relative_db = np.interp(place, times, levels_db) - self.mean_esno_db
        power: np.ndarray = 10.0 ** (relative_db / 10.0)
        return power

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.models.Channel.draw`."""
        h = self._gains(num_symbols, 1.0 / self.symbol_rate_hz, seeds)
        return ChannelState(h=h, no=esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.grid.GridChannel.draw_grid`; all antennas see the same gain."""
        h = self._gains(num_symbols, grid.symbol_s, seeds)
        return grid.same_for_all(h.repeat_interleave(grid.num_subcarriers, 1), num_rx, num_tx)

    def _gains(self, num: int, interval_s: float, seeds: Sequence[int]) -> torch.Tensor:
        check_size(num, seeds)
        times, _ = read_trace(self.path)
        start = uniform(1, seeds, "trace").numpy() * (times[-1] - times[0])
        power = self.power_at(start + np.arange(num) * interval_s)
        return with_random_phase(torch.as_tensor(np.sqrt(power)), seeds)


@lru_cache(maxsize=8)
def read_trace(path: str) -> tuple[np.ndarray, np.ndarray]:
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
