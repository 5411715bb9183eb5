"""What an image codec makes of validation pictures: what modulation and coding are chosen by."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channels.sources import files_digest
from scmc_comm.baselines.compressai_zoo import ARCHITECTURES, zoo_files
from scmc_comm.baselines.image_codecs import IMAGE_CODECS, PLAIN, codec_options, family_of
from scmc_comm.baselines.reduced import divisors_for
from scmc_comm.errors import ScmcError
from scmc_comm.link.utility import HIGHER_IS_BETTER, Utility
from scmc_comm.models import ZOO, enhance_path, files_state, model_path
from scmc_comm.zoo.sources import weights_dir

Floats = NDArray[np.float64]

FILE = "codec_curves.json"
FORMAT = 2
METRICS = tuple(HIGHER_IS_BETTER)


def curves_paths() -> list[Path]:
    """Where curves lie.

    In the folder that ``$SCMC_MODELS`` names, else those that ship; then, of codecs that these
    lack, the user's own beside fetched weights, in ``$SCMC_WEIGHTS``, if there are any.
    """
    own = weights_dir() / FILE
    return [model_path(FILE, ZOO), *([own] if own.is_file() else [])]


def curves_state() -> str:
    """Identifies the files of the curves: for the keys of what is chosen by them."""
    return files_state(curves_paths())


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


def find_curves(codec: str) -> CodecCurves | None:
    """As `load_curves` with reduced resolution, or None if there are none of this codec."""
    return None if _entry(codec) is None else load_curves(codec, reduced=True)


def load_curves(codec: str, reduced: bool = False) -> CodecCurves:
    """The curves of one codec.

    Args:
        codec: Its name, as for `scmc_comm.baselines.image_codecs.make_image_codec`.
        reduced: With those of reduced resolution.

    Raises:
        ScmcError: No file, no curves in it, none of this codec, or of other weights.

    Example:
        >>> curves = load_curves("vvc")
        >>> bool((np.diff(curves.bpp.mean(0)) > 0).all())
        True
    """
    found = _entry(codec)
    if found is None:
        raise ScmcError(_missing(codec))
    path, tree, entry = found
    try:
        whole = "headers=file" in codec
        first, *others = [_curves(tree, row, whole) for row in entry["scales"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unusable(path, f"damaged curves of {curves_key(codec)} ({error!r})") from error
    return dataclasses.replace(first, reduced=tuple(others)) if reduced else first


def curves_key(codec: str) -> str:
    """What the curves of a codec are kept under: its name without files and form of headers.

    Example:
        >>> curves_key("vvc:headers=file"), curves_key("vvc:headers=slim,enhance=perceptual")
        ('vvc', 'vvc:enhance=perceptual')
    """
    family, _, options = codec.partition(":")
    kept = [each for each in options.split(",") if each.startswith("enhance=")]
    return ":".join([family, *kept])


def weights_of(codec: str) -> str:
    """Content of the weights, or of the plug-in, that curves are of, as a hash; "" without any.

    Example:
        >>> weights_of("vvc"), len(weights_of("vvc:enhance=perceptual"))
        ('', 64)
    """
    options, family = codec_options(codec), family_of(codec)
    if IMAGE_CODECS.plugin(family) is not None:
        return sha256(IMAGE_CODECS.identity(family).encode()).hexdigest()
    files: tuple[Path, ...] = ()
    if options.get("enhance", PLAIN) != PLAIN:
        files = (enhance_path(),)
    elif family in ARCHITECTURES:
        files = (options["weights"],) if "weights" in options else zoo_files(family)
    return files_digest(path for path in files if path.exists())


def _entry(codec: str) -> tuple[Path, Mapping[str, Any], Mapping[str, Any]] | None:
    """File, its content, and a codec's part of it: the first of these very weights."""
    key = curves_key(codec)
    for path in curves_paths():
        tree = _read(path, files_state([path]))
        entry = tree["codecs"].get(key)
        if entry is not None and entry.get("weights", "") == weights_of(codec):
            return path, tree, entry
    return None


def _missing(codec: str) -> str:
    """What to do about a codec without curves."""
    key, own, family = curves_key(codec), "", family_of(codec)
    if family in ARCHITECTURES:
        own = f":weights={codec_options(codec).get('weights', 'CHECKPOINTS')}"
    load = " --plugin FILE.py" if IMAGE_CODECS.plugin(family) is not None else ""
    files = " or ".join(map(str, curves_paths()))
    return (
        f"{codec} has no validation curves of these weights in {files}, by which its modulation "
        f"and coding are chosen; measure it: scmc-comm train{load} codec_curves --data DATA --out "
        f"{weights_dir()} --codecs {key}{own}; or design it for AWGN, without them: "
        f"{key}{',' if ':' in key else ':'}law=awgn"
    )


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
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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
