"""The command line, which sees all three packages and holds no logic of its own."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from channels.errors import LONGEST, ChannelError, no_such, printable
from channels.plugins import load
from channels.specs import range_of
from experiments.commands import COMMANDS
from experiments.commands.common import Command, Number
from scmc_comm import __version__
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import pixel_limit

OTHER_NAMES = {"--rho": "--cbr", "--esno-db": "--snr", "--design-esno-db": "--design-snr"}
"""Options that may also be called as in the literature."""


TASKS = {
    "send pictures": (
        ("send over a noisy channel", "transmit photo.png --snr 4 --cbr 1/24 -o got.png"),
        ("code into a file, and back", "encode photo.png -o photo.scmc"),
        ("plan the protection of layers", "plan --cbr 1/24 --channel rayleigh_block --snr 8"),
        ("film a link that fades", "stream photos --out stream.gif"),
    ),
    "run experiments": (
        ("sweep SNR, bandwidth, systems", "sweep quick --out results/quick"),
        ("compare codecs without a channel", "rd --codecs scmc,vvc --images photos --out rd"),
    ),
    "look at results": (
        ("draw a figure for a paper", "plot results/quick --metric lpips -o fig.pdf"),
        ("test one system against another", "compare results/quick --systems scmc,vvc"),
        ("write a page of everything", "report results/quick --out report.html"),
    ),
    "see what there is": (
        ("systems, channels, metrics ...", "systems scmc vvc"),
    ),
}  # fmt: skip
"""What users do, in groups, each with a command that runs."""
VERBS = {
    "pictures": ("transmit", "encode", "decode", "plan", "stream"),
    "experiments": ("sweep", "rd", "anchors", "bler", "bench", "train", "reproduce"),
    "results": ("plot", "compare", "report"),
    "what there is": (
        "systems", "codecs", "channels", "phys", "metrics", "planners", "datasets", "info",
    ),
    "files": ("weights", "cache"),
}  # fmt: skip
"""All verbs, in the order of the help."""


class _Once(argparse.Action):
    """Keeps the value of an option, and refuses a second one, under whatever name it comes."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """Keep or refuse."""
        given = vars(namespace).setdefault("given", set())
        if self.dest in given and self.option_strings:
            parser.error(f"{' or '.join(self.option_strings)} was given twice; keep one of them")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Its options have their `OTHER_NAMES` too; of unknown choices it proposes the nearest.

    An option given twice is refused, and lists such as -3,3,9 are values rather than options.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.register("action", None, _Once)  # in groups of options too
        self._negative_number_matcher = re.compile(r"-[\d.]+(e[-+]?\d+)?(,-?[\d.]+(e[-+]?\d+)?)*$")

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong; what the message quotes cannot harm a terminal."""
        text = printable(f"{self.prog}: error: {message}", LONGEST)
        self.exit(2, f"{text}; see '{self.prog} --help'\n")

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:  # type: ignore[override]
        """See `argparse.ArgumentParser.add_argument`; the help tells a number's range."""
        others = [OTHER_NAMES[name] for name in names if name in OTHER_NAMES]
        kind = settings.get("type")
        if isinstance(kind, Number) and (allowed := range_of(kind.kind)) is not None:
            settings["help"] = f"{settings.get('help') or ''} [{allowed}]".strip()
        return super().add_argument(*names, *others, **settings)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Refuse what is empty, the value of an unset variable of a shell perhaps."""
        passed_on = action.nargs == argparse.PARSER or action.dest == "caption"
        if not arg_string.strip() and not passed_on:  # a caption of no words is one
            fix = "give a value" + (", or leave it out" if action.option_strings else "")
            raise argparse.ArgumentError(action, f"its value is empty; {fix}")
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Propose the nearest of the choices for one that does not exist."""
        known = (action.default, *(action.choices or (value,)))
        if value not in known:
            what = str(action.metavar or action.dest).lower()
            raise argparse.ArgumentError(None, no_such(what, value, known[1:]))


class _Printable(logging.Formatter):
    """Writes what was logged so that nothing in it can harm a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """See `logging.Formatter.formatMessage`."""
        return printable(super().formatMessage(record), LONGEST)


class _Help(argparse.HelpFormatter):
    """Leaves the example on a line of its own, to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = (
            line if line.startswith("example:") else super(_Help, self)._fill_text(line, width, "")
            for line in text.split("\n")
        )
        return "\n".join(lines)


class _Top(Parser):
    """The whole command line, whose help begins with what users do."""

    about: dict[str, str]

    def format_help(self) -> str:
        """Usage, what users do with an example each, and all verbs in groups."""
        lines = [self.format_usage(), str(self.description)]
        for title, tasks in TASKS.items():
            lines += ["", f"{title}:"]
            lines += [f"  {what:33} scmc-comm {example}" for what, example in tasks]
        lines += ["", "all verbs ('scmc-comm VERB --help' tells more, and ends with an example):"]
        for title, verbs in VERBS.items():
            lines += ["", f"  {title}"]
            lines += [f"    {verb:11} {self.about[verb]}" for verb in verbs]
        lines += ["", "--version says which this is, -v logs what happens.", ""]
        return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = _Top(
        prog="scmc-comm",
        description="Code images in scalable semantic layers and send them over noisy links.",
    )
    top.about = {}
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    verbs = top.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=Parser
    )  # fmt: skip

    def verb(name: str, run: Command, example: str, resume: str = "") -> argparse.ArgumentParser:
        about = run.__doc__ or ""
        after = f"After Ctrl-C: {resume}.\n" if resume else ""
        sub = verbs.add_parser(
            name, help=about, description=about, epilog=f"{after}example: scmc-comm {example}",
            formatter_class=_Help,
        )  # fmt: skip
        sub.set_defaults(run=run, resume=resume)
        top.about[name] = about.partition("\n")[0]
        sub.add_argument(
            "--plugin",
            action="append",
            default=[],
            metavar="FILE.py|MODULE",
            help="load components of your own: a Python file, module or module:function",
        )
        return sub

    for name in COMMANDS:
        importlib.import_module(f"experiments.commands.{name}").add(verb)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; a user's error is one line on standard error and exit status 2."""
    for stream in (sys.stdout, sys.stderr):  # a name need not be text of this terminal
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, handlers=[handler])
    if not args.verbose:
        warnings.simplefilter("ignore")
    try:
        if "device" in args:
            from scmc_comm.device import choose_device

            choose_device(args.device)
        for plugin in args.plugin:
            load(plugin)
        with pixel_limit(getattr(args, "max_pixels", None)):
            args.run(args)
        sys.stdout.flush()
    except (ScmcError, ChannelError) as error:
        print(f"scmc-comm: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        said = error.strerror or str(error) or type(error).__name__
        line = said if error.filename is None else f"{said}: {error.filename}"
        print(f"scmc-comm: {printable(line, LONGEST)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"scmc-comm: stopped{args.resume and '; '}{args.resume}", file=sys.stderr)
        sys.exit(130)
