"""Any folder with ``images/`` and ``captions.csv``: file, split, captions, class_name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from scmc_comm.datasets.picture import SPLITS, Picture, need
from scmc_comm.errors import ScmcError

NAME = "captions.csv"
EXPECTED = "images/ and captions.csv with file, split and perhaps caption, class_name"
_CAPTIONS = ("caption", *(f"caption{i}" for i in range(2, 11)))


def is_here(folder: Path) -> bool:
    """Whether the folder is meant to have this layout."""
    return (folder / "captions.csv").is_file()


def read(folder: Path) -> list[Picture]:
    """All pictures, in the order of the table.

    Raises:
        ScmcError: If ``images/`` or a column is missing, or a line names no split.
    """
    need(folder, NAME, ("images",))
    path = folder / "captions.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return _pictures(path, file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ScmcError(f"{path} is no CSV in UTF-8: {error}; expected {EXPECTED}") from error


def _pictures(path: Path, file: TextIO) -> list[Picture]:
    pictures, rows = [], csv.DictReader(file)
    missing = [c for c in ("file", "split") if c not in (rows.fieldnames or ())]
    if missing:
        raise ScmcError(f"{path} lacks the column {missing[0]!r}; expected {EXPECTED}")
    for row in rows:
        if row["split"] not in SPLITS or not row["file"]:
            raise ScmcError(
                f"line {rows.line_num} of {path} has file {row['file']!r} and split "
                f"{row['split']!r}; expected a file and one of {', '.join(SPLITS)}"
            )
        captions = tuple(text for text in map(row.get, _CAPTIONS) if text)
        where, kind = path.parent / "images" / row["file"], row.get("class_name") or ""
        pictures.append(Picture(row["file"], where, row["split"], captions, kind))
    return pictures
