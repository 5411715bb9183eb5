"""What an image codec could show at best over a channel: its rate-quality curve and the bounds.

A codec's points are put on the channel as if by an ideal code: at capacity, at the normal
approximation for the image's own number of channel uses, and in block fading at the outage limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from channels.bounds.awgn import capacity, normal_bits
from channels.bounds.outage import outage_probability
from channels.fading.models import BlockFading
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

_RATES = 400  # rates tried for the best one in fading


@dataclass(frozen=True)
class RateQuality:
    """Rate-quality points of a codec for one image, or the mean over a data set.

    Attributes:
        num_bits: Bits of the whole stream at each point, [points].
        quality: Quality at each point.
        failure: Quality of the failure image (mid-grey), shown where nothing can be decoded.
        higher_is_better: False for metrics such as LPIPS.
    """

    num_bits: Floats
    quality: Floats
    failure: float
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        bits, quality = np.array(self.num_bits, float), np.array(self.quality, float)
        if bits.ndim != 1 or bits.shape != quality.shape or bits.size == 0:
            raise ScmcError(
                f"num_bits and quality have shapes {bits.shape} and {quality.shape}; expected "
                "[points] both, at least one point"
            )
        if not (bits > 0).all() or not np.isfinite([*bits, *quality]).all():
            raise ScmcError("rate-quality points need finite qualities and more than 0 bits")
        order = np.lexsort((quality if self.higher_is_better else -quality, bits))
        bits, quality = bits[order], quality[order]
        best = np.maximum if self.higher_is_better else np.minimum
        quality = best.accumulate(quality)  # a dearer point that is worse is never chosen
        last = np.r_[bits[1:] > bits[:-1], True]
        object.__setattr__(self, "num_bits", bits[last])
        object.__setattr__(self, "quality", quality[last])

    def at(self, num_bits: ArrayLike) -> Floats:
        """Quality that so many bits buy, linear in the logarithm of the rate between points.

        Below the first point nothing fits and the failure image is shown; above the last one the
        quality stays, as no better point is known.

        Args:
            num_bits: Bits available, any shape.

        Example:
            >>> curve = RateQuality(np.array([1e3, 4e3]), np.array([20.0, 30.0]), failure=12.0)
            >>> curve.at([500, 1000, 2000, 9000]).tolist()
            [12.0, 20.0, 25.0, 30.0]
        """
        bits = np.asarray(num_bits, dtype=float)
        # The slack forgives the rounding of a rate that was meant to meet the first point.
        fits = bits >= self.num_bits[0] * (1 - 1e-12)
        found = np.interp(np.log(np.where(fits, bits, 1.0)), np.log(self.num_bits), self.quality)
        return np.where(fits, found, self.failure)


def at_capacity(curve: RateQuality, num_uses: int, esno_db: ArrayLike) -> Floats:
    """Quality of codec + capacity over AWGN: log2(1 + snr) bits a channel use, never an error.

    Args:
        curve: The codec's points.
        num_uses: Complex channel uses spent on the image, ``rho * 3 * H * W``.
        esno_db: Es/N0 in dB, any shape.

    Example:
        >>> curve = RateQuality(np.array([1e3, 4e3]), np.array([20.0, 30.0]), failure=12.0)
        >>> at_capacity(curve, 2000, [-10, 0.0]).tolist()
        [12.0, 25.0]
    """
    return curve.at(num_uses * capacity(esno_db))


def at_normal_approximation(
    curve: RateQuality, num_uses: int, esno_db: ArrayLike, error: float = 1e-3
) -> Floats:
    """Expected quality of codec + normal approximation over AWGN, the image as one codeword.

    Args:
        curve: The codec's points.
        num_uses: Complex channel uses spent on the image: the blocklength.
        esno_db: Es/N0 in dB, any shape.
        error: Block error probability; failures are in the mean.
    """
    shown = curve.at(normal_bits(num_uses, esno_db, error))
    return (1 - error) * shown + error * curve.failure


def at_outage(
    curve: RateQuality, channel: BlockFading, num_uses: int, esno_db: ArrayLike
) -> Floats:
    """Expected quality of codec + ideal code in block fading, at the best rate for the mean SNR.

    The sender knows the mean SNR alone; what a realisation does not carry is the failure image.

    Args:
        curve: The codec's points.
        channel: The block fading channel.
        num_uses: Complex channel uses spent on the image.
        esno_db: Mean Es/N0 in dB, any shape.

    Example:
        >>> from channels.fading.models import RayleighBlock
        >>> curve = RateQuality(np.array([1e3, 4e3]), np.array([20.0, 30.0]), failure=12.0)
        >>> at_outage(curve, RayleighBlock(), 2000, [0.0, 20.0]).round(2).tolist()
        [17.6, 29.47]
    """
    esno = np.asarray(esno_db, dtype=float)
    bits = np.geomspace(curve.num_bits[0], curve.num_bits[-1], _RATES)
    rates = np.unique(np.r_[bits, curve.num_bits]) / num_uses
    outage = outage_probability(channel, rates, esno[..., None], num_uses)
    expected = (1 - outage) * curve.at(rates * num_uses) + outage * curve.failure
    return expected.max(axis=-1) if curve.higher_is_better else expected.min(axis=-1)
