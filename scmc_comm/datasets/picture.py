"""What is known of one picture of a data set, and what the layouts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from scmc_comm.errors import ScmcError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Picture:
    """One picture of a data set.

    Attributes:
        name: Its name in the data set's own lists.
        path: Its file.
        split: ``train``, ``val`` or ``test``.
        captions: What people said of it; perhaps nothing.
        class_name: What it shows, in lower-case words; empty where that is not known.
    """

    name: str
    path: Path
    split: str
    captions: tuple[str, ...] = ()
    class_name: str = ""


def split_by_name(name: str) -> str:
    """Split of a picture by its name alone, 8 : 1 : 1, the same on every machine.

    It does not change when pictures are added or removed. The last digit of the CRC-32 of the
    name decides: 0 is val, 1 is test, the rest train.

    Example:
        >>> split_by_name("robin.png"), split_by_name("owl.png"), split_by_name("finch.png")
        ('train', 'val', 'test')
    """
    return {0: "val", 1: "test"}.get(crc32(name.encode()) % 10, "train")


def need(folder: Path, layout: str, names: Sequence[str]) -> None:
    """Refuse a folder that lacks files or folders of its layout.

    Raises:
        ScmcError: Names all that is missing.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise ScmcError(f"{folder} lacks {', '.join(missing)} of the {layout} layout; add them")


def read_captions(path: Path) -> tuple[str, ...]:
    """Captions of a text file, one a line.

    Raises:
        ScmcError: If the file is missing or empty.
    """
    if not path.is_file():
        raise ScmcError(f"no captions {path}; expected a text file with a caption a line")
    # The published files hold some bytes that are no text in any encoding.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    captions = tuple(" ".join(line.split()) for line in lines if line.strip())
    if not captions:
        raise ScmcError(f"captions {path} are empty; expected a caption a line")
    return captions
