"""Rate-quality curves of image codecs on validation pictures, which adaptive MCS chooses by.

    scmc-comm train codec_curves --data DIR --out DIR
    scmc-comm train codec_curves --data DIR --out DIR --codecs jpeg,vvc:enhance=perceptual

Writes ``codec_curves.json``; codecs that stand in it already, with the same weights, are kept, so
it goes on where it was stopped. Every picture is coded at full and at reduced resolution, at the
same few qualities of each, chosen so that their rates lie evenly.

A learned codec is measured with the user's weights, into the folder where systems look for that:

    scmc-comm train codec_curves --data DIR --out $SCMC_WEIGHTS --codecs hyperprior:weights=DIR

and so is a plug-in's:

    scmc-comm train --plugin FILE.py codec_curves --data DIR --out $SCMC_WEIGHTS --codecs NAME
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, evenly, load_split
from experiments.training.layer_curves import rounded_scores
from scmc_comm.baselines.codec_curves import FILE, FORMAT, METRICS, curves_key, weights_of
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import family_of, has_headers, make_image_codec
from scmc_comm.baselines.reduced import at_divisor, divisors_for
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

CODECS = (
    "jpeg", "vvc", "vvc:enhance=perceptual", "webp", "avif", "hevc", "jpeg2000", "scmc-signal",
    "hyperprior",
)  # fmt: skip


def validation_pictures(data: Path, count: int, cache: Path) -> tuple[list[str], Tensor]:
    """Names and pixels [n, 3, 256, 256] of so many pictures, half of each set, evenly spaced."""
    names: list[str] = []
    pictures = []
    for name in SETS:
        split = load_split(data, name, "val", cache)
        index = evenly(len(split), count // len(SETS))
        names += [f"{name}/{split.files[i]}" for i in index]
        pictures.append(split.batch(index))
    return names, torch.cat(pictures)


def finest_of_all(codec: ImageCodec, imgs: Tensor) -> int:
    """Place of the finest quality that every picture can have; noise is too much for some."""
    for place in reversed(range(len(codec.qualities))):
        try:
            for img in imgs:
                codec.encode(img, codec.qualities[place])
        except ScmcError as error:
            logger.warning("%s: quality %g: %s", codec.name, codec.qualities[place], error)
            continue
        return place
    raise ScmcError(f"{codec.name} has no quality at which it codes all of these pictures")


def spread_qualities(codec: ImageCodec, imgs: Tensor, count: int) -> list[float]:
    """So many of the codec's qualities, both ends among them, the logarithms of their rates even.

    Halves the largest step in log bytes, on the first picture, until there are enough.
    """

    def log_bytes(place: int) -> float:
        return math.log(len(codec.encode(imgs[0], codec.qualities[place])))

    found = {place: log_bytes(place) for place in (0, finest_of_all(codec, imgs))}
    while len(found) < count:
        places = sorted(found)
        steps = [
            (found[b] - found[a], -a, b)
            for a, b in zip(places, places[1:], strict=False)
            if b - a > 1
        ]
        if not steps:
            break
        _, minus_a, b = max(steps)
        middle = (b - minus_a) // 2
        found[middle] = log_bytes(middle)
    return [codec.qualities[place] for place in sorted(found)]


def measure_codec(
    name: str, imgs: Tensor, count: int, plain: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One codec's entry: what `measure_reduced` finds at each of `DIVISORS`, under ``scales``.

    Args:
        name: As for `measure_reduced`.
        imgs: float32 [n, 3, H, W] in [0, 1].
        count: How many qualities of each.
        plain: Entry of the codec without its options, whose qualities are taken over.
    """
    size, known = (int(imgs.shape[2]), int(imgs.shape[3])), {}
    if plain is not None:
        known = {row["divisor"]: row["qualities"] for row in plain["scales"]}
    scales = [measure_reduced(name, imgs, count, d, known.get(d)) for d in divisors_for(size)]
    return {"scales": scales}


def measure_reduced(
    name: str, imgs: Tensor, count: int, divisor: int, qualities: list[float] | None = None
) -> dict[str, Any]:
    """Sizes in bytes, slim and as a file, and `METRICS` of the whole picture.

    Args:
        name: Slim form of the codec.
        imgs: float32 [n, 3, H, W] in [0, 1].
        count: How many of its qualities.
        divisor: How many times smaller the coded pictures are.
        qualities: Those, if they are chosen already.

    Returns:
        ``divisor``, ``qualities``, and for each of them ``bytes`` and ``file_bytes``
        [quality][picture], and ``scores`` [quality][picture][metric].
    """
    slim = at_divisor(make_image_codec(name), divisor)
    whole = None
    if has_headers(family_of(name)) and "enhance=" not in name:
        form = f"{name}{',' if ':' in name else ':'}headers=file"
        whole = at_divisor(make_image_codec(form), divisor)
    qualities = qualities or spread_qualities(slim, imgs, count)
    columns = [_measured(img, slim, whole, qualities) for img in tqdm(imgs, desc=slim.name)]
    rows: dict[str, Any] = {"divisor": divisor, "qualities": qualities}
    keys = ("bytes", "file_bytes", "scores")
    for key, column in zip(keys, zip(*columns, strict=True), strict=True):
        rows[key] = [list(row) for row in zip(*column, strict=True)]
    return rows


def _measured(
    img: Tensor, slim: ImageCodec, whole: ImageCodec | None, qualities: list[float]
) -> tuple[list[Any], ...]:
    """Bytes, bytes of the file, and scores of one picture at each quality.

    Where there is no form of complete files their bytes are those of the slim form.
    """
    size = (int(img.shape[1]), int(img.shape[2]))
    data = [slim.encode(img, quality) for quality in qualities]
    slim_sizes = [len(each) for each in data]
    sizes = slim_sizes if whole is None else [len(whole.encode(img, q)) for q in qualities]
    shown = [slim.decode(each, size) for each in data]
    scores = rounded_scores([img] * len(shown), shown, METRICS)
    return slim_sizes, sizes, scores


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--codecs", default=",".join(CODECS), help="comma-separated")
    parser.add_argument("--count", type=int, default=16, help="pictures, half of each set")
    parser.add_argument("--qualities", type=int, default=14, help="qualities of a codec")
    args = script_arguments(parser, argv)
    names, imgs = validation_pictures(args.data, args.count, args.cache)
    path = args.out / FILE
    tree = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if tree.get("pictures", names) != names:
        raise ScmcError(f"{path} was measured on other pictures; give another folder")
    tree |= {"format": FORMAT, "metrics": METRICS, "pictures": names, "size": list(imgs.shape[2:])}
    tree["grey"] = rounded_scores(imgs, torch.full_like(imgs, 0.5), METRICS)
    tree.setdefault("codecs", {})
    for name in args.codecs.split(","):
        key, weights = curves_key(name), weights_of(name)
        known = tree["codecs"].get(key, {})
        if known.get("scales") and known.get("weights", "") == weights:
            continue
        try:
            plain = tree["codecs"].get(family_of(name)) if key != family_of(name) else None
            tree["codecs"][key] = measure_codec(name, imgs, args.qualities, plain)
        except ScmcError as error:
            logger.warning("%s is left out: %s", name, error)
            continue
        tree["codecs"][key] |= {"weights": weights} if weights else {}
        text = json.dumps(tree, separators=(",", ":"))
        write_atomic(path, f"{text}\n".encode())


if __name__ == "__main__":
    main()
