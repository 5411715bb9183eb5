"""Any image codec at reduced resolution: the picture is shrunk, coded, and enlarged again.

At low rates fewer samples at a better quality show more than all samples at a worse one; a codec
whose smallest file is large reaches low rates at all. Both ways go by Lanczos' window, the common
choice for adaptive resolution.

Source: A. M. Bruckstein, M. Elad, R. Kimmel, "Down-scaling for better transform compression",
IEEE Transactions on Image Processing 12(9), 2003.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.images import from_uint8, to_uint8

DIVISORS = (1, 2, 4, 8, 16)
"""How many times smaller than the picture each side may be."""
DIVISOR_BITS = 3
"""Bits that say which of them it is."""
MIN_REDUCED_SIDE = 8


class ReducedCodec(ImageCodec):
    """A codec of pictures whose sides are some times smaller than those it is given.

    Args:
        codec: Codes the small pictures.
        divisor: How many times smaller.

    Example:
        >>> from scmc_comm.baselines.image_codecs import make_image_codec
        >>> codec = ReducedCodec(make_image_codec("jpeg"), 4)
        >>> data = codec.encode(torch.full((3, 65, 48), 0.25), 50)
        >>> codec.decode(data, (65, 48)).shape, reduced_size((65, 48), 4)
        (torch.Size([3, 65, 48]), (17, 12))
    """

    def __init__(self, codec: ImageCodec, divisor: int) -> None:
        self.codec, self.divisor = codec, divisor
        self.name, self.qualities = f"{codec.name} at 1/{divisor}", codec.qualities

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """See `ImageCodec.encode`."""
        size = reduced_size((int(img.shape[1]), int(img.shape[2])), self.divisor)
        return self.codec.encode(resized(img, size), quality)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """See `ImageCodec.decode`."""
        return resized(self.codec.decode(data, reduced_size(size, self.divisor)), size)

    def check_size(self, size: tuple[int, int]) -> None:
        """See `ImageCodec.check_size`."""
        self.codec.check_size(reduced_size(size, self.divisor))

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """See `ImageCodec.warm`."""
        self.codec.warm(reduced_size(size, self.divisor), quality)

    def num_parameters(self, quality: float) -> int:
        """See `ImageCodec.num_parameters`."""
        return self.codec.num_parameters(quality)

    def at(self, divisor: int) -> ReducedCodec:
        """The same at another resolution."""
        return ReducedCodec(self.codec, divisor)


def at_divisor(codec: ImageCodec, divisor: int) -> ImageCodec:
    """The codec at a resolution, always the same object, which its encodings are kept for."""
    if divisor == 1:
        return codec
    made = codec.at(divisor) if isinstance(codec, ReducedCodec) else ReducedCodec(codec, divisor)
    return _reduced.setdefault(codec, {}).setdefault(divisor, made)


_reduced: WeakKeyDictionary[ImageCodec, dict[int, ImageCodec]] = WeakKeyDictionary()


def reduced_size(size: tuple[int, int], divisor: int) -> tuple[int, int]:
    """``(H, W)`` of a picture whose sides are ``divisor`` times smaller, rounded up."""
    return -(-size[0] // divisor), -(-size[1] // divisor)


def divisors_for(size: tuple[int, int]) -> Iterator[int]:
    """Those `DIVISORS` that leave a picture of ``(H, W)`` sides that can be coded.

    Example:
        >>> list(divisors_for((256, 256))), list(divisors_for((32, 200)))
        ([1, 2, 4, 8, 16], [1, 2, 4])
    """
    for divisor in DIVISORS:
        if divisor == 1 or min(reduced_size(size, divisor)) >= MIN_REDUCED_SIDE:
            yield divisor


def resized(img: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A picture float [3, H, W] in [0, 1] at another ``(H, W)``, to eight bits as codecs see it."""
    if tuple(img.shape[1:]) == size:
        return img
    picture = Image.fromarray(to_uint8(img))
    return from_uint8(np.asarray(picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)))
