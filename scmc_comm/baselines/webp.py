"""Lossy WebP (VP8 intra) as a rival codec.

A file is a RIFF header, a chunk header, the frame tag (3 bytes: key frame, version, and the
length of the first partition), a start code and the picture's size (7 bytes), then the
partitions. Slim bytes are the frame tag and the partitions; all else follows from size and length.

Source: RFC 9649 (container), RFC 6386 section 9.1 (frame header).
"""

from __future__ import annotations

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

MAX_SIDE = 16383
_MAX_INDEX = 127
_TAG_AT, _TAG_BYTES, _PARTITIONS_AT = 20, 3, 30
_START_CODE = b"\x9d\x01\x2a"


class WebpCodec(ImageCodec):
    """Lossy WebP by Pillow (libwebp, its slowest method), 4:2:0.

    The quality is 127 less VP8's quantiser index: libwebp's own scale from 0 to 100 jumps by
    half of the bytes between 0 and 1.

    Args:
        slim: Leave out containers and sizes; otherwise complete files.

    Example:
        >>> codec = WebpCodec()
        >>> data = codec.encode(torch.full((3, 64, 48), 0.25), 60)
        >>> len(data) < 60, codec.decode(data, (64, 48)).shape
        (True, torch.Size([3, 64, 48]))
    """

    qualities = tuple(range(_MAX_INDEX + 1))

    def __init__(self, slim: bool = True) -> None:
        require_pillow("webp", "WebP")
        self.slim = slim
        self.name = "webp" if slim else "webp:headers=file"

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """WebP bytes of float [3, H, W] in [0, 1]."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        size = (pixels.shape[0], pixels.shape[1])
        file = pillow_encode(pixels, "WEBP", quality=_libwebp_quality(quality), method=6)
        if not self.slim:
            return file
        tag = file[_TAG_AT : _TAG_AT + _TAG_BYTES]
        num_bytes = int.from_bytes(file[16:20], "little")
        slim = tag + file[_PARTITIONS_AT : _TAG_AT + num_bytes]
        if _to_file(slim, size) != file:
            raise other_build("WebP", "install Pillow's wheel: pip install 'pillow>=11.3'")
        return slim

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        file = _to_file(data, size) if self.slim else data
        return from_uint8(pillow_decode(file, "WEBP", size))


def _libwebp_quality(index: float) -> float:
    """The quality at which libwebp's QualityToCompression gives a quantiser of 127 - index."""
    linear = (min(index + 0.5, _MAX_INDEX) / _MAX_INDEX) ** 3
    return 100 * (1.5 * linear if linear < 0.5 else (linear + 1) / 2)


def _to_file(data: bytes, size: tuple[int, int]) -> bytes:
    if len(data) <= _TAG_BYTES:
        raise damaged("slim WebP", f"{len(data)} bytes are too few")
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"WebP size {tuple(size)}: sides must be 1 to {MAX_SIDE}")
    height, width = (side.to_bytes(2, "little") for side in size)
    frame = data[:_TAG_BYTES] + _START_CODE + width + height + data[_TAG_BYTES:]
    chunk = b"VP8 " + len(frame).to_bytes(4, "little") + frame + bytes(len(frame) % 2)
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
