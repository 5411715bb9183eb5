"""Baseline JPEG as a rival codec, without the parts that do not depend on the image's content.

A file is SOI, APP0, quantisation tables (a function of the quality), frame header (a function of
the size), Huffman tables, scan header, entropy-coded scan, EOI: some 600 bytes with the standard
Huffman tables before the first coefficient. Slim bytes are

* bytes 0 and 1: eight times the quality, plus 32768 if Huffman tables follow;
* if so, the four optimised tables (luma DC, luma AC, chroma DC, chroma AC), each 16 counts and as
  many symbols as they add up to;
* the entropy-coded scan.

The encoder takes whichever is shorter: standard tables, known to the receiver, or optimised ones.

Source: ITU-T T.81 Annexes B and K.3.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from PIL import Image

from scmc_comm.baselines.image_codec import PillowCodec, pillow_encode
from scmc_comm.errors import ScmcError

_STEPS = 8  # of one quality
_QUALITY_STEPS = range(1 * _STEPS, 95 * _STEPS + 1)  # above 95 files grow without gain (Pillow)

_OPTIMISED = 0x8000
_HEAD_BYTES = 2
_SOF0, _DHT, _SOS, _EOI = 0xC0, 0xC4, 0xDA, b"\xff\xd9"
_TABLE_IDS = (0x00, 0x10, 0x01, 0x11)  # class and number, in libjpeg's order
_MARKER = re.compile(rb"\xff[^\x00]|\xff\Z", re.DOTALL)


class JpegCodec(PillowCodec):
    """Baseline JPEG by Pillow (libjpeg-turbo), 4:2:0, Huffman tables optimised per image.

    Whole qualities are libjpeg's; the eighths between them scale the same quantisation tables
    more finely, because at low rates one whole step is worth up to a tenth of the bytes.

    Example:
        >>> import torch
        >>> codec = JpegCodec()
        >>> img = torch.full((3, 64, 48), 0.25)
        >>> data = codec.encode(img, 50)
        >>> bool((codec.decode(data, (64, 48)) - img).abs().max() < 0.01), len(data) < 60
        (True, True)
    """

    family, title, kind, feature = "jpeg", "JPEG", "JPEG", "jpg"
    sides = (1, 65535)
    qualities = tuple(step / _STEPS for step in _QUALITY_STEPS)

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        return encode_file(pixels, quality, optimize=True)

    def _slim_bytes(self, pixels: np.ndarray, quality: float) -> bytes:
        standard = encode_file(pixels, quality, optimize=False)
        optimised = encode_file(pixels, quality, optimize=True)
        step = round(quality * _STEPS)
        plain = step.to_bytes(_HEAD_BYTES, "big") + _scan(standard)
        tables = b"".join(body for _, body in _tables(optimised))
        own = (step | _OPTIMISED).to_bytes(_HEAD_BYTES, "big") + tables + _scan(optimised)
        return min(plain, own, key=len)

    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        head = int.from_bytes(data[:_HEAD_BYTES], "big")
        step = head & ~_OPTIMISED
        if step not in _QUALITY_STEPS or len(data) <= _HEAD_BYTES:
            raise self._damaged(f"{len(data)} bytes of quality {step / _STEPS:g}")
        position = _HEAD_BYTES
        tables: list[bytes] = []
        for _ in _TABLE_IDS if head & _OPTIMISED else ():
            end = position + 16 + sum(data[position : position + 16])
            if end > len(data):
                raise self._damaged("a Huffman table runs past the end")
            tables.append(data[position:end])
            position = end
        # Damaged bytes must not smuggle in a frame header of a huge picture.
        if _MARKER.search(data, position):
            raise self._damaged("a marker inside the scan")
        return _header(step / _STEPS, size, tables) + data[position:] + _EOI


def encode_file(pixels: np.ndarray, quality: float, optimize: bool) -> bytes:
    """uint8 [H, W, 3] -> a complete JFIF file, 4:2:0."""
    tables = quantisation_tables(quality)
    return pillow_encode(pixels, "JPEG", qtables=tables, optimize=optimize, subsampling="4:2:0")


def quantisation_tables(quality: float) -> list[list[int]]:
    """Luma and chroma tables of a quality that need not be whole, each 64 values up to 255.

    Whole qualities give libjpeg's own tables: the standard ones times 5000 / quality or
    200 - 2 quality per cent.

    Example:
        >>> [sum(quantisation_tables(q)[0]) for q in (50, 50.5)]
        [3688, 3650]
    """
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [[min(max(int((v * scale + 50) / 100), 1), 255) for v in t] for t in _base_tables()]


@lru_cache(maxsize=1)
def _base_tables() -> tuple[tuple[int, ...], ...]:
    """The tables of ITU-T T.81 K.1 as libjpeg writes them, unscaled, at quality 50."""
    file = pillow_encode(np.zeros((8, 8, 3), np.uint8), "JPEG", quality=50)
    with Image.open(io.BytesIO(file)) as picture:
        tables = picture.quantization  # type: ignore[attr-defined]
    return tuple(tuple(tables[number]) for number in (0, 1))


def _header(quality: float, size: tuple[int, int], tables: list[bytes]) -> bytes:
    """Everything up to the scan, with other Huffman tables if given."""
    template = _template(quality)
    out = bytearray(template[:2])
    for marker, start, end in _segments(template):
        segment = bytearray(template[start:end])
        if marker == _SOF0:
            segment[5:9] = size[0].to_bytes(2, "big") + size[1].to_bytes(2, "big")
        if marker == _SOS and tables:
            body = b"".join(bytes([i]) + t for i, t in zip(_TABLE_IDS, tables, strict=True))
            out += bytes([0xFF, _DHT]) + (len(body) + 2).to_bytes(2, "big") + body
        if marker != _DHT or not tables:
            out += segment
    return bytes(out)


@lru_cache(maxsize=len(_QUALITY_STEPS))
def _template(quality: float) -> bytes:
    return encode_file(np.full((16, 16, 3), 128, np.uint8), quality, optimize=False)


def _segments(file: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment after SOI, up to and with the scan header."""
    position, marker = 2, 0
    while marker != _SOS:
        marker = file[position + 1]
        end = position + 2 + int.from_bytes(file[position + 2 : position + 4], "big")
        yield marker, position, end
        position = end


def _scan(file: bytes) -> bytes:
    *_, (_, _, end) = _segments(file)
    return file[end : -len(_EOI)]


def _tables(file: bytes) -> list[tuple[int, bytes]]:
    """Identifier and body (counts, symbols) of each Huffman table, in file order."""
    found: list[tuple[int, bytes]] = []
    for marker, start, end in _segments(file):
        position = start + 4
        while marker == _DHT and position < end:
            length = 16 + sum(file[position + 1 : position + 17])
            found.append((file[position], file[position + 1 : position + 1 + length]))
            position += 1 + length
    if tuple(i for i, _ in found) != _TABLE_IDS:
        raise ScmcError("this libjpeg orders Huffman tables in another way; use Pillow's wheel")
    return found
