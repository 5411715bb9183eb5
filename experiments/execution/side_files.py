"""Tables and JSON files that commands leave, read by others: checked in one place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from scmc_comm.errors import ScmcError


def read_table(path: Path, command: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    """A CSV file.

    Args:
        path: The file.
        command: What writes it, for errors.
        columns: Names of columns that it must have.

    Raises:
        ScmcError: It is missing, no table, or lacks a column.
    """
    _need(path, command)
    try:
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _other(path, command, error) from error
    if lacks := [name for name in columns if name not in found]:
        raise _other(path, command, f"it lacks the column {lacks[0]!r}")
    return found


def read_json(path: Path, command: str, keys: Iterable[str] = ()) -> dict[str, Any]:
    """A JSON file that holds a mapping.

    Args:
        path: The file.
        command: What writes it, for errors.
        keys: Keys that it must have.

    Raises:
        ScmcError: It is missing, no mapping, or lacks a key.
    """
    _need(path, command)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _other(path, command, error) from error
    if not isinstance(found, dict):
        raise _other(path, command, f"it holds a {type(found).__name__}, not a mapping")
    if lacks := [key for key in keys if key not in found]:
        raise _other(path, command, f"it lacks {lacks[0]!r}")
    return found


def _need(path: Path, command: str) -> None:
    if not path.is_file():
        raise ScmcError(f"there is no {path}; give the output folder of '{command}'")


def _other(path: Path, command: str, why: object) -> ScmcError:
    reason = " ".join(str(why).split())[:200]
    return ScmcError(f"{path} is not what '{command}' writes: {reason}; run it again")
