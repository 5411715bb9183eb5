"""The bit-true link: every bit is coded, mapped, faded, demapped, decoded and checked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from channels.coding.ldpc import num_threads
from channels.coding.transport_block import TransportBlockCode, check_decoder, transport_block_code
from channels.errors import ChannelError
from channels.fading.models import Channel, noise
from channels.modulation.qam import demap, map_bits
from channels.phy.analog import send_symbols
from channels.types import Frame, LinkReport
from channels.units import db_to_lin

# Symbols that one thread holds at once, few enough for its cache; and trials at the least, so that
# the decoder's lanes are full.
_SYMBOLS_PER_CHUNK, _MIN_ROWS = 2**16, 16


class BitTruePhy:
    """Sends frames bit by bit; the receiver knows h, the noise variance and the powers.

    Args:
        decoder: LDPC decoder, "fast" or "sionna" (see `TransportBlockCode.decode`).

    >>> import numpy as np
    >>> from channels.fading.models import make_channel
    >>> from channels.types import Mcs
    >>> frame = Frame("text", np.ones(80, np.uint8), Mcs(num_bits_per_symbol=2, coderate=0.5))
    >>> phy = BitTruePhy(decoder="sionna")
    >>> report = phy.send([frame], make_channel("awgn"), esno_db=10.0, seeds=[1, 2])
    >>> report.delivered.tolist(), report.channel_uses.tolist()
    ([[True], [True]], [96])
    """

    send_symbols = staticmethod(send_symbols)

    def __init__(self, decoder: str = "fast") -> None:
        self.decoder = check_decoder(decoder)

    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """Sends the frames once for each seed, most urgent first, as one stream of symbols.

        Gains and noise of a trial depend on its seed alone, not on the frames or the batch.

        Args:
            frames: What to send; tags must differ.
            channel: The channel; it is drawn once over the symbols of all frames.
            esno_db: Mean Es/N0 per channel use, for mean transmit power 1.
            seeds: One seed per trial.

        Returns:
            The report, frames in the order given.
        """
        tags = tuple(frame.tag for frame in frames)
        if not frames or len(set(tags)) < len(tags):
            raise ChannelError(f"frames are tagged {tags}; expected at least one, all different")
        if len(seeds) == 0:
            raise ChannelError("got no seeds; expected one per trial")
        codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in frames]
        uses = np.array([code.num_symbols for code in codes])
        order = sending_order(frames)
        symbols, amplitude = modulate([frames[i] for i in order], [codes[i] for i in order])
        starts = dict(zip(order, np.cumsum(uses[order]) - uses[order], strict=True))

        delivered = np.zeros((len(seeds), len(frames)), dtype=bool)
        bits_hat = tuple(np.zeros((len(seeds), code.k), dtype=np.uint8) for code in codes)

        @torch.no_grad()
        def send_rows(rows: slice) -> None:
            state = channel.draw(len(symbols), esno_db, seeds[rows])
            gain = state.h * amplitude
            y = noise(len(symbols), state.no, seeds[rows]).addcmul_(gain, symbols)
            for i, code in enumerate(codes):
                part = slice(starts[i], starts[i] + uses[i])
                order_bits = code.mcs.num_bits_per_symbol
                llr = demap(y[:, part], gain[:, part], state.no, order_bits)
                bits_hat[i][rows], delivered[rows, i] = code.decode(llr, self.decoder)

        num_rows = max(_MIN_ROWS, _SYMBOLS_PER_CHUNK // len(symbols))
        chunks = [slice(i, i + num_rows) for i in range(0, len(seeds), num_rows)]
        threads = min(len(chunks), num_threads()) if self.decoder == "fast" else 1
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(send_rows, chunks))
        else:
            for rows in chunks:
                send_rows(rows)
        return LinkReport(
            tags=tags,
            delivered=delivered,
            attempts=np.ones(delivered.shape, dtype=np.int64),
            channel_uses=uses,
            done_s=np.full(delivered.shape, np.nan),
            bits_hat=bits_hat,
        )


def sending_order(frames: Sequence[Frame]) -> list[int]:
    """Indices of the frames, lowest priority number first, otherwise as given."""
    return sorted(range(len(frames)), key=lambda i: frames[i].priority)


def modulate(
    frames: Sequence[Frame], codes: Sequence[TransportBlockCode]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and maps the frames one after the other.

    Returns:
        Constellation points complex64 [num_symbols] and the amplitude float32 [num_symbols] that
        each is sent with. The mean power of their product over the transmission is exactly 1,
        so that no transmission gains Es/N0 from its data or its power split.
    """
    points, amplitudes = [], []
    for frame, code in zip(frames, codes, strict=True):
        points.append(map_bits(code.encode(frame.bits[None])[0], frame.mcs.num_bits_per_symbol))
        amplitudes.append(torch.full((code.num_symbols,), db_to_lin(frame.power_db) ** 0.5))
    symbols, amplitude = torch.cat(points), torch.cat(amplitudes)
    mean_power = (amplitude * symbols).abs().square().mean(dtype=torch.float64)
    return symbols, amplitude / mean_power.sqrt().to(torch.float32)
