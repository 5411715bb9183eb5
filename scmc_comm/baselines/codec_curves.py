"""What an image codec makes of validation pictures: what modulation and coding are chosen by."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scmc_comm.baselines.reduced import divisors_for
from scmc_comm.errors import ScmcError
from scmc_comm.link.utility import HIGHER_IS_BETTER, Utility
from scmc_comm.models import MODELS_ENV, ZOO, files_state, model_path

Floats = NDArray[np.float64]

FILE = "codec_curves.json"
FORMAT = 2
METRICS = tuple(HIGHER_IS_BETTER)


def codec_curves_path() -> Path:
    """Where the curves lie: in the folder ``$SCMC_MODELS`` names, else those that ship."""
    return model_path(FILE, ZOO)


def curves_state() -> str:
    """Identifies the file of the curves: for the keys of what is chosen by them."""
    return files_state([codec_curves_path()])


@dataclass(frozen=True, eq=False)
class CodecCurves:
    """Rate and quality of one codec on each validation picture.

    Attributes:
        bpp: Bits of the slim stream per pixel of the picture, rising, float64 [picture, quality].
        header_bits: Bits of a constant header on top, [picture, quality]; 0 for slim forms.
        scores: `METRICS` at those qualities, [picture, quality, metric].
        grey: `METRICS` of the failure picture, mid-grey, [picture, metric].
        divisor: How many times smaller the coded pictures are, see
            `scmc_comm.baselines.reduced`; the scores are those of the whole picture.
        reduced: The same codec at other divisors.
    """

    bpp: Floats
    header_bits: Floats
    scores: Floats
    grey: Floats
    divisor: int = 1
    reduced: tuple[CodecCurves, ...] = ()

    def failure(self, utility: Utility) -> Floats:
        """Utility of showing mid-grey for each picture, [picture]."""
        return utility.of(METRICS, self.grey)

    def best_divisors(self, max_bits: float, size: tuple[int, int], utility: Utility) -> list[int]:
        """Resolutions that have the highest utility for some picture, the finest first.

        Arguments are those of `at`.
        """
        alone = [dataclasses.replace(self, reduced=()), *self.reduced]
        shown = np.array([curves.at(max_bits, size, utility) for curves in alone])
        known = shown[:, ~np.isnan(shown).all(axis=0)]
        best = set(np.nan_to_num(known, nan=-np.inf).argmax(axis=0).tolist())
        return [curves.divisor for i, curves in enumerate(alone) if i in best]

    def at(self, max_bits: float, size: tuple[int, int], utility: Utility) -> Floats:
        """Utility for each picture of the best that fits so many bits, [picture].

        Of each resolution that is the finest quality, of them the one with the highest utility.
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
        if self.divisor not in divisors_for(size):
            found = [float("nan")] * len(found)
        best = np.array(found)
        for curves in self.reduced:
            best = np.fmax(best, curves.at(max_bits, size, utility))
        return best


def find_curves(codec: str, path: Path | None = None) -> CodecCurves | None:
    """As `load_curves` with reduced resolution, or None if there are none of this codec."""
    path = path or codec_curves_path()
    tree = _read(path, files_state([path]))
    known = codec.partition(":")[0] in tree["codecs"]
    return load_curves(codec, reduced=True, path=path) if known else None


def load_curves(codec: str, reduced: bool = False, path: Path | None = None) -> CodecCurves:
    """The curves of one codec.

    Args:
        codec: Its name, as for `scmc_comm.baselines.image_codecs.make_image_codec`.
        reduced: With those of reduced resolution.
        path: The file; see `codec_curves_path`.

    Raises:
        ScmcError: No file, no curves in it, or none of this codec.

    Example:
        >>> curves = load_curves("vvc")
        >>> bool((np.diff(curves.bpp.mean(0)) > 0).all())
        True
    """
    path = path or codec_curves_path()
    tree = _read(path, files_state([path]))
    family, _, options = codec.partition(":")
    if family not in tree["codecs"]:
        raise ScmcError(
            f"{codec} has no validation curves in {path} (there are {', '.join(tree['codecs'])}), "
            f"which its modulation and coding are chosen by; measure it: scmc-comm train "
            f"codec_curves --data DATA --out DIR --codecs {family}, then set {MODELS_ENV}=DIR; or "
            f"design it for AWGN, without them: {family}:law=awgn"
        )
    whole = "headers=file" in options
    try:
        rows = tree["codecs"][family]["scales"]
        first, *others = [_curves(tree, row, whole) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(path, f"damaged curves of {family} ({error!r})") from error
    return dataclasses.replace(first, reduced=tuple(others)) if reduced else first


def _unusable(path: Path, holds: str) -> ScmcError:
    return ScmcError(f"{path} holds {holds}; measure them with 'scmc-comm train codec_curves'")


@functools.lru_cache(maxsize=4)
def _read(path: Path, _: str) -> Mapping[str, Any]:
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


def _curves(tree: Mapping[str, Any], row: Mapping[str, Any], whole_file: bool) -> CodecCurves:
    """Those of one resolution; in the file arrays are [quality][picture](metric)."""
    height, width = tree["size"]
    slim, whole = (8.0 * np.array(row[key], float).T for key in ("bytes", "file_bytes"))
    scores = np.array(row["scores"], float).swapaxes(0, 1)
    grey = np.array(tree["grey"], float)
    pictures, qualities = slim.shape
    if whole.shape != slim.shape or scores.shape != (pictures, qualities, len(METRICS)):
        raise ValueError(f"shapes {slim.shape}, {whole.shape}, {scores.shape}")
    if grey.shape != (pictures, len(METRICS)):
        raise ValueError(f"grey has shape {grey.shape}")
    header = whole - slim if whole_file else np.zeros_like(slim)
    return CodecCurves(slim / (height * width), header, scores, grey, int(row["divisor"]))
