"""What the training scripts' command lines have in common."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path


def script_parser(doc: str | None, minutes: float | None = None) -> argparse.ArgumentParser:
    """What the training scripts' command lines have in common.

    Args:
        doc: The script's docstring.
        minutes: Length of its run unless another is given; None if it is not timed.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--cache", type=Path, help="decoded pictures (default: OUT/cache)")
    if minutes is not None:
        what = f"wall time of the training loop ({minutes:g})"
        parser.add_argument("--minutes", type=float, default=minutes, help=what)
    return parser


def script_arguments(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> argparse.Namespace:
    """The arguments of a script, its log set up and its cache named."""
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args.cache = args.cache or args.out / "cache"
    return args
