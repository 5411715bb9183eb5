"""HEVC intra as a rival codec: the same tools as BPG, without its container.

A byte stream is three parameter sets that depend on the size alone and one slice. Slim bytes are
the slice without its start code and unit header; its own header, a few bytes, carries the QP.

Source: ITU-T H.265 (08/2021), clause 7.3 and annex B.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import torch

from scmc_comm.baselines.image_codec import ImageCodec, damaged, other_build
from scmc_comm.codec.ffmpeg import ffmpeg_exe, run_ffmpeg
from scmc_comm.codec.planes import planes_to_rgb, rgb_to_planes
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, to_uint8

MAX_QP = 51
MAX_SIDE = 8192
_BLOCK, _MIN_CODED_SIDE = 8, 32
_FIX = (
    "pip install 'imageio-ffmpeg>=0.6', whose FFmpeg has both, or point IMAGEIO_FFMPEG_EXE at one"
)
_IDR_UNIT = b"\x28\x01"  # IDR_N_LP, layer 0, temporal id 0
_FORBIDDEN = re.compile(rb"\x00\x00[\x00-\x02]|\x00\x00\Z")
# One intra picture tuned for fidelity like the other codecs here, and no free text in the stream.
_X265 = (
    "keyint=1:ipratio=1:info=0:aq-mode=0:psy-rd=0:psy-rdoq=0:cutree=0:strong-intra-smoothing=1:"
    "pools=none:frame-threads=1:wpp=0:log-level=none"
)


class HevcCodec(ImageCodec):
    """HEVC intra by x265 (preset slow) in FFmpeg, 4:2:0 with 10 bits; the quality is 51 - QP.

    Args:
        slim: Parameter sets are known to the receiver; otherwise complete byte streams.
    """

    qualities = tuple(range(MAX_QP + 1))

    def __init__(self, slim: bool = True) -> None:
        self.slim = slim
        self.name = "hevc" if slim else "hevc:headers=file"

    def encode(self, img: torch.Tensor, quality: float) -> bytes:
        """HEVC bytes of float [3, H, W] in [0, 1] at QP ``51 - quality``."""
        self._check_quality(quality)
        pixels = to_uint8(img)
        size = (pixels.shape[0], pixels.shape[1])
        _check_size(size)
        file = _encode_file(pixels, int(MAX_QP - quality))
        if not self.slim:
            return file
        slim = file.rpartition(b"\x00\x00\x01" + _IDR_UNIT)[2]
        if _to_file(slim, size) != file:
            raise other_build("HEVC", _FIX)
        return slim

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """float32 [3, H, W] in [0, 1]."""
        _check_size(size)
        height, width = _coded_size(size)
        file = _to_file(data, size) if self.slim else data
        ffmpeg_exe("libx265", "hevc")
        source = ["-threads", "1", "-f", "hevc", "-i", "pipe:0", "-frames:v", "1"]
        sink = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "pipe:1"]
        raw = run_ffmpeg([*source, *sink], file, 20.0 + 2e-5 * height * width)
        if len(raw) != height * width * 3:
            raise damaged("HEVC", f"{len(raw)} bytes decoded instead of {height * width * 3}")
        pixels = planes_to_rgb(np.frombuffer(raw, "<u2"), (height, width))
        return from_uint8(pixels[: size[0], : size[1]])

    def warm(self, size: tuple[int, int], quality: float) -> None:
        """Makes the parameter sets."""
        if self.slim:
            _parameter_sets(_coded_size(size))


def _encode_file(pixels: np.ndarray, qp: int) -> bytes:
    ffmpeg_exe("libx265", "hevc")
    height, width = _coded_size((pixels.shape[0], pixels.shape[1]))
    pad = [(0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)]
    planes = rgb_to_planes(np.pad(pixels, pad, mode="edge"))
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}"]
    encoder = ["-c:v", "libx265", "-preset", "slow", "-x265-params", f"qp={qp}:{_X265}"]
    args = [*source, "-i", "pipe:0", *encoder, "-threads", "1", "-f", "hevc", "pipe:1"]
    return run_ffmpeg(args, planes, 60.0 + 1e-3 * height * width)


@lru_cache(maxsize=256)
def _parameter_sets(coded: tuple[int, int]) -> bytes:
    """Everything before the slice's unit header, measured on a flat picture."""
    file = _encode_file(np.full((*coded, 3), 128, np.uint8), 32)
    sets, mark, _ = file.rpartition(b"\x00\x00\x01" + _IDR_UNIT)
    if not mark:
        raise other_build("HEVC", _FIX)
    return sets


def _to_file(data: bytes, size: tuple[int, int]) -> bytes:
    _check_size(size)
    if len(data) < 3:
        raise damaged("slim HEVC", f"{len(data)} bytes are too few")
    # Without this check damaged bytes could smuggle in a parameter set of a huge picture.
    if _FORBIDDEN.search(data):
        raise damaged("slim HEVC", "a start code")
    return _parameter_sets(_coded_size(size)) + b"\x00\x00\x01" + _IDR_UNIT + data


def _coded_size(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (max(_MIN_CODED_SIDE, -(-side // _BLOCK) * _BLOCK) for side in size)
    return height, width


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or not all(8 <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"HEVC picture size {tuple(size)}: sides must be 8 to {MAX_SIDE}")
