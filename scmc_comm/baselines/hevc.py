"""HEVC intra as a rival codec: the same tools as BPG, without its container.

A byte stream is three parameter sets that depend on the size alone and one slice. Slim bytes are
the slice without its start code and unit header; its own header, a few bytes, carries the QP.

Source: ITU-T H.265 (08/2021), clause 7.3 and annex B.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from scmc_comm.baselines.image_codec import SlimCodec
from scmc_comm.codec.ffmpeg import ffmpeg_exe, run_ffmpeg
from scmc_comm.codec.planes import planes_to_rgb, rgb_to_planes

MAX_QP = 51
_BLOCK, _MIN_CODED_SIDE = 8, 32
_SLICE_START = b"\x00\x00\x01\x28\x01"  # start code; IDR_N_LP, layer 0, temporal id 0
_FORBIDDEN = re.compile(rb"\x00\x00[\x00-\x02]|\x00\x00\Z")
# One intra picture tuned for fidelity like the other codecs here, and no free text in the stream.
_X265 = (
    "keyint=1:ipratio=1:info=0:aq-mode=0:psy-rd=0:psy-rdoq=0:cutree=0:strong-intra-smoothing=1:"
    "pools=none:frame-threads=1:wpp=0:log-level=none"
)


class HevcCodec(SlimCodec):
    """HEVC intra by x265 (preset slow) in FFmpeg, 4:2:0 with 10 bits; the quality is 51 - QP."""

    family, title = "hevc", "HEVC"
    sides = (8, 8192)
    fix = (
        "pip install 'imageio-ffmpeg>=0.6', whose FFmpeg has both, or point IMAGEIO_FFMPEG_EXE "
        "at one"
    )
    qualities = tuple(range(MAX_QP + 1))
    flat_quality = 19

    def _file(self, pixels: np.ndarray, quality: float) -> bytes:
        ffmpeg_exe("libx265", "hevc")
        height, width = _coded_size(pixels.shape[:2])
        pad = [(0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0)]
        planes = rgb_to_planes(np.pad(pixels, pad, mode="edge"))
        source = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}"]
        params = f"qp={MAX_QP - int(quality)}:{_X265}"
        encoder = ["-c:v", "libx265", "-preset", "slow", "-x265-params", params]
        args = [*source, "-i", "pipe:0", *encoder, "-threads", "1", "-f", "hevc", "pipe:1"]
        return run_ffmpeg(args, planes, 60.0 + 1e-3 * height * width)

    def _pixels(self, file: bytes, size: tuple[int, int]) -> np.ndarray:
        ffmpeg_exe("libx265", "hevc")
        height, width = _coded_size(size)
        source = ["-threads", "1", "-f", "hevc", "-i", "pipe:0", "-frames:v", "1"]
        sink = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "pipe:1"]
        raw = run_ffmpeg([*source, *sink], file, 20.0 + 2e-5 * height * width)
        if len(raw) != height * width * 3:
            raise self._damaged(f"{len(raw)} bytes decoded instead of {height * width * 3}")
        pixels = planes_to_rgb(np.frombuffer(raw, "<u2"), (height, width))
        return pixels[: size[0], : size[1]]

    def _cut(self, file: bytes, size: tuple[int, int]) -> bytes:
        return file.rpartition(_SLICE_START)[2]

    def _restored(self, data: bytes, size: tuple[int, int]) -> bytes:
        if len(data) < 3:
            raise self._damaged(f"{len(data)} bytes are too few")
        # Without this check damaged bytes could smuggle in a parameter set of a huge picture.
        if _FORBIDDEN.search(data):
            raise self._damaged("a start code")
        parameter_sets, mark, _ = self._flat(size).rpartition(_SLICE_START)
        if not mark:
            raise self._other_build()
        return parameter_sets + _SLICE_START + data


def _coded_size(size: Sequence[int]) -> tuple[int, int]:
    height, width = (max(_MIN_CODED_SIDE, -(-side // _BLOCK) * _BLOCK) for side in size)
    return height, width
