"""What each set of delivered layers shows, measured on validation pictures at several rates.

    python -m experiments.training.layer_curves --data DIR --out runs/curves
    python -m experiments.training.layer_curves --data DIR --out runs/curves --set flowers256

OUT/layer_curves.json is what the protection optimiser plans with (`scmc_comm.link.quality`); put
it beside the weights. Each picture is kept in a file of its own, in a folder named by the weights,
so that a run that was stopped goes on, and sets may be measured by several processes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, evenly, load_split
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.link.quality import FORMAT
from scmc_comm.metrics import measure_many
from scmc_comm.models import model_path
from scmc_comm.types import Layer, LayerKind

METRICS = ("psnr_db", "ms_ssim", "lpips", "dists")
QUALITIES = (0, 10, 22, 36, 52, 72, 96)
"""Of the signal layer."""
ALONE = (0, 22, 52)
"""Those of them at which a signal coded from the picture alone is also shown over layers below."""
FILE = "layer_curves.json"

Measured = dict[str, Any]


def lower_name(layers: Sequence[Layer]) -> str:
    """Name of a set of lower layers, such as ``semantic+structure``, empty for none."""
    return "+".join(layer.kind.tag for layer in layers)


def rounded_scores(
    imgs: Sequence[Tensor] | Tensor, shown: Sequence[Tensor] | Tensor, metrics: Sequence[str]
) -> list[list[float]]:
    """Scores [picture][metric] to five digits, for a file."""
    rows = measure_many(imgs, shown, tuple(metrics))
    return [[round(row[name], 5) for name in metrics] for row in rows]


def measure_picture(
    codec: LayeredCodec,
    img: Tensor,
    metrics: Sequence[str] = METRICS,
    qualities: Sequence[int] = QUALITIES,
    alone: Sequence[int] = ALONE,
) -> Measured:
    """Bytes of every unit and quality of every set that a receiver may hold.

    Args:
        codec: The codec.
        img: float32 [3, H, W] in [0, 1].
        metrics: Names that `scmc_comm.metrics.measure` knows.
        qualities: Of the signal layer, ascending.
        alone: Those at which a signal that is coded from the picture alone is also shown over the
            layers below.

    Returns:
        Plain data: ``size`` (H, W); ``semantic_bytes`` of the caption's payload; ``lower``, from
        the name of a set without structure to its scores in the order of ``metrics``; for each
        level in ``structure``, the coarsest first, its ``bytes`` and ``lower``, the same of the
        sets with it; for each quality in ``signal``, coded from the picture alone, its
        ``part_bytes`` and ``shown``: from the lower layers' name, the structure at its finest, to
        the scores after each part; and where the codec can, in each level's ``given`` the same of
        signals that are coded given that structure.
    """
    size = (int(img.shape[1]), int(img.shape[2]))
    semantic = codec.encode_semantic(img)
    levels = [codec.encode_structure(img, level=i) for i in range(codec.structure_levels)]

    def painted(*sets: tuple[Layer, ...]) -> dict[str, Tensor]:
        return {lower_name(layers): codec.decode(layers, size).img_hat for layers in sets}

    known: list[tuple[list[Tensor], list[list[float]]]] = []

    def scores(pictures: list[Tensor]) -> list[list[float]]:
        """Each set of pictures is measured once: a signal may look the same over two of them."""
        for others, found in known:
            if len(others) == len(pictures) and all(map(torch.equal, others, pictures)):
                return found
        known.append((pictures, rounded_scores([img] * len(pictures), pictures, metrics)))
        return known[-1][1]

    def scored(pictures: Mapping[str, Tensor]) -> dict[str, list[float]]:
        return dict(zip(pictures, scores([*pictures.values()]), strict=True))

    without = painted((), (semantic,))
    over = [painted((layer,), (semantic, layer)) for layer in levels]

    def signal(
        quality: int, structure: Layer | None, lower: Sequence[tuple[Layer, ...]]
    ) -> dict[str, Any]:
        """Sizes of the parts, and what they show over some lower sets."""
        layer = codec.encode_signal(img, quality, structure)
        prefixes = [layer.first_parts(j + 1) for j in range(len(layer.parts))]
        shown: dict[str, list[list[float]]] = {}
        for below in lower:
            pictures = [codec.decode((*below, prefix), size).img_hat for prefix in prefixes]
            shown[lower_name(below)] = scores(pictures)
        return {"quality": quality, "part_bytes": [*map(len, layer.parts)], "shown": shown}

    given = codec.needs(codec.encode_signal(img, qualities[0], levels[0])) is not None
    bases = [(), (semantic,)] + ([] if given else [(levels[-1],), (semantic, levels[-1])])
    structure = []
    for layer, pictures in zip(levels, over, strict=True):
        level = {"bytes": len(layer.payload), "lower": scored(pictures)}
        if given:
            level["given"] = [signal(q, layer, [(layer,), (semantic, layer)]) for q in qualities]
        structure.append(level)
    return {
        "size": list(size),
        "semantic_bytes": len(semantic.payload),
        "lower": scored(without),
        "structure": structure,
        "signal": [signal(q, None, bases if q in alone else bases[:1]) for q in qualities],
    }


def weights_folder(out: Path) -> Path:
    """Where pictures are kept that were measured with the weights in use."""
    digest = sha256()
    for path in sorted(model_path("").glob("*.safetensors")):
        digest.update(path.read_bytes())
    return out / f"pictures-{digest.hexdigest()[:8]}"


def _measure_set(args: argparse.Namespace, name: str, codec: LayeredCodec, folder: Path) -> None:
    data = load_split(args.data, name, args.split, args.cache)
    for i in tqdm(evenly(len(data), args.count), desc=name):
        path = folder / f"{name}-{Path(data.files[i]).stem}.json"
        if path.is_file():
            continue
        found = measure_picture(codec, data.batch([i])[0], METRICS, QUALITIES, ALONE)
        tree = {"name": f"{name}/{data.files[i]}", **found}
        write_atomic(path, json.dumps(tree).encode())


def collect(folder: Path, out: Path) -> int:
    """Joins the pictures measured so far into one file; returns how many they are."""
    pictures = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    head = {"format": FORMAT, "metrics": list(METRICS), "layers": [k.tag for k in LayerKind]}
    rows = ",\n".join(json.dumps(picture, separators=(",", ":")) for picture in pictures)
    text = json.dumps(head)[:-1] + ', "pictures": [\n' + rows + "\n]}\n"
    write_atomic(out, text.encode())
    return len(pictures)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--set", action="append", help="data set, may be repeated (both)")
    parser.add_argument("--split", default="val")
    parser.add_argument("--count", type=int, default=8, help="pictures a set, evenly spaced (8)")
    args = script_arguments(parser, argv)
    torch.set_num_threads(1)
    codec, folder = LayeredCodec(), weights_folder(args.out)
    for name in args.set or SETS:
        _measure_set(args, name, codec, folder)
    count = collect(folder, args.out / FILE)
    print(f"{args.out / FILE}: {count} pictures")


if __name__ == "__main__":
    main()
