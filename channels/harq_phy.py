"""The bit-true link with retransmissions: what fails its CRC is sent again and combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from channels.errors import ChannelError
from channels.harq import Feedback, HarqCode, harq_code, redundancy_version
from channels.models import Channel, noise
from channels.modulation import demap, map_bits
from channels.phy import sending_order
from channels.rng import generator
from channels.types import Frame, LinkReport
from channels.units import db_to_lin

# Symbols of all trials that are in memory at once, and LLRs in soft buffers.
_SYMBOLS_PER_CHUNK = 2**19
_SOFT_BITS_PER_CHUNK = 2**23


class HarqPhy:
    """Sends frames bit by bit, and those that fail again, up to a number of transmissions.

    All frames are sent once, as by `channels.phy.BitTruePhy`; then follow rounds in which each
    frame that the sender takes for lost is repeated, at its own power. The channel is drawn anew
    for each round (a round trip is longer than a fade); a frame keeps its place in the draw.

    Args:
        kind: "chase" or "incremental".
        max_transmissions: Of a frame: one number for all, or one for each tag.
        feedback: Errors of the feedback.

    >>> import numpy as np
    >>> from channels.models import make_channel
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
        codes = [harq_code(frame.bits.size, frame.mcs, self.kind) for frame in frames]
        limits = np.array([self._limit(tag) for tag in tags])
        amplitudes = _amplitudes(frames, codes)
        uses = np.array([code.num_symbols for code in codes])
        order = sending_order(frames)
        starts = np.zeros(len(frames), dtype=np.int64)
        starts[order] = np.cumsum(uses[order]) - uses[order]

        delivered = np.zeros((len(seeds), len(frames)), dtype=bool)
        attempts = np.zeros(delivered.shape, dtype=np.int64)
        bits_hat = tuple(np.zeros((len(seeds), code.k), dtype=np.uint8) for code in codes)
        soft_bits = sum(code.num_soft_bits for code in codes)
        num_rows = max(1, min(_SYMBOLS_PER_CHUNK // uses.sum(), _SOFT_BITS_PER_CHUNK // soft_bits))
        for first in range(0, len(seeds), num_rows):
            rows = np.arange(first, min(first + num_rows, len(seeds)))
            soft = [code.empty_buffer(len(rows)) for code in codes]
            open_ = np.ones((len(rows), len(frames)), dtype=bool)
            misread = _feedback_draws([seeds[r] for r in rows], int(limits.max()), len(frames))
            for attempt in range(1, int(limits.max()) + 1):
                sent = open_ & (attempt <= limits)
                if not sent.any():
                    break
                busy = np.flatnonzero(sent.any(1))
                draw_seeds = [_round_seed(seeds[rows[i]], attempt) for i in busy]
                state = channel.draw(int(uses.sum()), esno_db, draw_seeds)
                noises = noise(int(uses.sum()), state.no, draw_seeds)
                for i, code in enumerate(codes):
                    attempts[rows[sent[:, i]], i] = attempt
                    # What was decoded already is sent only because its ACK was misread.
                    needed = sent[busy, i] & ~delivered[rows[busy], i]
                    if not needed.any():
                        continue
                    part = slice(starts[i], starts[i] + uses[i])
                    at, who = torch.as_tensor(needed), busy[needed]
                    gain = state.h[at, part] * amplitudes[i]
                    num_bits = code.mcs.num_bits_per_symbol
                    points = map_bits(code.encode(frames[i].bits[None], attempt)[0], num_bits)
                    llr = demap(gain * points + noises[at, part], gain, state.no, num_bits)
                    heard = soft[i][who]
                    code.combine(heard, llr, attempt)
                    soft[i][who] = heard
                    bits, ok = code.decode(heard, attempt)
                    bits_hat[i][rows[who]], delivered[rows[who], i] = bits, ok
                arrived = delivered[rows]
                wrong = misread[:, attempt - 1] < np.where(
                    arrived, self.feedback.ack_to_nack, self.feedback.nack_to_ack
                )
                open_ = sent & (arrived == wrong)
        return LinkReport(
            tags=tags,
            delivered=delivered,
            attempts=attempts,
            channel_uses=uses,
            done_s=np.full(delivered.shape, np.nan),
            bits_hat=bits_hat,
        )

    def _limit(self, tag: str) -> int:
        if not isinstance(self.max_transmissions, Mapping):
            return self.max_transmissions
        if tag not in self.max_transmissions:
            raise ChannelError(
                f"no max_transmissions for frame {tag!r}; got them for "
                f"{', '.join(sorted(self.max_transmissions))}"
            )
        return self.max_transmissions[tag]


def _amplitudes(frames: Sequence[Frame], codes: Sequence[HarqCode]) -> list[float]:
    """Amplitude of each frame; the mean power of the first round is 1."""
    powers = [db_to_lin(frame.power_db) for frame in frames]
    energy = 0.0
    for frame, code, power in zip(frames, codes, powers, strict=True):
        points = map_bits(code.encode(frame.bits[None])[0], frame.mcs.num_bits_per_symbol)
        energy += power * float(points.abs().square().sum(dtype=torch.float64))
    mean_power = energy / sum(code.num_symbols for code in codes)
    return [(power / mean_power) ** 0.5 for power in powers]


def _round_seed(seed: int, attempt: int) -> int:
    """Seed of a round; that of the first is the trial's own, as on a link without HARQ."""
    return seed if attempt == 1 else generator(seed, "harq", attempt).initial_seed()


def _feedback_draws(seeds: Sequence[int], num_rounds: int, num_frames: int) -> np.ndarray:
    """Uniform float32 [num_trials, num_rounds, num_frames] of the trials' own seeds."""
    draws = [torch.rand(num_rounds, num_frames, generator=generator(s, "feedback")) for s in seeds]
    return torch.stack(draws).numpy()
