"""Frames as one stream of symbols, most urgent first: what every coded physical layer sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from channels.coding.segmentation import plan_blocks
from channels.coding.transport_block import TransportBlockCode, transport_block_code
from channels.errors import ChannelError
from channels.modulation.qam import demap, map_bits
from channels.types import Frame, LinkReport
from channels.units import db_to_lin


def sending_order(frames: Sequence[Frame]) -> list[int]:
    """Indices of the frames, lowest priority number first, otherwise as given."""
    return sorted(range(len(frames)), key=lambda i: frames[i].priority)


def frame_spans(frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Place of each frame's first symbol in the stream, and its symbols: int64 [num_frames] each.

    Raises:
        ChannelError: There is no frame, or two have the same tag.
    """
    tags = tuple(frame.tag for frame in frames)
    if not frames or len(set(tags)) < len(tags):
        raise ChannelError(f"frames are tagged {tags}; expected at least one, all different")
    uses = np.array([plan_blocks(frame.bits.size, frame.mcs).num_symbols for frame in frames])
    order, starts = sending_order(frames), np.empty_like(uses)
    starts[order] = np.cumsum(uses[order]) - uses[order]
    return starts, uses


def pilots_by_frame(frames: Sequence[Frame], pilots: Callable[[int], int]) -> tuple[int, ...]:
    """What of the pilots that go with a stream's symbols is each frame's, in channel uses.

    Args:
        frames: The stream.
        pilots: Channel uses of the pilots that go with so many first symbols of a stream.
    """
    starts, uses = frame_spans(frames)
    spans = zip(starts.tolist(), (starts + uses).tolist(), strict=True)
    return tuple(pilots(end) - pilots(start) for start, end in spans)


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


class Stream:
    """Coded frames on their way through a bit-true link, many trials of them.

    Args:
        frames: What to send; tags must differ.
        num_trials: How often.
        decoder: LDPC decoder (see `TransportBlockCode.decode`).

    Attributes:
        symbols: Constellation points, complex64 [n].
        amplitude: Of each symbol, float32 [n]; the mean power of their product is 1.
    """

    def __init__(self, frames: Sequence[Frame], num_trials: int, decoder: str) -> None:
        starts, self._uses = frame_spans(frames)
        check_trials(num_trials)
        self._decoder = decoder
        self._tags = tuple(frame.tag for frame in frames)
        self._codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in frames]
        self._parts = [slice(a, a + n) for a, n in zip(starts, self._uses, strict=True)]
        order = sending_order(frames)
        self.symbols, self.amplitude = modulate(
            [frames[i] for i in order], [self._codes[i] for i in order]
        )
        self._delivered = np.zeros((num_trials, len(frames)), dtype=bool)
        self._bits_hat = [np.zeros((num_trials, code.k), dtype=np.uint8) for code in self._codes]

    def decode(
        self, rows: slice, y: torch.Tensor, gain: torch.Tensor, no: float | torch.Tensor
    ) -> None:
        """Decodes some trials.

        Args:
            rows: The trials.
            y: Received symbols, complex64 [b, n].
            gain: Of each symbol, amplitude included, [b, n].
            no: Noise variance per complex dimension, a number or float32 [b, n].
        """
        variance = torch.as_tensor(no).expand(y.shape)
        for i, (code, part) in enumerate(zip(self._codes, self._parts, strict=True)):
            llr = demap(y[:, part], gain[:, part], variance[:, part], code.mcs.num_bits_per_symbol)
            self._bits_hat[i][rows], self._delivered[rows, i] = code.decode(llr, self._decoder)

    def report(self, overhead: np.ndarray | int = 0) -> LinkReport:
        """What came of all trials; ``overhead`` is added to the frames' channel uses."""
        return LinkReport(self._tags, self._delivered, self._uses + overhead, tuple(self._bits_hat))


def check_trials(num_trials: int) -> None:
    """Refuses a transmission without seeds."""
    if num_trials == 0:
        raise ChannelError("got no seeds; expected one per trial")
