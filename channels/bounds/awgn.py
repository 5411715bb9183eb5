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

_BISECTIONS = 80  # halves a bracket of less than 2**10 nats to below the last bit of the answer


def snr_of(esno_db: ArrayLike) -> Floats:
    """Linear SNR of an Es/N0 in dB; minus infinity gives 0.

    Raises:
        ChannelError: It holds NaN or plus infinity.
    """
    value = np.asarray(esno_db, dtype=float)
    if np.isnan(value).any() or np.isposinf(value).any():
        raise ChannelError("esno_db holds NaN or infinity; expected Es/N0 in dB")
    return np.power(10.0, value / 10)


def _to_db(snr: ArrayLike) -> Floats:
    with np.errstate(divide="ignore"):
        return 10 * np.log10(snr)


def capacity(esno_db: ArrayLike) -> Floats:
    """Capacity of complex AWGN in bits per channel use, log2(1 + snr).

    Args:
        esno_db: Es/N0 per complex channel use in dB.

    Example:
        >>> float(capacity(0.0))
        1.0
    """
    return np.log1p(snr_of(esno_db)) / np.log(2)


def capacity_esno_db(rate: ArrayLike) -> Floats:
    """Es/N0 in dB at which the capacity is `rate` bits per channel use; the inverse of `capacity`.

    Example:
        >>> round(float(capacity_esno_db(2.0)), 4)
        4.7712
    """
    value = np.asarray(rate, dtype=float)
    if not (value >= 0).all():
        raise ChannelError(f"rate is {rate!r}; expected 0 or more bits per channel use")
    return _to_db(np.expm1(value * np.log(2)))


def dispersion(esno_db: ArrayLike) -> Floats:
    """Channel dispersion V of complex AWGN in bits squared per channel use.

    V = snr (snr + 2) / (snr + 1)^2 log2(e)^2, twice that of a real use (eq. 293 of the source).

    Example:
        >>> round(float(dispersion(0.0)), 4)
        1.561
    """
    snr = snr_of(esno_db)
    return snr * (snr + 2) / ((snr + 1) * np.log(2)) ** 2


def _check(num_uses: ArrayLike, error: ArrayLike | None = None) -> Floats:
    uses = np.asarray(num_uses, dtype=float)
    if not (uses >= 1).all():
        raise ChannelError(f"num_uses is {num_uses!r}; expected at least 1 channel use")
    if error is not None:
        value = np.asarray(error, dtype=float)
        if not ((value > 0) & (value <= 0.5)).all():
            raise ChannelError(f"error is {error!r}; expected a probability above 0, at most 1/2")
    return uses


def _normal_nats(growth: Floats, slope: Floats, num_uses: Floats) -> Floats:
    """Rate in nats per use at SNR exp(growth) - 1; slope is Q^-1(error) / sqrt(n)."""
    dispersion_nats = -np.expm1(-2 * growth)
    return growth - slope * np.sqrt(dispersion_nats) + np.log(num_uses) / (2 * num_uses)


def _turning_point(slope: Floats) -> Floats:
    """ln(1 + snr) below which the approximation falls with SNR, and so means nothing.

    Setting the derivative to zero gives u^4 - u^2 = slope^2 for u = 1 + snr.
    """
    return np.log((1 + np.sqrt(1 + 4 * slope**2)) / 2) / 2


def normal_bits(num_uses: ArrayLike, esno_db: ArrayLike, error: ArrayLike) -> Floats:
    """Most bits that n channel uses carry at an error probability, by the normal approximation.

    n C - sqrt(n V) Q^-1(error) + log2(n) / 2, not below 0 and not above n C. At SNRs so low that
    it would rise as the SNR falls, its value where it turns stands instead.

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
    uses = _check(num_uses, error)
    growth = np.log1p(snr_of(esno_db))
    slope = norm.isf(error) / np.sqrt(uses)
    nats = _normal_nats(np.maximum(growth, _turning_point(slope)), slope, uses)
    return uses * np.clip(nats, 0.0, growth) / np.log(2)


def normal_rate(num_uses: ArrayLike, esno_db: ArrayLike, error: ArrayLike) -> Floats:
    """`normal_bits` per channel use."""
    return normal_bits(num_uses, esno_db, error) / np.asarray(num_uses, dtype=float)


def normal_error(num_bits: ArrayLike, num_uses: ArrayLike, esno_db: ArrayLike) -> Floats:
    """Error probability of k bits in n channel uses, by the normal approximation.

    Args:
        num_bits: k, more than 0.
        num_uses: n, complex channel uses.
        esno_db: Es/N0 per complex channel use in dB.

    Returns:
        Q((n C - k + log2(n) / 2) / sqrt(n V)); 1 without any signal.

    Example:
        >>> bits = normal_bits(512, 3.0, 1e-4)
        >>> round(float(normal_error(bits, 512, 3.0)), 8)
        0.0001
    """
    uses, bits = _check(num_uses), _check_bits(num_bits)
    margin = uses * capacity(esno_db) - bits + np.log2(uses) / 2
    spread = np.sqrt(uses * dispersion(esno_db))
    safe = np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, norm.sf(margin / safe), 1.0)


def _check_bits(num_bits: ArrayLike) -> Floats:
    bits = np.asarray(num_bits, dtype=float)
    if not (bits > 0).all():
        raise ChannelError(f"num_bits is {num_bits!r}; expected more than 0")
    return bits


def normal_esno_db(num_bits: ArrayLike, num_uses: ArrayLike, error: ArrayLike) -> Floats:
    """Least Es/N0 in dB for k bits in n channel uses, by the normal approximation.

    The inverse of `normal_bits` in SNR.

    Args:
        num_bits: k, more than 0.
        num_uses: n, complex channel uses.
        error: Block error probability, at most 1/2.

    Example:
        >>> round(float(normal_esno_db(400, 1024, 1e-3)), 1)
        -4.0
    """
    uses, bits = _check(num_uses, error), _check_bits(num_bits)
    slope = norm.isf(error) / np.sqrt(uses)
    wanted = bits * np.log(2) / uses
    turn = _turning_point(slope)
    # The rate loss is at most the slope, as V stays below 1 nat^2, so this bracket holds.
    low, high = np.broadcast_arrays(turn, np.maximum(turn, wanted + slope))
    free = _normal_nats(low, slope, uses) >= wanted  # there capacity alone is the limit
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        enough = _normal_nats(middle, slope, uses) >= wanted
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    growth = np.maximum(wanted, np.where(free, 0.0, high))
    return _to_db(np.expm1(growth))
