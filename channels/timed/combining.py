"""What several transmissions of a block are worth, as the Es/N0 of a single one.

Symbols that carry the same coded bit add their Es/N0, as the receiver adds their LLRs; bits that
are new add their mutual information (Cheng, "Coding performance of hybrid ARQ schemes", IEEE
Trans. Commun. 2006). The sum is mapped back to the one Es/N0 at which a single transmission
carries as much, so that any table of block error rates serves HARQ as well. Against the bit-true
chain that is good to about half a dB, 1 dB where three or four transmissions at more than 4 bits a
symbol meet (`channels.coding.ldpc` loses there what Sionna's decoder does not).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from channels.coding.redundancy import circular_buffer, redundancy_version
from channels.coding.segmentation import plan_blocks
from channels.errors import ChannelError
from channels.modulation.mutual_information import bicm_information
from channels.types import Mcs
from channels.units import lin_to_db

# Mutual information per coded bit that the code needs beyond its rate, about the same at any rate:
# longer code words pay for it again. Measured over AWGN, 300 to 3600 bits, QPSK to 256-QAM.
_LOSS = 0.05


def effective_esno_db(
    mcs: Mcs, num_bits: int, kind: str, esno_db: Sequence[float] | np.ndarray
) -> float:
    """Es/N0 of one transmission that is worth as much as all of them.

    Args:
        mcs: Scheme of each transmission.
        num_bits: Payload bits.
        kind: "chase" or "incremental".
        esno_db: Es/N0 in dB of each transmission so far, in order.

    Returns:
        Es/N0 in dB, to be looked up for the same scheme and payload.

    >>> mcs = Mcs(num_bits_per_symbol=2, coderate=0.5)
    >>> round(effective_esno_db(mcs, 500, "chase", [-3.0, -3.0]), 2)
    0.01
    >>> effective_esno_db(mcs, 500, "incremental", [-3.0, -3.0]) > 0.1
    True
    """
    if len(esno_db) == 0:
        raise ChannelError("esno_db is empty; expected one value a transmission")
    esno = 10.0 ** (np.asarray(esno_db, dtype=float) / 10.0)
    if kind == "chase" or len(esno) == 1:
        redundancy_version(kind, 1)
        return lin_to_db(float(esno.sum()))
    plan = plan_blocks(num_bits, mcs)
    sent_bits = plan.symbols_once * mcs.num_bits_per_symbol // plan.num_blocks
    share, count = _coverage(plan.block_bits, sent_bits, kind, len(esno))
    curve = bicm_information(mcs.num_bits_per_symbol)
    information = float(share @ curve(mcs.repetition * (count @ esno)))
    information -= _LOSS * (float(share[(count > 0).any(axis=1)].sum()) - 1.0)
    combined_db = float(curve.inverse_db(np.array(information))) - lin_to_db(mcs.repetition)
    return max(combined_db, lin_to_db(float(esno.sum())))  # new bits do no worse than old ones


@lru_cache(maxsize=16384)
def _coverage(
    block_bits: int, sent_bits: int, kind: str, num_attempts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which parts of the circular buffer the transmissions covered.

    Returns:
        The length float64 [parts] of each part over the bits of one transmission, and how often
        each transmission holds it, int64 [parts, num_attempts].
    """
    buffer = circular_buffer(block_bits)
    starts = [buffer.starts[redundancy_version(kind, a + 1)] for a in range(num_attempts)]
    whole_turns, rest = divmod(sent_bits, buffer.num_bits)
    cuts = np.unique([0, *starts, *[(s + rest) % buffer.num_bits for s in starts]])
    lengths = np.diff(np.append(cuts, buffer.num_bits))
    behind = (cuts[:, None] - np.array(starts)) % buffer.num_bits
    count = whole_turns + (behind < rest)
    return lengths / sent_bits, count
