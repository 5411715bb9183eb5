"""JPEG as a rival codec."""

from __future__ import annotations

import torch

from scmc_comm.baselines import jpeg_slim
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.images import from_uint8, to_uint8


class JpegCodec(ImageCodec):
    """Baseline JPEG by Pillow (libjpeg-turbo), 4:2:0, Huffman tables optimised per image.

    Whole qualities are libjpeg's; the eighths between them scale the same quantisation tables
    more finely, because at low rates one whole step is worth up to a tenth of the bytes.

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

    # Above 95 files grow without gain (Pillow's advice).
    qualities = tuple(step / jpeg_slim.STEPS for step in jpeg_slim.QUALITY_STEPS)

    def __init__(self, slim: bool = True) -> None:
        self.slim = slim
        self.name = "jpeg" if slim else "jpeg:headers=file"

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
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
