"""Block fading known to the receiver alone: outage probability.

The power gain g = |h|^2 is constant in a block and independent between blocks; a codeword spans
whole blocks and, at its end, a part of one. Functions take numbers or arrays that broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from channels.bounds.awgn import snr_of
from channels.errors import ChannelError
from channels.fading.block import BlockFading

Floats = NDArray[np.float64]

MAX_BLOCKS = 128
_CELLS = 2048  # cells of the rate axis for sums over blocks


def outage_probability(
    channel: BlockFading, rate: ArrayLike, esno_db: ArrayLike, num_uses: int = 1
) -> Floats:
    """Probability that a codeword's fades do not carry `rate`: P(mean log2(1 + g snr) < rate).

    Args:
        channel: The block fading channel.
        rate: Bits per channel use.
        esno_db: Mean Es/N0 in dB.
        num_uses: Channel uses of the codeword: how many fades it spans, at most `MAX_BLOCKS`; the
            last may be cut short. One fade has a closed form; more are convolved numerically:
            relative error 1e-5 for a few, 2e-3 for 128.

    Source: L. H. Ozarow, S. Shamai, A. D. Wyner, "Information theoretic considerations for
        cellular mobile radio", IEEE Trans. Veh. Technol. 43(2), 1994.

    Example:
        >>> from channels.fading.models import RayleighBlock
        >>> round(float(outage_probability(RayleighBlock(), 1.0, 10.0)), 4)
        0.0952
        >>> round(float(outage_probability(RayleighBlock(50), 1.0, 10.0, num_uses=200)), 5)
        0.00163
    """
    if not channel.is_fading:
        raise ChannelError(f"{channel.name} does not fade; use channels.bounds.awgn")
    blocks = channel.num_blocks(num_uses)
    if not 1 <= blocks <= MAX_BLOCKS:
        raise ChannelError(
            f"{num_uses} channel uses of {channel.name} see {blocks} fades; expected 1 to "
            f"{MAX_BLOCKS}"
        )
    bits, snr = np.broadcast_arrays(np.asarray(rate, dtype=float), snr_of(esno_db))
    if not (bits >= 0).all():
        raise ChannelError(f"rate is {rate!r}; expected 0 or more bits per channel use")
    if blocks == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            threshold = np.where(bits > 0, np.expm1(bits * np.log(2)) / snr, 0.0)
        return np.asarray(channel.power_law.cdf(threshold))
    lengths = num_uses / channel.block_symbols(num_uses)
    out = np.where(bits > 0, 1.0, 0.0)
    for level in np.unique(snr[snr > 0]):
        here = np.flatnonzero((snr == level) & (bits > 0))
        wanted = bits.flat[here] * lengths  # in units of a whole block
        octave = np.floor(np.log2(wanted))
        for which in np.unique(octave):  # one convolution for each: rates of any size are resolved
            chosen = octave == which
            out.flat[here[chosen]] = _sum_below(channel, wanted[chosen], float(level), lengths)
    return np.clip(out, 0.0, 1.0)


def _sum_below(channel: BlockFading, wanted: Floats, snr: float, lengths: float) -> Floats:
    """P(sum of log2(1 + g snr) over blocks < wanted), by convolution on an axis of cells.

    The last block counts by the fraction of `lengths`. A block above the whole axis alone exceeds
    the sum, so the axis ends at the highest value. Each value is taken at the middle of its cell,
    which makes the error of second order.
    """
    edges = np.linspace(0.0, wanted.max(), _CELLS + 1)
    law = channel.power_law

    def cells(length: float) -> Floats:
        return np.diff(law.cdf(np.expm1(edges * (np.log(2) / length)) / snr))

    def add(a: Floats, b: Floats) -> Floats:  # positive terms, so no cancellation
        return np.convolve(a, b)[:_CELLS]

    whole, part = int(lengths), lengths - int(lengths)
    total = cells(part) if part > 0 else None
    power, left = cells(1.0), whole
    while left:  # cells(1.0) ** whole by squaring
        if left & 1:
            total = power if total is None else add(total, power)
        left >>= 1
        if left:
            power = add(power, power)
    assert total is not None
    # Cell j of the sum of b blocks stands for (j + b / 2) cells; its upper edge is half a cell on.
    upper = np.arange(_CELLS) + (whole + (part > 0) + 1) / 2
    return np.interp(wanted / wanted.max() * _CELLS, upper, np.cumsum(total), left=0.0)
