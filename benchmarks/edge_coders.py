"""Which edge coder says more in the same bytes? Decoded against drawn edges of validation pictures.

python -m benchmarks.edge_coders --data DIR [--set flowers256] [--count 24] [--out FILE.csv]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.training.data import load_split
from scmc_comm.codec.edge_coder import CELLS, decode_edges, encode_edges
from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.structure import edge_maps

QPS = (63, 60, 57, 54)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--set", default="flowers256")
    parser.add_argument("--count", type=int, default=24, help="pictures, evenly spaced")
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded pictures")
    args = parser.parse_args()
    data = load_split(args.data, args.set, "val", args.cache)
    index = np.linspace(0, len(data) - 1, args.count).round().astype(int)
    drawn = edge_maps(EdgeDetector.load(), data.batch(index))
    settings = [
        *((f"vvc, QP {qp}", (qp, "vvc")) for qp in QPS),
        *((f"context, cells of {cell}", (60, "context", cell)) for cell in reversed(CELLS)),
    ]
    rows = []
    print("| coder | bytes | correlation |\n|---|---|---|")
    for label, setting in settings:
        streams = [encode_edges(edges, *setting) for edges in drawn]
        back = [decode_edges(stream, drawn.shape[1:]) for stream in streams]
        same = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(drawn, back, strict=True)]
        rows.append((args.set, label, np.mean([*map(len, streams)]), np.mean(same)))
        print(f"| {label} | {rows[-1][2]:.0f} | {rows[-1][3]:.3f} |")
    if args.out:
        header = ["set", "coder", "bytes", "correlation"]
        pd.DataFrame(rows, columns=header).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
