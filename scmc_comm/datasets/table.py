"""Any folder with ``images/`` and ``captions.csv``: file, split, captions, class_name."""

from __future__ import annotations

import csv
from pathlib import Path

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
    pictures = []
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
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
            pictures.append(
                Picture(
                    row["file"],
                    folder / "images" / row["file"],
                    row["split"],
                    captions,
                    row.get("class_name") or "",
                )
            )
    return pictures
