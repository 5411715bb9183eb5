"""Channel uses that a plan leaves over buy robustness: more robust schemes for the same frames."""

from __future__ import annotations

from collections.abc import Sequence

from channels.coding.transport_block import num_channel_uses
from channels.types import Mcs
from scmc_comm.link.mcs import MCS_GRID, required_esno_db


def strengthened(
    num_bits: Sequence[int], schemes: Sequence[Mcs], num_uses: int, together: bool = False
) -> tuple[Mcs, ...]:
    """The schemes of frames, made more robust as far as the channel uses last.

    Each frame in turn takes the next scheme of the grid that needs less Es/N0, if it fits, until
    none can. A scheme is never exchanged for one that needs more.

    Args:
        num_bits: Payload bits of each frame, the most important first.
        schemes: How each would be sent; together they fit.
        num_uses: Channel uses that all of them may take.
        together: Keep one scheme for all, which is the most robust one that fits.

    Returns:
        A scheme for each frame.

    Example:
        >>> strengthened([400], [Mcs(2, 602 / 1024)], 900)
        (Mcs(num_bits_per_symbol=2, coderate=0.2451171875, repetition=1),)
    """
    if together:
        return _common(num_bits, schemes, num_uses)
    chosen = list(schemes)
    left = num_uses - sum(map(num_channel_uses, num_bits, chosen))
    moved = True
    while moved:
        moved = False
        for i, bits in enumerate(num_bits):
            now = num_channel_uses(bits, chosen[i])
            step = _next_step(bits, chosen[i], now + left)
            if step is not None:
                left -= num_channel_uses(bits, step) - now
                chosen[i], moved = step, True
    return tuple(chosen)


def _next_step(num_bits: int, mcs: Mcs, most_uses: int) -> Mcs | None:
    """Of the more robust schemes that fit, the one that takes the fewest channel uses."""
    need = required_esno_db(mcs, num_bits)
    more = [
        (num_channel_uses(num_bits, other), required_esno_db(other, num_bits), other)
        for other in MCS_GRID
        if required_esno_db(other, num_bits) < need
    ]
    return min((step for step in more if step[0] <= most_uses), default=(0, 0.0, None))[2]


def _common(num_bits: Sequence[int], schemes: Sequence[Mcs], num_uses: int) -> tuple[Mcs, ...]:
    def need(mcs: Mcs) -> float:
        return max(required_esno_db(mcs, bits) for bits in num_bits)

    now = max(map(required_esno_db, schemes, num_bits))
    fitting = [
        (need(mcs), mcs)
        for mcs in MCS_GRID
        if sum(num_channel_uses(bits, mcs) for bits in num_bits) <= num_uses
    ]
    best = min(fitting, key=lambda found: found[0], default=(now, None))
    if best[1] is None or best[0] >= now:
        return tuple(schemes)
    return (best[1],) * len(num_bits)
