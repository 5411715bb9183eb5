"""Data sets in the layouts in which they are published, and any folder of pictures.

| layout | known by | captions | splits |
|---|---|---|---|
| CUB-200-2011 | ``images.txt`` | ten a picture, in ``text_c10/`` | published train and test |
| Oxford-102 | ``setid.mat`` | ten a picture, where there is ``text_c10/`` | published |
| table | ``captions.csv`` | ``caption``, ``caption2`` to ``caption10`` | column ``split`` |
| pictures | picture files | none | by the file's name, 8 : 1 : 1 |

CUB-200-2011 has no validation split: a tenth of its training pictures, chosen by name, is "val".
"""

from __future__ import annotations

import logging
from pathlib import Path

from scmc_comm.datasets import cub, oxford, pictures, table
from scmc_comm.datasets.picture import SPLITS, Picture
from scmc_comm.errors import ScmcError

__all__ = ["LAYOUTS", "PUBLISHED", "SPLITS", "Picture", "find_set", "read_set"]

logger = logging.getLogger(__name__)

LAYOUTS = (cub, oxford, table, pictures)
"""Modules with ``NAME``, ``is_here(folder)`` and ``read(folder)``; the first that fits counts."""
_KNOWN = "; ".join(f"{layout.NAME}: {layout.EXPECTED}" for layout in LAYOUTS)

PUBLISHED = {
    "cub-200-2011": ("CUB_200_2011",),
    "oxford-102": ("flowers-102", "102flowers", "oxford-102"),
}
"""Folders in which well-known sets come; torchvision calls Oxford-102's ``flowers-102``."""


def find_set(data: Path, name: str) -> Path:
    """Folder of a data set.

    Args:
        data: A folder that holds several data sets, or the folder of one. One set stands for
            whatever name is asked for, with a logged notice where its own name is another.
        name: Folder name, or ``cub-200-2011`` or ``oxford-102``, whatever folder they came in.

    Raises:
        ScmcError: If there is neither.
    """
    names = (name, *PUBLISHED.get(name, ()))
    for folder in (data / n for n in names):
        if folder.is_dir():
            return folder
    if data.is_dir() and any(layout.is_here(data) for layout in LAYOUTS):
        if data.resolve().name not in names:
            logger.warning("%s is itself a data set and stands in for %s", data, name)
        return data
    raise ScmcError(
        f"no data set {name!r} in {data}; expected the folder {data / name}, or --data to be a "
        f"data set itself ({_KNOWN})"
    )


def read_set(folder: Path) -> list[Picture]:
    """All pictures of a data set, in the order of its lists.

    Raises:
        ScmcError: If the folder has no known layout, or what the layout needs is missing or
            contradicts itself.
    """
    for layout in LAYOUTS:
        if layout.is_here(folder):
            return layout.read(folder)
    raise ScmcError(f"{folder} is no data set of a known layout; expected one of {_KNOWN}")
