"""What the shipped weights reach: rate and quality of each layer, and JPEG at the same bytes.

    python -m experiments.training.evaluate --data DIR --out FILE.json
    python -m experiments.training.evaluate --data DIR --set general256 --split val --count 64

Rates count every byte of the container. All numbers are means over the pictures.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.statistics.tables import DIGITS, Table, number_text
from experiments.training.arguments import each_picture, picture_parser
from scmc_comm.baselines.image_codecs import largest_fitting, make_image_codec
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.metrics import measure
from scmc_comm.types import Layer, LayerKind

METRICS = ("psnr_db", "lpips")
RATES_BPP = (0.18, 0.3)

Row = dict[str, float]


@cache
def worker_codec() -> LayeredCodec:
    """The codec that ships, loaded once a process, with one thread."""
    torch.set_num_threads(1)
    return LayeredCodec()


def fill(
    codec: LayeredCodec, img: Tensor, lower: tuple[Layer, ...], bpp: float
) -> tuple[Layer, ...] | None:
    """The lower layers and the best signal beside them at a rate; None if there is no room.

    Args:
        codec: The codec.
        img: float32 [3, H, W] in [0, 1].
        lower: Its lower layers.
        bpp: The most that the whole container may take, in bits a pixel.
    """
    size = (img.shape[1], img.shape[2])
    most = int(bpp * size[0] * size[1] / 8)
    structure = next((layer for layer in lower if layer.kind is LayerKind.STRUCTURE), None)
    signal = codec.encode_signal_fitting(
        img, lambda layer: _container_bytes((*lower, layer), size) <= most, structure
    )
    return None if signal is None else (*lower, signal)


def _container_bytes(layers: Sequence[Layer], size: tuple[int, int]) -> int:
    return len(LayeredBitstream(size, tuple(layers), 0).to_bytes())


def evaluate(img: Tensor, metrics: tuple[str, ...] = METRICS) -> dict[str, Row]:
    """Bytes, bpp and metrics of a picture float32 [3, H, W] by scheme."""
    codec, size = worker_codec(), (img.shape[1], img.shape[2])
    rows: dict[str, Row] = {}

    def add(scheme: str, img_hat: Tensor, num_bytes: float, seconds: float = 0.0) -> None:
        scores = measure(img, img_hat.clamp(0, 1), metrics)
        bpp = 8 * num_bytes / (size[0] * size[1])
        rows[scheme] = {"bytes": num_bytes, "bpp": bpp, "seconds": seconds, **scores}

    add("mean colour", img.mean((1, 2), keepdim=True).expand_as(img), 3)
    start = time.monotonic()
    semantic = codec.encode_semantic(img)
    middle = time.monotonic()
    painted = codec.decode((semantic,), size).img_hat
    rows["semantic encode"] = {"seconds": middle - start}
    add("semantic", painted, len(semantic.payload), time.monotonic() - middle)
    sketches = [codec.encode_structure(img, level=i) for i in range(codec.structure_levels)]
    structure = sketches[-1]
    for scheme, layers in (
        ("semantic + coarse structure", (semantic, sketches[0])),
        ("structure", (structure,)),
        ("semantic + structure", (semantic, structure)),
    ):
        start = time.monotonic()
        shown = codec.decode(layers, size).img_hat
        add(scheme, shown, _container_bytes(layers, size), time.monotonic() - start)
    for rate in RATES_BPP:
        every = fill(codec, img, (semantic, sketches[0]), rate)
        if every is not None:
            num_bytes = _container_bytes(every, size)
            start = time.monotonic()
            shown = codec.decode(every, size).img_hat
            add(f"all layers, {rate} bpp", shown, num_bytes, time.monotonic() - start)
        alone = fill(codec, img, (), rate)
        if alone is not None:
            shown = codec.decode(alone, size).img_hat
            add(f"signal alone, {rate} bpp", shown, _container_bytes(alone, size))
        jpeg = make_image_codec("jpeg")
        coded = largest_fitting(jpeg, img, int(rate * size[0] * size[1] / 8))
        if coded is not None:
            add(f"jpeg slim, {rate} bpp", jpeg.decode(coded.data, size), len(coded.data))
    return rows


def means(results: Sequence[dict[str, Row]]) -> dict[str, Row]:
    """Mean of every column of every scheme, and how many pictures it could be coded for.

    Pictures for which a metric is undefined are left out of its mean; ``METRIC_pictures`` then
    counts the others.
    """
    out: dict[str, Row] = {}
    for scheme in dict.fromkeys(s for result in results for s in result):
        rows = [result[scheme] for result in results if scheme in result]
        out[scheme] = {"pictures": len(rows)}
        for key in rows[0]:
            known = [row[key] for row in rows if not np.isnan(row[key])]
            out[scheme][key] = float(np.mean(known)) if known else np.nan
            if len(known) < len(rows):
                out[scheme][f"{key}_pictures"] = len(known)
    return out


def table(result: dict[str, Row], metrics: tuple[str, ...]) -> str:
    """Markdown table."""
    columns = ["bytes", "bpp", *metrics, "seconds", "pictures"]
    digits = {**DIGITS, "bytes": 1, "bpp": 4, "seconds": 2, "pictures": 0}
    rows = [
        [scheme, *(number_text(row[c], digits.get(c, 3)) if c in row else "" for c in columns)]
        for scheme, row in result.items()
    ]
    return Table(["scheme", *columns], rows).markdown()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = picture_parser(__doc__)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--metrics", default=",".join(METRICS), help="comma-separated")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    metrics = tuple(args.metrics.split(","))
    results = each_picture(partial(evaluate, metrics=metrics), args)
    result = means(results)
    print(table(result, metrics))
    if args.out is not None:
        args.out.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
