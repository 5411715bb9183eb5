"""What an image codec makes of validation pictures: what adaptive MCS chooses by."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scmc_comm.errors import ScmcError
from scmc_comm.link.utility import HIGHER_IS_BETTER, Utility
from scmc_comm.models import MODELS_ENV, ZOO, model_path

Floats = NDArray[np.float64]

FILE = "codec_curves.json"
FORMAT = 1
METRICS = tuple(HIGHER_IS_BETTER)


def codec_curves_path() -> Path:
    """Where the curves lie: in the folder ``$SCMC_MODELS`` names, else those that ship."""
    return model_path(FILE, ZOO)


@dataclass(frozen=True, eq=False)
class CodecCurves:
    """Rate and quality of one codec on each validation picture.

    Attributes:
        bpp: Bits per pixel of the slim stream, rising, float64 [picture, quality].
        header_bits: Bits of a constant header on top, [picture, quality]; 0 for slim forms.
        scores: `METRICS` at those qualities, [picture, quality, metric].
        grey: `METRICS` of the failure picture, mid-grey, [picture, metric].
    """

    bpp: Floats
    header_bits: Floats
    scores: Floats
    grey: Floats

    def failure(self, utility: Utility) -> Floats:
        """Utility of showing mid-grey for each picture, [picture]."""
        return utility.of(METRICS, self.grey)

    def at(self, max_bits: float, size: tuple[int, int], utility: Utility) -> Floats:
        """Utility for each picture of the finest quality that fits so many bits, [picture].

        Streams of another size take as many bits per pixel, headers as many bits. Between the
        measured qualities it is linear in the logarithm of the rate; above the finest one it
        stays, and below the coarsest nothing fits: NaN.

        Args:
            max_bits: Payload bits that there are.
            size: ``(H, W)`` of the image to be sent.
            utility: Of `METRICS`.
        """
        bits = self.bpp * (size[0] * size[1]) + self.header_bits
        log_bits = np.log(np.maximum.accumulate(bits, axis=1))
        found = [
            np.interp(np.log(max(max_bits, 1.0)), known, values, left=np.nan)
            for known, values in zip(log_bits, utility.of(METRICS, self.scores), strict=True)
        ]
        return np.array(found)


def load_curves(codec: str, path: Path | None = None) -> CodecCurves:
    """Curves of an image codec by its name, ``NAME`` or ``NAME:headers=file``.

    Args:
        codec: As in `scmc_comm.baselines.image_codecs.IMAGE_CODECS`.
        path: A file in place of `codec_curves_path`.

    Raises:
        ScmcError: The codec was not measured, or the file is missing or damaged.

    Example:
        >>> curves, psnr = load_curves("jpeg"), Utility.parse("psnr_db")
        >>> coarse, fine = (curves.at(bits, (256, 256), psnr).mean() for bits in (2e4, 8e4))
        >>> bool(20 < coarse < fine < 45)
        True
    """
    path = path or codec_curves_path()
    tree = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    family, _, options = codec.partition(":")
    if family not in tree["codecs"]:
        raise ScmcError(
            f"{codec} has no validation curves in {path} (there are {', '.join(tree['codecs'])}), "
            f"which adaptive MCS chooses by; measure it: scmc-comm train codec_curves --data "
            f"DATA --out DIR --codecs {family}, then set {MODELS_ENV}=DIR"
        )
    try:
        return _curves(tree, family, "headers=file" in options)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(path, f"damaged curves of {family} ({error!r})") from error


def _unusable(path: Path, holds: str) -> ScmcError:
    return ScmcError(f"{path} holds {holds}; measure them with 'scmc-comm train codec_curves'")


@functools.lru_cache(maxsize=4)
def _read(path: Path, _: int) -> Mapping[str, Any]:
    if not path.is_file():
        raise ScmcError(
            f"no validation curves at {path}; reinstall the package, or measure them with "
            "'scmc-comm train codec_curves'"
        )
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["format"] != FORMAT or tuple(tree["metrics"]) != METRICS or not tree["codecs"]:
            raise ValueError(f"format {tree['format']}, metrics {tree['metrics']}")
    except (ValueError, KeyError, TypeError) as error:
        raise _unusable(path, f"no validation curves ({error!r})") from None
    return dict(tree)


def _curves(tree: Mapping[str, Any], family: str, whole_file: bool) -> CodecCurves:
    """Arrays are [quality][picture](metric) in the file, picture first here."""
    entry = tree["codecs"][family]
    height, width = tree["size"]
    slim, whole = (8.0 * np.array(entry[key], float).T for key in ("bytes", "file_bytes"))
    scores = np.array(entry["scores"], float).swapaxes(0, 1)
    grey = np.array(tree["grey"], float)
    pictures, qualities = slim.shape
    if whole.shape != slim.shape or scores.shape != (pictures, qualities, len(METRICS)):
        raise ValueError(f"shapes {slim.shape}, {whole.shape}, {scores.shape}")
    if grey.shape != (pictures, len(METRICS)):
        raise ValueError(f"grey has shape {grey.shape}")
    header = whole - slim if whole_file else np.zeros_like(slim)
    return CodecCurves(slim / (height * width), header, scores, grey)
