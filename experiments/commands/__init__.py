"""Verbs of the command line, a module each with ``add(verb)``; they may see all three packages."""

from __future__ import annotations

from types import ModuleType

from experiments.commands import (
    anchors,
    bench,
    bler,
    channels,
    decode,
    encode,
    info,
    plan,
    rd,
    report,
    stream,
    sweep,
    systems,
    train,
    transmit,
    weights,
)

COMMANDS: tuple[ModuleType, ...] = (
    encode, decode, transmit, plan, sweep, report, stream, rd, anchors, systems, channels,
    train, weights, bler, bench, info,
)  # fmt: skip
