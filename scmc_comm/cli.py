"""The command line, which sees all three packages and holds no logic of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from channels.errors import ChannelError
from scmc_comm import __version__
from scmc_comm.commands import COMMANDS
from scmc_comm.commands.common import Command
from scmc_comm.errors import ScmcError


def sweep(args: argparse.Namespace) -> None:
    """Run an experiment and draw its figures."""
    from experiments.plots import plot_sweep
    from experiments.runner import run_sweep
    from experiments.spec import load_sweep

    changes = list(args.set)
    if args.images is not None:
        changes.append(f"images={args.images}")
    spec = load_sweep(args.name).override(changes)
    run_sweep(spec, args.out, args.jobs)
    figures = plot_sweep(args.out)
    print(f"results: {args.out / 'results.nc'}, {args.out / 'results.csv'}")
    print(f"figures: {args.out / 'figures'} ({len(figures)} files)")


def plot(args: argparse.Namespace) -> None:
    """Draw the figures of a finished sweep again."""
    from experiments.plots import plot_sweep

    for path in plot_sweep(args.dir):
        print(path)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="scmc-comm",
        description="Code images in scalable semantic layers and send them over noisy links.",
    )
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Command, example: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name, help=run.__doc__, description=run.__doc__, epilog=f"example: scmc-comm {example}"
        )
        sub.set_defaults(run=run)
        return sub

    sub = verb("sweep", sweep, "sweep quick --out results/quick --jobs 2")
    sub.add_argument("name", metavar="NAME|SPEC.yaml", help="a sweep ('info' lists them) or a file")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--images", help="'photos' (built in) or a folder of pictures")
    sub.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the spec"
    )
    sub.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (all cores)")

    sub = verb("plot", plot, "plot results/quick")
    sub.add_argument("dir", type=Path, metavar="DIR")

    for command in COMMANDS:
        command.add(verb)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; a user's error is one line on standard error and exit status 2."""
    args = parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(levelname)s: %(message)s"
    )
    if not args.verbose:
        warnings.simplefilter("ignore")
    try:
        args.run(args)
    except (ScmcError, ChannelError) as error:
        print(f"scmc-comm: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"scmc-comm: {error.strerror}: {error.filename}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
