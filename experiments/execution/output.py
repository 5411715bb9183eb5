"""Where results are written: looked at before the work, and in a form that every reader takes."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.execution.cache import write_atomic
from scmc_comm.errors import ScmcError


def check_folder(path: str | Path) -> Path:
    """Refuses an output folder that could not be written to, before the work; leaves no trace.

    Raises:
        ScmcError: It is a file, or cannot be made or written to.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ScmcError(f"output {folder} is a file; give a folder")
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ScmcError(f"cannot write to folder {folder}: {error.strerror}") from error
    finally:
        for part in made:
            with suppress(OSError):  # another process may have written there
                part.rmdir()
    return folder


def check_files(*paths: Path | None, inputs: Iterable[str | Path] = ()) -> None:
    """Refuses output files that could not be written, before the work that fills them.

    Args:
        paths: The files; None for one that is not asked for.
        inputs: Files that are read, which no output may replace.

    Raises:
        ScmcError: One lies in no folder or is a folder, two are the same, or one is an input.
    """
    given = [path for path in paths if path is not None]
    read = [path for path in map(Path, inputs) if os.path.isfile(path)]
    for path in given:
        if path.is_file() and any(path.samefile(other) for other in read):
            raise ScmcError(f"output {path} is the input; give it another name")
    for path in given:
        if not path.name:
            raise ScmcError(f"output {path} is a folder; give a file, such as out.png")
        if not path.parent.is_dir():
            raise ScmcError(f"no folder {path.parent} for {path.name}; create it first")
        if path.is_dir():
            raise ScmcError(f"output {path} is a folder; give a file")
    if len({path.resolve() for path in given}) < len(given):
        raise ScmcError(f"{given[0]} would be written twice; give each output a file of its own")


def check_picture(path: Path, *others: Path | None, inputs: Iterable[str | Path] = ()) -> None:
    """`check_files` of a PNG, and of what is written beside it.

    Raises:
        ScmcError: As `check_files`, or its name is of another format.
    """
    if path.suffix.lower() != ".png":
        name = path.with_suffix(".png").name if path.name else "out.png"
        raise ScmcError(f"output {path} is to be a PNG; name it {name}")
    check_files(path, *others, inputs=inputs)


def write_json(path: Path, value: Any) -> None:
    """Writes strict JSON: a number that is not finite is null, as JSON has no word for it."""
    text = json.dumps(_strict(value), indent=2, allow_nan=False)
    write_atomic(path, text.encode() + b"\n")


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
