"""What receivers see of many test pictures, side by side: the picture of the model cards.

    python -m experiments.training.gallery --data DIR -o gallery.jpg

Below one another: from the caption; with the coarse structure; with the fine one; all layers at
about 0.18 bpp. The originals stand on top only with ``--originals``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from experiments.training.arguments import each_picture, picture_parser
from experiments.training.data import to_float, to_uint8
from experiments.training.evaluate import fill, worker_codec
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.tensors import resize
from scmc_comm.errors import ScmcError
from scmc_comm.new_file import new_file

BPP = 0.18
GAP = 4


def views(codec: LayeredCodec, img: torch.Tensor) -> list[torch.Tensor]:
    """The original and what is seen of each set of layers, float32 [3, H, W] each."""
    size = (img.shape[1], img.shape[2])
    semantic = codec.encode_semantic(img)
    sketches = [codec.encode_structure(img, level=i) for i in range(codec.structure_levels)]
    every = fill(codec, img, (semantic, sketches[0]), BPP) or (semantic, sketches[0])
    sets = [(semantic,), *((semantic, sketch) for sketch in sketches), every]
    return [img, *(codec.decode(layers, size).img_hat for layers in sets)]


def _show(img: torch.Tensor) -> np.ndarray:
    return to_uint8(torch.stack(views(worker_codec(), img)))


def sheet(pictures: Sequence[np.ndarray], columns: int, side: int) -> Image.Image:
    """Blocks of ``columns`` pictures, the views of each below one another.

    Args:
        pictures: uint8 [views, H, W, 3] each, of equal sizes.
        columns: Pictures beside one another.
        side: Of each on the sheet, in pixels.

    Example:
        >>> sheet([np.zeros((2, 8, 8, 3), np.uint8)] * 3, columns=2, side=8).size
        (20, 36)
    """
    rows, num_views = -(-len(pictures) // columns), len(pictures[0])
    cell, block = side + GAP, num_views * side + GAP
    out = np.full((rows * block, columns * cell - GAP, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        x = number % columns * cell
        small = to_uint8(torch.stack([resize(view, (side, side)) for view in to_float(picture)]))
        y = number // columns * block
        out[y : y + num_views * side, x : x + side] = small.reshape(-1, side, 3)
    return Image.fromarray(out[:-GAP])


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = picture_parser(__doc__, count=32)
    parser.add_argument("--columns", type=int, default=8, help="beside one another (8)")
    parser.add_argument("--side", type=int, default=128, help="of each in pixels (128)")
    parser.add_argument("--originals", action="store_true", help="show the originals on top")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-o", "--out", type=Path, required=True, help="picture file to write")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    if min(args.count, args.columns, args.jobs) < 1 or args.side < 8:
        raise ScmcError("--count, --columns and --jobs must be at least 1, --side at least 8")
    if args.out.suffix.lower() not in Image.registered_extensions():
        raise ScmcError(f"--out is {args.out}; expected the name of a picture, such as gallery.jpg")
    pictures = each_picture(_show, args)
    if not args.originals:
        pictures = [views[1:] for views in pictures]
    with new_file(args.out) as part:
        sheet(pictures, args.columns, args.side).save(
            part, Image.registered_extensions()[args.out.suffix.lower()], quality=88
        )


if __name__ == "__main__":
    main()
