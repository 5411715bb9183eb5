"""Rate-quality curves of image codecs on validation pictures, which adaptive MCS chooses by.

    scmc-comm train codec_curves --data DIR --out DIR
    scmc-comm train codec_curves --data DIR --out DIR --codecs jpeg,vvc --count 4

Writes ``codec_curves.json``; codecs that stand in it already are kept, so it goes on where it was
stopped. Every picture is coded at full and at reduced resolution, at the same few qualities of
each, chosen so that their rates lie evenly.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, evenly, load_split
from experiments.training.layer_curves import rounded_scores
from scmc_comm.baselines.codec_curves import FILE, FORMAT, METRICS
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.image_codecs import WITHOUT_HEADERS, make_image_codec
from scmc_comm.baselines.reduced import ReducedCodec, divisors_for
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

CODECS = ("jpeg", "vvc", "webp", "avif", "hevc", "jpeg2000", "scmc-signal", "hyperprior")


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


def measure_codec(name: str, imgs: Tensor, count: int) -> dict[str, Any]:
    """One codec's entry: what `measure_reduced` finds at each of `DIVISORS`, under ``scales``."""
    size = (int(imgs.shape[2]), int(imgs.shape[3]))
    return {"scales": [measure_reduced(name, imgs, count, d) for d in divisors_for(size)]}


def measure_reduced(name: str, imgs: Tensor, count: int, divisor: int) -> dict[str, Any]:
    """Sizes in bytes, slim and as a file, and `METRICS` of the whole picture.

    Args:
        name: Slim form of the codec.
        imgs: float32 [n, 3, H, W] in [0, 1].
        count: How many of its qualities.
        divisor: How many times smaller the coded pictures are.

    Returns:
        ``divisor``, ``qualities``, and for each of them ``bytes`` and ``file_bytes``
        [quality][picture], and ``scores`` [quality][picture][metric].
    """
    slim = ReducedCodec(make_image_codec(name), divisor)
    whole = slim
    if name not in WITHOUT_HEADERS:
        whole = ReducedCodec(make_image_codec(f"{name}:headers=file"), divisor)
    size = (int(imgs.shape[2]), int(imgs.shape[3]))
    qualities = spread_qualities(slim, imgs, count)
    columns = [_measured(img, slim, whole, qualities, size) for img in tqdm(imgs, desc=slim.name)]
    rows: dict[str, Any] = {"divisor": divisor, "qualities": qualities}
    keys = ("bytes", "file_bytes", "scores")
    for key, column in zip(keys, zip(*columns, strict=True), strict=True):
        rows[key] = [list(row) for row in zip(*column, strict=True)]
    return rows


def _measured(
    img: Tensor, slim: ImageCodec, whole: ImageCodec, qualities: list[float], size: tuple[int, int]
) -> tuple[list[Any], ...]:
    """Bytes, bytes of the file, and scores of one picture at each quality."""
    data = [slim.encode(img, quality) for quality in qualities]
    sizes = [len(whole.encode(img, quality)) for quality in qualities]
    shown = [slim.decode(each, size) for each in data]
    scores = rounded_scores([img] * len(shown), shown, METRICS)
    return [len(each) for each in data], sizes, scores


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--codecs", default=",".join(CODECS), help="comma-separated")
    parser.add_argument("--count", type=int, default=16, help="pictures, half of each set")
    parser.add_argument("--qualities", type=int, default=14, help="qualities of a codec")
    args = script_arguments(parser, argv)
    names, imgs = validation_pictures(args.data, args.count, args.cache)
    path = args.out / FILE
    tree = json.loads(path.read_text()) if path.is_file() else {}
    if tree.get("pictures", names) != names:
        raise ScmcError(f"{path} was measured on other pictures; give another folder")
    tree |= {"format": FORMAT, "metrics": METRICS, "pictures": names, "size": list(imgs.shape[2:])}
    tree["grey"] = rounded_scores(imgs, torch.full_like(imgs, 0.5), METRICS)
    tree.setdefault("codecs", {})
    for name in args.codecs.split(","):
        if name in tree["codecs"]:
            continue
        try:
            tree["codecs"][name] = measure_codec(name, imgs, args.qualities)
        except ScmcError as error:
            logger.warning("%s is left out: %s", name, error)
            continue
        text = json.dumps(tree, separators=(",", ":"))
        write_atomic(path, f"{text}\n".encode())


if __name__ == "__main__":
    main()
