"""Replay of a recorded SNR over time, as a flat channel and on the timed link."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch

from channels.errors import ChannelError
from channels.fading.draws import check_size, uniform, with_random_phase
from channels.ofdm.grid import OfdmGrid
from channels.ranges import SymbolRateHz
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import esno_db_to_no

COLUMNS = ("time_s", "esno_db")
MAX_ROWS = 10_000_000


@dataclass(frozen=True)
class ReplayTrace:
    """A recorded trace, interpolated in dB and repeated from its start when it ends.

    Attributes:
        times_s: Ascending, the first is 0; the last is the length of the record.
        levels_db: Es/N0 in dB at those times.

    >>> trace = ReplayTrace((0.0, 1.0, 2.0), (10.0, 0.0, 10.0))
    >>> trace.esno_db(0.5), trace.esno_db(3.0)
    (5.0, 0.0)
    """

    times_s: tuple[float, ...]
    levels_db: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.levels_db) or len(self.times_s) < 2:
            raise ChannelError(
                f"a trace has {len(self.times_s)} times and {len(self.levels_db)} Es/N0; expected "
                "two or more, as many of each"
            )
        if not np.isfinite(self.levels_db).all():
            raise ChannelError("a trace holds an Es/N0 that is not finite; expected dB")
        if self.times_s[0] != 0.0 or not (np.diff(self.times_s) > 0).all():
            raise ChannelError("times of a trace must start at 0 and rise; sort and shift them")

    def esno_db(self, time_s: float) -> float:
        """Es/N0 in dB at a time of 0 or more."""
        times, levels = self.times_s, self.levels_db
        time_s = time_s % times[-1]
        right = bisect_right(times, time_s)
        left = right - 1
        share = (time_s - times[left]) / (times[right] - times[left])
        return (1 - share) * levels[left] + share * levels[right]

    def levels_at(self, time_s: np.ndarray) -> np.ndarray:
        """Es/N0 in dB at times of any shape."""
        return np.interp(np.mod(time_s, self.times_s[-1]), *self._table)

    @cached_property
    def mean_esno_db(self) -> float:
        """Es/N0 of the mean power over the recording, in dB."""
        times, nats = self._table[0], self._table[1] * (math.log(10) / 10)
        # The mean of an exponential between two ends, which tends to either as they meet.
        low, rise = np.minimum(nats[:-1], nats[1:]), np.abs(np.diff(nats))
        mean = np.exp(low) * np.where(rise > 1e-9, np.expm1(rise) / np.maximum(rise, 1e-9), 1.0)
        return 10 * math.log10(float((mean * np.diff(times)).sum() / times[-1]))

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.times_s), np.array(self.levels_db)


def read_trace(path: str | Path) -> ReplayTrace:
    """Reads a CSV with a header and the columns time_s and esno_db.

    Args:
        path: The file; at least two rows, times rising, values finite. Times may start anywhere;
            the trace starts at the first.

    Raises:
        ChannelError: If the file is missing or is not of this form; it names the line.
    """
    return _parse(str(path), _read(path))


@dataclass(frozen=True)
class Trace(Component):
    """Gains that follow a recorded SNR over time, interpolated in dB.

    A trial starts at a random time of the trace and goes round from its end to its beginning. The
    gains have mean power 1 over the trace, so `esno_db` stays the mean Es/N0: set it to
    `mean_esno_db` to replay the trace as it was recorded. The file is read once, when the channel
    is made.

    Attributes:
        path: CSV file with the columns time_s and esno_db, times rising.
        symbol_rate_hz: Channel uses per second, for a link without a grid.

    Source: a file of the user's.
    """

    path: str
    symbol_rate_hz: SymbolRateHz = 1e6
    content_sha256: str = field(init=False, repr=False)
    recording: ReplayTrace = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_values(self)
        content = _read(self.path)
        object.__setattr__(self, "content_sha256", hashlib.sha256(content).hexdigest())
        object.__setattr__(self, "recording", _parse(self.path, content))

    @property
    def mean_esno_db(self) -> float:
        """Es/N0 of the mean power over the recording, in dB."""
        return self.recording.mean_esno_db

    def power_at(self, time_s: np.ndarray) -> np.ndarray:
        r"""Power relative to the mean, at times counted from the beginning of the trace.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "snr.csv"
        >>> _ = path.write_text("time_s,esno_db\n0,10\n1,0\n2,10\n")
        >>> trace = Trace(str(path))
        >>> level_db = 10 * np.log10(trace.power_at(np.array([0.5, 1.0, 2.5])))
        >>> (level_db + trace.mean_esno_db).round(3).tolist()
        [5.0, 0.0, 5.0]
        """
        relative_db = self.recording.levels_at(time_s) - self.mean_esno_db
        power: np.ndarray = 10.0 ** (relative_db / 10.0)
        return power

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`."""
        h = self._gains(num_symbols, 1.0 / self.symbol_rate_hz, seeds)
        return ChannelState(h=h, no=esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`; all antennas see the same gain."""
        h = self._gains(num_symbols, grid.symbol_s, seeds)
        return grid.same_for_all(h.repeat_interleave(grid.num_subcarriers, 1), num_rx, num_tx)

    def _gains(self, num: int, interval_s: float, seeds: Sequence[int]) -> torch.Tensor:
        check_size(num, seeds)
        start = uniform(1, seeds, "trace").numpy() * self.recording.times_s[-1]
        power = self.power_at(start + np.arange(num) * interval_s)
        return with_random_phase(torch.as_tensor(np.sqrt(power)), seeds)


def _read(path: str | Path) -> bytes:
    if not os.path.isfile(path):  # a name of any length or form
        raise ChannelError(
            f"no trace file {str(path)!r}; expected a CSV with columns time_s,esno_db"
        )
    return Path(path).read_bytes()


@lru_cache(maxsize=8)
def _parse(path: str, content: bytes) -> ReplayTrace:
    text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    try:
        rows = csv.DictReader(text)
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
    return ReplayTrace(tuple((table[:, 0] - table[0, 0]).tolist()), tuple(table[:, 1].tolist()))


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
