"""Measure every (image, codec, point) once; what is measured is kept, so a run can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from experiments.execution.cache import Cache, default_cache_dir, digest
from experiments.execution.executors import executor
from experiments.execution.fingerprint import code_fingerprint, package_versions
from experiments.rd.codecs import SCMC, make_rd_codec, name_parts
from scmc_comm.datasets.image_sets import NamedImage
from scmc_comm.metrics import measure
from scmc_comm.registry import parse_options

METRICS = ("psnr_db", "ms_ssim", "lpips", "lpips_vgg", "dists")
_PACKAGES = ("torch", "numpy", "pillow", "imageio-ffmpeg", "compressai", "lpips", "pytorch-msssim")
# What the conventional codecs and the metrics are computed by; networks of other parts may change.
_SOURCES = ("scmc_comm/baselines/*.py", "scmc_comm/metrics/*.py", "scmc_comm/images.py",
            "scmc_comm/codec/vvc*.py", "scmc_comm/codec/planes.py", "scmc_comm/codec/ffmpeg.py",
            "experiments/rd/codecs.py")  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One picture through one codec.

    Attributes:
        codec: Codec name.
        image: Name of the picture.
        pixels: float32 [3, H, W] in [0, 1].
        keys: Cache key of each point to measure.
        metrics: Names for `scmc_comm.metrics.measure`.
        folder: Of the cache.
    """

    codec: str
    image: str
    pixels: np.ndarray
    keys: dict[str, str]
    metrics: tuple[str, ...]
    folder: Path


def measure_points(
    codecs: Sequence[str],
    images: Sequence[NamedImage],
    metrics: tuple[str, ...],
    jobs: int,
    folder: Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Rate, quality and times of every codec at every point for every image.

    Args:
        codecs: Names for `make_rd_codec`.
        images: The pictures.
        metrics: Quality metrics.
        jobs: Processes; the times are truest with 1.
        folder: Of the cache of single measurements; None takes the user's.
        progress: Show a progress bar.

    Returns:
        One row per codec, image and point, in that order: ``codec, image, point, height, width,
        bytes, bpp, encode_s, decode_s`` and the metrics.

    Raises:
        ScmcError: A codec is not available on this machine; what was measured is kept.
    """
    cache = Cache(folder or default_cache_dir() / "rd")
    versions = {name: codec_fingerprint(name) for name in codecs}
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    for name in codecs:
        for image in images:
            pixels = image.img.numpy()
            base = digest("rd", versions[name], name, list(metrics), pixels.tobytes())
            points = make_rd_codec(name).points
            wanted[name, image.name] = {p: digest(base, list(pixels.shape), p) for p in points}
    known: dict[str, dict[str, Any]] = {}
    tasks = []
    for (name, image_name), keys in wanted.items():
        found = {point: cache.get_json(key) for point, key in keys.items()}
        known.update({keys[point]: value for point, value in found.items() if value is not None})
        missing = {point: keys[point] for point, value in found.items() if value is None}
        if missing:
            img = next(image.img for image in images if image.name == image_name)
            assert cache.folder is not None
            tasks.append(Task(name, image_name, img.numpy(), missing, metrics, cache.folder))
    bar = tqdm(total=len(tasks), desc="coding", unit="picture", disable=not progress or not tasks)
    with bar, executor(jobs) as workers:
        for measured in workers.run(_measure, tasks):
            known.update(measured)
            bar.update()
    rows = [
        {"codec": name, "image": image_name, "point": point, **known[key]}
        for (name, image_name), keys in wanted.items()
        for point, key in keys.items()
    ]
    return pd.DataFrame(rows)


def _measure(task: Task) -> dict[str, dict[str, Any]]:
    """Runs in a worker; every point is kept as soon as it is there."""
    codec, cache = make_rd_codec(task.codec), Cache(task.folder)
    img = torch.from_numpy(task.pixels)
    height, width = img.shape[1:]
    out = {}
    for point, key in task.keys.items():
        coded = codec.code(img, point)
        row = {
            "height": height, "width": width, "bytes": coded.num_bytes,
            "bpp": 8 * coded.num_bytes / (height * width),
            "encode_s": coded.encode_s, "decode_s": coded.decode_s,
            **measure(img, coded.img_hat, task.metrics),
        }  # fmt: skip
        cache.put_json(key, row)
        out[key] = row
    return out


def codec_fingerprint(codec: str) -> str:
    """Identifies everything that a codec's numbers depend on."""
    family, options, _ = name_parts(codec)
    if family == SCMC:
        return code_fingerprint() + parse_options(SCMC, options).files_state()
    state = hashlib.sha256(json.dumps(package_versions(_PACKAGES), sort_keys=True).encode())
    root = Path(__file__).parents[2]
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            state.update(path.read_bytes())
    weights = Path(codec.partition("=")[2])
    files = [weights] if weights.is_file() else sorted(weights.iterdir()) if weights.name else []
    for path in files:
        state.update(path.read_bytes())
    return state.hexdigest()
