"""Measure every (image, codec, point) once; what is measured is kept, so a run can be resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.execution.cache import default_cache_dir, digest
from experiments.execution.executors import executor
from experiments.execution.fingerprint import (
    ROOT,
    code_fingerprint,
    fingerprint,
    on_this_device,
    outside_files,
)
from experiments.rd import codecs
from experiments.rd.codecs import SCMC, make_rd_codec
from experiments.sweep.originals import Original
from experiments.sweep.rate_points import RateTask, measure_curves
from scmc_comm.baselines.compressai_zoo import ARCHITECTURES, zoo_files
from scmc_comm.baselines.image_codecs import IMAGE_CODECS, codec_options, family_of
from scmc_comm.metrics import measure
from scmc_comm.registry import parse_options
from scmc_comm.types import UNANNOTATED, Annotation

METRICS = ("psnr_db", "ms_ssim", "lpips", "lpips_vgg", "dists")
_PACKAGES = ("torch", "numpy", "pillow", "imageio-ffmpeg", "compressai", "lpips", "pytorch-msssim",
             "dists-pytorch")  # fmt: skip
# What the rival codecs and the metrics are computed by; networks of other parts may change.
_SOURCES = ("scmc_comm/*.py", "scmc_comm/baselines/*.py", "scmc_comm/metrics/*.py",
            "scmc_comm/zoo/*.py", "scmc_comm/codec/vvc*.py", "scmc_comm/codec/planes.py",
            "scmc_comm/codec/ffmpeg.py", "scmc_comm/codec/tensors.py", "scmc_comm/codec/weights.py",
            "channels/specs.py", "channels/ranges.py", "channels/registry.py",
            "channels/plugins.py", "channels/identity.py", "channels/held.py",
            "channels/sources.py", "experiments/sweep/originals.py",
            "experiments/sweep/rate_points.py")  # fmt: skip
OF_OUR_NETWORKS = (SCMC, "scmc-signal")
"""Codecs that are computed by the layered codec's code and weights."""


def measure_points(
    names: Sequence[str],
    images: Mapping[str, Original],
    metrics: tuple[str, ...],
    jobs: int,
    folder: Path | None = None,
    progress: bool = True,
    annotations: Mapping[str, Annotation] | None = None,
) -> pd.DataFrame:
    """Rate, quality and times of every codec at every point for every image.

    Args:
        names: Of codecs, for `make_rd_codec`.
        images: The pictures by name.
        metrics: Quality metrics.
        jobs: Processes; the times are truest with 1.
        folder: Of the cache of single measurements; None takes the user's.
        progress: Show a progress bar.
        annotations: What their data set states of them.

    Returns:
        One row per codec, image and point, in that order: ``codec, image, point, height, width,
        bytes, bpp, encode_s, decode_s`` and the metrics.

    Raises:
        ScmcError: A codec is not available on this machine; what was measured is kept.
    """
    tasks = curve_tasks(names, images, metrics, folder, annotations)
    with executor(jobs) as workers:
        curves = measure_curves(tasks, workers, "coding", progress)
    parts = []
    for curve in curves:
        height, width = images[curve.image].size
        part = pd.DataFrame({
            "codec": curve.codec, "image": curve.image, "point": curve.points,
            "height": height, "width": width, "bytes": np.array(curve.num_bits) // 8,
            "bpp": np.array(curve.num_bits) / (height * width),
            "encode_s": curve.encode_s, "decode_s": curve.decode_s, **curve.metrics,
        })  # fmt: skip
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def curve_tasks(
    names: Sequence[str],
    images: Mapping[str, Original],
    metrics: tuple[str, ...],
    folder: Path | None = None,
    annotations: Mapping[str, Annotation] | None = None,
) -> list[RateTask]:
    """A curve for each codec and picture; arguments as for `measure_points`."""
    cache_dir = folder or default_cache_dir() / "rd"
    versions = {name: codec_fingerprint(name) for name in names}
    return [
        RateTask(
            name, image, original, metrics, versions[name], cache_dir, make_rd_codec, measure,
            annotation=(annotations or {}).get(image, UNANNOTATED),
        )
        for name in names
        for image, original in images.items()
    ]  # fmt: skip


def codec_fingerprint(codec: str, maker: str = codecs.__file__) -> str:
    """Identifies everything that a codec's numbers depend on.

    Args:
        codec: Its name.
        maker: The module that makes it and says at which settings it is measured.
    """
    family, _, options = codec.partition(":")
    made_by = fingerprint([Path(maker)], packages=())
    if family in OF_OUR_NETWORKS or "enhance=perceptual" in options:
        named = parse_options(SCMC, options).files_state() if family == SCMC else ""
        return digest(code_fingerprint(), made_by, named)
    paths = {path for pattern in _SOURCES for path in ROOT.glob(pattern)} | outside_files()
    if weights := codec_options(codec).get("weights"):
        paths.add(weights)
    elif family in ARCHITECTURES:
        paths |= set(zoo_files(family))
    added = filter(None, [IMAGE_CODECS.identity(family_of(codec))])
    code = on_this_device(fingerprint(paths, packages=_PACKAGES))
    return digest(code, made_by, *added)
