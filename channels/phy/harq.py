"""The bit-true link with retransmissions: what fails its CRC is sent again and combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from channels.coding.harq import Feedback, harq_code, redundancy_version
from channels.errors import ChannelError
from channels.fading.models import Channel, noise
from channels.modulation.qam import demap, map_bits
from channels.phy.bit_true import sending_order
from channels.rng import generator
from channels.types import Frame, LinkReport
from channels.units import db_to_lin

# Symbols of all trials that are in memory at once, and LLRs in soft buffers.
_SYMBOLS_PER_CHUNK = 2**19
_SOFT_BITS_PER_CHUNK = 2**23


class HarqPhy:
    """Sends frames bit by bit, and those that fail again, up to a number of transmissions.

    All frames are sent once, as by `channels.phy.bit_true.BitTruePhy`; then follow rounds in which
    each frame that the sender takes for lost is repeated, at its own power. The channel is drawn
    anew for each round (a round trip is longer than a fade); a frame keeps its place in the draw.

    Args:
        kind: "chase" or "incremental".
        max_transmissions: Of a frame: one number for all, or one for each tag.
        feedback: Errors of the feedback.

    >>> import numpy as np
    >>> from channels.fading.models import make_channel
    >>> from channels.types import Mcs
    >>> frame = Frame("text", np.ones(80, np.uint8), Mcs(num_bits_per_symbol=2, coderate=0.5))
    >>> phy = HarqPhy("incremental", max_transmissions=4)
    >>> report = phy.send([frame], make_channel("awgn"), esno_db=-3.0, seeds=range(8))
    >>> bool(report.delivered.all()), bool((report.attempts > 1).all())
    (True, True)
    """

    def __init__(
        self,
        kind: str = "incremental",
        max_transmissions: int | Mapping[str, int] = 4,
        feedback: Feedback = Feedback(),
    ) -> None:
        redundancy_version(kind, 1)
        limits = (
            max_transmissions.values()
            if isinstance(max_transmissions, Mapping)
            else [max_transmissions]
        )
        if any(limit < 1 for limit in limits):
            raise ChannelError(f"max_transmissions is {max_transmissions}; expected 1 or more")
        self.kind, self.max_transmissions, self.feedback = kind, max_transmissions, feedback

    @torch.no_grad()
    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """Sends the frames once for each seed.

        Args:
            frames: What to send; tags must differ.
            channel: The channel; drawn once a round over the symbols of all frames.
            esno_db: Mean Es/N0 per channel use, for mean transmit power 1 in the first round.
            seeds: One seed per trial.

        Returns:
            The report: ``attempts`` counts transmissions, ``channel_uses`` those of one of them,
            so a trial took ``(attempts * channel_uses).sum(1)``.
        """
        tags = tuple(frame.tag for frame in frames)
        if not frames or len(set(tags)) < len(tags):
            raise ChannelError(f"frames are tagged {tags}; expected at least one, all different")
        if len(seeds) == 0:
            raise ChannelError("got no seeds; expected one per trial")
        stream = _Stream(frames, self.kind)
        limits = np.array([self._limit(tag) for tag in tags])
        delivered = np.zeros((len(seeds), len(frames)), dtype=bool)
        attempts = np.zeros(delivered.shape, dtype=np.int64)
        bits_hat = tuple(np.zeros((len(seeds), code.k), dtype=np.uint8) for code in stream.codes)
        soft_bits = sum(code.num_soft_bits for code in stream.codes)
        per_chunk = min(_SYMBOLS_PER_CHUNK // stream.num_symbols, _SOFT_BITS_PER_CHUNK // soft_bits)
        for first in range(0, len(seeds), max(1, per_chunk)):
            rows = slice(first, first + max(1, per_chunk))
            heard = _Heard(stream, seeds[rows])
            attempts[rows] = self._send_rounds(stream, limits, channel, esno_db, heard)
            delivered[rows] = heard.delivered
            for all_bits, bits in zip(bits_hat, heard.bits_hat, strict=True):
                all_bits[rows] = bits
        return LinkReport(
            tags=tags,
            delivered=delivered,
            attempts=attempts,
            channel_uses=stream.uses,
            done_s=np.full(delivered.shape, np.nan),
            bits_hat=bits_hat,
        )

    def _send_rounds(
        self, stream: _Stream, limits: np.ndarray, channel: Channel, esno_db: float, heard: _Heard
    ) -> np.ndarray:
        """All rounds of some trials; returns the attempts int64 [num_trials, num_frames]."""
        num_rounds = int(limits.max())
        misread = _feedback_draws(heard.seeds, num_rounds, len(limits))
        attempts = np.zeros(heard.delivered.shape, dtype=np.int64)
        wanted = np.ones(heard.delivered.shape, dtype=bool)
        for attempt in range(1, num_rounds + 1):
            sent = wanted & (attempt <= limits)
            if not sent.any():
                break
            attempts[sent] = attempt
            heard.listen(sent, attempt, channel, esno_db)
            wrong = misread[:, attempt - 1] < np.where(
                heard.delivered, self.feedback.ack_to_nack, self.feedback.nack_to_ack
            )
            wanted = sent & (heard.delivered == wrong)
        return attempts

    def _limit(self, tag: str) -> int:
        if not isinstance(self.max_transmissions, Mapping):
            return self.max_transmissions
        if tag not in self.max_transmissions:
            raise ChannelError(
                f"no max_transmissions for frame {tag!r}; got them for "
                f"{', '.join(sorted(self.max_transmissions))}"
            )
        return self.max_transmissions[tag]


class _Stream:
    """Frames as one stream of symbols, most urgent first."""

    def __init__(self, frames: Sequence[Frame], kind: str) -> None:
        self.frames = tuple(frames)
        self.codes = [harq_code(frame.bits.size, frame.mcs, kind) for frame in frames]
        self.uses = np.array([code.num_symbols for code in self.codes])
        self.num_symbols = int(self.uses.sum())
        order = sending_order(frames)
        starts = np.zeros(len(frames), dtype=np.int64)
        starts[order] = np.cumsum(self.uses[order]) - self.uses[order]
        self.parts = [slice(i, i + n) for i, n in zip(starts, self.uses, strict=True)]
        powers = np.array([db_to_lin(frame.power_db) for frame in frames])
        energies = [float(self.points(i, 1).abs().square().sum()) for i in range(len(frames))]
        # The mean power of the first round is 1.
        self.amplitudes = np.sqrt(powers * self.num_symbols / (powers @ energies)).tolist()

    def points(self, i: int, attempt: int) -> torch.Tensor:
        """Constellation points of a transmission of frame i, before its power."""
        frame = self.frames[i]
        coded = self.codes[i].encode(frame.bits[None], attempt)[0]
        return map_bits(coded, frame.mcs.num_bits_per_symbol)


class _Heard:
    """What the receiver has of some trials."""

    def __init__(self, stream: _Stream, seeds: Sequence[int]) -> None:
        self.stream, self.seeds = stream, seeds
        self.delivered = np.zeros((len(seeds), len(stream.codes)), dtype=bool)
        self.bits_hat = [np.zeros((len(seeds), code.k), dtype=np.uint8) for code in stream.codes]
        self._soft = [code.empty_buffer(len(seeds)) for code in stream.codes]

    def listen(self, sent: np.ndarray, attempt: int, channel: Channel, esno_db: float) -> None:
        """Hears one round: the frames of bool [num_trials, num_frames] that are sent in it."""
        stream = self.stream
        busy = np.flatnonzero(sent.any(1))
        seeds = [_round_seed(self.seeds[row], attempt) for row in busy.tolist()]
        state = channel.draw(stream.num_symbols, esno_db, seeds)
        noises = noise(stream.num_symbols, state.no, seeds)
        for i, code in enumerate(stream.codes):
            # What was decoded already is sent only because its ACK was misread.
            needed = sent[busy, i] & ~self.delivered[busy, i]
            if not needed.any():
                continue
            at, rows = torch.as_tensor(needed), busy[needed]
            gain = state.h[at, stream.parts[i]] * stream.amplitudes[i]
            y = gain * stream.points(i, attempt) + noises[at, stream.parts[i]]
            soft = self._soft[i][rows]
            order = code.mcs.num_bits_per_symbol
            code.combine(soft, demap(y, gain, state.no, order), attempt)
            self._soft[i][rows] = soft
            self.bits_hat[i][rows], self.delivered[rows, i] = code.decode(soft, attempt)


def _round_seed(seed: int, attempt: int) -> int:
    """Seed of a round; that of the first is the trial's own, as on a link without HARQ."""
    return seed if attempt == 1 else generator(seed, "harq", attempt).initial_seed()


def _feedback_draws(seeds: Sequence[int], num_rounds: int, num_frames: int) -> np.ndarray:
    """Uniform float32 [num_trials, num_rounds, num_frames] of the trials' own seeds."""
    draws = [torch.rand(num_rounds, num_frames, generator=generator(s, "feedback")) for s in seeds]
    return torch.stack(draws).numpy()
