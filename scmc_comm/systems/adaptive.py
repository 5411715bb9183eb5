"""Adaptive MCS: the modulation and code rate with the best expected quality at each point.

The sender knows the law of the channel and its mean Es/N0. The choice rests on the quality that
the codec gives on validation pictures, failures included, and on nothing of the image to be sent
but its size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from channels.coding.transport_block import max_payload_bits
from channels.fading.models import channel_identity, make_channel
from channels.phy.table import TablePhy
from channels.types import Frame, Mcs
from scmc_comm.baselines.codec_curves import CodecCurves
from scmc_comm.link.budget import Budget
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.utility import Utility

_TAG = "image"
_TIE = 1e-9


def delivery_probability(mcs: Mcs, num_bits: int, channel: str, esno_db: float) -> float:
    """Probability that one frame arrives, its fades integrated out.

    Args:
        mcs: Modulation and coding.
        num_bits: Payload bits.
        channel: Channel by name and parameters, as `channels.fading.models.make_channel` takes it.
        esno_db: Mean Es/N0 per channel use in dB.

    Example:
        >>> robust, fast = MCS_GRID[0], MCS_GRID[-1]
        >>> [round(delivery_probability(mcs, 800, "awgn", 5.0), 2) for mcs in (robust, fast)]
        [1.0, 0.0]
    """
    return _delivery_probability(mcs, num_bits, channel, esno_db, channel_identity(channel))


@lru_cache(maxsize=65536)
def _delivery_probability(mcs: Mcs, num_bits: int, channel: str, esno_db: float, _: str) -> float:
    # Random bits: the power of a frame is normalised over its own symbols.
    bits = np.random.default_rng(num_bits).integers(0, 2, num_bits, dtype=np.uint8)
    found = _phy().expected_delivery([Frame(_TAG, bits, mcs)], make_channel(channel), esno_db)
    return found.get(frozenset({_TAG}), 0.0)


@lru_cache(maxsize=1)
def _phy() -> TablePhy:
    return TablePhy()


def expected_utility(curves: CodecCurves, mcs: Mcs, size: tuple[int, int], budget: Budget) -> float:
    """Mean utility over the validation pictures and the channel, were this scheme used.

    A frame that is lost, and a picture that does not fit, show mid-grey.

    Args:
        curves: Of the codec.
        mcs: Modulation and coding.
        size: ``(H, W)`` of the image to be sent.
        budget: Channel uses, the channel's law, its mean Es/N0 and the utility.

    Returns:
        The more the better; NaN if no picture fits.
    """
    max_bits = max_payload_bits(budget.uses(size), mcs) // 8 * 8
    if not max_bits:
        return float("nan")
    utility = Utility.parse(budget.utility)
    shown, grey = curves.at(max_bits, size, utility), curves.failure(utility)
    fits = ~np.isnan(shown)
    if not fits.any():
        return float("nan")
    p = delivery_probability(mcs, max_bits, budget.channel, budget.design_esno_db)
    return float(np.where(fits, p * np.nan_to_num(shown) + (1 - p) * grey, grey).mean())


def ranking(curves: CodecCurves, size: tuple[int, int], budget: Budget) -> tuple[Mcs, ...]:
    """The schemes at which some validation picture fits, the best on average first.

    Of equally good ones (none of which ever arrives, say) the most robust is first.

    Raises:
        ScmcError: The budget's utility is none.
    """
    found = {mcs: expected_utility(curves, mcs, size, budget) for mcs in MCS_GRID}
    value = {mcs: utility for mcs, utility in found.items() if not np.isnan(utility)}
    return tuple(sorted(value, key=lambda mcs: (-round(value[mcs] / _TIE), mcs.bits_per_use)))
