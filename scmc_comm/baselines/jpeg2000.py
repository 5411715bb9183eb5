"""JPEG 2000 as a rival codec.

A code stream is a main header (size, coding style, step sizes, comment), a tile-part header and
the packets. All but the packets depend on the size alone; slim bytes are the packets.

Source: ITU-T T.800 annex A.
"""

from __future__ import annotations

import numpy as np

from scmc_comm.baselines.image_codec import PillowCodec, pillow_encode

_COARSEST_BPP, _STEPS_PER_OCTAVE, _OCTAVES = 0.02, 32, 9
_SOT, _SOD, _EOC = b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_SOT_BYTES = 12


class Jpeg2000Codec(PillowCodec):
    """JPEG 2000 by Pillow (OpenJPEG): YCbCr, 9/7 wavelet, one tile, one quality layer.

    The quality sets the rate: 0.02 bpp at 0, doubled every 32 steps. Complete files are code
    streams, 85 bytes less than with the boxes of a .jp2.

    Example:
        >>> import torch
        >>> codec = Jpeg2000Codec()
        >>> data = codec.encode(torch.rand(3, 64, 48), 160)
        >>> len(data) < 64 * 48 / 8, codec.decode(data, (64, 48)).shape
        (True, torch.Size([3, 64, 48]))
    """

    family, title, kind, feature = "jpeg2000", "JPEG 2000", "JPEG2000", "jpg_2000"
    sides = (1, 65535)
    flat_quality = 180
    qualities = tuple(range(_OCTAVES * _STEPS_PER_OCTAVE + 1))

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        target_bpp = _COARSEST_BPP * 2 ** (quality / _STEPS_PER_OCTAVE)
        rate = {"quality_mode": "rates", "quality_layers": [24 / target_bpp]}
        # Pillow leaves the colour transform (mct) out unless told: 2 to 4 dB less on photographs.
        return pillow_encode(pixels, self.kind, irreversible=True, mct=1, no_jp2=True, **rate)

    def _cut(self, file: bytes, size: tuple[int, int]) -> bytes:
        return file[len(self._main_header(size)) + _SOT_BYTES + len(_SOD) : -len(_EOC)]

    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        if not data:
            raise self._damaged("no bytes")
        length = _SOT_BYTES + len(_SOD) + len(data)
        tile = _SOT + b"\x00\x0a\x00\x00" + length.to_bytes(4, "big") + b"\x00\x01" + _SOD + data
        return self._main_header(size) + tile + _EOC

    def _main_header(self, size: tuple[int, int]) -> bytes:
        head, mark, _ = self._flat(size).partition(_SOT)
        if not mark:
            raise self._other_build()
        return head
