"""Slim intra VVC: what is left of a picture when the receiver rebuilds all that never changes.

A raw ``.266`` file of one small picture is mostly parameter sets (SPS, PPS, access unit
delimiter) which depend on size, format and tools but not on content or QP. Slim bytes leave
them out: both ends obtain them by encoding the same dummy picture with the same settings, hence
both must run the same encoder build. What is left is one byte (QP and mode) and the slice data.

Layout: byte 0 is ``qp << 2 | mode``. Mode 0: the slice header equals the dummy's and is left
out. Mode 1: everything after the three constant first bytes of the slice. Mode 2: a count, that
many adaptive-loop-filter parameter sets each behind a varint length, then as mode 1. Mode 3: as
mode 0, but with the other sign of the joint chroma residual (the last bit of byte 3).

Source: ITU-T H.266 (08/2020), clause 7.3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scmc_comm.codec.vvc_stream import (
    Picture,
    Preset,
    VvcSettings,
    check_picture,
    check_size,
    coded_size,
    decode_file,
    decode_streams,
    encode_file,
    encode_planes,
    split_units,
    to_planes,
)
from scmc_comm.errors import ScmcError

__all__ = [
    "Picture",
    "Preset",
    "VvcSettings",
    "decode_batch",
    "decode_file",
    "decode_slim",
    "encode_batch",
    "encode_decode_batch",
    "encode_file",
    "encode_slim",
    "file_from_slim",
    "slim_from_file",
]

_CHUNK = 512
_SLICE_START = b"\x00\x41\xc4"  # IDR_N_LP, temporal id 0; picture header inside, intra, PPS 0
_APS_HEADER = b"\x00\x89"
_PARAMETER_TYPES = frozenset((12, 13, 14, 15, 16, 20, 23, 24))
_FORBIDDEN = re.compile(rb"\x00\x00[\x00-\x02]")


@dataclass(frozen=True)
class _Template:
    """Constant parts for (settings, coded size, QP)."""

    parameter_sets: bytes  # with start codes
    idr_header: bytes
    cra_header: bytes


def encode_slim(
    picture: Picture, qp: int, screen_content: bool = True, preset: Preset = "medium"
) -> bytes:
    """Encodes one picture without the parts that the receiver can rebuild.

    Args:
        picture: Gray uint8 [H, W] or RGB uint8 [H, W, 3]; sides 8 to 8192.
        qp: 0 (finest) to 63.
        screen_content: See ``VvcSettings``.
        preset: See ``VvcSettings``.

    Returns:
        Slim bytes; the first carries QP and mode.

    Raises:
        ScmcError: Wrong input, or no FFmpeg with libvvenc.

    Example:
        >>> import numpy as np
        >>> data = encode_slim(np.full((64, 64), 200, np.uint8), qp=40)
        >>> len(data) < 12, int(abs(decode_slim(data, (64, 64)).astype(int) - 200).max()) < 4
        (True, True)
    """
    settings = VvcSettings(np.ndim(picture) == 3, screen_content, preset)
    return slim_from_file(
        encode_file(picture, qp, settings), check_picture(picture, settings), qp, settings
    )


def decode_slim(
    data: bytes,
    size: tuple[int, int],
    color: bool = False,
    screen_content: bool = True,
    preset: Preset = "medium",
) -> Picture:
    """Decodes slim bytes made with the same settings for a picture of the same size.

    Args:
        data: Slim bytes.
        size: (H, W) of the picture.
        color: True for RGB.
        screen_content: As given to the encoder.
        preset: As given to the encoder.

    Returns:
        uint8 [H, W] or [H, W, 3]; bit-exactly the decoded picture of the complete file.

    Raises:
        ScmcError: Damaged bytes, wrong settings, or no FFmpeg with libvvenc and VVC.
    """
    settings = VvcSettings(color, screen_content, preset)
    return decode_file(file_from_slim(data, size, settings), size, settings)


def encode_batch(
    pictures: Picture, qp: int, screen_content: bool = True, preset: Preset = "medium"
) -> list[bytes]:
    """Slim bytes of many pictures uint8 [n, H, W] or [n, H, W, 3], one FFmpeg call per 512.

    The same bytes as ``encode_slim`` of each picture.
    """
    settings = VvcSettings(np.ndim(pictures) == 4, screen_content, preset)
    if np.ndim(pictures) not in (3, 4) or len(pictures) == 0:
        raise ScmcError(
            f"expected pictures uint8 [n, H, W] or [n, H, W, 3], got shape {np.shape(pictures)}"
        )
    size = check_picture(pictures[0], settings)
    slims: list[bytes] = []
    for start in range(0, len(pictures), _CHUNK):
        chunk = pictures[start : start + _CHUNK]
        planes = b"".join(to_planes(picture, settings) for picture in chunk)
        units = split_units(encode_planes(planes, coded_size(size), qp, settings, len(chunk)))
        slices = [unit for unit in units if unit[1] >> 3 not in _PARAMETER_TYPES]
        if len(slices) != len(chunk):  # loop filter sets in between
            slices = [b""] * len(chunk)
        template = _template(settings, coded_size(size), qp)
        for picture, unit in zip(chunk, slices, strict=True):
            body = _batch_slice_data(unit, template)
            if body is None:
                slims.append(encode_slim(picture, qp, screen_content, preset))
            else:
                slims.append(bytes([qp << 2]) + body)
    return slims


def decode_batch(
    slims: Sequence[bytes],
    size: tuple[int, int],
    color: bool = False,
    screen_content: bool = True,
    preset: Preset = "medium",
) -> Picture:
    """Decodes slim pictures of one size: uint8 [n, H, W] or, with color, [n, H, W, 3]."""
    settings = VvcSettings(color, screen_content, preset)
    streams = [file_from_slim(data, size, settings) for data in slims]
    chunks = [streams[i : i + _CHUNK] for i in range(0, len(streams), _CHUNK)]
    if not chunks:
        return np.zeros((0, *size, *(3,) * color), np.uint8)
    return np.concatenate([decode_streams(chunk, size, settings) for chunk in chunks])


def encode_decode_batch(
    pictures: Picture, qp: int, screen_content: bool = True, preset: Preset = "medium"
) -> tuple[Picture, list[int]]:
    """Codes many pictures: what the receiver sees, and the slim size of each in bytes.

    Args:
        pictures: uint8 [n, H, W], or [n, H, W, 3] for RGB.
        qp: 0 to 63.
        screen_content: See ``VvcSettings``.
        preset: See ``VvcSettings``.

    Returns:
        Decoded pictures and n sizes.
    """
    slims = encode_batch(pictures, qp, screen_content, preset)
    color, size = np.ndim(pictures) == 4, (pictures.shape[1], pictures.shape[2])
    decoded = decode_batch(slims, size, color, screen_content, preset)
    return decoded, [len(data) for data in slims]


def slim_from_file(
    data: bytes, size: tuple[int, int], qp: int, settings: VvcSettings = VvcSettings()
) -> bytes:
    """Strips from a complete stream of ``encode_file`` what the receiver can rebuild."""
    template = _template(settings, coded_size(size), qp)
    units = [unit for unit in split_units(data) if unit[1] >> 3 not in _PARAMETER_TYPES]
    if not units or not units[-1].startswith(_SLICE_START):
        raise ScmcError(
            "this libvvenc makes streams of another form than expected; install the FFmpeg that "
            "comes with imageio-ffmpeg>=0.6"
        )
    extras, last = units[:-1], units[-1]
    if not extras and last.startswith(template.idr_header):
        return bytes([qp << 2]) + last[len(template.idr_header) :]
    if not extras and last.startswith(_other_sign(template.idr_header)):
        return bytes([qp << 2 | 3]) + last[len(template.idr_header) :]
    if not extras:
        return bytes([qp << 2 | 1]) + last[len(_SLICE_START) :]
    if any(not unit.startswith(_APS_HEADER) for unit in extras):
        raise ScmcError(f"unexpected VVC units of types {[unit[1] >> 3 for unit in extras]}")
    bodies = [unit[len(_APS_HEADER) :] for unit in extras]
    packed = b"".join(_varint(len(body)) + body for body in bodies)
    return bytes([qp << 2 | 2, len(bodies)]) + packed + last[len(_SLICE_START) :]


def file_from_slim(
    data: bytes, size: tuple[int, int], settings: VvcSettings = VvcSettings()
) -> bytes:
    """Rebuilds the complete stream; the inverse of ``slim_from_file``."""
    check_size(size)
    if len(data) < 2:
        raise ScmcError(f"slim VVC picture of {len(data)} bytes is too short; at least 2 expected")
    qp, mode = data[0] >> 2, data[0] & 3
    template = _template(settings, coded_size(size), qp)
    units: list[bytes] = []
    pos = 1
    if mode == 2:
        count, pos = data[1], 2
        for _ in range(count):
            length, pos = _read_varint(data, pos)
            if length == 0 or pos + length > len(data):
                raise ScmcError("slim VVC picture: a parameter set runs past the end; damaged")
            units.append(_APS_HEADER + data[pos : pos + length])
            pos += length
    usual = template.idr_header
    header = {0: usual, 3: _other_sign(usual)}.get(mode, _SLICE_START)
    units.append(header + data[pos:])
    # Without this check damaged bytes could smuggle in a parameter set of a huge picture.
    if any(_FORBIDDEN.search(unit) for unit in units):
        raise ScmcError("slim VVC picture holds a start code: damaged bytes")
    return template.parameter_sets + b"".join(b"\x00\x00\x01" + unit for unit in units)


def _other_sign(header: bytes) -> bytes:
    return header[:3] + bytes([header[3] ^ 1]) + header[4:]


@lru_cache(maxsize=1024)
def _template(settings: VvcSettings, coded: tuple[int, int], qp: int) -> _Template:
    """Encodes dummies: parameter sets at the true size; slice headers do not depend on it."""
    sets = _parameter_sets(settings, coded)
    side = 32 if settings.vvenc_params(coded) == settings.vvenc_params((32, 32)) else 72
    idr, cra = _slice_headers(settings, (side, side), qp)
    return _Template(sets, idr, cra)


@lru_cache(maxsize=256)
def _parameter_sets(settings: VvcSettings, coded: tuple[int, int]) -> bytes:
    flat = _dummy(coded, settings)
    units = split_units(encode_planes(flat, coded, 40, settings))
    return b"".join(b"\x00\x00\x00\x01" + u for u in units if u[1] >> 3 in _PARAMETER_TYPES)


@lru_cache(maxsize=256)
def _slice_headers(settings: VvcSettings, coded: tuple[int, int], qp: int) -> tuple[bytes, bytes]:
    """Headers of the first (IDR) and a later (CRA) picture of a flat dummy."""
    flat = _dummy(coded, settings)
    units = split_units(encode_planes(flat + flat, coded, qp, settings, 2))
    slices = [u for u in units if u[1] >> 3 not in _PARAMETER_TYPES]
    if len(slices) != 2:
        raise ScmcError("libvvenc gave no all-intra stream; use imageio-ffmpeg>=0.6")
    # The data are the same, and start on a byte. A CRA header is one bit longer, so that the
    # alignment bits, and with them the last header bytes, always differ.
    tail = len(os.path.commonprefix([unit[::-1] for unit in slices]))  # noqa: RUF071
    idr, cra = (unit[: len(unit) - tail] for unit in slices)
    return idr, cra


def _batch_slice_data(unit: bytes, template: _Template) -> bytes | None:
    """Slice data of an IDR or CRA picture if its header is the usual one, else None."""
    if unit.startswith(template.idr_header):
        return unit[len(template.idr_header) :]
    usual = template.cra_header
    head = bytearray(unit[: len(usual)])
    if len(head) < 5 or len(usual) < 5:
        return None
    # The eight bits of the picture order count straddle bytes 2 and 3.
    head[2:4] = bytes([head[2] & 0xFC | usual[2] & 3, head[3] & 3 | usual[3] & 0xFC])
    return unit[len(usual) :] if bytes(head) == usual else None


def _dummy(coded: tuple[int, int], settings: VvcSettings) -> bytes:
    shape = (*coded, 3) if settings.color else coded
    return to_planes(np.full(shape, 128, np.uint8), settings)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def _read_varint(data: bytes, pos: int) -> tuple[int, int]:
    head = data[pos : pos + 2]
    if not head or (head[0] >= 128 and len(head) < 2):
        raise ScmcError("slim VVC picture ends inside a length field: damaged bytes")
    return (head[0], pos + 1) if head[0] < 128 else (head[0] & 127 | head[1] << 7, pos + 2)
