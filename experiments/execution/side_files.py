"""Tables and JSON files that commands leave, read by others: checked in one place."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from scmc_comm.errors import ScmcError


def read_table(
    path: Path, command: str, columns: Iterable[str] = (), numbers: Iterable[str] = ()
) -> pd.DataFrame:
    """A CSV file.

    Args:
        path: The file.
        command: What writes it, for errors.
        columns: Names of columns that it must have.
        numbers: Of columns that it must have and that hold numbers, or nothing.

    Raises:
        ScmcError: It is missing, no table, lacks a column, or has words for numbers.
    """
    _need(path, command)
    try:
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise _other(path, command, error) from error
    if lacks := [name for name in (*columns, *numbers) if name not in found]:
        raise _other(path, command, f"it lacks the column {lacks[0]!r}")
    # A table without rows has columns of no type at all.
    if words := [n for n in numbers if len(found) and not is_numeric_dtype(found[n])]:
        raise _other(path, command, f"column {words[0]!r} holds what is no number")
    return found


def read_json(
    path: Path, command: str, keys: Iterable[str] = (), mappings: Iterable[str] = ()
) -> dict[str, Any]:
    """A JSON file that holds a mapping.

    Args:
        path: The file.
        command: What writes it, for errors.
        keys: Keys that it must have.
        mappings: Keys that it must have and whose values are mappings.

    Raises:
        ScmcError: It is missing, no mapping, lacks a key, or has something else under one.
    """
    _need(path, command)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _other(path, command, error) from error
    if not isinstance(found, dict):
        raise _other(path, command, f"it holds a {type(found).__name__}, not a mapping")
    if lacks := [key for key in (*keys, *mappings) if key not in found]:
        raise _other(path, command, f"it lacks {lacks[0]!r}")
    if others := [key for key in mappings if not isinstance(found[key], dict)]:
        raise _other(path, command, f"its {others[0]!r} is no mapping")
    return found


def _need(path: Path, command: str) -> None:
    if not path.is_file():
        raise ScmcError(f"there is no {path}; give the output folder of '{command}'")


def _other(path: Path, command: str, why: object) -> ScmcError:
    reason = " ".join(str(why).split())[:200]
    return ScmcError(f"{path} is not what '{command}' writes: {reason}; run it again")
