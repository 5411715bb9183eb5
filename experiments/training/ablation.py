"""What each part of the structure layer's fusion is worth: train without it, measure, compare.

    python -m experiments.training.lower sketches --data DIR --out LOWER
    python -m experiments.training.ablation --data DIR --lower LOWER --out OUT --steps 1000 --jobs 2

Trains the fusion network whole and once without each part of ``training.fusion.ABLATIONS``, each
from nothing and for as many steps, then shows test pictures from the same bytes with all of them.
Runs that are done, or were cut short, are gone on with.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from joblib import cpu_count
from scipy import stats
from torch import Tensor
from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.execution.children import call
from experiments.statistics.tables import DIGITS, Table
from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import evenly, load_split
from experiments.training.fusion import ABLATIONS
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.structure import SketchCodec, StructureCodec
from scmc_comm.codec.weights import with_tuples
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import measure

logger = logging.getLogger(__name__)

METRICS = ("psnr_db", "lpips", "lpips_vgg", "dists")
WHOLE = "whole"
VARIANTS = (WHOLE, *ABLATIONS)

Scores = dict[str, list[float]]


@dataclass(frozen=True)
class Shown:
    """A picture, what the caption paints, and its sketch from the coarsest level on."""

    img: Tensor
    painted: Tensor
    sketches: tuple[bytes, ...]


def train(name: str, args: argparse.Namespace) -> None:
    """Train one variant in a process of its own.

    Raises:
        ScmcError: If it fails; what it said is in its log.
    """
    out = args.out / name
    out.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "experiments.training.fusion", "--data", str(args.data),
        "--lower", str(args.lower), "--out", str(out), "--cache", str(args.cache),
        "--steps", str(args.steps), *([] if name == WHOLE else ["--without", name]),
    ]  # fmt: skip
    threads = str(max(1, cpu_count() // args.jobs))
    with (out / "log.txt").open("a", encoding="utf-8") as log:
        env = {**os.environ, "OMP_NUM_THREADS": threads}
        status = call(command, env, stdout=log, stderr=subprocess.STDOUT)
    if status:
        raise ScmcError(f"training without {name} failed, see {out / 'log.txt'}")
    logger.info("%s: trained", name)


def load_fusion(checkpoint: Path) -> tuple[FusionNet, int]:
    """The averaged network of a checkpoint, and the steps that it took.

    Raises:
        ScmcError: If there is none.
    """
    if not checkpoint.is_file():
        raise ScmcError(f"no checkpoint {checkpoint}; train it first")
    saved = torch.load(checkpoint, weights_only=True)
    net = FusionNet(FusionConfig(**with_tuples(saved["config"]["net"])))
    net.load_state_dict(saved["state"]["averaged"])
    return net, saved["step"]


def code(codec: LayeredCodec, img: Tensor) -> Shown:
    """Code the lower layers of a picture float32 [3, H, W]."""
    size = (img.shape[1], img.shape[2])
    caption = codec.semantic.describe(img)
    painted = codec.semantic.decode(caption, size, 0)
    levels = range(codec.structure_levels)
    return Shown(img, painted, tuple(codec.structure.encode(img, level) for level in levels))


def show(structure: SketchCodec, pictures: Sequence[Shown], level: int) -> Scores:
    """Every metric of every picture at a level."""
    rows = []
    for shown in tqdm(pictures, desc=f"level {level}", leave=False):
        size = (shown.img.shape[1], shown.img.shape[2])
        img_hat = structure.decode(shown.sketches[level], size, shown.painted)
        rows.append(measure(shown.img, img_hat, METRICS))
    return {name: [row[name] for row in rows] for name in METRICS}


def difference(scores: Sequence[float], whole: Sequence[float]) -> tuple[float, float]:
    """Mean of the paired differences, and half the width of its 95 % interval (Student's t).

    Example:
        >>> difference([2.0, 4.0], [1.0, 3.0])
        (1.0, 0.0)
    """
    deltas = np.subtract(scores, whole)
    if len(deltas) < 2:
        return float(deltas.mean()), float("nan")
    t = float(stats.t.ppf(0.975, len(deltas) - 1))
    return float(deltas.mean()), t * float(deltas.std(ddof=1)) / len(deltas) ** 0.5


def table(results: dict[str, Scores], steps: dict[str, int]) -> str:
    """Markdown: means of the whole network, and differences to it without each part."""
    rows = []
    for name, scores in results.items():
        row = ["nothing" if name == WHOLE else name, str(steps[name])]
        for metric in METRICS:
            digits = DIGITS[metric]
            if name == WHOLE:
                row.append(f"{np.mean(scores[metric]):.{digits}f}")
                continue
            mean, half = difference(scores[metric], results[WHOLE][metric])
            row.append(f"{mean:+.{digits}f} ± {half:.{digits}f}")
        rows.append(row)
    head = ["trained without", "steps", "PSNR dB", "LPIPS-Alex", "LPIPS-VGG", "DISTS"]
    return Table(head, rows).markdown()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--lower", type=Path, required=True, help="output of training.lower")
    parser.add_argument("--steps", type=int, default=1000, help="of each run (1000)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (2)")
    parser.add_argument("--set", default="flowers256", help="test set (flowers256)")
    parser.add_argument("--count", type=int, default=24, help="test pictures (24)")
    args = script_arguments(parser, argv)
    if args.steps < 1 or args.jobs < 1 or args.count < 2:
        raise ScmcError(
            f"got --steps {args.steps}, --jobs {args.jobs}, --count {args.count}; expected at "
            "least 1 step, 1 job and 2 pictures"
        )
    test = load_split(args.data, args.set, "test", args.cache)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda name: train(name, args), VARIANTS))
    codec = LayeredCodec()
    imgs = test.batch(evenly(len(test), args.count))
    pictures = [code(codec, img) for img in tqdm(imgs, desc="coding")]
    nets = {name: load_fusion(args.out / name / "checkpoint.pt") for name in VARIANTS}
    steps = {name: count for name, (_, count) in nets.items()}
    record = {}
    for level in range(codec.structure_levels):
        results = {
            name: show(StructureCodec(codec.structure.detector, net), pictures, level)
            for name, (net, _) in nets.items()
        }
        mean = np.mean([len(shown.sketches[level]) for shown in pictures])
        print(f"\nLevel {level}, {mean:.0f} bytes, {len(pictures)} pictures\n")
        print(table(results, steps))
        record[f"level {level}"] = results
    text = json.dumps({"steps": steps, **record}, indent=1)
    write_atomic(args.out / "ablation.json", text.encode())


if __name__ == "__main__":
    main()
