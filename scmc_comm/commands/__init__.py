"""Verbs of the command line, a module each with ``add(verb)``; they may see all three packages."""

from __future__ import annotations

from types import ModuleType

from scmc_comm.commands import bench, bler, info, sweep

COMMANDS: tuple[ModuleType, ...] = (sweep, bler, bench, info)
