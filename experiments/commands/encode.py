"""``scmc-comm encode``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

from channels.errors import printable
from channels.ranges import Range
from experiments.commands.codec_options import add_codec_options, codec_options
from experiments.commands.common import AddVerb, Number, add_max_pixels
from experiments.execution.devices import add_device
from scmc_comm.ranges import CodecSeed
from scmc_comm.types import FINEST


def encode(args: argparse.Namespace) -> None:
    """Code an image in three layers."""
    from experiments.execution.cache import write_atomic
    from experiments.execution.output import check_ending, check_files
    from scmc_comm.codec.options import make_codec
    from scmc_comm.images import load_image

    check_ending(args.output, ".scmc")
    check_files(args.output, inputs=[args.image])
    img = load_image(args.image)
    codec = make_codec(codec_options(args))
    stream = codec.encode(img, args.quality, args.seed, args.level)
    data = stream.to_bytes()
    write_atomic(args.output, data)
    bpp_of_a_byte = 8 / (stream.size[0] * stream.size[1])
    sizes = {layer.kind.tag: len(layer.payload) for layer in stream.layers}
    sizes["container"] = len(data) - sum(sizes.values())
    for name, size in sizes.items():
        print(f"{name:10} {size:7} bytes  {size * bpp_of_a_byte:.4f} bpp")
    print(f"caption: {printable(codec.semantic.caption(stream.layers[0].payload))}")
    print(f"{args.output}: {len(data)} bytes, {len(data) * bpp_of_a_byte:.4f} bpp")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("encode", encode, "encode photo.png -o photo.scmc --quality 48")
    sub.add_argument("image", type=Path, metavar="IMG", help="picture, 32 x 32 or larger")
    sub.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.scmc", help="container to write"
    )
    sub.add_argument(
        "--quality",
        type=Number(Annotated[int, Range(0, 96)]),
        default=48,
        help="of the signal layer, 0 to 96 (48)",
    )
    sub.add_argument(
        "--level", type=Number(Annotated[int, Range(0, FINEST)]), default=0,
        help=f"of the structure layer, 0 (coarse) to {FINEST}, which shows more without signal (0)",
    )  # fmt: skip
    sub.add_argument(
        "--seed", type=Number(CodecSeed), default=0, help="of the generator (0: no byte)"
    )
    add_max_pixels(sub)
    add_device(sub)
    add_codec_options(sub, encoder=True)
