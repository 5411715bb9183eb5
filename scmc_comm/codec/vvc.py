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
from scmc_comm.wire import Reader, encode_varint

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


def encode_slim(picture: Picture, qp: int, settings: VvcSettings = VvcSettings()) -> bytes:
    """Encodes one picture without the parts that the receiver can rebuild.

    Args:
        picture: Gray uint8 [H, W] or, if ``settings.color``, RGB uint8 [H, W, 3]; sides 8 to 8192.
        qp: 0 (finest) to 63.
        settings: Format and tools.

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
    size = check_picture(picture, settings)
    return slim_from_file(encode_file(picture, qp, settings), size, qp, settings)


def decode_slim(
    data: bytes, size: tuple[int, int], settings: VvcSettings = VvcSettings()
) -> Picture:
    """Decodes slim bytes made with the same settings for a picture of the same size.

    Args:
        data: Slim bytes.
        size: (H, W) of the picture.
        settings: As given to the encoder.

    Returns:
        uint8 [H, W] or [H, W, 3]; bit-exactly the decoded picture of the complete file.

    Raises:
        ScmcError: Damaged bytes, wrong settings, or no FFmpeg with libvvenc and VVC.
    """
    return decode_file(file_from_slim(data, size, settings), size, settings)


def encode_batch(pictures: Picture, qp: int, settings: VvcSettings = VvcSettings()) -> list[bytes]:
    """Slim bytes of many pictures uint8 [n, H, W] or [n, H, W, 3], one FFmpeg call per 512.

    The same bytes as ``encode_slim`` of each picture.
    """
    if len(pictures) == 0:
        raise ScmcError("there are no pictures to encode; expected uint8 [n, H, W] or [n, H, W, 3]")
    size = check_picture(pictures[0], settings)
    slims: list[bytes] = []
    for start in range(0, len(pictures), _CHUNK):
        chunk = pictures[start : start + _CHUNK]
        planes = b"".join(to_planes(picture, settings) for picture in chunk)
        slices = _slices(encode_planes(planes, coded_size(size), qp, settings, len(chunk)))
        if len(slices) != len(chunk):  # loop filter sets in between
            slices = [b""] * len(chunk)
        template = _template(settings, coded_size(size), qp)
        for picture, unit in zip(chunk, slices, strict=True):
            body = _batch_slice_data(unit, template)
            usual = encode_slim(picture, qp, settings) if body is None else bytes([qp << 2]) + body
            slims.append(usual)
    return slims


def decode_batch(
    slims: Sequence[bytes], size: tuple[int, int], settings: VvcSettings = VvcSettings()
) -> Picture:
    """Decodes slim pictures of one size: uint8 [n, H, W] or, with color, [n, H, W, 3]."""
    streams = [file_from_slim(data, size, settings) for data in slims]
    chunks = [streams[i : i + _CHUNK] for i in range(0, len(streams), _CHUNK)]
    return np.concatenate([decode_streams(chunk, size, settings) for chunk in chunks])


def qp_of(data: bytes) -> int:
    """QP of slim bytes, 0 to 63.

    Raises:
        ScmcError: There are no bytes.

    Example:
        >>> qp_of(bytes([40 << 2 | 1, 7]))
        40
    """
    return Reader(data, "slim VVC picture").byte("QP and mode") >> 2


def slim_from_file(
    data: bytes, size: tuple[int, int], qp: int, settings: VvcSettings = VvcSettings()
) -> bytes:
    """Strips from a complete stream of ``encode_file`` what the receiver can rebuild."""
    template = _template(settings, coded_size(size), qp)
    units = _slices(data)
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
    packed = b"".join(encode_varint(len(body)) + body for body in bodies)
    return bytes([qp << 2 | 2, len(bodies)]) + packed + last[len(_SLICE_START) :]


def file_from_slim(
    data: bytes, size: tuple[int, int], settings: VvcSettings = VvcSettings()
) -> bytes:
    """Rebuilds the complete stream; the inverse of ``slim_from_file``."""
    check_size(size)
    if len(data) < 2:
        raise ScmcError(f"slim VVC picture of {len(data)} bytes is too short; at least 2 expected")
    reader = Reader(data, "slim VVC picture")
    first = reader.byte("QP and mode")
    qp, mode = first >> 2, first & 3
    template = _template(settings, coded_size(size), qp)
    units: list[bytes] = []
    for _ in range(reader.byte("number of parameter sets") if mode == 2 else 0):
        length = reader.varint("length of a parameter set", len(data))
        if length == 0:
            raise ScmcError("slim VVC picture holds an empty parameter set: damaged bytes")
        units.append(_APS_HEADER + reader.take(length, "parameter set"))
    usual = template.idr_header
    header = {0: usual, 3: _other_sign(usual)}.get(mode, _SLICE_START)
    units.append(header + reader.rest())
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
    slices = _slices(encode_planes(flat + flat, coded, qp, settings, 2))
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


def _slices(data: bytes) -> list[bytes]:
    """The units of a stream that are no parameter sets which never change."""
    return [unit for unit in split_units(data) if unit[1] >> 3 not in _PARAMETER_TYPES]
