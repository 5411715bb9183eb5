"""Baseline JPEG without the parts that do not depend on the image's content.

A file is SOI, APP0, quantisation tables (a function of the quality), frame header (a function of
the size), Huffman tables, scan header, entropy-coded scan, EOI: some 600 bytes with the standard
Huffman tables before the first coefficient. Slim bytes are

* byte 0: quality, plus 128 if Huffman tables follow;
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

from scmc_comm.errors import ScmcError

MAX_QUALITY = 95
MAX_SIDE = 65535

_OPTIMISED = 0x80
_SOF0, _DHT, _SOS, _EOI = 0xC0, 0xC4, 0xDA, b"\xff\xd9"
_TABLE_IDS = (0x00, 0x10, 0x01, 0x11)  # class and number, in libjpeg's order
_MARKER = re.compile(rb"\xff[^\x00]|\xff\Z", re.DOTALL)


def encode_file(pixels: np.ndarray, quality: int, optimize: bool) -> bytes:
    """uint8 [H, W, 3] -> a complete JFIF file, 4:2:0."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer, "JPEG", quality=quality, optimize=optimize, subsampling="4:2:0"
    )
    return buffer.getvalue()


def decode_file(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """A JPEG file -> uint8 [H, W, 3].

    Raises:
        ScmcError: if it is damaged, no colour JPEG, or of another size than ``(H, W)``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            found, mode = (picture.height, picture.width), picture.mode
            if found == tuple(size) and mode == "RGB":  # before any pixel is allocated
                return np.array(picture)
    # Pillow's decoders answer damaged bytes with many kinds of exception.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ScmcError(f"JPEG bytes cannot be decoded: {reason}") from error
    raise ScmcError(f"JPEG holds a {mode} picture of {found}; expected RGB of {tuple(size)}")


def encode(pixels: np.ndarray, quality: int) -> bytes:
    """uint8 [H, W, 3] -> slim bytes."""
    standard = encode_file(pixels, quality, optimize=False)
    optimised = encode_file(pixels, quality, optimize=True)
    plain = bytes([quality]) + _scan(standard)
    tables = b"".join(body for _, body in _tables(optimised))
    own = bytes([quality | _OPTIMISED]) + tables + _scan(optimised)
    return min(plain, own, key=len)


def to_file(data: bytes, size: tuple[int, int]) -> bytes:
    """Rebuild the complete file from slim bytes.

    Args:
        data: What `encode` returned.
        size: ``(H, W)``.

    Raises:
        ScmcError: if the bytes are damaged.
    """
    quality = data[0] & 0x7F if data else 0
    if not 1 <= quality <= MAX_QUALITY or len(data) < 2:
        raise ScmcError(f"slim JPEG of {len(data)} bytes has quality {quality}: damaged bytes")
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"JPEG size {tuple(size)}: sides must be 1 to {MAX_SIDE}")
    position = 1
    tables: list[bytes] = []
    if data[0] & _OPTIMISED:
        for _ in _TABLE_IDS:
            end = position + 16 + sum(data[position : position + 16])
            if end > len(data):
                raise ScmcError("slim JPEG: a Huffman table runs past the end: damaged bytes")
            tables.append(data[position:end])
            position = end
    # Damaged bytes must not smuggle in a frame header of a huge picture.
    if _MARKER.search(data, position):
        raise ScmcError("slim JPEG holds a marker inside its scan: damaged bytes")
    return _header(quality, size, tuple(tables)) + data[position:] + _EOI


def _header(quality: int, size: tuple[int, int], tables: tuple[bytes, ...]) -> bytes:
    """Everything up to the scan, with other Huffman tables if given."""
    template = _template(quality)
    out = bytearray(template[:2])
    replaced = False
    for marker, start, end in _segments(template):
        segment = bytearray(template[start:end])
        if marker == _SOF0:
            segment[5:9] = size[0].to_bytes(2, "big") + size[1].to_bytes(2, "big")
        if marker == _DHT and tables:
            segment = bytearray()
            if not replaced:
                body = b"".join(bytes([i]) + t for i, t in zip(_TABLE_IDS, tables, strict=True))
                segment += bytes([0xFF, _DHT]) + (len(body) + 2).to_bytes(2, "big") + body
                replaced = True
        out += segment
    return bytes(out)


@lru_cache(maxsize=MAX_QUALITY)
def _template(quality: int) -> bytes:
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
