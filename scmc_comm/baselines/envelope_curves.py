"""What an image codec makes of validation pictures: the knowledge the envelope is chosen by."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scmc_comm.codec.weights import MODELS_ENV, model_path
from scmc_comm.errors import ScmcError

Floats = NDArray[np.float64]

METRICS = ("psnr_db", "ms_ssim", "lpips", "dists")
FILE = "file_bytes"
UTILITIES = {"psnr_db": 1, "ms_ssim": 1, "lpips": -1, "dists": -1, "mse": -1}
"""Metrics that can be made best: 1 where more is better, -1 where less is."""
_SHIPPED = Path(__file__).parent.parent / "zoo"


def curves_path() -> Path:
    """The measured curves: in the folder ``$SCMC_MODELS`` names, else those that ship."""
    return model_path("envelope.json", _SHIPPED)


@dataclass(frozen=True)
class ValidationCurves:
    """Rate and quality of one codec on each validation picture.

    Attributes:
        bpp: Bits per pixel of the slim stream, rising, [picture, quality].
        header_bits: Bits of a constant header on top, [picture, quality]; 0 for slim forms.
        scores: Each metric at those qualities, [picture, quality].
        grey: Each metric of the failure picture, mid-grey, [picture].
    """

    bpp: Floats
    header_bits: Floats
    scores: dict[str, Floats]
    grey: dict[str, Floats]

    def at(self, max_bits: float, size: tuple[int, int], metric: str) -> Floats:
        """Score of each picture at the finest quality that fits so many bits, [picture].

        Streams of another size take as many bits per pixel, headers as many bits. Between the
        measured qualities it is linear in the logarithm of the rate; above the finest one it
        stays, and below the coarsest nothing fits: NaN.

        Args:
            max_bits: Payload bits that there are.
            size: ``(H, W)`` of the image to be sent.
            metric: One of `UTILITIES`.
        """
        bits = self.bpp * (size[0] * size[1]) + self.header_bits
        bits = np.maximum.accumulate(bits, axis=1)
        scores = self.scores[metric]
        found = [
            np.interp(np.log(max(max_bits, 1.0)), np.log(row), score, left=np.nan)
            for row, score in zip(bits, scores, strict=True)
        ]
        return np.array(found)


def load_curves(codec: str, path: Path | None = None) -> ValidationCurves:
    """Curves of an image codec by its name, slim or ``NAME-file``.

    Args:
        codec: As in `scmc_comm.baselines.image_codecs.IMAGE_CODECS`.
        path: A file in place of `curves_path`.

    Raises:
        ScmcError: The codec was not measured, or the file is missing or damaged.

    Example:
        >>> curves = load_curves("jpeg")
        >>> coarse, fine = (curves.at(bits, (256, 256), "psnr_db").mean() for bits in (2e4, 8e4))
        >>> bool(20 < coarse < fine < 45)
        True
    """
    path = path or curves_path()
    tree = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    family = codec.removesuffix("-file")
    if family not in tree["codecs"]:
        env = f" and set {MODELS_ENV}=DIR" if not os.environ.get(MODELS_ENV) else ""
        raise ScmcError(
            f"{codec} has no validation curves in {path}, which its envelope is chosen by; "
            f"measure them: python -m scmc_comm.training.envelope --data DATA --out DIR "
            f"--codecs {family}, with DIR a copy of the models' folder{env}; there are curves of "
            f"{', '.join(tree['codecs'])}"
        )
    try:
        return _curves(tree, family, codec != family)
    except (KeyError, TypeError, ValueError) as error:
        raise ScmcError(
            f"{path} has damaged curves of {family}: {error!r}; measure anew"
        ) from error


@functools.cache
def _read(path: Path, _: int) -> dict[str, Any]:
    if not path.is_file():
        raise ScmcError(
            f"there are no validation curves at {path}; reinstall the package, or measure them: "
            f"python -m scmc_comm.training.envelope --data DATA --out {path.parent}"
        )
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ScmcError(f"{path} is not readable JSON: {error}; measure the curves anew") from error
    if not isinstance(tree, dict) or not {"codecs", "grey", "size"} <= set(tree):
        raise ScmcError(f"{path} holds no validation curves; measure them anew")
    return tree


def _curves(tree: dict[str, Any], family: str, whole_file: bool) -> ValidationCurves:
    entry = tree["codecs"][family]
    height, width = tree["size"]
    slim = 8.0 * np.array(entry["bytes"], float).T
    whole = 8.0 * np.array(entry[FILE], float).T
    scores = {metric: np.array(entry[metric], float).T for metric in METRICS}
    grey = {metric: np.array(tree["grey"][metric], float) for metric in METRICS}
    for table in (scores, grey):
        table["mse"] = 10 ** (-table["psnr_db"] / 10)
    if {slim.shape, whole.shape, *(s.shape for s in scores.values())} != {slim.shape}:
        raise ValueError("arrays of different shapes")
    header = whole - slim if whole_file else np.zeros_like(slim)
    return ValidationCurves(slim / (height * width), header, scores, grey)
