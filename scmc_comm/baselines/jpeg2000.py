"""JPEG 2000 as a rival codec.

A code stream is a main header (size, coding style, step sizes, comment), a tile-part header and
the packets. All but the packets depend on the size alone; slim bytes are the packets.

Source: ITU-T T.800 annex A.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from scmc_comm.baselines.image_codec import PILLOW_FIX, PillowCodec, pillow_encode
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, to_uint8

_COARSEST_BPP, _STEPS_PER_OCTAVE, _OCTAVES = 0.02, 32, 9
_SOT, _SOD, _EOC = b"\xff\x90", b"\xff\x93", b"\xff\xd9"
_COD, _PLT = b"\xff\x52", b"\xff\x58"
_HEADS = range(180, 60, -8)  # bytes of headers that the encoder's rate control counts
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


class Jpeg2000Layers:
    """One JPEG 2000 code stream in quality layers, cut where its layers end.

    Packets stand layer by layer (progression LRCP); packet lengths (PLT, not sent) say where each
    layer ends. The receiver writes the number of layers that it has into the known main header.

    Example:
        >>> codec, img = Jpeg2000Layers(), torch.full((3, 64, 64), 0.25)
        >>> parts = codec.encode(img, [60, 100])
        >>> codec.decode(parts[:1], (64, 64)).shape
        torch.Size([3, 64, 64])
    """

    def __init__(self) -> None:
        self._whole = Jpeg2000Codec()

    def encode(self, img: torch.Tensor, max_bytes: Sequence[int]) -> list[bytes]:
        """The bytes of each layer.

        Args:
            img: float32 [3, H, W] in [0, 1].
            max_bytes: Most bytes of each layer.

        Returns:
            A piece for each layer, empty for one that is not sent: coarse layers whose room is too
            small leave it to the next. Nothing at all if none fits.
        """
        pixels, room = to_uint8(img), np.cumsum(max_bytes)
        sent = [i for i, most in enumerate(max_bytes) if most > 0]
        for first in range(len(sent)):
            limits = room[sent[first:]]
            for head in _HEADS:
                pieces = self._pieces(pixels, limits + head)
                if (np.cumsum([len(piece) for piece in pieces]) <= limits).all():
                    found = dict(zip(sent[first:], pieces, strict=True))
                    return [found.get(i, b"") for i in range(len(max_bytes))]
        return []

    def decode(self, parts: Sequence[bytes], size: tuple[int, int]) -> torch.Tensor:
        """The picture of the first layers -> float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: The bytes are damaged.
        """
        file = self._whole._restored(b"".join(parts), size)
        at = file.index(_COD) + 6
        file = file[:at] + len(parts).to_bytes(2, "big") + file[at + 2 :]
        return from_uint8(self._whole._pixels(file, size))

    def _pieces(self, pixels: np.ndarray, targets: np.ndarray) -> list[bytes]:
        """Layers that end at about these bytes, headers included."""
        ratios = [pixels.size / float(target) for target in targets]
        file = pillow_encode(
            pixels, "JPEG2000", irreversible=True, mct=1, no_jp2=True, quality_mode="rates",
            quality_layers=ratios, progression="LRCP", plt=True,
        )  # fmt: skip
        start = file.index(_PLT)
        body = file[start + 5 : start + 2 + int.from_bytes(file[start + 2 : start + 4], "big")]
        lengths, data = _varints(body), file[file.index(_SOD) + 2 : -len(_EOC)]
        each, rest = divmod(len(lengths), len(targets))
        if rest or sum(lengths) != len(data):
            raise ScmcError("JPEG 2000: this build lists packets in another form; " + PILLOW_FIX)
        ends = np.cumsum([0, *(sum(lengths[i : i + each]) for i in range(0, len(lengths), each))])
        return [data[a:b] for a, b in zip(ends, ends[1:], strict=False)]


def _varints(data: bytes) -> list[int]:
    """Numbers of seven bits a byte, the highest first; a byte below 128 ends each."""
    found, value = [], 0
    for byte in data:
        value = value << 7 | byte & 127
        if byte < 128:
            found.append(value)
            value = 0
    return found
