"""Replay of a recorded SNR over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from channels.fading.draws import check_size, uniform
from channels.fading.laws import check_rate, with_random_phase
from channels.fading.trace_file import read_samples
from channels.ofdm.grid import OfdmGrid
from channels.specs import spec_of
from channels.types import ChannelState
from channels.units import esno_db_to_no


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
        read_samples(self.path)

    @property
    def name(self) -> str:
        """``"trace"`` with its parameters."""
        return spec_of("trace", self)

    @property
    def mean_esno_db(self) -> float:
        """Es/N0 of the mean power over the recording, in dB."""
        times, levels_db = read_samples(self.path)
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
        times, levels_db = read_samples(self.path)
        place = times[0] + np.mod(time_s, times[-1] - times[0])
        relative_db = np.interp(place, times, levels_db) - self.mean_esno_db
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
        times, _ = read_samples(self.path)
        start = uniform(1, seeds, "trace").numpy() * (times[-1] - times[0])
        power = self.power_at(start + np.arange(num) * interval_s)
        return with_random_phase(torch.as_tensor(np.sqrt(power)), seeds)
