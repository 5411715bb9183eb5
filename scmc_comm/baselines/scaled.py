"""The best picture of a codec in so many bits, at whatever resolution that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from weakref import WeakKeyDictionary

import numpy as np
import torch

from scmc_comm.baselines.codec_curves import METRICS, CodecCurves, find_curves
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import largest_fitting
from scmc_comm.baselines.reduced import DIVISOR_BITS, DIVISORS, at_divisor, divisors_for
from scmc_comm.errors import ScmcError
from scmc_comm.link.packetize import bits_to_bytes, bytes_to_bits
from scmc_comm.link.utility import Utility
from scmc_comm.lru_cache import LruCache


@dataclass(frozen=True)
class ScaledCoder:
    """Codes pictures at full or reduced resolution.

    Attributes:
        codec: Codes them.
        scales: Try reduced resolutions too; `DIVISOR_BITS` bits in front then say which it is.
        curves: Rate and quality on validation pictures; those that were measured if not given.

    Example:
        >>> from scmc_comm.baselines.image_codecs import make_image_codec
        >>> coder, img = ScaledCoder(make_image_codec("jpeg")), torch.full((3, 64, 64), 0.25)
        >>> bits = coder.encode(img, 400, Utility.parse("psnr_db"))
        >>> bits.size <= 400, bits.size % 8, coder.decode(bits, (64, 64)).shape
        (True, 3, torch.Size([3, 64, 64]))
    """

    codec: ImageCodec
    scales: bool = True
    curves: CodecCurves | None = None

    def encode(self, img: torch.Tensor, max_bits: int, utility: Utility) -> np.ndarray | None:
        """The picture that shows the highest utility, of the finest quality at each resolution.

        Args:
            img: float32 [3, H, W] in [0, 1].
            max_bits: Payload bits that there are.
            utility: What is to be best, for this picture.

        Returns:
            uint8 [k], k at most ``max_bits``; None if nothing fits.

        Raises:
            ScmcError: A metric of the utility has no weights here, or is undefined for pictures
                of this size.
        """
        if not self.scales:
            fit = largest_fitting(self.codec, img, max_bits // 8) if max_bits >= 8 else None
            return None if fit is None else bytes_to_bits(fit.data)
        max_bytes, size = (max_bits - DIVISOR_BITS) // 8, (int(img.shape[1]), int(img.shape[2]))
        if max_bytes < 1:
            return None
        fits = self._fits(img, max_bytes, self._promising(8 * max_bytes, size, utility))
        fits = fits or self._fits(img, max_bytes, self.divisors(size))
        if not fits:
            return None
        best = next(iter(fits)) if len(fits) == 1 else self._best(img, fits, utility)
        return np.concatenate([_bits_of(best), bytes_to_bits(fits[best])])

    def decode(self, bits: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
        """What `encode` made -> float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: The bits are damaged.
        """
        if not self.scales:
            return self.codec.decode(bits_to_bytes(bits), size)
        number = int(bits[:DIVISOR_BITS] @ _WEIGHTS)
        if number >= len(DIVISORS):
            raise ScmcError(f"{self.codec.name}: there is no resolution {number}: damaged bits")
        return at_divisor(self.codec, DIVISORS[number]).decode(
            bits_to_bytes(bits[DIVISOR_BITS:]), size
        )

    def divisors(self, size: tuple[int, int]) -> list[int]:
        """How many times smaller a picture of ``(H, W)`` can be coded; 1 is in full.

        Raises:
            ScmcError: The codec can code it at no resolution that is tried.
        """
        found, refused = list[int](), list[ScmcError]()
        for divisor in divisors_for(size) if self.scales else (1,):
            try:
                at_divisor(self.codec, divisor).check_size(size)
                found.append(divisor)
            except ScmcError as error:
                refused.append(error)
        if not found:
            raise refused[0]
        return found

    def _fits(self, img: torch.Tensor, max_bytes: int, divisors: list[int]) -> dict[int, bytes]:
        found = {d: largest_fitting(at_divisor(self.codec, d), img, max_bytes) for d in divisors}
        return {divisor: fit.data for divisor, fit in found.items() if fit is not None}

    def _best(self, img: torch.Tensor, fits: Mapping[int, bytes], utility: Utility) -> int:
        """The resolution that shows the most; what one file shows is measured once."""
        size = int(img.shape[1]), int(img.shape[2])
        picture = size, sha256(img.contiguous().numpy().tobytes()).digest()
        known = _scores.setdefault(self.codec, LruCache())

        def score(divisor: int) -> float:
            coder, data = at_divisor(self.codec, divisor), fits[divisor]
            key = picture, divisor, sha256(data).digest(), utility
            return known.get(key, lambda: _score(img, coder.decode(data, size), utility))

        return max(fits, key=score)

    def _promising(self, max_bits: int, size: tuple[int, int], utility: Utility) -> list[int]:
        """Resolutions that are best for some validation picture; all without curves."""
        curves = self.curves or find_curves(self.codec.name)
        found = [] if curves is None else curves.best_divisors(max_bits, size, utility)
        can = self.divisors(size)
        return [divisor for divisor in found if divisor in can] or can


_scores: WeakKeyDictionary[ImageCodec, LruCache] = WeakKeyDictionary()
"""Utilities of what each codec shows, for as long as it lives."""


def forget_scores() -> None:
    """Drop what is known of shown pictures, so that the next choice takes its full time."""
    _scores.clear()


_WEIGHTS = 1 << np.arange(DIVISOR_BITS)[::-1]


def _bits_of(divisor: int) -> np.ndarray:
    return (DIVISORS.index(divisor) & _WEIGHTS > 0).astype(np.uint8)


def _score(img: torch.Tensor, img_hat: torch.Tensor, utility: Utility) -> float:
    """Utility of showing a picture."""
    from scmc_comm.metrics import measure

    names = [name for name, _ in utility.weights]
    found = measure(img, img_hat, names)
    if undefined := [name for name, value in found.items() if np.isnan(value)]:
        raise ScmcError(
            f"utility {utility.text!r}: {undefined[0]} is undefined for a picture of "
            f"{img.shape[1]} x {img.shape[2]}; choose another utility, or larger pictures"
        )
    return float(utility.of(METRICS, np.array([found.get(name, np.nan) for name in METRICS])))
