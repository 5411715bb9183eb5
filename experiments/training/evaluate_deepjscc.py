"""What the analog baseline reaches: PSNR against SNR at several bandwidths.

    python -m experiments.training.evaluate_deepjscc --data DIR --count 16
    python -m experiments.training.evaluate_deepjscc --data DIR --side 32 --rho 1/6 \
        --esno-db 4,7,10,16,22

Each cell is the mean over pictures and draws of the PSNR in dB and, in brackets, the PSNR of the
mean squared error over all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.specs import read_number, split_specs
from experiments.statistics.tables import Table
from experiments.training.arguments import picture_parser, pictures_of
from experiments.training.data import SIDE, to_float
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import design_for
from scmc_comm.registry import make_system
from scmc_comm.systems.base import System
from scmc_comm.transmission import transmit


def squared_errors(
    system: System, img: Tensor, channel: str, rho: float, esno_db: float, args: argparse.Namespace
) -> list[float]:
    """Mean squared error of each draw of one picture float32 [3, H, W]."""
    design = design_for(system.side_information, channel, esno_db, "flat", args.design_esno_db)
    seeds, model = range(args.draws), make_channel(channel)
    sent = transmit(system, img, design.budget(rho), model, esno_db, seeds, BitTruePhy())
    return [float((sent.reconstruction(k).img_hat - img).double().square().mean()) for k in seeds]


def pictures(args: argparse.Namespace) -> Tensor:
    """Evenly spaced pictures of the split, averaged down to the side, [n, 3, side, side]."""
    if SIDE % args.side:
        raise ScmcError(f"--side is {args.side}; expected a divisor of {SIDE}")
    return F.avg_pool2d(to_float(pictures_of(args)), SIDE // args.side)


def rows_of(cells: dict[tuple[str, float, float], list[float]]) -> list[dict[str, str | float]]:
    """A row for each system, bandwidth and Es/N0: both means of PSNR."""
    rows: list[dict[str, str | float]] = []
    for (name, rho, esno_db), errors in cells.items():
        mse = np.array(errors)
        both = {
            "psnr_db": -10 * np.log10(mse).mean(),
            "psnr_of_mean_db": -10 * np.log10(mse.mean()),
        }
        rows.append({"system": name, "rho": f"1/{1 / rho:.4g}", "esno_db": esno_db, **both})
    return rows


def table(rows: list[dict[str, str | float]]) -> str:
    """Markdown: a row per system and bandwidth, a column per Es/N0."""
    columns = list(dict.fromkeys(row["esno_db"] for row in rows))
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        cell = f"{row['psnr_db']:.2f} ({row['psnr_of_mean_db']:.2f})"
        lines.setdefault((str(row["system"]), str(row["rho"])), []).append(cell)
    header = ["system", "rho", *(f"{e:g} dB" for e in columns)]
    return Table(header, [[*key, *cells] for key, cells in lines.items()]).markdown()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = picture_parser(__doc__, count=16)
    parser.add_argument("--side", type=int, default=SIDE, help=f"averaged down to it ({SIDE})")
    parser.add_argument("--systems", default="deepjscc", help="deepjscc:OPTION=VALUE,...")
    parser.add_argument("--channel", default="awgn")
    parser.add_argument("--rho", default="1/24,1/12,1/6", help="bandwidth ratios")
    parser.add_argument("--esno-db", default="-5,0,5,10,15,20", help="mean Es/N0 in dB")
    parser.add_argument("--design-esno-db", type=float, default=10.0, help="of deepjscc:fixed=true")
    parser.add_argument("--out", type=Path, help="CSV to write")
    parser.add_argument("--draws", type=int, default=2, help="of the channel, per picture (2)")
    args = parser.parse_args(argv)
    cells: dict[tuple[str, float, float], list[float]] = {}
    imgs = pictures(args)
    for name in split_specs(args.systems):
        system = make_system(name)
        for rho in (read_number(text) for text in args.rho.split(",")):
            for esno_db in tqdm(list(map(float, args.esno_db.split(","))), desc=f"{name} {rho:g}"):
                with torch.no_grad():
                    cells[name, rho, esno_db] = [
                        mse
                        for img in imgs
                        for mse in squared_errors(system, img, args.channel, rho, esno_db, args)
                    ]
    rows = rows_of(cells)
    print(table(rows))
    if args.out is not None:
        pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
