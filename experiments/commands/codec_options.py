"""Options of the command line that choose the codec's networks."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from channels.specs import range_of
from experiments.commands.common import Number
from scmc_comm.errors import ScmcError
from scmc_comm.ranges import Beams, Realism

if TYPE_CHECKING:
    from scmc_comm.codec.options import CodecOptions
    from scmc_comm.systems.base import System

# Flag, field of CodecOptions, metavar, help.
_ENCODER = (
    ("--semantic.captioner", "captioner", "NAME|DIR", "image-to-text model, as BLIP or Florence-2"),
    ("--semantic.beams", "beams", "N", "beam width of the captioner (3)"),
    ("--structure.edges", "edges", "FILE|DIR", "edge detector: RCF or PiDiNet checkpoint"),
    ("--structure.coder", "edge_coder", "NAME", "how edges are coded: vvc or context (vvc)"),
    ("--signal.given", "signal_given", "LAYER",
     "what the signal is coded given: structure, or nothing to decode alone (structure)"),
)  # fmt: skip
_DECODER = (
    ("--semantic.generator", "generator", "NAME|DIR", "text-to-image model, as SD-Turbo"),
    ("--semantic.painting", "painting", "NAME", "what the generator that ships paints: sample, a "
     "plausible scene, or expected, the mean of all that fit (sample)"),
    ("--structure.generator", "structure_generator", "NAME|DIR",
     "ControlNet or T2I-Adapter that paints over the edges"),
    ("--structure.base", "structure_base", "NAME|DIR",
     "text-to-image model under it (the one it was trained for)"),
    ("--generator.dtype", "dtype", "NAME",
     "numbers of these generators: float32, float16 or bfloat16 (float32)"),
    ("--signal.realism", "realism", "R",
     "0 shows the least squared error, 1 the best look (by quality: 1 to 0.75); same bits"),
)  # fmt: skip
_TYPES = {"beams": Number(Beams), "realism": Number(Realism)}


class _OtherEnd(argparse.Action):
    """An option of the other end: say where it belongs, rather than ignore it."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        """Refuse."""
        parser.error(f"{option} {self.const}")


def add_codec_options(
    sub: argparse.ArgumentParser, encoder: bool = False, decoder: bool = False
) -> None:
    """Add the options of the ends that a verb has; those of the other end explain themselves."""
    group = sub.add_argument_group(
        "networks", "by hub name or local folder, in the place of those that ship"
    )
    for present, options, reason in (
        (encoder, _ENCODER, "is the encoder's choice and part of the container: use 'encode'"),
        (decoder, _DECODER, "is the receiver's choice and not part of the container: use 'decode'"),
    ):
        for flag, field, metavar, text in options:
            if present:
                kind: Any = _TYPES.get(field, str)
                told = f"{text} [{range_of(kind.kind)}]" if isinstance(kind, Number) else text
                group.add_argument(flag, dest=field, metavar=metavar, help=told, type=kind)
            else:
                sub.add_argument(flag, action=_OtherEnd, const=reason, help=argparse.SUPPRESS)


def codec_options(args: argparse.Namespace) -> CodecOptions:
    """The options that were given.

    Raises:
        ScmcError: They do not go together.
    """
    from scmc_comm.codec.options import CodecOptions

    given = {field.name: getattr(args, field.name, None) for field in fields(CodecOptions)}
    return CodecOptions(**{name: value for name, value in given.items() if value is not None})


def chosen_system(args: argparse.Namespace) -> System:
    """The system that was named, with the networks that were chosen.

    Raises:
        ScmcError: Networks are chosen for a system that has none of them.
    """
    from scmc_comm.registry import make_system

    system, options = make_system(args.system), codec_options(args)
    chosen = options.chosen()
    if chosen and not isinstance(system, type(options)):
        raise ScmcError(
            "--semantic.*, --structure.* and --signal.* are options of the system scmc; "
            f"{args.system} has none of them"
        )
    return replace(system, **chosen)
