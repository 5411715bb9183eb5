"""Caltech-UCSD Birds-200-2011 (Wah et al., 2011) with the captions of Reed et al. (CVPR 2016).

The captions, ten a picture, come separately: their ``text_c10`` is put into the folder of the
data set. The published split knows train and test; a tenth of train, by name, becomes val.
"""

from __future__ import annotations

import re
from pathlib import Path

from scmc_comm.datasets.picture import Picture, need, read_captions, split_by_name
from scmc_comm.errors import ScmcError

NAME = "CUB-200-2011"
_LISTS = ("images.txt", "train_test_split.txt", "classes.txt", "image_class_labels.txt")
EXPECTED = f"images/, {', '.join(_LISTS)}, text_c10/"


def is_here(folder: Path) -> bool:
    """Whether the folder is meant to be this data set."""
    return (folder / "images.txt").is_file() or (folder / "train_test_split.txt").is_file()


def read(folder: Path) -> list[Picture]:
    """All pictures, in the order of ``images.txt``.

    Raises:
        ScmcError: If a list, a folder or a picture's captions are missing, or lists disagree.
    """
    need(folder, NAME, ("images", *_LISTS, "text_c10"))
    names, is_train, classes, labels = (_read_list(folder / name) for name in _LISTS)
    pictures = []
    for number, name in names.items():
        for table, file in ((is_train, _LISTS[1]), (labels, _LISTS[3])):
            if number not in table:
                raise ScmcError(f"{folder / file} has no line for picture {number} ({name})")
        if labels[number] not in classes:
            raise ScmcError(f"{folder / _LISTS[2]} has no class {labels[number]}")
        split = "train" if is_train[number] == "1" else "test"
        if split == "train" and split_by_name(name) == "val":
            split = "val"
        captions = read_captions((folder / "text_c10" / name).with_suffix(".txt"))
        pictures.append(
            Picture(
                name, folder / "images" / name, split, captions, _words(classes[labels[number]])
            )
        )
    return pictures


def _read_list(path: Path) -> dict[str, str]:
    """Lines ``key value`` of a text file."""
    out: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ScmcError(f"{path} is no text in UTF-8: {error}; get the data set again") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, space, value = line.strip().partition(" ")
        if not space or key in out:
            raise ScmcError(f"line {number} of {path} is {line!r}; expected a new number, a value")
        out[key] = value.strip()
    return out


def _words(folder_name: str) -> str:
    """``001.Black_footed_Albatross`` as ``black footed albatross``."""
    return re.sub(r"^\d+\.", "", folder_name).replace("_", " ").lower()
