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
        ScmcError: If ``images/`` or a column is missing, or a line names no split, a file that
            another line names, or has another number of cells than the header.
    """
    need(folder, NAME, ("images",))
    path = folder / "captions.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel writes a mark before it
            return _pictures(path, file)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ScmcError(f"{path} is no CSV in UTF-8: {error}; expected {EXPECTED}") from error


def _pictures(path: Path, file: TextIO) -> list[Picture]:
    rows = csv.DictReader(file, strict=True)
    header = rows.fieldnames or ()
    if missing := [c for c in ("file", "split") if c not in header]:
        raise ScmcError(f"{path} lacks the column {missing[0]!r}; expected {EXPECTED}, with commas")
    if twice := [name for name in header if header.count(name) > 1]:
        raise ScmcError(f"{path} has the column {twice[0]!r} twice; give each its own name")
    pictures: dict[str, Picture] = {}
    for row in rows:
        if None in row or None in row.values():
            raise ScmcError(
                f"line {rows.line_num} of {path} has another number of cells than its header; put "
                "cells that hold a comma in quotes"
            )
        if row["split"] not in SPLITS or not row["file"]:
            raise ScmcError(
                f"line {rows.line_num} of {path} has file {row['file']!r} and split "
                f"{row['split']!r}; expected a file and one of {', '.join(SPLITS)}"
            )
        captions = tuple(text for text in map(row.get, _CAPTIONS) if text)
        where, kind = path.parent / "images" / row["file"], row.get("class_name") or ""
        if row["file"] in pictures:
            raise ScmcError(f"line {rows.line_num} of {path} has {row['file']!r} again; drop one")
        pictures[row["file"]] = Picture(row["file"], where, row["split"], captions, kind)
    return list(pictures.values())
