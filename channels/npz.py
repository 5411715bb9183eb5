"""NumPy's ``.npz`` files from other people: what one declares is checked before it is allocated."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

MAX_BYTES = 1 << 28
"""The most bytes of all arrays of a file."""


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; no pickles.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or declares more than it holds; says why.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> np.savez(path, level=np.arange(3))
        >>> read_npz(path)["level"].tolist()
        [0, 1, 2]
    """
    try:
        with zipfile.ZipFile(path) as found:
            members = found.infolist()
            if (total := sum(member.file_size for member in members)) > MAX_BYTES:
                raise ValueError(f"it declares {total} bytes; at most {MAX_BYTES} are read")
            return {m.filename.removesuffix(".npy"): _array(found, m) for m in members}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy answer damage with a dozen kinds
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def _array(found: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    file = io.BytesIO(found.read(member))
    shape, _, kind = _header(file)
    declared = file.tell() + math.prod(shape) * kind.itemsize
    if declared != member.file_size:
        raise ValueError(f"{member.filename} declares {declared} bytes and has {member.file_size}")
    file.seek(0)
    array: np.ndarray = npy.read_array(file, allow_pickle=False)
    return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"an array is of version {version}; expected 1.0 or 2.0")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(file)
    return header
