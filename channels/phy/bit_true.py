"""The bit-true link: every bit is coded, mapped, faded, demapped, decoded and checked."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from channels.coding.ldpc import num_threads
from channels.coding.transport_block import check_decoder
from channels.fading.added import draw
from channels.fading.models import Channel, noise
from channels.phy.analog import send_symbols
from channels.phy.stream import Stream
from channels.types import Frame, LinkReport

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
        stream = Stream(frames, len(seeds), self.decoder)
        symbols, amplitude = stream.symbols, stream.amplitude

        @torch.no_grad()
        def send_rows(rows: slice) -> None:
            state = draw(channel, len(symbols), esno_db, seeds[rows])
            gain = state.h * amplitude
            y = noise(len(symbols), state.no, seeds[rows]).addcmul_(gain, symbols)
            stream.decode(rows, y, gain, state.no)

        num_rows = max(_MIN_ROWS, _SYMBOLS_PER_CHUNK // len(symbols))
        chunks = [slice(i, i + num_rows) for i in range(0, len(seeds), num_rows)]
        threads = min(len(chunks), num_threads()) if self.decoder == "fast" else 1
        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(send_rows, chunks))
        else:
            for rows in chunks:
                send_rows(rows)
        return stream.report()
