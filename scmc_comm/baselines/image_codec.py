"""What every image codec offers, and how Pillow's codecs are run.

*Slim* bytes leave out what does not depend on the image's content, as the layered codec does: both
ends know it. The receiver always knows the image size.
Every byte that `ImageCodec.encode` returns is needed and is charged.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from PIL import Image, features

from scmc_comm.errors import ScmcError

ALIASES = {"bpg": "hevc"}
"""The field's words for names of ours: BPG is HEVC intra in a container of its own."""


class ImageCodec(ABC):
    """A source code for whole images.

    Attributes:
        name: Name in results.
        qualities: The settings that exist, from coarsest to finest; one constant set of headers
            may belong to each, never to an image.
    """

    name: str
    qualities: tuple[float, ...]

    @abstractmethod
    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """Code float [3, H, W] in [0, 1] at one of ``qualities``."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """What `encode` made -> float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: if the bytes are damaged or for an image of another size.
        """

    def warm(self, size: tuple[int, int], quality: float) -> None:  # noqa: B027
        """Make what both ends hold before the first picture, so that timings leave it out."""

    def num_parameters(self, quality: float) -> int:
        """Learned parameters that both ends must hold at a quality; 0 for a conventional codec."""
        return 0

    def _check_quality(self, quality: float) -> None:
        if quality not in self.qualities:
            raise ScmcError(
                f"{self.name} has no quality {quality}; expected {self.qualities[0]:g} (coarsest) "
                f"to {self.qualities[-1]:g}"
            )


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


def require_pillow(feature: str, what: str) -> None:
    """Raise ScmcError, with the fix, if this Pillow was built without a codec."""
    if not features.check(feature):
        raise ScmcError(
            f"this Pillow cannot code {what}; its wheel can: pip install --force-reinstall "
            "--only-binary :all: 'pillow>=11.3'"
        )


def damaged(codec: str, why: str) -> ScmcError:
    """The error of bytes that cannot be a codec's."""
    return ScmcError(f"{codec}: {why}: damaged bytes")


def other_build(codec: str, fix: str) -> ScmcError:
    """The error of an encoder whose files are not split where the known builds' are."""
    return ScmcError(f"{codec}: this build makes files of another form than expected; {fix}")
