"""The bit-true link over an OFDM grid, with pilots, estimation, antennas and impairments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from channels.fading.models import Channel
from channels.ofdm.grid import SYMBOLS_PER_SLOT
from channels.ofdm.mismatch import effective_sinr
from channels.phy.analog import check_symbols, mean_error_esno
from channels.phy.ofdm_link import OfdmLink
from channels.phy.reception import receive
from channels.phy.stream import Stream, pilots_by_frame
from channels.types import Frame, LinkReport

# Resource elements times antenna pairs of all trials that are in memory at once.
_ELEMENTS_PER_CHUNK = 2**20


@dataclass(frozen=True)
class Equalised:
    """Symbols after combining: z = sinr * s + noise of variance sinr.

    Attributes:
        z: complex64 [num_trials, num_symbols].
        sinr: As the receiver believes, float32 [num_trials, num_symbols].
    """

    z: torch.Tensor
    sinr: torch.Tensor


@dataclass(frozen=True)
class OfdmPhy(OfdmLink):
    """Sends frames bit by bit over a resource grid; the same `send` as `BitTruePhy`.

    Mean power 1 is that of data and pilots together, over all transmit antennas. `channel_uses`
    of a report holds the pilots; `pilot_uses` says how many they are. The receiver knows the noise
    variance, the amplitudes, the pilots, that E|h|^2 = 1 and, for "lmmse", the channel's
    correlation.

    Its parameters are those of `channels.phy.ofdm_link.OfdmLink`.

    Source: 3GPP TS 38.211 (grid, pilots); S. M. Alamouti, IEEE JSAC 16(8), 1998; LMMSE as in
    `channels.ofdm.estimation`.

    >>> import numpy as np
    >>> from channels.fading.models import make_channel
    >>> from channels.types import Mcs
    >>> frame = Frame("text", np.ones(80, np.uint8), Mcs(num_bits_per_symbol=2, coderate=0.5))
    >>> phy = OfdmPhy.from_spec("antennas=1x2,csi=ls,decoder=sionna")
    >>> report = phy.send([frame], make_channel("clarke"), esno_db=20.0, seeds=[1])
    >>> report.delivered.tolist(), report.channel_uses.tolist(), phy.pilot_uses([frame]).tolist()
    ([[True]], [168], [72])
    """

    def pilot_uses(self, frames: Sequence[Frame]) -> np.ndarray:
        """The pilots' part of each frame's channel uses, int64 [num_frames].

        A slot's pilots are charged to the frame that begins it.
        """
        charged = partial(self.grid.pilot_uses, num_tx=self.num_tx)
        return np.array(pilots_by_frame(frames, charged))

    @torch.no_grad()
    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """Sends the frames once for each seed; see `channels.phy.bit_true.BitTruePhy.send`."""
        stream = Stream(frames, len(seeds), self.decoder)
        for rows in self.chunks(len(stream.symbols), len(seeds)):
            got = self.pass_symbols(stream.symbols, stream.amplitude, channel, esno_db, seeds[rows])
            stream.decode(rows, got.z, got.sinr, got.sinr)
        return stream.report(self.pilot_uses(frames))

    @torch.no_grad()
    def pass_symbols(
        self,
        points: torch.Tensor,
        amplitude: torch.Tensor,
        channel: Channel,
        esno_db: float,
        seeds: Sequence[int],
    ) -> Equalised:
        """Sends one stream of symbols through grid, channel, radio and equaliser.

        Args:
            points: Symbols of unit mean power, complex64 [n].
            amplitude: Of each, float32 [n]; the mean power of their product is 1.
            channel: Drawn once for each seed.
            esno_db: Mean Es/N0 per channel use.
            seeds: One seed per trial.
        """
        got = receive(self, points, amplitude, channel, esno_db, seeds)
        z, sinr = got.combiner.combine(got.y), got.combiner.sinr
        return Equalised(z[:, : len(points)], sinr[:, : len(points)])

    @torch.no_grad()
    def effective_sinr(
        self, num_symbols: int, channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> torch.Tensor:
        """SINR after equalisation that block error tables may go by.

        It is the one that the receiver believes, lowered by what its errors cost in truth
        (`channels.ofdm.mismatch`): of the estimate and its interpolation, and of a phase that
        drifts between pilots. With perfect knowledge both are the same.

        Args:
            num_symbols: Data symbols, of amplitude 1.
            channel: Drawn once for each seed.
            esno_db: Mean Es/N0 per channel use.
            seeds: One seed per trial.

        Returns:
            float32 [len(seeds), num_symbols].
        """
        ones = torch.ones(self.whole_slots(num_symbols))
        got = receive(self, ones.to(torch.complex64), ones, channel, esno_db, seeds)
        sinr = got.combiner.sinr
        if self.csi != "perfect" or self.csi_error_variance > 0.0:
            sinr = effective_sinr(
                sinr, *got.combiner.true_output(got.h, got.amplitude, got.variance)
            )
        return sinr[:, :num_symbols]

    @torch.no_grad()
    def send_symbols(
        self, symbols: torch.Tensor, channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Sends analog symbols as data of the grid; see `channels.phy.analog.send_symbols`.

        The equalised symbol is z / (1 + sinr), the linear MMSE estimate; the Es/N0 after it is
        the one that the receiver believes. The channel uses hold the pilots.

        >>> from channels.fading.models import make_channel
        >>> ones = torch.ones(8) + 0j
        >>> got = OfdmPhy(csi="ls").send_symbols(ones, make_channel("awgn"), 30.0, [1])
        >>> got[0].shape, got[2]
        (torch.Size([1, 8]), 80)
        """
        check_symbols(symbols, seeds)
        ones, parts = torch.ones(len(symbols)), []
        for rows in self.chunks(len(symbols), len(seeds)):
            got = self.pass_symbols(symbols, ones, channel, esno_db, seeds[rows])
            parts.append((got.z / (1 + got.sinr), mean_error_esno(got.sinr)))
        x_hat, esno = (torch.cat(part) for part in zip(*parts, strict=True))
        return x_hat, esno, len(symbols) + self.grid.pilot_uses(len(symbols), self.num_tx)

    def whole_slots(self, num_symbols: int) -> int:
        """Data symbols with which the last slot is full, where they leave all others as they are.

        With pilots of another power each symbol's share of the mean power depends on their number.
        """
        if self.pilot_power_db != 0.0:
            return num_symbols
        slots = self.grid.num_slots(num_symbols, self.num_tx)
        return slots * self.grid.data_per_slot(self.num_tx)

    def chunks(self, num_data: int, num_trials: int) -> list[slice]:
        """Trials that fit into memory together."""
        slots = self.grid.num_slots(num_data, self.num_tx)
        elements = slots * SYMBOLS_PER_SLOT * self.grid.num_subcarriers * self.num_rx * self.num_tx
        size = max(1, _ELEMENTS_PER_CHUNK // elements)
        return [slice(row, row + size) for row in range(0, num_trials, size)]
