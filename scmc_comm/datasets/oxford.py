"""Oxford 102 Flowers (Nilsback and Zisserman, 2008), perhaps with the captions of Reed et al.

Splits are the published ones of ``setid.mat``: 1,020 train, 1,020 val, 6,149 test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scmc_comm.datasets.picture import Picture, need, read_captions
from scmc_comm.errors import ScmcError

NAME = "Oxford-102"
EXPECTED = "jpg/, imagelabels.mat, setid.mat and perhaps text_c10/"
_SPLITS = {"trnid": "train", "valid": "val", "tstid": "test"}


def is_here(folder: Path) -> bool:
    """Whether the folder is meant to be this data set."""
    return (folder / "setid.mat").is_file() or (folder / "imagelabels.mat").is_file()


def read(folder: Path) -> list[Picture]:
    """All pictures of the three splits, in the order of their numbers.

    Raises:
        ScmcError: If a file is missing, cannot be read, or contradicts the other.
    """
    from torchvision.datasets import Flowers102

    need(folder, NAME, ("jpg", "imagelabels.mat", "setid.mat"))
    labels = _read_mat(folder / "imagelabels.mat", ("labels",))["labels"]
    ids = _read_mat(folder / "setid.mat", tuple(_SPLITS))
    split_of = {int(i): split for key, split in _SPLITS.items() for i in ids[key]}
    texts = folder / "text_c10"
    pictures = []
    for number in sorted(split_of):
        if not 1 <= number <= len(labels):
            raise ScmcError(
                f"{folder / 'setid.mat'} names picture {number}, but imagelabels.mat has "
                f"{len(labels)} labels; take both from the same publication"
            )
        label, stem = int(labels[number - 1]), f"image_{number:05d}"
        if not 1 <= label <= len(Flowers102.classes):
            raise ScmcError(f"{folder / 'imagelabels.mat'} has label {label}; expected 1 to 102")
        captions: tuple[str, ...] = ()
        if texts.is_dir():
            captions = read_captions(texts / f"class_{label:05d}" / f"{stem}.txt")
        name = Flowers102.classes[label - 1].rstrip("?")
        pictures.append(
            Picture(f"{stem}.jpg", folder / "jpg" / f"{stem}.jpg", split_of[number], captions, name)
        )
    return pictures


def _read_mat(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Flattened integer arrays of a MATLAB file."""
    from scipy.io import loadmat

    try:
        found = loadmat(path)
        return {key: found[key].ravel().astype(np.int64) for key in keys}
    # scipy answers damaged files with a dozen kinds of exception.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ScmcError(
            f"{path} is not the MATLAB file with {', '.join(keys)} that is published ({reason})"
        ) from error
