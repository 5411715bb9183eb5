"""Files that are whole or not there, written through whatever stands where they go."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PART = re.compile(r"\.[0-9a-f]{24}\.tmp")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path of no file yet, whose content comes to ``path`` if the body succeeds.

    A file that is replaced keeps its mode, of a link the target is replaced, and into a device or a
    FIFO the content is written.

    Args:
        path: The file that is to be whole or not there; its folder is made.

    Raises:
        OSError: It cannot be written; it names this file.

    Example:
        >>> with new_file(Path("/dev/null")) as part:
        ...     _ = part.write_bytes(b"nothing is kept of this")
        >>> Path("/dev/null").is_char_device()
        True
    """
    target = Path(os.path.realpath(path))
    there = os.stat(target) if target.exists() else None
    if there is not None and not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode):
        with tempfile.TemporaryDirectory() as folder, _named(path, None):
            part = Path(folder) / target.name
            yield part
            with part.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(12)}.tmp")
    try:
        with _named(path, part):
            yield part
            if there is not None:
                os.chmod(part, stat.S_IMODE(there.st_mode))
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _named(path: Path, part: Path | None) -> Iterator[None]:
    """Errors within name the file that is written: a full disk names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None or error.filename == str(part):
            error.filename = os.fspath(path)
        raise


def remove_parts(*folders: Path) -> None:
    """Removes what runs that were killed left half-written in folders, not in those below them."""
    for folder in folders:
        for left in folder.glob(".*.tmp"):
            if left.name == ".results.nc.tmp" or is_part(left):
                left.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Is it called as what `new_file` has not finished yet, or was killed in?

    Example:
        >>> is_part(Path(".0123456789abcdef01234567.tmp")), is_part(Path(".mine.tmp"))
        (True, False)
    """
    return _PART.fullmatch(path.name) is not None
