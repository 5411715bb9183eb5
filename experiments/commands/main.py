"""The command line, which sees all three packages and holds no logic of its own."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence

from channels.errors import ChannelError
from experiments.commands import COMMANDS
from experiments.commands.common import Command
from scmc_comm import __version__
from scmc_comm.errors import ScmcError


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
