"""What the scripts' command lines have in common, and the pictures that they name."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import Tensor
from tqdm import tqdm

from experiments.execution.devices import add_device
from experiments.training.data import evenly, load_split, to_float
from scmc_comm.device import choose_device

T = TypeVar("T")


def script_parser(
    doc: str | None,
    minutes: float | None = None,
    out: str = "folder of the results",
    cache_beside: str = "out",
) -> argparse.ArgumentParser:
    """Parser of a script that writes to a folder.

    Args:
        doc: The script's docstring.
        minutes: Length of its run unless another is given; None if it is not timed.
        out: What ``--out`` is, if it is not a folder.
        cache_beside: Argument whose folder holds the cache unless ``--cache`` names another.
    """
    parser = _parser(doc)
    parser.add_argument("--out", type=Path, required=True, help=out)
    default = f"{cache_beside.upper()}/cache"
    parser.add_argument("--cache", type=Path, help=f"decoded pictures (default: {default})")
    parser.set_defaults(cache_beside=cache_beside)
    if minutes is not None:
        what = f"wall time of the training loop ({minutes:g})"
        parser.add_argument("--minutes", type=float, default=minutes, help=what)
        add_device(parser)
    return parser


def script_arguments(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> argparse.Namespace:
    """The arguments of a script, its device chosen, its log set up and its cache named."""
    args = parser.parse_args(argv)
    if "device" in args:
        choose_device(args.device)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args.cache = args.cache or getattr(args, args.cache_beside) / "cache"
    return args


def picture_parser(doc: str | None, count: int | None = None) -> argparse.ArgumentParser:
    """Parser of a script that looks at pictures of one split, see :func:`pictures_of`.

    Args:
        doc: The script's docstring.
        count: Pictures unless another number is given; None for all.
    """
    parser = _parser(doc)
    parser.add_argument("--set", default="flowers256")
    parser.add_argument("--split", default="test")
    what = f"pictures, evenly spaced ({count or 'all'})"
    parser.add_argument("--count", type=int, default=count, help=what)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="decoded pictures")
    return parser


def pictures_of(args: argparse.Namespace) -> np.ndarray:
    """The pictures that the arguments name, uint8 [n, 256, 256, 3]."""
    data = load_split(args.data, args.set, args.split, args.cache)
    return data.pixels[evenly(len(data), args.count)]


def each_picture(function: Callable[[Tensor], T], args: argparse.Namespace) -> list[T]:
    """What a function makes of each picture float32 [3, H, W], in ``args.jobs`` processes."""
    pixels = pictures_of(args)
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        results = pool.imap(partial(_of_pixels, function), pixels)
        return list(tqdm(results, total=len(pixels), desc="pictures"))


def _of_pixels(function: Callable[[Tensor], T], pixels: np.ndarray) -> T:
    return function(to_float(pixels[None])[0])


def _parser(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    return parser
