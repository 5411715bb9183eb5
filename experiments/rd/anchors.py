"""Published rate-distortion curves from a JSON file, and how far the measured ones lie from them.

The file holds ``{"dataset": ..., "source": ..., "curves": {NAME: {"bpp": [...], "psnr_db": [...],
"ms_ssim": [...]}}}``; a metric may be absent or null.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.rd.tables import Points
from experiments.statistics.bjontegaard import EVERY_RATE, Window, bd_quality, bd_rate
from experiments.statistics.means import LOWER_IS_BETTER
from scmc_comm.errors import ScmcError

_TOO_MUCH = OverflowError, RecursionError  # numbers of many digits, lists in lists

# Codec family -> published curves of the same scheme, or of the nearest one.
COUNTERPARTS = {
    "jpeg": ("jpeg",),
    "webp": ("webp",),
    "jpeg2000": ("jpeg2000",),
    "avif": ("av1",),
    "hevc": ("bpg_444_x265_ycbcr", "hm"),
    "vvc": ("vtm",),
    "hyperprior": ("compressai-bmshj2018-hyperprior_mse_cpu",),
    "factorized": ("compressai-bmshj2018-factorized_mse_cpu",),
    "mbt2018-mean": ("compressai-mbt2018-mean_mse_cpu",),
    "mbt2018": ("compressai-mbt2018_mse_cpu",),
    "cheng2020-anchor": ("compressai-cheng2020-anchor_mse_cpu",),
    "cheng2020-attn": ("compressai-cheng2020-attn_mse_cpu",),
    "scmc": ("compressai-bmshj2018-hyperprior_mse_cpu",),
}

# Published curves that a family is held against beside them; they are not drawn for it.
YARDSTICKS: dict[str, tuple[str, ...]] = {"scmc": ("jpeg",)}


@dataclass(frozen=True)
class Anchors:
    """Published curves.

    Attributes:
        dataset: What they were measured on, for legends.
        curves: Name -> metric (``bpp`` included) -> values, sorted by rate.
    """

    dataset: str
    curves: dict[str, dict[str, np.ndarray]]


def load_anchors(path: Path) -> Anchors:
    """Read and check a file of published curves.

    Raises:
        ScmcError: The file is missing or of another form.
    """
    if not path.is_file():
        raise ScmcError(f"no file {path}; give a JSON file of published curves")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        curves = {name: _curve(found) for name, found in content["curves"].items()}
        return Anchors(str(content.get("dataset", path.stem)), curves)
    except (ValueError, KeyError, TypeError, AttributeError, *_TOO_MUCH) as error:
        raise ScmcError(
            f"{path} holds no published curves ({error}); expected JSON "
            '{"curves": {NAME: {"bpp": [...], "psnr_db": [...]}}} with lists of equal length'
        ) from error


def _curve(found: dict[str, list[float] | None]) -> dict[str, np.ndarray]:
    arrays = {key: np.asarray(values, float) for key, values in found.items() if values}
    bpp = arrays["bpp"]
    if bpp.ndim != 1 or any(a.shape != bpp.shape for a in arrays.values()) or not (bpp > 0).all():
        raise ValueError("lists of unequal length, or rates that are not positive")
    order = np.argsort(bpp)
    return {key: values[order] for key, values in arrays.items()}


def counterparts(codec: str, anchors: Anchors) -> tuple[str, ...]:
    """Published curves that a codec can be held against."""
    return _published(codec, COUNTERPARTS, anchors)


def _published(codec: str, names: dict[str, tuple[str, ...]], anchors: Anchors) -> tuple[str, ...]:
    return tuple(name for name in names.get(codec.partition(":")[0], ()) if name in anchors.curves)


def compare(points: Points, anchors: Anchors, window_bpp: Window = EVERY_RATE) -> pd.DataFrame:
    """How far each codec's mean curve lies from its published counterparts and `YARDSTICKS`.

    Args:
        points: By codec and metric.
        anchors: Published curves.
        window_bpp: Only rates in this range count.

    Returns:
        Rows ``codec, metric, published, bd_rate_percent, difference``; the difference is in the
        metric's unit at equal rate, positive where the measured codec is better.
    """
    rows = []
    for (codec, metric), found in points.items():
        up = metric not in LOWER_IS_BETTER
        bpp, quality = (part.mean(axis=0) for part in found)
        for name in (*counterparts(codec, anchors), *_published(codec, YARDSTICKS, anchors)):
            if metric not in anchors.curves[name]:
                continue
            theirs = anchors.curves[name]
            curves = theirs["bpp"], theirs[metric], bpp, quality
            rate, gap = (delta(*curves, up, window_bpp).value for delta in (bd_rate, bd_quality))
            rows.append([codec, metric, name, rate, gap if up else -gap])
    return pd.DataFrame(
        rows, columns=["codec", "metric", "published", "bd_rate_percent", "difference"]
    )
