"""Capacity of QPSK and QAM over AWGN: with joint (CM) and with bitwise (BICM) demapping.

A square Gray-labelled QAM is two amplitude modulations, so both are sums over one real dimension.
In fading the mean over the gains is the bound: `channels.bounds.outage` averages any such function.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from channels.bounds.awgn import snr_of
from channels.errors import ChannelError
from channels.types import BITS_PER_SYMBOL

Floats = NDArray[np.float64]

# Noise in standard deviations. The trapezoidal rule is exponentially exact for such integrands;
# what lies beyond 9 is below 1e-18.
_NOISE = np.linspace(-9.0, 9.0, 361)
_WEIGHT = np.exp(-(_NOISE**2) / 2)
_WEIGHT /= _WEIGHT.sum()


@functools.cache
def _amplitudes(num_bits_per_symbol: int) -> tuple[Floats, NDArray[np.int64]]:
    """Amplitudes [2^(m/2)] of one real dimension and their labels [m/2, 2^(m/2)].

    3GPP TS 38.211, 5.1: (1 - 2 b0) (2^(h-1) - (1 - 2 b1) (2^(h-2) - ...)), scaled.
    """
    if num_bits_per_symbol not in BITS_PER_SYMBOL:
        raise ChannelError(
            f"num_bits_per_symbol is {num_bits_per_symbol}; expected one of {BITS_PER_SYMBOL}"
        )
    half = num_bits_per_symbol // 2
    labels = (np.arange(2**half) >> np.arange(half - 1, -1, -1)[:, None]) & 1
    level = np.ones(2**half)
    for i, bit in enumerate(labels[:0:-1], start=1):
        level = 2**i - (1 - 2 * bit) * level
    level *= 1 - 2 * labels[0]
    return level / np.sqrt(2 * np.mean(level**2)), labels


def _information(snr: float, num_bits_per_symbol: int, bitwise: bool) -> float:
    """Mutual information of one real dimension in bits."""
    points, labels = _amplitudes(num_bits_per_symbol)
    # In units of the noise deviation of a real dimension, sqrt(no / 2).
    points = points * np.sqrt(2 * snr)
    received = points[:, None] + _NOISE
    metric = -((received[..., None] - points) ** 2) / 2  # [sent, noise, candidate]
    whole = logsumexp(metric, axis=-1)
    if not bitwise:
        loss = (whole + _NOISE**2 / 2) @ _WEIGHT
        return np.log2(len(points)) - float(loss.mean()) / np.log(2)
    total = 0.0
    for bits in labels:
        same = np.where(bits[:, None, None] == bits, metric, -np.inf)
        loss = (whole - logsumexp(same, axis=-1)) @ _WEIGHT
        total += 1 - float(loss.mean()) / np.log(2)
    return total


def constrained_capacity(
    num_bits_per_symbol: int, esno_db: ArrayLike, bitwise: bool = True
) -> Floats:
    """Capacity of a modulation with equally likely symbols, in bits per channel use.

    Args:
        num_bits_per_symbol: 2 (QPSK), 4, 6 or 8 (16-, 64-, 256-QAM), Gray-labelled.
        esno_db: Es/N0 per complex channel use in dB.
        bitwise: True for bit-interleaved coded modulation, which is what a binary code with a
            soft demapper can reach; False for coded modulation, which decodes symbols jointly.

    Returns:
        Bits per complex channel use, the shape of `esno_db`.

    Source: G. Caire, G. Taricco, E. Biglieri, "Bit-interleaved coded modulation", IEEE Trans.
        Inf. Theory 44(3), 1998, eqs. 9 and 15.

    Example:
        >>> round(float(constrained_capacity(2, 0.187)), 3)
        1.0
        >>> [round(float(constrained_capacity(4, 6.0, b)), 3) for b in (True, False)]
        [2.178, 2.204]
    """
    snr = snr_of(esno_db)
    found = [2 * _information(s, num_bits_per_symbol, bitwise) for s in np.ravel(snr)]
    # Rounding may leave a hair below 0 or above m.
    return np.clip(np.reshape(found, snr.shape), 0.0, num_bits_per_symbol)
