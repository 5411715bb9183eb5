"""Image codecs as rivals: one bitstream per image, coarse to fine qualities, file or slim.

*Slim* is the courtesy that the layered codec takes for itself: what does not depend on the
image's content is known to the receiver and not sent. The receiver always knows the image size.
Every byte that `ImageCodec.encode` returns is needed and is charged.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch

from scmc_comm.baselines import jpeg_slim
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, to_uint8

if TYPE_CHECKING:
    from scmc_comm.codec.vvc import Preset

_MAX_QP = 63


class ImageCodec(ABC):
    """A source code for whole images.

    Attributes:
        name: Name in results.
        qualities: The settings that exist, from coarsest to finest.
    """

    name: str
    qualities: tuple[int, ...]

    @abstractmethod
    def encode(self, img: torch.Tensor, quality: int) -> bytes:
        """Code float [3, H, W] in [0, 1] at one of ``qualities``."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """What `encode` made -> float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: if the bytes are damaged or for an image of another size.
        """

    def _check_quality(self, quality: int) -> None:
        if quality not in self.qualities:
            raise ScmcError(
                f"{self.name} has no quality {quality}; expected {self.qualities[0]} (coarsest) "
                f"to {self.qualities[-1]}"
            )


class JpegCodec(ImageCodec):
    """Baseline JPEG by Pillow (libjpeg-turbo), 4:2:0, Huffman tables optimised per image.

    Args:
        slim: Leave out what the receiver can rebuild from quality and size, see `jpeg_slim`;
            otherwise complete JFIF files.

    Example:
        >>> codec = JpegCodec()
        >>> img = torch.full((3, 64, 48), 0.25)
        >>> data = codec.encode(img, 50)
        >>> bool((codec.decode(data, (64, 48)) - img).abs().max() < 0.01), len(data) < 60
        (True, True)
    """

    qualities = tuple(range(1, 96))  # above 95 files grow without gain (Pillow's advice)

    def __init__(self, slim: bool = True) -> None:
        self.slim = slim
        self.name = "jpeg" if slim else "jpeg-file"

    def encode(self, img: torch.Tensor, quality: int) -> bytes:
        """JPEG bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        if self.slim:
            return jpeg_slim.encode(pixels, quality)
        return jpeg_slim.encode_file(pixels, quality, optimize=True)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        file = jpeg_slim.to_file(data, size) if self.slim else data
        return from_uint8(jpeg_slim.decode_file(file, size))


class VvcCodec(ImageCodec):
    """VVC intra by vvenc, 4:2:0, see `scmc_comm.codec.vvc`; the quality is 63 - QP.

    Args:
        slim: Parameter sets are known to the receiver; otherwise complete streams, which
            carry no QP outside themselves either.
        preset: vvenc's effort.
    """

    qualities = tuple(range(_MAX_QP + 1))

    def __init__(self, slim: bool = True, preset: Preset = "medium") -> None:
        from scmc_comm.codec.vvc import VvcSettings

        self.slim = slim
        self.name = "vvc" if slim else "vvc-file"
        # Photographs gain nothing from screen-content tools, which switch the loop filter off.
        self.settings = VvcSettings(color=True, screen_content=False, preset=preset)

    def encode(self, img: torch.Tensor, quality: int) -> bytes:
        """VVC bytes of float [3, H, W] in [0, 1] at QP ``63 - quality``."""
        from scmc_comm.codec import vvc

        self._check_quality(quality)
        pixels = to_uint8(img)
        qp = _MAX_QP - quality
        file = vvc.encode_file(pixels, qp, self.settings)
        if not self.slim:
            return file
        return vvc.slim_from_file(file, (pixels.shape[0], pixels.shape[1]), qp, self.settings)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        from scmc_comm.codec import vvc

        file = vvc.file_from_slim(data, size, self.settings) if self.slim else data
        return from_uint8(np.asarray(vvc.decode_file(file, size, self.settings)))


IMAGE_CODECS: dict[str, Callable[[], ImageCodec]] = {
    "jpeg": JpegCodec,
    "jpeg-file": functools.partial(JpegCodec, slim=False),
    "vvc": VvcCodec,
    "vvc-file": functools.partial(VvcCodec, slim=False),
}


def make_image_codec(name: str) -> ImageCodec:
    """The image codec called ``name``; "jpeg" and "vvc" are the slim forms.

    Raises:
        ScmcError: for an unknown name.

    Example:
        >>> make_image_codec("jpeg").qualities[0]
        1
    """
    if name not in IMAGE_CODECS:
        raise ScmcError(f"no image codec {name!r}; there are {', '.join(IMAGE_CODECS)}")
    return IMAGE_CODECS[name]()


@dataclass(frozen=True)
class CodedImage:
    """An image coded at one quality."""

    quality: int
    data: bytes


def largest_fitting(codec: ImageCodec, img: torch.Tensor, max_bytes: int) -> CodedImage | None:
    """The finest quality whose bytes fit, by bisection.

    Sizes grow with quality but for a byte here and there, so bisection finds the finest or a
    neighbour of it. Encodes are remembered: searching one image for another budget, with the
    same codec, costs only the qualities not yet seen.

    Args:
        codec: The image codec.
        img: float [3, H, W] in [0, 1].
        max_bytes: Budget in bytes.

    Returns:
        The coded image, or None if not even the coarsest quality fits.
    """
    pixels = to_uint8(img)  # what codecs see: images that round alike share their encodes
    digest = sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
    low, high = -1, len(codec.qualities)  # qualities[low] fits, qualities[high] does not
    best: CodedImage | None = None
    while high - low > 1:
        middle = (low + high) // 2
        quality = codec.qualities[middle]
        data = _encode_cached(codec, img, digest, quality)
        if len(data) <= max_bytes:
            low, best = middle, CodedImage(quality, data)
        else:
            high = middle
    return best


_CACHED_ENCODES = 1024
_encodes: WeakKeyDictionary[ImageCodec, OrderedDict[tuple[bytes, int], bytes]] = WeakKeyDictionary()


def _encode_cached(codec: ImageCodec, img: torch.Tensor, digest: bytes, quality: int) -> bytes:
    """The codec's bytes, remembered for as long as the codec lives, the least recent dropped."""
    cache = _encodes.setdefault(codec, OrderedDict())
    key = (digest, quality)
    if key not in cache:
        cache[key] = codec.encode(img, quality)
        if len(cache) > _CACHED_ENCODES:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]
