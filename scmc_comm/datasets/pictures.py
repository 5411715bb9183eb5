"""Any folder of pictures, or one with the pictures in ``images/``: no captions, split by name."""

from __future__ import annotations

from pathlib import Path

from scmc_comm.datasets.picture import Picture, split_by_name
from scmc_comm.images import SUFFIXES

NAME = "pictures"
EXPECTED = f"picture files ({' '.join(SUFFIXES)}), or images/ with such"


def is_here(folder: Path) -> bool:
    """Whether the folder, or its ``images/``, holds pictures."""
    return bool(picture_files(_home(folder)))


def read(folder: Path) -> list[Picture]:
    """All pictures, in the order of their names; sub-folders are not looked into."""
    files = picture_files(_home(folder))
    return [Picture(path.name, path, split_by_name(path.name)) for path in files]


def picture_files(folder: Path) -> list[Path]:
    """Files of a folder that are pictures by their suffix, hidden ones left out, by name."""
    found = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return sorted(p for p in found if p.suffix.lower() in SUFFIXES)


def _home(folder: Path) -> Path:
    inner = folder / "images"
    return inner if inner.is_dir() else folder
