"""Complete intra VVC byte streams of single pictures, through FFmpeg (libvvenc, native decoder).

Gray pictures are coded 4:0:0, RGB as 4:2:0 full-range BT.601 (0.2 dB better than BT.709 in RGB
PSNR at equal rate), both with 10 bits, one thread, perceptual QP adaptation off.

Source: ITU-T H.266 (08/2020), annex B (byte stream format).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scmc_comm.codec.ffmpeg import run_ffmpeg
from scmc_comm.codec.planes import gray_to_planes, planes_to_gray, planes_to_rgb, rgb_to_planes
from scmc_comm.errors import ScmcError, TooFineError
from scmc_comm.pixels import check_pixels

Preset = Literal["faster", "fast", "medium", "slow", "slower"]
Picture = NDArray[np.uint8]

MAX_QP = 63
MIN_SIDE = 8
MAX_SIDE = 8192
_BLOCK = 8
_MIN_CODED_SIDE = 16
_THUMBNAIL = 64 * 64


@dataclass(frozen=True)
class VvcSettings:
    """What both ends agree on; parameter sets are a function of this and the picture size.

    Attributes:
        color: RGB pictures [H, W, 3] coded 4:2:0, else gray [H, W] coded 4:0:0.
        screen_content: Intra block copy, BDPCM, transform skip; the adaptive loop filter off
            (for edge maps and flat graphics).
        preset: vvenc's effort; ``medium`` by default.
    """

    color: bool = False
    screen_content: bool = True
    preset: Preset = "medium"

    def vvenc_params(self, coded: tuple[int, int]) -> str:
        """Options of vvenc for a picture of this coded size, as ``-vvenc-params`` wants them."""
        # The temporal filter and block importance look at neighbouring pictures: off, so that a
        # picture costs the same alone and in a batch.
        params = ["MCTF=0", "BIM=0"]
        if not self.color:
            params.append("ChromaFormatIDC=400")
        if self.screen_content:
            params += ["IBC=1", "BDPCM=1", "TransformSkip=1"]
        # In thumbnails the loop filter's flags cost more than it gains.
        if self.screen_content or coded[0] * coded[1] <= _THUMBNAIL:
            params += ["ALF=0", "CCALF=0"]
        return ":".join(params)


def encode_file(picture: Picture, qp: int, settings: VvcSettings = VvcSettings()) -> bytes:
    """Encodes one picture to a complete ``.266`` byte stream.

    Args:
        picture: uint8 [H, W] or, if ``settings.color``, uint8 [H, W, 3]; sides 8 to 8192.
        qp: 0 (finest) to 63.
        settings: Format and tools.

    Raises:
        ScmcError: Wrong input, or no FFmpeg with libvvenc.
    """
    size = check_picture(picture, settings)
    return encode_planes(to_planes(picture, settings), coded_size(size), qp, settings)


def decode_file(
    data: bytes, size: tuple[int, int], settings: VvcSettings = VvcSettings()
) -> Picture:
    """Decodes what ``encode_file`` made; ``size`` is (H, W)."""
    picture: Picture = decode_streams([data], size, settings)[0]
    return picture


def split_units(data: bytes) -> list[bytes]:
    """NAL units of a byte stream, without start codes."""
    units = re.split(rb"\x00*\x00\x00\x01", data)
    return [unit for unit in units if len(unit) > 2]


def coded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size after padding to whole blocks, as (H, W)."""
    height, width = (max(_MIN_CODED_SIDE, -(-side // _BLOCK) * _BLOCK) for side in size)
    return height, width


def check_size(size: tuple[int, int]) -> None:
    """Raise ScmcError unless (H, W) can be coded."""
    if len(size) != 2 or not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise ScmcError(f"VVC picture size {tuple(size)}: sides must be {MIN_SIDE} to {MAX_SIDE}")
    check_pixels(size)


def check_picture(picture: Picture, settings: VvcSettings) -> tuple[int, int]:
    """(H, W) of a picture, or ScmcError if it is not what the settings code."""
    shape, dtype = np.shape(picture), getattr(picture, "dtype", type(picture).__name__)
    wanted = "[H, W, 3]" if settings.color else "[H, W]"
    if dtype != np.uint8 or len(shape) != 2 + settings.color or shape[2:] not in ((), (3,)):
        raise ScmcError(f"VVC picture: expected uint8 {wanted}, got {dtype} {list(shape)}")
    check_size(shape[:2])
    return shape[0], shape[1]


def to_planes(picture: Picture, settings: VvcSettings) -> bytes:
    """Padded 10-bit planes of a picture, as FFmpeg reads them."""
    coded = coded_size(picture.shape[:2])
    pad = [(0, c - s) for c, s in zip(coded, picture.shape, strict=False)]
    padded = np.pad(picture, [*pad, (0, 0)] if settings.color else pad, mode="edge")
    return rgb_to_planes(padded) if settings.color else gray_to_planes(padded)


_FULL = "Error submitting video frame to the encoder"


def encode_planes(
    planes: bytes, coded: tuple[int, int], qp: int, settings: VvcSettings, count: int = 1
) -> bytes:
    """One all-intra stream of ``count`` pictures.

    Raises:
        TooFineError: The stream would not fit FFmpeg's buffer, of 8 bits a pixel.
    """
    if not 0 <= qp <= MAX_QP:
        raise ScmcError(f"VVC QP {qp}: expected 0 (finest) to {MAX_QP}")
    height, width = coded
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}"]
    tools = ["-preset", settings.preset, "-qpa", "0", "-qp", str(int(qp)), "-g", "1"]
    tools += ["-threads", "1", "-vvenc-params", settings.vvenc_params(coded)]
    args = [*source, "-i", "pipe:0", "-c:v", "libvvenc", *tools, "-f", "vvc", "pipe:1"]
    try:
        return run_ffmpeg(args, planes, 60.0 + 1e-3 * height * width * count)
    except ScmcError as error:
        if _FULL not in str(error):
            raise
        raise TooFineError(
            f"libvvenc cannot code this picture of {width} x {height} at QP {qp}: more than 8 bits "
            "a pixel; take a coarser quality"
        ) from error


def decode_streams(
    streams: Sequence[bytes], size: tuple[int, int], settings: VvcSettings
) -> Picture:
    """The first picture of each stream, uint8 [n, H, W] or [n, H, W, 3]."""
    check_size(size)
    height, width = coded_size(size)
    pix_fmt = "yuv420p10le" if settings.color else "gray10le"
    source = ["-threads", "1", "-f", "vvc", "-i", "pipe:0", "-frames:v", str(len(streams))]
    args = [*source, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pix_fmt, "pipe:1"]
    timeout = 20.0 + 2e-5 * height * width * len(streams)
    raw = run_ffmpeg(args, b"".join(streams), timeout)
    samples = height * width * (3 if settings.color else 2) // 2
    planes = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2")
    if planes.size != samples * len(streams):
        raise ScmcError(
            f"VVC decoder gave {len(raw)} bytes instead of {2 * samples * len(streams)} for "
            f"{len(streams)} picture(s) of {size}: damaged bytes, or other settings than encoded"
        )
    convert = planes_to_rgb if settings.color else planes_to_gray
    rows = planes.reshape(len(streams), samples)
    return np.stack([convert(row, (height, width))[: size[0], : size[1]] for row in rows])
