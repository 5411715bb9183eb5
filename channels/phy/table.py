"""The abstracted link: block error probabilities from tables in place of coded bits.

A frame's code blocks see the fades that fall on their own symbols. Where they differ within a
block they are mapped to the one Es/N0 over AWGN that carries as much mutual information (MIESM:
Wan et al., "A fading-insensitive performance metric for a unified link quality model", WCNC
2006), less a penalty for their spread; repeated symbols add their Es/N0 first, as the receiver
adds their LLRs. A frame arrives if all its code blocks do. Given the fades, frames are
independent: their noise is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels.bler.table import BlerTable, default_table
from channels.coding.segmentation import plan_blocks
from channels.coding.transport_block import transport_block_code
from channels.errors import ChannelError
from channels.fading.models import Channel
from channels.fading.states import DEFAULT_STATES, ChannelStates, channel_states, drawn_states
from channels.kernels.normal import stream_keys, uniform
from channels.modulation.mutual_information import bicm_information
from channels.phy.analog import send_symbols
from channels.phy.stream import check_trials, frame_spans, modulate
from channels.types import Frame, LinkReport, Mcs

# Information lost for each unit of its deviation over the fades that a code block sees, by bits
# per symbol. NR interleaves bits over the rows of one code block only, which for QPSK are two: a
# fade erases runs of neighbouring code bits, which hurts more than as many spread ones. Fitted
# to bit-true outcomes over 2 to 16 fades a block; it hardly depends on code rate or length.
SPREAD_PENALTY = {2: 0.13, 4: 0.05, 6: 0.05, 8: 0.08}
# Delivered sets double with every frame.
MAX_EXPECTED_FRAMES = 16


class TablePhy:
    """Sends frames by their probabilities of arrival; no bit is coded for a trial.

    Args:
        table: Block error rates over AWGN; None for the table that ships.
        num_states: Nodes over the fades for `expected_delivery`.

    >>> import numpy as np
    >>> from channels.fading.models import make_channel
    >>> mcs = default_table().schemes[4]
    >>> frame = Frame("text", np.ones(160, np.uint8), mcs)
    >>> phy = TablePhy()
    >>> phy.send([frame], make_channel("awgn"), esno_db=15.0, seeds=[1, 2]).delivered.tolist()
    [[True], [True]]
    >>> sets = phy.expected_delivery([frame], make_channel("rayleigh_block"), esno_db=0.0)
    >>> 0.5 < sets[frozenset({"text"})] < 0.9, round(sum(sets.values()), 9)
    (True, 1.0)
    """

    send_symbols = staticmethod(send_symbols)  # what is not coded has no table: it is sent

    def __init__(self, table: BlerTable | None = None, num_states: int = DEFAULT_STATES) -> None:
        self.table = default_table() if table is None else table
        self.num_states = num_states

    def send(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> LinkReport:
        """As `BitTruePhy.send`, over the same fades, with outcomes drawn from the tables.

        The uniform variable that decides over a frame depends on the seed and the frame's tag
        alone: what arrives at one Es/N0 arrives at any higher one, given the table.
        """
        p = self.delivery_probabilities(frames, channel, esno_db, seeds)
        tags = tuple(frame.tag for frame in frames)
        draws = np.stack([_decisions(tuple(seeds), tag) for tag in tags], axis=1)
        return LinkReport(tags, draws < p, frame_spans(frames)[1])

    def delivery_probabilities(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float, seeds: Sequence[int]
    ) -> np.ndarray:
        """Probability that each frame arrives, given the fades of each seed.

        Args:
            frames: What is sent, as one stream of symbols; tags must differ.
            channel: The channel; its fades are those that `BitTruePhy` sees for these seeds.
            esno_db: Mean Es/N0 per channel use, for mean transmit power 1.
            seeds: One seed per trial.

        Returns:
            float64 [len(seeds), len(frames)]; given the fades, frames arrive independently.

        Raises:
            ChannelError: The table does not hold a frame's scheme or length.
        """
        check_trials(len(seeds))
        num_symbols = int(frame_spans(frames)[1].sum())
        return self._probabilities(frames, drawn_states(channel, num_symbols, esno_db, seeds))

    def expected_delivery(
        self, frames: Sequence[Frame], channel: Channel, esno_db: float
    ) -> dict[frozenset[str], float]:
        """Probability of every delivered set, the fades integrated out.

        One fade over the transmission is integrated over fine cells of its power, more fades by
        a fixed quasi-random sequence (`channels.fading.states`). Deterministic: no seed.

        Args:
            frames: What is sent; at most `MAX_EXPECTED_FRAMES`, tags all different.
            channel: The channel.
            esno_db: Mean Es/N0 per channel use, for mean transmit power 1.

        Returns:
            From the set of tags that arrive to its probability, above 0; they sum to 1.
        """
        if len(frames) > MAX_EXPECTED_FRAMES:
            raise ChannelError(
                f"{len(frames)} frames have too many delivered sets; expected at most "
                f"{MAX_EXPECTED_FRAMES} frames; draw them with send()"
            )
        num_symbols = int(frame_spans(frames)[1].sum())
        states = channel_states(channel, num_symbols, esno_db, self.num_states)
        return set_probabilities(
            [frame.tag for frame in frames], self._probabilities(frames, states), states.weights
        )

    def _probabilities(self, frames: Sequence[Frame], states: ChannelStates) -> np.ndarray:
        starts, _ = frame_spans(frames)
        power = _transmit_power(frames)
        p = np.empty((len(states.power), len(frames)))
        for i, frame in enumerate(frames):
            p[:, i] = self.arrival(frame.bits.size, frame.mcs, starts[i], power[i], states)
        return p

    def arrival(
        self, k: int, mcs: Mcs, start: int, power: float, states: ChannelStates
    ) -> np.ndarray:
        """Probability that one frame arrives, given each of the fades.

        Args:
            k: Payload bits.
            mcs: Modulation and coding.
            start: Number of the frame's first symbol in the transmission.
            power: Transmit power of its symbols, linear.
            states: The fades over the transmission.

        Returns:
            float64 [num_states].
        """
        layout = frame_layout(k, mcs, start, states.block_symbols)
        esno = states.power[:, layout.fade].sum(axis=2) * (power / states.no)
        p: np.ndarray = np.prod(1 - self._block_errors(k, mcs, layout, esno), axis=1)
        return p

    def _block_errors(self, k: int, mcs: Mcs, layout: FrameLayout, esno: np.ndarray) -> np.ndarray:
        """Error probability of each code block [states, blocks] from piecewise Es/N0."""
        plan = plan_blocks(k, mcs)
        if mcs.repetition > 1 and mcs.num_bits_per_symbol != 2:
            raise ChannelError(
                f"{mcs} repeats symbols of more than 2 bits, which the tables do not hold; "
                "expected repetition with QPSK only, or use the bit-true link"
            )
        bounds = np.searchsorted(layout.block, np.arange(plan.num_blocks + 1))
        if len(layout.block) == plan.num_blocks:  # each block sees one Es/N0: nothing to map
            with np.errstate(divide="ignore"):
                effective_db = 10 * np.log10(esno)
        else:
            curve = bicm_information(mcs.num_bits_per_symbol)
            share = layout.length / np.add.reduceat(layout.length, bounds[:-1])[layout.block]
            information = curve(esno)
            mean = np.add.reduceat(information * share, bounds[:-1], axis=1)
            spread = (share * (information - mean[:, layout.block])) ** 2
            deviation = np.sqrt(np.add.reduceat(spread, bounds[:-1], axis=1))
            penalty = SPREAD_PENALTY[mcs.num_bits_per_symbol] * deviation
            effective_db = curve.inverse_db(mean - penalty)
        return self.table.bler(mcs, plan.block_bits, effective_db)


@dataclass(frozen=True)
class FrameLayout:
    """The symbols of one frame, in runs that see constant fades.

    Attributes:
        length: int64 [num_runs], symbols of each run, of one repetition.
        block: int64 [num_runs], code block of each run, ascending.
        fade: int64 [num_runs, repetition], fade that each repetition of the run sees.
    """

    length: np.ndarray
    block: np.ndarray
    fade: np.ndarray


@lru_cache(maxsize=1024)
def frame_layout(k: int, mcs: Mcs, start: int, block_symbols: int) -> FrameLayout:
    """Cuts a frame of k payload bits, whose first symbol is number ``start``, into its runs."""
    plan = plan_blocks(k, mcs)
    once = plan.symbols_once
    short, num_long = divmod(once, plan.num_blocks)
    sizes = [short + (r >= plan.num_blocks - num_long) for r in range(plan.num_blocks)]
    block_starts = np.cumsum([0, *sizes[:-1]])
    first = start + once * np.arange(mcs.repetition)
    cuts = [block_starts]
    for begin in first:
        cuts.append(np.arange(-begin % block_symbols, once, block_symbols))
    begins = np.unique(np.concatenate(cuts))
    length = np.diff(np.append(begins, once))
    block = np.searchsorted(block_starts, begins, side="right") - 1
    fade = (begins[:, None] + first) // block_symbols
    return FrameLayout(length, block, fade)


def set_probabilities(
    tags: Sequence[str], delivery: np.ndarray, weights: np.ndarray
) -> dict[frozenset[str], float]:
    """Probabilities of the delivered sets from those of the frames.

    Args:
        tags: One per frame.
        delivery: float64 [num_states, num_frames], independent given the state.
        weights: float64 [num_states], summing to 1.

    >>> sets = set_probabilities(["a", "b"], np.array([[1.0, 0.5]]), np.ones(1))
    >>> sorted((sorted(tags), p) for tags, p in sets.items())
    [(['a'], 0.5), (['a', 'b'], 0.5)]
    """
    joint = np.asarray(weights, float)[:, None]
    for p in delivery.T:  # bit i of the column's number says that frame i arrives
        joint = np.concatenate([joint * (1 - p[:, None]), joint * p[:, None]], axis=1)
    total = joint.sum(axis=0)
    total = total / total.sum()
    return {
        frozenset(tag for i, tag in enumerate(tags) if number >> i & 1): float(total[number])
        for number in np.nonzero(total)[0].tolist()
    }


@lru_cache(maxsize=256)  # a sweep asks for the same at every Es/N0, channel and system
def _decisions(seeds: tuple[int, ...], tag: str) -> np.ndarray:
    """The uniform numbers that decide over a frame, [len(seeds)]."""
    found = uniform(stream_keys(seeds, f"table:{tag}"))
    found.flags.writeable = False
    return found


def _transmit_power(frames: Sequence[Frame]) -> np.ndarray:
    """Power of each frame's constellation, as `modulate` scales it for these bits."""
    return _cached_power(tuple(_Content(frame) for frame in frames))


class _Content:
    """A frame hashed by what it sends."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        bits = hashlib.sha256(np.packbits(frame.bits).tobytes()).digest()
        self._key = (bits, frame.bits.size, frame.mcs, frame.power_db, frame.priority)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self._key == other._key


@lru_cache(maxsize=256)
def _cached_power(contents: tuple[_Content, ...]) -> np.ndarray:
    frames = [content.frame for content in contents]
    codes = [transport_block_code(frame.bits.size, frame.mcs) for frame in frames]
    _, amplitude = modulate(frames, codes)
    starts = np.cumsum([0, *(code.num_symbols for code in codes[:-1])])
    return amplitude.double().numpy()[starts] ** 2
