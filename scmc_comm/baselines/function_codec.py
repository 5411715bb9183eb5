"""An image codec from two functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.errors import ScmcError, from_plugin
from scmc_comm.images import from_uint8


class FunctionCodec(ImageCodec):
    """Somebody's image codec.

    Every byte of what ``encode`` gives is sent and charged. The receiver knows the image's size,
    and nothing else that the bytes do not tell.

    Args:
        encode: ``(img, quality) -> bytes``: an image float32 [3, H, W] in [0, 1] at one of the
            qualities.
        decode: ``bytes -> img``, or ``(bytes, size) -> img`` with ``size`` ``(H, W)``: an image
            [3, H, W] in [0, 1], or uint8 [H, W, 3].
        qualities: All that there are, from the coarsest to the finest: their bytes grow.
        files: Files and folders that both are made from, such as weights; stored results are
            found by their content.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> from scmc_comm.images import to_uint8
        >>> def encode(img, quality):
        ...     file = io.BytesIO()
        ...     Image.fromarray(to_uint8(img)).save(file, "JPEG", quality=quality)
        ...     return file.getvalue()
        >>> def decode(data):
        ...     return np.asarray(Image.open(io.BytesIO(data)))
        >>> codec = FunctionCodec(encode, decode, range(5, 96))
        >>> codec.decode(codec.encode(torch.rand(3, 32, 48), 50), (32, 48)).shape
        torch.Size([3, 32, 48])
    """

    name = "function codec"

    def __init__(
        self,
        encode: Callable[[torch.Tensor, float], bytes],
        decode: Callable[..., Any],
        qualities: Iterable[float],
        files: Iterable[str | Path] = (),
    ) -> None:
        self._encode, self._decode = encode, decode
        self.qualities = tuple(qualities)
        self.files = tuple(map(Path, files))
        if not self.qualities:
            raise ScmcError("qualities is empty; expected at least one, the coarsest first")

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """See `ImageCodec.encode`."""
        self._check_quality(quality)
        with torch.no_grad(), from_plugin(f"{self.name}: encode"):
            data = self._encode(img.clone(), quality)
        if not isinstance(data, bytes | bytearray) or not data:
            raise ScmcError(f"{self.name}: encode gave {type(data).__name__}; expected some bytes")
        return bytes(data)

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """See `ImageCodec.decode`."""
        with torch.no_grad(), from_plugin(f"{self.name}: decode"):
            found = self._decode(data, size) if self._takes_size() else self._decode(data)
        return as_image(found, size, f"{self.name}: decode")

    def _takes_size(self) -> bool:
        return len(inspect.signature(self._decode).parameters) > 1


def as_image(found: Any, size: tuple[int, int], who: str, slack: float = 0.5) -> torch.Tensor:
    """An image float32 [3, H, W] in [0, 1] of what somebody's function gave.

    Args:
        found: A tensor or array [3, H, W] in [0, 1] to rounding, or uint8 [H, W, 3].
        size: ``(H, W)``.
        who: Gave it, for errors.
        slack: How far outside [0, 1] values may lie, which are clipped.

    Raises:
        ScmcError: It is no such image.
    """
    if isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.ndim == 3:
        img = from_uint8(found)
    else:
        img = torch.as_tensor(found).detach().cpu().float()
    if tuple(img.shape) != (3, *size):
        raise ScmcError(
            f"{who} gave {list(img.shape)}; expected an image [3, {size[0]}, {size[1]}] in [0, 1] "
            f"or uint8 [{size[0]}, {size[1]}, 3]"
        )
    low, high = float(img.min()), float(img.max())
    if not (low >= -slack and high <= 1 + slack):  # also catches NaN and values up to 255
        raise ScmcError(f"{who} gave values from {low:g} to {high:g}; expected [0, 1]")
    return img.clamp(0, 1)
