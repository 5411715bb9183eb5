"""What no code beats over AWGN: capacity, and the normal approximation at finite blocklength.

A channel use is complex throughout: Es = 1, noise variance `no` per complex dimension. Functions
take numbers or arrays that broadcast, and return arrays of that shape (0-d for numbers).

Source: Y. Polyanskiy, H. V. Poor, S. Verdu, "Channel coding rate in the finite blocklength
regime", IEEE Trans. Inf. Theory 56(5), 2010, with two real uses a complex one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from channels.errors import ChannelError

Floats = NDArray[np.float64]


def snr_of(esno_db: ArrayLike) -> Floats:
    """Linear SNR of an Es/N0 in dB; minus infinity gives 0.

    Raises:
        ChannelError: It holds NaN or plus infinity.
    """
    value = np.asarray(esno_db, dtype=float)
    if np.isnan(value).any() or np.isposinf(value).any():
        raise ChannelError("esno_db holds NaN or infinity; expected Es/N0 in dB")
    return np.power(10.0, value / 10)


def capacity(esno_db: ArrayLike) -> Floats:
    """Capacity of complex AWGN in bits per channel use, log2(1 + snr).

    Args:
        esno_db: Es/N0 per complex channel use in dB.

    Example:
        >>> float(capacity(0.0))
        1.0
    """
    return np.log1p(snr_of(esno_db)) / np.log(2)


def normal_bits(num_uses: ArrayLike, esno_db: ArrayLike, error: ArrayLike) -> Floats:
    """Most bits that n channel uses carry at an error probability, by the normal approximation.

    n C - sqrt(n V) Q^-1(error) + log2(n) / 2 with the dispersion V = 1 - (1 + snr)^-2 in squared
    nats per complex use (twice that of a real use, eq. 293 of the source); not below 0 and not
    above n C. At SNRs so low that it would rise as the SNR falls, its value where it turns stands
    instead.

    Args:
        num_uses: n, complex channel uses.
        esno_db: Es/N0 per complex channel use in dB.
        error: Block error probability, at most 1/2.

    Returns:
        Bits, not rounded.

    Example:
        >>> round(float(normal_bits(1024, 0.0, 1e-3) / 1024), 3)
        0.884
    """
    uses, share = np.asarray(num_uses, dtype=float), np.asarray(error, dtype=float)
    if not (uses >= 1).all():
        raise ChannelError(f"num_uses is {num_uses!r}; expected at least 1 channel use")
    if not ((share > 0) & (share <= 0.5)).all():
        raise ChannelError(f"error is {error!r}; expected a probability above 0, at most 1/2")
    growth = np.log1p(snr_of(esno_db))
    slope = norm.isf(share) / np.sqrt(uses)
    # Setting the derivative in u = 1 + snr to zero gives u^4 - u^2 = slope^2.
    turn = np.log((1 + np.sqrt(1 + 4 * slope**2)) / 2) / 2
    at = np.maximum(growth, turn)
    nats = at - slope * np.sqrt(-np.expm1(-2 * at)) + np.log(uses) / (2 * uses)
    return uses * np.clip(nats, 0.0, growth) / np.log(2)
