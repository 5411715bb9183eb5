"""Do the layers pay? All three against the signal alone, at equal bytes, on unseen pictures.

    python -m benchmarks.layers_pay --data DIR [--set flowers256] [--count 6] [--out FILE.csv]

For each picture the containers are compared at several qualities: caption, coarse structure and the
signal given that structure; the same with a signal that is coded from the picture alone (a
simulcast); and the signal alone in a container of its own. A line has the Bjontegaard rate
difference to the signal alone between 0.05 and 0.3 bpp, the mean over the pictures and its 95 %
interval (Student's t): below 0 the layers pay for themselves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats

from experiments.statistics.bjontegaard import bd_rate
from experiments.training.data import evenly, load_split
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.images import load_image
from scmc_comm.metrics import measure
from scmc_comm.types import Layer

QUALITIES = (0, 8, 16, 24, 32, 42)
WINDOW = (0.05, 0.3)
"""Bits per pixel."""
METRICS = {"psnr_db": True, "lpips": False}
"""And whether the higher is the better."""
ALONE, SIMULCAST, LAYERS = "signal alone", "simulcast", "layers"


def pictures(data: Path, cache: Path, name: str, count: int) -> list[torch.Tensor]:
    """Test pictures of a set, evenly spaced; Kodak's at their full size."""
    if name == "kodak":
        files = sorted((data / name).glob("*.png"))
        return [load_image(files[i]) for i in evenly(len(files), count)]
    split = load_split(data, name, "test", cache)
    return [split.batch([i])[0] for i in evenly(len(split), count)]


def curves(codec: LayeredCodec, img: torch.Tensor) -> pd.DataFrame:
    """Rate and quality of one picture in the three ways."""
    size = (int(img.shape[1]), int(img.shape[2]))
    below = codec.encode_semantic(img), codec.encode_structure(img, level=0)
    rows = []
    for quality in QUALITIES:
        alone, given = (
            codec.encode_signal(img, quality),
            codec.encode_signal(img, quality, below[1]),
        )
        ways: dict[str, tuple[Layer, ...]] = {
            ALONE: (alone,), SIMULCAST: (*below, alone), LAYERS: (*below, given),
        }  # fmt: skip
        for way, layers in ways.items():
            num_bytes = len(LayeredBitstream(size, layers).to_bytes())
            shown = codec.decode(layers, size).img_hat
            scores = measure(img, shown, tuple(METRICS))
            rows.append({"way": way, "bpp": 8 * num_bytes / (size[0] * size[1]), **scores})
    return pd.DataFrame(rows)


def deltas(found: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Rate difference to the signal alone in percent, by way and metric."""
    of = dict(iter(found.groupby("way")))
    return {
        (way, metric): bd_rate(
            of[ALONE].bpp, of[ALONE][metric], of[way].bpp, of[way][metric], better, WINDOW
        ).value
        for way in (SIMULCAST, LAYERS)
        for metric, better in METRICS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--set", default="flowers256", help="data set, or kodak")
    parser.add_argument("--count", type=int, default=6, help="pictures, evenly spaced")
    parser.add_argument("--out", type=Path, help="CSV of all points to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded pictures")
    args = parser.parse_args()
    codec, found, every = LayeredCodec(), [], []
    for number, img in enumerate(pictures(args.data, args.cache, args.set, args.count)):
        points = curves(codec, img)
        every.append(points.assign(set=args.set, picture=number))
        found.append(deltas(points))
    print("| set | way | metric | BD-rate to the signal alone, % |\n|---|---|---|---|")
    for way, metric in found[0]:
        values = np.array([each[way, metric] for each in found])
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
        print(f"| {args.set} | {way} | {metric} | {values.mean():+.1f} ± {half:.1f} |", flush=True)
    if args.out:
        pd.concat(every).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
