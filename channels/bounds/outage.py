"""Block fading known to the receiver alone: outage probability, outage rate, ergodic capacity.

The power gain g = |h|^2 has mean 1, is constant in a block and independent between blocks; the
codeword spans L blocks of equal length. Functions take numbers or arrays that broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from channels.bounds.awgn import snr_of
from channels.errors import ChannelError
from channels.fading.models import Channel, RayleighBlock, RicianBlock
from channels.units import db_to_lin

Floats = NDArray[np.float64]

_CELLS = 2048  # cells of the rate axis for sums over blocks
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(256)
_MAX_BLOCKS = 128


@dataclass(frozen=True)
class Fading:
    """Law of a block's power gain |h|^2, mean 1.

    Attributes:
        name: For tables and labels.
        gain: scipy's frozen distribution, on [0, inf).
    """

    name: str
    gain: stats.distributions.rv_frozen


def rayleigh() -> Fading:
    """Rayleigh fading: the gain is exponential.

    >>> round(float(rayleigh().gain.cdf(1.0)), 4)
    0.6321
    """
    return Fading("rayleigh", stats.expon())


def rician(k_factor_db: float) -> Fading:
    """Rician fading: the gain is a scaled noncentral chi-square with two degrees of freedom.

    Args:
        k_factor_db: Power of the line of sight over that of the scattered part.
    """
    if not math.isfinite(k_factor_db):
        raise ChannelError(f"k_factor_db is {k_factor_db}; expected a finite value")
    k_factor = db_to_lin(k_factor_db)
    law = stats.ncx2(df=2, nc=2 * k_factor, scale=1 / (2 * (k_factor + 1)))
    return Fading(f"rician {k_factor_db:g} dB", law)


def nakagami(m: float) -> Fading:
    """Nakagami fading: the gain is gamma with shape m; m = 1 is Rayleigh.

    Args:
        m: Shape, at least 1/2.
    """
    if not 0.5 <= m < math.inf:
        raise ChannelError(f"m is {m}; expected a finite shape of at least 1/2")
    return Fading(f"nakagami m={m:g}", stats.gamma(a=m, scale=1 / m))


def fading_of(channel: Channel) -> Fading:
    """The gain law of one of the project's block fading channels.

    Raises:
        ChannelError: The channel does not fade in blocks.

    >>> fading_of(RicianBlock(3.0)).name
    'rician 3 dB'
    """
    if isinstance(channel, RayleighBlock):
        return rayleigh()
    if isinstance(channel, RicianBlock):
        return rician(channel.k_factor_db)
    raise ChannelError(
        f"channel {channel.name!r} has no block fading law here; expected rayleigh_block or "
        "rician_block; use channels.bounds.awgn for awgn"
    )


def num_blocks(channel: Channel, num_uses: int) -> int:
    """Number of independent fades that `num_uses` channel uses of a channel see.

    The last one may be cut short; the bounds count it as whole.

    >>> num_blocks(RayleighBlock(coherence_symbols=100), 250), num_blocks(RayleighBlock(), 250)
    (3, 1)
    """
    coherence = getattr(channel, "coherence_symbols", None)
    return 1 if coherence is None else -(-num_uses // coherence)


def _check_blocks(blocks: int) -> None:
    if not 1 <= blocks <= _MAX_BLOCKS:
        raise ChannelError(
            f"blocks is {blocks}; expected 1 to {_MAX_BLOCKS}; use ergodic_capacity beyond"
        )


def _threshold(rate: Floats, snr: Floats) -> Floats:
    """Gain at which one block carries `rate`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rate > 0, np.expm1(rate * np.log(2)) / snr, 0.0)


def _convolved(a: Floats, b: Floats) -> Floats:
    """Sum of two independent cell indices, cut to the axis; positive terms, so no cancellation."""
    return np.convolve(a, b)[: len(a)]


def _sum_of_blocks(fading: Fading, rates: Floats, snr: float, blocks: int) -> Floats:
    """P(sum of log2(1 + g snr) over blocks < blocks * rate), by convolution on a rate axis.

    A block above the whole axis alone exceeds the sum, so the axis ends at the highest rate. Each
    value is taken at the middle of its cell, which makes the error of second order.
    """
    edges = np.linspace(0.0, blocks * rates.max(), _CELLS + 1)
    base = np.diff(fading.gain.cdf(np.expm1(edges * np.log(2)) / snr))
    total: Floats | None = None
    left = blocks
    while left:  # base ** blocks by squaring
        if left & 1:
            total = base if total is None else _convolved(total, base)
        left >>= 1
        if left:
            base = _convolved(base, base)
    assert total is not None
    # Cell j of the sum stands for (j + blocks / 2) cells; its upper edge lies half a cell higher.
    upper = np.arange(_CELLS) + (blocks + 1) / 2
    return np.interp(rates / rates.max() * _CELLS, upper, np.cumsum(total), left=0.0)


def _outage_of_blocks(fading: Fading, rates: Floats, snr: float, blocks: int) -> Floats:
    """`_sum_of_blocks` for rates of any size, one convolution per octave of rates."""
    out = np.zeros(rates.shape)
    if snr == 0:
        return np.where(rates > 0, 1.0, 0.0)
    octave = np.floor(np.log2(np.where(rates > 0, rates, 1.0)))
    for which in np.unique(octave[rates > 0]):
        chosen = (octave == which) & (rates > 0)
        out[chosen] = _sum_of_blocks(fading, rates[chosen], snr, blocks)
    return np.clip(out, 0.0, 1.0)


def outage_probability(
    fading: Fading, rate: ArrayLike, esno_db: ArrayLike, blocks: int = 1
) -> Floats:
    """Probability that the channel does not carry `rate`: P(mean of log2(1 + g snr) < rate).

    Args:
        fading: Law of the gains.
        rate: Bits per channel use.
        esno_db: Mean Es/N0 in dB.
        blocks: L, independent fades a codeword spans. One block has a closed form; more are
            convolved numerically: relative error 1e-5 for a few, 2e-3 for 128.

    Source: L. H. Ozarow, S. Shamai, A. D. Wyner, "Information theoretic considerations for
        cellular mobile radio", IEEE Trans. Veh. Technol. 43(2), 1994.

    Example:
        >>> round(float(outage_probability(rayleigh(), 1.0, 10.0)), 4)
        0.0952
        >>> round(float(outage_probability(rayleigh(), 1.0, 10.0, blocks=4)), 5)
        0.00163
    """
    _check_blocks(blocks)
    bits, snr = np.broadcast_arrays(np.asarray(rate, dtype=float), snr_of(esno_db))
    if not (bits >= 0).all():
        raise ChannelError(f"rate is {rate!r}; expected 0 or more bits per channel use")
    if blocks == 1:
        return np.asarray(fading.gain.cdf(_threshold(bits, snr)))
    out = np.empty(bits.shape)
    for level in np.unique(snr):
        here = snr == level
        out[here] = _outage_of_blocks(fading, bits[here], float(level), blocks)
    return out


def outage_rate(fading: Fading, outage: ArrayLike, esno_db: ArrayLike, blocks: int = 1) -> Floats:
    """Highest rate in bits per channel use whose outage probability is at most `outage`.

    Args:
        fading: Law of the gains.
        outage: Probability above 0 and below 1.
        esno_db: Mean Es/N0 in dB.
        blocks: L, independent fades a codeword spans.

    Example:
        >>> round(float(outage_rate(rayleigh(), 0.01, 20.0)), 3)
        1.004
    """
    _check_blocks(blocks)
    share, snr = np.broadcast_arrays(np.asarray(outage, dtype=float), snr_of(esno_db))
    if not ((share > 0) & (share < 1)).all():
        raise ChannelError(f"outage is {outage!r}; expected a probability above 0 and below 1")
    low = np.log1p(fading.gain.ppf(share) * snr) / np.log(2)
    if blocks == 1:
        return low
    # The mean over blocks lies between the smallest and the largest of them.
    low = np.log1p(fading.gain.ppf(-np.expm1(np.log1p(-share) / blocks)) * snr) / np.log(2)
    high = np.log1p(fading.gain.ppf(share ** (1 / blocks)) * snr) / np.log(2)
    esno = 10 * np.log10(np.maximum(snr, 1e-300))
    for _ in range(40):
        middle = (low + high) / 2
        fits = outage_probability(fading, middle, esno, blocks) <= share
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return low


def ergodic_mean(
    fading: Fading, capacity: Callable[[Floats], Floats], esno_db: ArrayLike
) -> Floats:
    """Mean of a capacity function over the gains: what very many blocks carry.

    Args:
        fading: Law of the gains.
        capacity: Bits per use at an array of Es/N0 in dB, such as
            ``lambda e: constrained_capacity(4, e)``.
        esno_db: Mean Es/N0 in dB.

    Example:
        >>> from channels.bounds.awgn import capacity
        >>> mean = ergodic_mean(rayleigh(), capacity, 10.0)
        >>> round(float(mean), 2), round(float(ergodic_capacity(rayleigh(), 10.0)), 2)
        (2.91, 2.91)
    """
    share, weight = (_NODES + 1) / 2, _WEIGHTS / 2
    snr = snr_of(esno_db)
    gain = fading.gain.ppf(share)
    with np.errstate(divide="ignore"):
        seen = 10 * np.log10(snr[..., None] * gain)
    return np.asarray(capacity(seen) @ weight)


def ergodic_capacity(fading: Fading, esno_db: ArrayLike) -> Floats:
    """Ergodic capacity E log2(1 + g snr) in bits per channel use, transmitter uninformed.

    For x = ln(1 + g snr) the mean is the integral of P(x > t), a smooth step.

    Args:
        fading: Law of the gains.
        esno_db: Mean Es/N0 in dB.

    Source: A. J. Goldsmith, P. P. Varaiya, IEEE Trans. Inf. Theory 43(6), 1997.

    Example:
        >>> round(float(ergodic_capacity(rayleigh(), 0.0)), 4)
        0.8603
    """
    snr = snr_of(esno_db)[..., None]
    end = np.log1p(snr * fading.gain.isf(1e-16))
    t = end * (_NODES + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(snr > 0, fading.gain.sf(np.expm1(t) / snr), 0.0)
    return np.asarray((above * (end * _WEIGHTS / 2)).sum(axis=-1)) / np.log(2)
