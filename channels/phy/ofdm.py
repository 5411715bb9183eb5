"""The bit-true link over an OFDM grid, with pilots, estimation, antennas and impairments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import get_type_hints

import numpy as np
import torch

from channels.coding.transport_block import check_decoder
from channels.errors import ChannelError
from channels.fading.grid_gains import grid_gains, statistics_of
from channels.fading.models import Channel
from channels.kernels.normal import complex_normal, stream_keys
from channels.ofdm.antennas import combine, parse_antennas, spread
from channels.ofdm.estimation import CSI, Estimator, estimate, lmmse_estimator, ls_estimator
from channels.ofdm.grid import SYMBOLS_PER_SLOT, OfdmGrid, pilot_symbols
from channels.ofdm.impairments import Impairments, turn_waveform
from channels.phy.stream import Stream, frame_spans
from channels.specs import parse_arguments
from channels.types import Frame, LinkReport
from channels.units import db_to_lin, esno_db_to_no

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
class OfdmPhy:
    """Sends frames bit by bit over a resource grid; the same `send` as `BitTruePhy`.

    Mean power 1 is that of data and pilots together, over all transmit antennas. `channel_uses`
    of a report holds the pilots; `pilot_uses` says how many they are. The receiver knows the noise
    variance, the amplitudes, the pilots and, for "lmmse", the channel's correlation.

    Attributes:
        antennas: Transmit x receive: 1x1, 1x2 (maximum-ratio combining), 2x1 and 2x2 (Alamouti).
        csi: What the receiver knows of the gains: perfect, or estimated by ls or lmmse.
        csi_error_variance: Variance of a Gaussian error added to perfect knowledge.
        pilot_power_db: Power of a pilot relative to the mean data symbol.
        decoder: LDPC decoder, fast or sionna.
        grid: The resource grid.
        impairments: Flaws of the radio.

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

    antennas: str = "1x1"
    csi: str = "perfect"
    csi_error_variance: float = 0.0
    pilot_power_db: float = 0.0
    decoder: str = "fast"
    grid: OfdmGrid = field(default_factory=OfdmGrid)
    impairments: Impairments = field(default_factory=Impairments)

    def __post_init__(self) -> None:
        self.grid.pilots_per_slot(self.num_tx)
        if self.grid.data_per_slot(self.num_tx) < 2:
            raise ChannelError("the pilots leave no room for data; raise pilot_spacing")
        if self.csi not in CSI:
            raise ChannelError(f"csi is {self.csi!r}; expected one of {', '.join(CSI)}")
        if not 0.0 <= self.csi_error_variance < math.inf:
            raise ChannelError(
                f"csi_error_variance is {self.csi_error_variance}; expected 0 or more"
            )
        if self.csi_error_variance > 0.0 and self.csi != "perfect":
            raise ChannelError(
                f"csi_error_variance is {self.csi_error_variance} with csi={self.csi}; expected "
                "csi=perfect, since an estimator makes errors of its own"
            )
        if not abs(self.pilot_power_db) <= 100.0:
            raise ChannelError(f"pilot_power_db is {self.pilot_power_db}; expected -100 to 100")
        check_decoder(self.decoder)
        self.impairments.check(self.grid)

    @classmethod
    def from_spec(cls, args: str) -> OfdmPhy:
        """Builds the link from ``key=value,key=value``; keys of the grid and the flaws included.

        >>> OfdmPhy.from_spec("csi=lmmse,num_pilot_symbols=1,cfo_hz=50").grid.num_pilot_symbols
        1
        """
        parts = {"": cls, "grid": OfdmGrid, "impairments": Impairments}
        types = {part: get_type_hints(owner) for part, owner in parts.items()}
        known = {
            f.name: types[part][f.name]
            for part, owner in parts.items()
            for f in fields(owner)
            if f.name not in parts
        }
        values = parse_arguments("the OFDM link", known, args)

        def of(part: str) -> dict[str, object]:
            return {key: value for key, value in values.items() if key in types[part]}

        grid, flaws = OfdmGrid(**of("grid")), Impairments(**of("impairments"))  # type: ignore[arg-type]
        return cls(**of(""), grid=grid, impairments=flaws)  # type: ignore[arg-type]

    @property
    def num_tx(self) -> int:
        """Transmit antennas."""
        return parse_antennas(self.antennas)[0]

    @property
    def num_rx(self) -> int:
        """Receive antennas."""
        return parse_antennas(self.antennas)[1]

    def pilot_uses(self, frames: Sequence[Frame]) -> np.ndarray:
        """The pilots' part of each frame's channel uses, int64 [num_frames].

        A slot's pilots are charged to the frame that begins it.
        """
        starts, uses = frame_spans(frames)
        spans = zip(starts.tolist(), (starts + uses).tolist(), strict=True)
        charged = partial(self.grid.pilot_uses, num_tx=self.num_tx)
        return np.array([charged(end) - charged(start) for start, end in spans])

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
        grid, num_tx, num_data = self.grid, self.num_tx, len(points)
        odd = num_data % num_tx  # Alamouti's code needs pairs
        points = torch.nn.functional.pad(points, (0, odd))
        pilots = grid.pilot_uses(num_data, num_tx)
        total = num_data + pilots * db_to_lin(self.pilot_power_db)
        scale = math.sqrt((num_data + pilots) / total)
        amplitude = torch.nn.functional.pad(amplitude, (0, odd), value=1.0) * scale
        pilot_amplitude = scale * math.sqrt(db_to_lin(self.pilot_power_db))
        sent = self._fill_grid(spread(points * amplitude, num_tx), pilot_amplitude)

        num_symbols = sent.shape[1]
        h = grid_gains(channel, grid, num_symbols, self.num_rx, num_tx, seeds)
        received = torch.einsum("brtnf,tnf->brnf", h, sent)
        if self.impairments.turns:
            rotation = self.impairments.rotation(grid, num_symbols, seeds)
            received = turn_waveform(received, rotation)
            h = h * rotation.mean(-1)[:, None, None, :, None]
        no = esno_db_to_no(esno_db)
        hit = no + self.impairments.interference(grid, num_symbols, seeds)
        received += self._noise(num_symbols, seeds) * hit[:, None].sqrt()

        h_hat, error = self._estimate(received, h, channel, no, pilot_amplitude, seeds)
        symbol_power = amplitude.square()
        if num_tx == 2:
            symbol_power = symbol_power.unflatten(0, (-1, 2)).mean(1).repeat_interleave(2)

        def pick(values: torch.Tensor) -> torch.Tensor:
            return grid.data_gains(values, len(points), num_tx)

        h_hat = pick(h_hat)
        # What the neighbours leak into an element has faded about as the element itself has.
        leaked = self.impairments.lost_power(grid) * h_hat.abs().square().mean(2)
        variance = pick(hit)[:, None] + leaked + pick(error).mean(0) * symbol_power
        z, sinr = combine(pick(received), h_hat, amplitude, variance)
        return Equalised(z[:, :num_data], sinr[:, :num_data])

    def chunks(self, num_data: int, num_trials: int) -> list[slice]:
        """Trials that fit into memory together."""
        slots = self.grid.num_slots(num_data, self.num_tx)
        elements = slots * SYMBOLS_PER_SLOT * self.grid.num_subcarriers * self.num_rx * self.num_tx
        size = max(1, _ELEMENTS_PER_CHUNK // elements)
        return [slice(row, row + size) for row in range(0, num_trials, size)]

    def _fill_grid(self, data: torch.Tensor, pilot_amplitude: float) -> torch.Tensor:
        """Data [num_tx, n] and pilots on the grid, complex64 [num_tx, num_symbols, F]."""
        grid, num_tx = self.grid, self.num_tx
        num_slots, per_slot = grid.num_slots(data.shape[1], num_tx), grid.data_per_slot(num_tx)
        width = SYMBOLS_PER_SLOT * grid.num_subcarriers
        sent = torch.zeros(num_tx, num_slots, width, dtype=torch.complex64)
        padded = torch.nn.functional.pad(data, (0, num_slots * per_slot - data.shape[1]))
        sent[:, :, grid.data_positions(num_tx)] = padded.unflatten(1, (num_slots, per_slot))
        for tx in range(num_tx):
            sent[tx][:, self.grid.pilot_index(tx, self.num_tx)] = (
                pilot_symbols(grid, tx, num_tx) * pilot_amplitude
            )
        return sent.reshape(num_tx, -1, grid.num_subcarriers)

    def _noise(self, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
        """CN(0, 1) on each receive antenna, complex64 [b, num_rx, num_symbols, F]."""
        width = self.grid.num_subcarriers
        streams = ["noise", *(f"noise.{rx}" for rx in range(1, self.num_rx))]
        parts = [_normal(num_symbols * width, seeds, stream) for stream in streams]
        return torch.stack(parts, 1).unflatten(-1, (num_symbols, width))

    def _estimate(
        self,
        received: torch.Tensor,
        h: torch.Tensor,
        channel: Channel,
        no: float,
        pilot_amplitude: float,
        seeds: Sequence[int],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the receiver takes for h, and the error variance [num_tx, num_symbols, F]."""
        num_symbols, width = h.shape[-2:]
        if self.csi == "perfect":
            if self.csi_error_variance > 0.0:
                h = h + self._csi_error(h, seeds)
            error = torch.full((self.num_tx, num_symbols, width), float(self.csi_error_variance))
            return h, error
        flaws = self.impairments
        noise = no + flaws.mean_interference(self.grid) + flaws.lost_power(self.grid)
        slots = received.unflatten(2, (-1, SYMBOLS_PER_SLOT)).flatten(-2)
        h_hat, errors = [], []
        for tx in range(self.num_tx):
            estimator = self._estimator(channel, tx, noise / pilot_amplitude**2)
            pilots = pilot_symbols(self.grid, tx, self.num_tx) * pilot_amplitude
            estimated = estimate(
                estimator, slots[..., self.grid.pilot_index(tx, self.num_tx)] / pilots
            )
            h_hat.append(estimated.reshape(*received.shape))
            errors.append(estimator.error_variance.repeat(slots.shape[2]).reshape(-1, width))
        return torch.stack(h_hat, 2), torch.stack(errors)

    def _csi_error(self, h: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        parts = [
            _normal(h.shape[-2] * h.shape[-1], seeds, f"csi_error.{rx}.{tx}")
            for rx in range(self.num_rx)
            for tx in range(self.num_tx)
        ]
        return torch.stack(parts, 1).reshape(h.shape) * math.sqrt(self.csi_error_variance)

    def _estimator(self, channel: Channel, tx: int, pilot_no: float) -> Estimator:
        if self.csi == "ls":
            return ls_estimator(self.grid, tx, self.num_tx, pilot_no)
        return lmmse_estimator(self.grid, tx, self.num_tx, pilot_no, statistics_of(channel))


def _normal(num: int, seeds: Sequence[int], stream: str) -> torch.Tensor:
    """CN(0, 1), complex64 [len(seeds), num]."""
    return torch.from_numpy(complex_normal(num, stream_keys(seeds, stream)))
