"""Where results are written: looked at before the work, and in a form that every reader takes."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from experiments.execution.cache import write_atomic
from scmc_comm.errors import ScmcError


def check_folder(path: str | Path) -> Path:
    """Refuses an output folder that could not be written to, before the work; leaves no trace.

    Raises:
        ScmcError: It is a file, or cannot be made or written to.
    """
    folder = Path(path)
    _check_name(folder)
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


def _check_name(path: Path) -> None:
    """Refuses a new name that terminals, tables and pages could not show."""
    if not path.name.isprintable() and not path.exists():
        raise ScmcError(
            f"output {str(path)!a} has a name that is not printable UTF-8; give it another name"
        )


SPECS = {"spec.yaml": "'scmc-comm sweep'", "run.json": "'scmc-comm rd'"}
"""Files in which commands say what their folder holds, and those commands."""
_OF_RESULTS = {
    "results.nc": ("results.nc", "results.csv", "spec.yaml"),
    "run.json": ("run.json", "points.csv", "curves.csv", "bd.csv", "cost.csv", "published.csv",
                 "tables.md"),
}  # fmt: skip


def check_results(
    folder: str | Path, name: str, same: Callable[[str], bool], overwrite: bool
) -> None:
    """Refuses a folder of results of something else, and one that cannot be written to.

    Args:
        folder: Where results are to go.
        name: Of `SPECS`, the file that they will come with.
        same: Does a text that is there say what is to be run?
        overwrite: Replace the results of another spec.

    Raises:
        ScmcError: It holds results of another spec or command, or as `check_folder`.
    """
    path = check_folder(folder) / name
    for other in SPECS:
        if other != name and path.with_name(other).is_file():
            raise ScmcError(f"{folder} holds results of {SPECS[other]}; give another folder")
    for file in next(names for names in _OF_RESULTS.values() if name in names):
        if path.with_name(file).is_dir():
            raise ScmcError(
                f"{path.with_name(file)} is a folder where a file is to go; give another folder"
            )
    if not path.is_file() or overwrite:
        return
    there = path.read_text("utf-8", "replace")
    if not same(there):
        what = "results of another spec" if there.strip() else "what cannot be told: it is empty"
        raise ScmcError(
            f"{folder} holds {what}, {path}; give another folder, or --overwrite "
            "(overwrite=True in Python) to replace them"
        )


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Within it no other run of this user writes its results to the folder.

    Args:
        folder: Of results; the lock itself lies in the user's cache, which machines with one home
            share.

    Raises:
        ScmcError: Another run is writing there.
    """
    place = f"{os.path.expanduser('~')} {os.path.realpath(folder)}"
    name = f"scmc-comm-{sha256(os.fsencode(place)).hexdigest()[:24]}.lock"
    lock = FileLock(_place_of_locks() / name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ScmcError(
            f"another run is writing to {folder}; wait for it, or give another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _place_of_locks() -> Path:
    """Of this user, whatever the folder of temporary files is; that one if there is no home."""
    place = user_cache_path("scmc_comm", appauthor=False) / "locks"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir())
    return place if os.access(place, os.W_OK) else Path(tempfile.gettempdir())


def check_ending(path: Path | None, *endings: str) -> None:
    """Refuses a name that promises another format than is written.

    Args:
        path: The file; None for one that is not asked for. A device or FIFO may have any name.
        endings: Those of the format, such as ``.png``.

    Raises:
        ScmcError: It ends in something else.

    Example:
        >>> check_ending(Path("a.PNG"), ".png")
    """
    if path is None or not path.name or path.suffix.lower() in endings or is_stream(path):
        return
    names = " or ".join(path.with_suffix(ending).name for ending in endings)
    raise ScmcError(
        f"output {path} is to end in {' or '.join(endings)}, which is what is written; name it "
        f"{names}"
    )


def is_stream(path: Path) -> bool:
    """Is it there, and a device or FIFO that is written through?"""
    return path.exists() and not (path.is_dir() or stat.S_ISREG(path.stat().st_mode))


def check_files(*paths: Path | None, inputs: Iterable[str | Path] = ()) -> None:
    """Refuses output files that could not be written, before the work that fills them.

    Args:
        paths: The files; None for one that is not asked for.
        inputs: Files that are read, which no output may replace.

    Raises:
        ScmcError: One lies in no folder or is a folder, cannot be written, two are the same, or one
            is an input or belongs to the results in its folder.
    """
    given = [path for path in paths if path is not None]
    read = [path for path in map(Path, inputs) if os.path.isfile(path)]
    for path in given:
        if path.is_file() and any(path.samefile(other) for other in read):
            raise ScmcError(f"output {path} is the input; give it another name")
    for path in given:
        with suppress(FileNotFoundError):
            _check_leads_somewhere(path)
        if not path.name:
            raise ScmcError(f"output {path} is a folder; give a file, such as out.png")
        real = Path(os.path.realpath(path))  # of a link that which it names
        if not real.parent.is_dir():
            folder = real.parent if path.is_symlink() else path.parent
            raise ScmcError(f"no folder {folder} for {path.name}; create it first")
        if path.is_dir():
            raise ScmcError(f"output {path} is a folder; give a file")
        _check_name(path)
        if path.exists() and not os.access(path, os.W_OK):
            raise ScmcError(f"output {path} is read-only; give another name")
        _check_no_result(path)
        if not is_stream(path):
            check_folder(real.parent)
    if len({os.path.realpath(path) for path in given}) < len(given):
        raise ScmcError(f"{given[0]} would be written twice; give each output a file of its own")


def _check_leads_somewhere(path: Path) -> None:
    """Refuses links that lead to each other."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ScmcError(f"output {path} is a link that leads to itself; remove it") from error
        raise


def _check_no_result(path: Path) -> None:
    """Refuses a file of a folder of results, which its own command alone may replace."""
    for mark, names in _OF_RESULTS.items():
        if path.name in names and path.is_file() and path.with_name(mark).is_file():
            raise ScmcError(
                f"output {path} is a file of the results in {path.parent}; give another name"
            )


def check_picture(path: Path, *others: Path | None, inputs: Iterable[str | Path] = ()) -> None:
    """`check_files` of a PNG, and of what is written beside it.

    Raises:
        ScmcError: As `check_files`, or its name is of another format.
    """
    check_ending(path, ".png")
    check_files(path, *others, inputs=inputs)


def short_name(text: str, most: int = 120) -> str:
    """A file's name that file systems take: of a long one the start, and a digest of all of it.

    Args:
        text: Without what no name may hold.
        most: Bytes of a name that stays as it is.

    Example:
        >>> short_name("strip_a.png_awgn"), short_name("x" * 300, 8)
        ('strip_a.png_awgn', 'xxxxxxxx-0d4e2ca9')
    """
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= most:
        return text
    return f"{data[:most].decode('utf-8', 'ignore')}-{sha256(data).hexdigest()[:8]}"


REFUSED = r'[\\/:*?"<>|]'
"""Regular expression of the signs that some file system refuses in a name."""


def distinct_name(name: str, pattern: str = REFUSED) -> str:
    """A picture's name as a part of a file's: where signs become ``_``, two names stay two.

    Args:
        name: Of the picture.
        pattern: Regular expression of what the file's name may not hold.

    Example:
        >>> distinct_name("a b.png"), distinct_name("../b.png")[:9]
        ('a b.png', '.._b.png-')
    """
    safe = re.sub(pattern, "_", name)
    return safe if safe == name else f"{safe}-{sha256(name.encode()).hexdigest()[:8]}"


def file_name(picture: str, ending: str) -> str:
    """Name of a file that shows a picture, whatever the picture is called.

    Example:
        >>> file_name("a", ".png"), file_name("../a", ".png")[:5], len(file_name("x" * 300, ".png"))
        ('a.png', '.._a-', 133)
    """
    return short_name(distinct_name(picture)) + ending


def write_json(path: Path, value: Any) -> None:
    """Writes strict JSON: a number that is not finite is null, as JSON has no word for it."""
    text = json.dumps(as_json(value), indent=2, allow_nan=False)
    write_atomic(path, text.encode() + b"\n")


def as_json(value: Any) -> Any:
    """A value as `write_json` writes it and `json` reads it.

    Example:
        >>> as_json({"rates": (0.5, math.inf)})
        {'rates': [0.5, None]}
    """
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
