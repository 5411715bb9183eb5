"""Memory and time of the layered codec for large pictures.

    python -m benchmarks.large_pictures 1.5 6 12 24 --out FILE.csv

Each picture is encoded and decoded in a process of its own, one after the other. What a process
held after a picture of 64 x 96, networks and libraries included, is taken off its peak; the rest is
divided by the pixels.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch.nn.functional import interpolate

from experiments.bench.cost import in_fresh_process
from experiments.execution.machine import describe_machine
from experiments.execution.stopwatch import Duration, Stopwatch, peak_kib
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.layered import LayeredCodec

QUALITY = 48
ASPECT = 2 / 3


@dataclass(frozen=True)
class Cost:
    """What one direction took.

    Attributes:
        duration: Wall and CPU time.
        grown_bytes: Peak of the resident memory beyond that of a picture of 64 x 96.
        stream: The container.
    """

    duration: Duration
    grown_bytes: int
    stream: bytes


def texture(pixels: int, seed: int = 1) -> torch.Tensor:
    """A smooth random picture of about so many pixels, float32 [3, H, W] in [0, 1]."""
    height = round((pixels * ASPECT) ** 0.5 / 16) * 16
    width = round(height / ASPECT / 16) * 16
    draw, img = torch.Generator().manual_seed(seed), torch.zeros(1, 3, height, width)
    for cells, weight in ((8, 0.6), (32, 0.3), (128, 0.1)):
        coarse = torch.rand((1, 3, cells, cells), generator=draw)
        img += weight * interpolate(coarse, size=(height, width), mode="bilinear")
    return img[0].clamp_(0, 1)


def peak_bytes() -> int:
    """Peak of the resident memory of this process; that of FFmpeg is not in it."""
    return peak_kib() * 1024


def encoded(pixels: int) -> Cost:
    """Encodes a texture."""
    codec, img = LayeredCodec(), texture(pixels)
    codec.encode(texture(64 * 96), QUALITY)
    codec.forget()
    before, watch = peak_bytes(), Stopwatch()
    stream = codec.encode(img, QUALITY)
    return _cost(watch.lap(), before, stream.to_bytes())


def decoded(data: bytes) -> Cost:
    """Decodes a container."""
    codec, small = LayeredCodec(), LayeredCodec().encode(texture(64 * 96), QUALITY)
    codec.decode(small.layers, small.size)
    codec.forget()
    before, watch = peak_bytes(), Stopwatch()
    stream = LayeredBitstream.from_bytes(data)
    codec.decode(stream.layers, stream.size, stream.seed)
    return _cost(watch.lap(), before, data)


def _cost(duration: Duration, before: int, data: bytes) -> Cost:
    grown = peak_bytes() - before
    return Cost(duration, grown, data)


def main() -> None:
    """Prints a line for each size and direction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megapixels", nargs="*", type=float, default=[1.5, 6, 12])
    parser.add_argument("--out", type=Path, help="CSV to write, after each picture")
    args = parser.parse_args()
    print(describe_machine())
    rows = []
    for mega in args.megapixels:
        size = texture(round(mega * 1e6)).shape
        pixels = size[1] * size[2]
        encode = in_fresh_process(partial(encoded, round(mega * 1e6)))
        decode = in_fresh_process(partial(decoded, encode.stream))
        for name, cost in (("encode", encode), ("decode", decode)):
            rows.append({
                "megapixels": round(pixels / 1e6, 2), "direction": name,
                "wall_s": round(cost.duration.wall_s, 1), "cpu_s": round(cost.duration.cpu_s, 1),
                "grown_mib": round(cost.grown_bytes / 2**20),
                "bytes_a_pixel": round(cost.grown_bytes / pixels),
            })  # fmt: skip
            print(rows[-1], flush=True)
        if args.out:
            pd.DataFrame(rows).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()
