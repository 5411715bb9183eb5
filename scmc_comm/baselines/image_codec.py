"""What every image codec offers, and how Pillow's codecs are run.

*Slim* bytes leave out what does not depend on the image's content, as the layered codec does: both
ends know it. The receiver always knows the image size.
Every byte that `ImageCodec.encode` returns is needed and is charged.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, features

from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, to_uint8
from scmc_comm.pixels import check_pixels

PILLOW_FIX = "install Pillow's wheel: pip install 'pillow>=11.3'"


class ImageCodec(ABC):
    """A source code for whole images.

    Attributes:
        name: Name in results.
        qualities: The settings that exist, from coarsest to finest; one constant set of headers
            may belong to each, never to an image.
        files: Files and folders that a user named, which the codec is made from.
    """

    name: str
    qualities: tuple[float, ...]
    files: tuple[Path, ...] = ()

    @abstractmethod
    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """Code float [3, H, W] in [0, 1] at one of ``qualities``."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """What `encode` made -> float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: if the bytes are damaged or for an image of another size.
        """

    def check_size(self, size: tuple[int, int]) -> None:
        """Refuses a picture of ``(H, W)`` that no quality can code.

        Raises:
            ScmcError: It has more pixels than the limit, or a side is out of the codec's range.
        """
        check_pixels(size)

    def warm(self, size: tuple[int, int], quality: float) -> None:  # noqa: B027
        """Make what both ends hold before the first picture, so that timings leave it out."""

    def num_parameters(self, quality: float) -> int:
        """Learned parameters that both ends must hold at a quality; 0 for a conventional codec."""
        return 0

    @property
    def source(self) -> ImageCodec:
        """What codes the pictures: itself, unless it only shows what another coded."""
        return self

    def _check_quality(self, quality: float) -> None:
        if quality not in self.qualities:
            raise ScmcError(
                f"{self.name} has no quality {quality}; expected {self.qualities[0]:g} (coarsest) "
                f"to {self.qualities[-1]:g}"
            )


class SlimCodec(ImageCodec):
    """A codec of files, whose constant parts the receiver knows or gets with each picture.

    Args:
        slim: Leave out what does not depend on the image; otherwise complete files.

    Attributes:
        family: Name of the slim form.
        title: The format's own name, for errors.
        sides: The shortest and the longest side that can be coded.
        flat_quality: At which the constant parts are seen, on a flat picture; None where a
            format needs no such model.
        fix: What to do about an encoder of another build.
    """

    family: str
    title: str
    sides: tuple[int, int]
    flat_quality: float | None = None
    fix = PILLOW_FIX

    def __init__(self, slim: bool = True) -> None:
        self.slim = slim
        self.name = self.family if slim else f"{self.family}:headers=file"

    def check_size(self, size: tuple[int, int]) -> None:
        """See `ImageCodec.check_size`."""
        self._check_size(size)

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """Bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        self._check_size(pixels.shape[:2])
        return self._slim_bytes(pixels, quality) if self.slim else self._file(pixels, quality)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        checked = self._check_size(size)
        file = self._restored(data, checked) if self.slim else data
        return from_uint8(self._pixels(file, checked))

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Makes the constant parts."""
        if self.slim and self.flat_quality is not None:
            self._flat(self._check_size(size))

    @abstractmethod
    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        """uint8 [H, W, 3] -> a complete file."""

    @abstractmethod
    def _pixels(self, file: bytes, size: tuple[int, int]) -> np.ndarray:
        """A complete file -> uint8 [H, W, 3]."""

    @abstractmethod
    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        """Slim bytes -> the complete file."""

    def _slim_bytes(self, pixels: np.ndarray, quality: float) -> bytes:
        file, size = self._file(pixels, quality), self._check_size(pixels.shape[:2])
        slim = self._cut(file, size)
        if self._restored(slim, size) != file:
            raise self._other_build()
        return slim

    def _cut(self, file: bytes, size: tuple[int, int]) -> bytes:
        """What `_restored` makes the file of."""
        raise NotImplementedError

    def _flat(self, size: tuple[int, int]) -> bytes:
        """The file of a flat picture, made once, whose constant parts are those of any other."""
        return _flat_file(type(self), size)

    def _check_size(self, size: Sequence[int]) -> tuple[int, int]:
        low, high = self.sides
        if len(size) != 2 or not all(low <= side <= high for side in size):
            raise ScmcError(
                f"{self.title} cannot code a picture of {' x '.join(map(str, size))}: sides must "
                f"be {low} to {high}; resize it, as images=FOLDER@SIDE does"
            )
        check_pixels(size)
        return size[0], size[1]

    def _damaged(self, why: str) -> ScmcError:
        return damaged(f"slim {self.title}" if self.slim else self.title, why)

    def _other_build(self) -> ScmcError:
        return ScmcError(
            f"{self.title}: this build makes files of another form than expected; {self.fix}"
        )


@lru_cache(maxsize=512)
def _flat_file(codec: type[SlimCodec], size: tuple[int, int]) -> bytes:
    return codec()._file(np.full((*size, 3), 128, np.uint8), codec.flat_quality or 0)


class PillowCodec(SlimCodec):
    """A codec of Pillow's.

    Attributes:
        kind: Pillow's name of the format.
        feature: Its name in `PIL.features`.
    """

    kind: str
    feature: str

    def __init__(self, slim: bool = True) -> None:
        if not features.check(self.feature):
            raise ScmcError(
                f"this Pillow cannot code {self.title}; its wheel can: pip install "
                "--force-reinstall --only-binary :all: 'pillow>=11.3'"
            )
        super().__init__(slim)

    def _pixels(self, file: bytes, size: tuple[int, int]) -> np.ndarray:
        return pillow_decode(file, self.kind, size)


def pillow_encode(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """uint8 [H, W, 3] -> a complete file by Pillow's encoder of that kind."""
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, kind, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ScmcError(f"{kind} cannot code a picture of {pixels.shape[:2]}: {reason}") from error
    return buffer.getvalue()


def pillow_decode(data: bytes, kind: str, size: tuple[int, int]) -> np.ndarray:
    """A file of that kind -> uint8 [H, W, 3].

    Raises:
        ScmcError: if it is damaged, not in RGB, or of another size than ``(H, W)``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as picture:
            found, mode = (picture.height, picture.width), picture.mode
            if found == tuple(size) and mode == "RGB":  # before any pixel is allocated
                return np.array(picture)
    # Pillow's decoders answer damaged bytes with many kinds of exception.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ScmcError(f"{kind} bytes cannot be decoded: {reason}") from error
    raise ScmcError(f"{kind} holds a {mode} picture of {found}; expected RGB of {tuple(size)}")


def damaged(codec: str, why: str) -> ScmcError:
    """The error of bytes that cannot be a codec's."""
    return ScmcError(f"{codec}: {why}: damaged bytes")
