"""JPEG 2000 as a rival codec.

A code stream is a main header (size, coding style, step sizes, comment), a tile-part header and
the packets. All but the packets depend on the size alone; slim bytes are the packets.

Source: ITU-T T.800 annex A.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from scmc_comm.baselines.image_codec import (
    ImageCodec,
    damaged,
    other_build,
    pillow_decode,
    pillow_encode,
    require_pillow,
)
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, to_uint8

MAX_SIDE = 65535
_COARSEST_BPP, _STEPS_PER_OCTAVE, _OCTAVES = 0.02, 32, 9
_SOT, _SOD, _EOC = b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_SOT_BYTES = 12


class Jpeg2000Codec(ImageCodec):
    """JPEG 2000 by Pillow (OpenJPEG): YCbCr, 9/7 wavelet, one tile, one quality layer.

    The quality sets the rate: 0.02 bpp at 0, doubled every 32 steps.

    Args:
        slim: Leave out all headers; otherwise complete code streams (the shortest form of a
            file, 85 bytes less than with the boxes of a .jp2).

    Example:
        >>> codec = Jpeg2000Codec()
        >>> data = codec.encode(torch.rand(3, 64, 48), 160)
        >>> len(data) < 64 * 48 / 8, codec.decode(data, (64, 48)).shape
        (True, torch.Size([3, 64, 48]))
    """

    qualities = tuple(range(_OCTAVES * _STEPS_PER_OCTAVE + 1))

    def __init__(self, slim: bool = True) -> None:
        require_pillow("jpg_2000", "JPEG 2000")
        self.slim = slim
        self.name = "jpeg2000" if slim else "jpeg2000:headers=file"

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """JPEG 2000 bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        target_bpp = _COARSEST_BPP * 2 ** (quality / _STEPS_PER_OCTAVE)
        file = _encode_file(pixels, target_bpp)
        if not self.slim:
            return file
        size = (pixels.shape[0], pixels.shape[1])
        slim = file[len(_main_header(size)) + _SOT_BYTES + len(_SOD) : -len(_EOC)]
        if _to_file(slim, size) != file:
            raise other_build("JPEG 2000", "install Pillow's wheel: pip install 'pillow>=11.3'")
        return slim

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        file = _to_file(data, size) if self.slim else data
        return from_uint8(pillow_decode(file, "JPEG2000", size))

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Makes the main header."""
        if self.slim:
            _main_header(tuple(size))


def _encode_file(pixels: np.ndarray, target_bpp: float) -> bytes:
    rate = {"quality_mode": "rates", "quality_layers": [24 / target_bpp]}
    # Pillow leaves the colour transform (mct) out unless told: 2 to 4 dB less on photographs.
    return pillow_encode(pixels, "JPEG2000", irreversible=True, mct=1, no_jp2=True, **rate)


@lru_cache(maxsize=256)
def _main_header(size: tuple[int, int]) -> bytes:
    """Measured on a flat picture of that size."""
    file = _encode_file(np.full((*size, 3), 128, np.uint8), 1.0)
    end = file.find(_SOT)
    if end < 0:
        raise other_build("JPEG 2000", "install Pillow's wheel: pip install 'pillow>=11.3'")
    return file[:end]


def _to_file(data: bytes, size: tuple[int, int]) -> bytes:
    if not data:
        raise damaged("slim JPEG 2000", "no bytes")
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"JPEG 2000 size {tuple(size)}: sides must be 1 to {MAX_SIDE}")
    length = _SOT_BYTES + len(_SOD) + len(data)
    tile = _SOT + b"\x00\x0a\x00\x00" + length.to_bytes(4, "big") + b"\x00\x01" + _SOD + data
    return _main_header(tuple(size)) + tile + _EOC
