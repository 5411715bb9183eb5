"""Lossy WebP (VP8 intra) as a rival codec.

A file is a RIFF header, a chunk header, the frame tag (3 bytes: key frame, version, and the
length of the first partition), a start code and the picture's size (7 bytes), then the
partitions. Slim bytes are the frame tag and the partitions; all else follows from size and length.

Source: RFC 9649 (container), RFC 6386 section 9.1 (frame header).
"""

from __future__ import annotations

import numpy as np

from scmc_comm.baselines.image_codec import PillowCodec, pillow_encode

_MAX_INDEX = 127
_TAG_AT, _TAG_BYTES, _PARTITIONS_AT = 20, 3, 30
_START_CODE = b"\x9d\x01\x2a"


class WebpCodec(PillowCodec):
    """Lossy WebP by Pillow (libwebp, its slowest method), 4:2:0.

    The quality is 127 less VP8's quantiser index: libwebp's own scale from 0 to 100 jumps by
    half of the bytes between 0 and 1.

    Example:
        >>> import torch
        >>> codec = WebpCodec()
        >>> data = codec.encode(torch.full((3, 64, 48), 0.25), 60)
        >>> len(data) < 60, codec.decode(data, (64, 48)).shape
        (True, torch.Size([3, 64, 48]))
    """

    family, title, kind, feature = "webp", "WebP", "WEBP", "webp"
    sides = (1, 16383)
    qualities = tuple(range(_MAX_INDEX + 1))

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        return pillow_encode(pixels, self.kind, quality=_libwebp_quality(quality), method=6)

    def _cut(self, file: bytes, size: tuple[int, int]) -> bytes:
        num_bytes = int.from_bytes(file[16:20], "little")
        tag = file[_TAG_AT : _TAG_AT + _TAG_BYTES]
        return tag + file[_PARTITIONS_AT : _TAG_AT + num_bytes]

    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        if len(data) <= _TAG_BYTES:
            raise self._damaged(f"{len(data)} bytes are too few")
        height, width = (side.to_bytes(2, "little") for side in size)
        frame = data[:_TAG_BYTES] + _START_CODE + width + height + data[_TAG_BYTES:]
        chunk = b"VP8 " + len(frame).to_bytes(4, "little") + frame + bytes(len(frame) % 2)
        return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk


def _libwebp_quality(index: float) -> float:
    """The quality at which libwebp's QualityToCompression gives a quantiser of 127 - index."""
    linear = (min(index + 0.5, _MAX_INDEX) / _MAX_INDEX) ** 3
    return 100 * (1.5 * linear if linear < 0.5 else (linear + 1) / 2)
