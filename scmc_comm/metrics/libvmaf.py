"""VMAF of still pictures by FFmpeg's libvmaf and its model vmaf_v0.6.1.

Netflix, https://github.com/Netflix/vmaf; Li et al., "Toward a Practical Perceptual Video Quality
Metric", 2016. Learned from people's judgement of video at 1080 lines; a picture is taken for a
video of one frame, which has no motion. It looks at luma alone.
"""

from __future__ import annotations

import json
import re

import torch

from scmc_comm.codec.ffmpeg import run_ffmpeg
from scmc_comm.errors import ScmcError
from scmc_comm.images import to_uint8
from scmc_comm.metrics.distortion import check_pair

_TIMEOUT_S = 120.0
_LUMA = "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p"


def vmaf(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """VMAF of each picture, 0 to 100; some 97 for equal ones.

    Args:
        img: float [b, 3, H, W] in [0, 1], rounded to 8 bits.
        img_hat: the same shape.

    Returns:
        float64 [b].

    Raises:
        ScmcError: if FFmpeg is not here or was built without libvmaf.
    """
    check_pair(img, img_hat)
    pairs = zip(img, img_hat, strict=True)
    return torch.tensor([_of_pair(*pair) for pair in pairs], dtype=torch.float64)


def require_vmaf() -> None:
    """Measure a grey picture.

    Raises:
        ScmcError: if FFmpeg is not here or was built without libvmaf.
    """
    grey = torch.full((1, 3, 32, 32), 0.5)
    vmaf(grey, grey)


def _of_pair(img: torch.Tensor, img_hat: torch.Tensor) -> float:
    height, width = img.shape[1:]
    both = b"".join(
        to_uint8(x.clamp(0, 1)).tobytes() for x in (img_hat, img)
    )  # one above the other
    crops = [f"crop={width}:{height}:0:{top},{_LUMA}" for top in (0, height)]
    graph = (
        f"[0:v]split[a][b];[a]{crops[0]}[shown];[b]{crops[1]}[original];"
        "[shown][original]libvmaf=model=version=vmaf_v0.6.1:log_fmt=json:log_path=/dev/stdout"
    )
    source = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{2 * height}"]
    args = [*source, "-i", "pipe:0", "-lavfi", graph, "-f", "null", "-"]
    try:
        text = run_ffmpeg(args, both, _TIMEOUT_S).decode()
    except ScmcError as error:
        if re.search("libvmaf|filter", str(error), re.IGNORECASE):
            raise ScmcError(
                f"vmaf needs an FFmpeg with libvmaf ({error}); the one that imageio-ffmpeg brings "
                "for Linux has it: unset IMAGEIO_FFMPEG_EXE"
            ) from error
        raise
    return float(json.loads(text)["pooled_metrics"]["vmaf"]["mean"])
