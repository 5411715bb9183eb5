"""The option that chooses where networks run."""

from __future__ import annotations

import argparse


def add_device(sub: argparse.ArgumentParser) -> None:
    """Add ``--device``, which is for `scmc_comm.device.choose_device`."""
    sub.add_argument(
        "--device", metavar="NAME",
        help="where networks run: cpu, cuda, cuda:N, mps or auto ($SCMC_DEVICE, else cpu)",
    )  # fmt: skip
