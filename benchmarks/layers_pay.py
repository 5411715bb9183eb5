"""Do the layers pay? All three against the signal alone, at equal bytes, on unseen pictures.

    python -m benchmarks.layers_pay --data DIR [--set NAME,NAME] [--count 6] [--out FILE.csv]

For each picture the containers are compared at several qualities: caption, coarse structure and the
signal given that structure; the same with a signal that is coded from the picture alone (a
simulcast); and the signal alone in a container of its own. A line has the Bjontegaard rate
difference to the signal alone between 0.05 and 0.3 bpp, the mean over the pictures and its 95 %
interval (Student's t): below 0 the layers pay for themselves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch

from experiments.statistics.bjontegaard import bd_rate
from experiments.statistics.paired import paired_t
from experiments.training.data import evenly, load_split
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.images import load_image
from scmc_comm.metrics import METRICS, measure

QUALITIES = (0, 8, 16, 24, 32, 42)
WINDOW = (0.05, 0.3)
"""Bits per pixel."""
SHOWN = ("psnr_db", "lpips")
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
        alone = codec.encode_signal(img, quality)
        given = codec.encode_signal(img, quality, structure=below[1])
        ways = {ALONE: (alone,), SIMULCAST: (*below, alone), LAYERS: (*below, given)}
        for way, layers in ways.items():
            num_bytes = len(LayeredBitstream(size, layers).to_bytes())
            scores = measure(img, codec.decode(layers, size).img_hat, SHOWN)
            rows.append({"way": way, "bpp": 8 * num_bytes / (size[0] * size[1]), **scores})
    return pd.DataFrame(rows)


def deltas(found: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Rate difference to the signal alone in percent, by way and metric."""
    of = {str(way): rows for way, rows in found.groupby("way")}
    return {
        (way, metric): bd_rate(
            of[ALONE].bpp, of[ALONE][metric], of[way].bpp, of[way][metric],
            METRICS[metric].better == "higher", WINDOW,
        ).value
        for way in (SIMULCAST, LAYERS)
        for metric in SHOWN
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--set", default="flowers256", help="data sets with commas between; kodak")
    parser.add_argument("--count", type=int, default=6, help="pictures a set, evenly spaced")
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded pictures")
    args = parser.parse_args()
    codec, rows = LayeredCodec(), []
    print("| set | way | metric | BD-rate to the signal alone, % |\n|---|---|---|---|")
    for name in args.set.split(","):
        shown = pictures(args.data, args.cache, name, args.count)
        found = [deltas(curves(codec, img)) for img in shown]
        for way, metric in found[0]:
            each = paired_t([picture[way, metric] for picture in found]).difference
            mean, low, high = float(each.mean), float(each.low), float(each.high)
            rows.append((name, way, metric, mean, low, high, len(shown)))
            row = f"| {name} | {way} | {metric} | {mean:+.1f} ({low:+.1f} to {high:+.1f}) |"
            print(row, flush=True)
    if args.out:
        header = ["set", "way", "metric", "bd_rate", "low", "high", "pictures"]
        pd.DataFrame(rows, columns=header).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
