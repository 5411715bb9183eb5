"""AVIF (AV1 intra) as a rival codec.

A file is a tree of boxes of some 280 bytes, then the AV1 stream: temporal delimiter, sequence
header, one frame. Boxes and sequence header depend on the size alone, but for two lengths; slim
bytes are the body of the frame.

Source: AV1 Image File Format 1.1; AV1 bitstream specification 5.3 (OBU header), 4.10.5 (leb128).
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
from scmc_comm.wire import encode_varint

MAX_SIDE = 65535
_FRAME_OBU = 0x32  # type 6 (frame), with a size field
_FIX = "install Pillow's wheel: pip install 'pillow>=11.3'"
_QUANTISERS = 63  # libavif maps its 101 qualities to libaom's 64 quantisers


class AvifCodec(ImageCodec):
    """AVIF by Pillow (libavif and libaom), 4:2:0, 8 bits, libavif's own tuning for stills.

    The quality is 63 less libaom's quantiser; lossless 0 is left out.

    Args:
        slim: Leave out boxes and sequence header; otherwise complete files.

    Example:
        >>> codec = AvifCodec()
        >>> data = codec.encode(torch.full((3, 64, 48), 0.25), 20)
        >>> len(data) < 60, codec.decode(data, (64, 48)).shape
        (True, torch.Size([3, 64, 48]))
    """

    qualities = tuple(range(_QUANTISERS))
    _speed = 4  # 0.2 dB better than 6 in five times the time; 2 is slower still and gains as much

    def __init__(self, slim: bool = True) -> None:
        require_pillow("avif", "AVIF")
        self.slim = slim
        self.name = "avif" if slim else "avif:headers=file"

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """AVIF bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        file = _encode_file(pixels, quality, self._speed)
        if not self.slim:
            return file
        size = (pixels.shape[0], pixels.shape[1])
        boxes, stream = _template(size)
        rest = file[len(boxes) + 8 + len(stream) :]
        slim = rest[_leb128_end(rest, 1) :]
        if _to_file(slim, size) != file:
            raise other_build("AVIF", _FIX)
        return slim

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        file = _to_file(data, size) if self.slim else data
        return from_uint8(pillow_decode(file, "AVIF", size))

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Makes boxes and sequence header."""
        if self.slim:
            _template(tuple(size))


def _encode_file(pixels: np.ndarray, quality: float, speed: int) -> bytes:
    options = {"speed": speed, "codec": "aom", "max_threads": 1, "subsampling": "4:2:0"}
    libavif = round(quality * 100 / _QUANTISERS)
    return pillow_encode(pixels, "AVIF", quality=libavif, **options)


@lru_cache(maxsize=256)
def _template(size: tuple[int, int]) -> tuple[bytes, bytes]:
    """Boxes up to the data and the stream up to the frame, of a flat picture of that size."""
    file = _encode_file(np.full((*size, 3), 128, np.uint8), 30, AvifCodec._speed)
    start = file.find(b"mdat") - 4
    position = start + 8
    while 0 < position < len(file) and file[position] != _FRAME_OBU:
        end = _leb128_end(file, position + 1)
        position = end + _leb128(file[position + 1 : end])
    if start < 0 or position >= len(file) or b"iloc" not in file[:start]:
        raise other_build("AVIF", _FIX)
    return file[:start], file[start + 8 : position]


def _to_file(data: bytes, size: tuple[int, int]) -> bytes:
    if not data:
        raise damaged("slim AVIF", "no bytes")
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"AVIF size {tuple(size)}: sides must be 1 to {MAX_SIDE}")
    boxes, before = _template(tuple(size))
    stream = before + bytes([_FRAME_OBU]) + encode_varint(len(data)) + data
    # The location box ends with the length of its one extent, the stream.
    iloc = boxes.index(b"iloc") - 4
    end = iloc + int.from_bytes(boxes[iloc : iloc + 4], "big")
    located = boxes[: end - 4] + len(stream).to_bytes(4, "big") + boxes[end:]
    return located + (len(stream) + 8).to_bytes(4, "big") + b"mdat" + stream


def _leb128_end(data: bytes, position: int) -> int:
    while position < len(data) and data[position] >= 0x80:
        position += 1
    return position + 1


def _leb128(field: bytes) -> int:
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(field))
