"""The modulation and code rate with the best expected quality over a link that is known by its law.

Of the mean Es/N0 the sender knows the point's own (adaptive MCS), the design's, or a range. The
choice rests on the quality that the codec gives on validation pictures, failures included, and on
nothing of the image to be sent but its size.
"""

from __future__ import annotations

import numpy as np

from channels.coding.transport_block import max_payload_bits
from channels.types import Mcs
from scmc_comm.baselines.codec_curves import CodecCurves
from scmc_comm.baselines.reduced import DIVISOR_BITS
from scmc_comm.link.budget import Budget
from scmc_comm.link.delivery import Link, make_link
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.utility import Utility

KNOWN_DB = (0.0,)
"""Mean Es/N0 around the design that a sender reckons with who takes the design for the truth."""
_TIE = 1e-9


def delivery_probability(mcs: Mcs, num_bits: int, link: Link) -> float:
    """Probability that one frame arrives, its fades and the mean Es/N0 integrated out.

    Args:
        mcs: Modulation and coding.
        num_bits: Payload bits.
        link: What it is sent over.

    Example:
        >>> link, robust, fast = make_link("awgn", 1000, (5.0,)), MCS_GRID[0], MCS_GRID[-1]
        >>> [round(delivery_probability(mcs, 800, link), 2) for mcs in (robust, fast)]
        [1.0, 0.0]
    """
    return float(link.weights @ link.delivery(num_bits, mcs, 0, 0.0))


def design_link(
    budget: Budget, size: tuple[int, int], spread_db: tuple[float, ...] = KNOWN_DB
) -> Link:
    """The link that a budget is for, as long as one image takes.

    Args:
        budget: Its channel, its physical layer, its design Es/N0.
        size: ``(H, W)`` of the image.
        spread_db: Mean Es/N0 around the design, all alike.

    Raises:
        ChannelError: The physical layer cannot run over the channel.
    """
    means_db = tuple(budget.design_esno_db + spread for spread in spread_db)
    return make_link(budget.channel, budget.uses(size), means_db, phy=budget.phy)


def expected_utility(
    curves: CodecCurves,
    mcs: Mcs,
    size: tuple[int, int],
    budget: Budget,
    link: Link,
) -> float:
    """Mean utility over the validation pictures and the channel, were this scheme used.

    A frame that is lost, and a picture that does not fit, show mid-grey.

    Args:
        curves: Of the codec.
        mcs: Modulation and coding.
        size: ``(H, W)`` of the image to be sent.
        budget: Channel uses, the link, its mean Es/N0 and the utility.
        link: The budget's, of `design_link`.

    Returns:
        The more the better; NaN if no picture fits.
    """
    header_bits = DIVISOR_BITS if curves.reduced else 0
    max_bits = (max_payload_bits(budget.uses(size), mcs) - header_bits) // 8 * 8
    if max_bits <= 0:
        return float("nan")
    utility = Utility.parse(budget.utility)
    shown, grey = curves.at(max_bits, size, utility), curves.failure(utility)
    fits = ~np.isnan(shown)
    if not fits.any():
        return float("nan")
    p = delivery_probability(mcs, max_bits + header_bits, link)
    return float(np.where(fits, p * np.nan_to_num(shown) + (1 - p) * grey, grey).mean())


def ranking(
    curves: CodecCurves,
    size: tuple[int, int],
    budget: Budget,
    spread_db: tuple[float, ...] = KNOWN_DB,
) -> tuple[Mcs, ...]:
    """The schemes at which some validation picture fits, the best on average first.

    Of equally good ones (none of which ever arrives, say) the most robust is first.

    Raises:
        ScmcError: The budget's utility is none.
        ChannelError: The physical layer cannot run over the channel.
    """
    if not budget.uses(size):
        return ()
    link = design_link(budget, size, spread_db)
    found = {mcs: expected_utility(curves, mcs, size, budget, link) for mcs in MCS_GRID}
    value = {mcs: utility for mcs, utility in found.items() if not np.isnan(utility)}
    return tuple(sorted(value, key=lambda mcs: (-round(value[mcs] / _TIE), mcs.bits_per_use)))
