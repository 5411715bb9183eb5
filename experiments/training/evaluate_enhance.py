"""What the enhancement network is worth: pictures of VVC before and after it, at the same bytes.

    python -m experiments.training.evaluate_enhance --images DIR/flowers256:val@256 --limit 6
    python -m experiments.training.evaluate_enhance --images photos --qps 33,45 --divisors 1,2

Prints a table in Markdown: the mean over the pictures of bytes, and of each metric of VVC's picture
and of what the network shows of the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from torch import Tensor
from tqdm import tqdm

from scmc_comm.baselines.image_codecs import load_image_codec
from scmc_comm.baselines.reduced import DIVISORS, at_divisor
from scmc_comm.baselines.vvc import MAX_QP
from scmc_comm.datasets.image_sets import image_set
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import measure_many

METRICS = {"psnr_db": "{:.2f}", "lpips": "{:.3f}", "lpips_vgg": "{:.3f}", "dists": "{:.3f}"}
"""How each is written."""
QPS = (27, 33, 39, 45, 51, 57)


def compare(imgs: Sequence[Tensor], qp: int, divisor: int) -> tuple[float, list[list[float]]]:
    """Mean bytes at one QP and resolution, and `METRICS` of VVC's pictures and of the network's."""
    names = ("vvc", "vvc:enhance=perceptual")
    plain, ours = (at_divisor(load_image_codec(name), divisor) for name in names)
    streams = [plain.encode(img, MAX_QP - qp) for img in tqdm(imgs, desc=f"QP {qp} at 1/{divisor}")]
    rows = []
    for codec in (plain, ours):
        pairs = zip(streams, imgs, strict=True)
        shown = [codec.decode(data, (img.shape[1], img.shape[2])) for data, img in pairs]
        found = measure_many(list(imgs), shown, tuple(METRICS))
        rows.append([float(np.mean([each[name] for each in found])) for name in METRICS])
    return float(np.mean([len(data) for data in streams])), rows


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, help="'photos', a folder, or FOLDER:val@256")
    parser.add_argument("--limit", type=int, help="only so many pictures (all)")
    parser.add_argument("--qps", type=_numbers, default=QPS, help="comma-separated (27,33,...,57)")
    parser.add_argument("--divisors", type=_numbers, default=(1,), help="of the sides (1)")
    args = parser.parse_args(argv)
    if set(args.divisors) - set(DIVISORS):
        raise ScmcError(f"got --divisors {args.divisors}; expected some of {DIVISORS}")
    imgs = [each.img for each in image_set(args.images, args.limit)]
    print(f"| QP | bytes | {' | '.join(METRICS)} |\n|{'---|' * (2 + len(METRICS))}")
    for divisor in args.divisors:
        at = f" at 1/{divisor}" if divisor > 1 else ""
        for qp in args.qps:
            num_bytes, rows = compare(imgs, qp, divisor)
            columns = zip(METRICS.values(), *rows, strict=True)
            words = (f"{form.format(a)} / {form.format(b)}" for form, a, b in columns)
            print(f"| {qp}{at} | {num_bytes:.0f} | {' | '.join(words)} |", flush=True)


if __name__ == "__main__":
    main()
