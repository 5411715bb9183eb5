"""What a receiver hears of a block, and whether it decodes."""

from __future__ import annotations

import math

import numpy as np

from channels.errors import ChannelError
from channels.modulation.mutual_information import bicm_information
from channels.timed.combining import effective_esno_db
from channels.timed.packets import Block
from channels.timed.traces import SnrTrace
from channels.timed.types import BlockErrorRate

_LOOKS = 8  # at most so many values of the trace are averaged over one part of a transmission


def listen(block: Block, trace: SnrTrace, start_s: float, sent_s: float, slot_s: float) -> None:
    """Takes note of the Es/N0 over a part of a transmission: one look a slot, up to eight."""
    looks = min(_LOOKS, max(1, math.ceil(sent_s / slot_s - 1e-9)))
    step_s, power_db = sent_s / looks, block.packet.kind.power_db
    for look in range(looks):
        esno_db = trace.esno_db(start_s + (look + 0.5) * step_s)
        block.heard.append((step_s, esno_db + power_db))


def mean_esno_db(block: Block) -> float:
    """The Es/N0 at which a constant channel carries as much mutual information."""
    levels = [level for _, level in block.heard]
    if min(levels) == max(levels):
        return levels[0]
    curve = bicm_information(block.mcs.num_bits_per_symbol)
    lengths = np.array([length for length, _ in block.heard])
    information = curve(10.0 ** (np.array(levels) / 10.0))
    return float(curve.inverse_db(lengths @ information / lengths.sum()))


def loss_probability(block: Block, harq: str, bler: BlockErrorRate) -> float:
    """Probability that a block does not decode from all its transmissions so far."""
    esno_db = effective_esno_db(block.mcs, block.num_bits, harq, block.esnos_db)
    lost = bler(block.mcs, block.num_bits, esno_db)
    if not 0.0 <= lost <= 1.0:
        raise ChannelError(
            f"the block error rate of {block.mcs}, {block.num_bits} bits at {esno_db} dB is "
            f"{lost}; expected a probability"
        )
    return lost
