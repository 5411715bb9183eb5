"""Pickles of numpy arrays from other people, read without running anything they name."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np


class _ArrayUnpickler(pickle.Unpickler):
    """Admits plain containers and numpy arrays of numbers; every other global is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if name == "_reconstruct" and module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        ):
            # The function that numpy's own arrays name when pickled, under its present address.
            return np.empty(0).__reduce__()[0]
        raise pickle.UnpicklingError(f"weight file names {module}.{name}; refused")


def load_array_pickle(data: bytes) -> Any:
    """Unpickle nested dicts of numpy arrays; nothing else can be constructed or called.

    Raises:
        pickle.UnpicklingError: if the data name any other class or function.
    """
    return _ArrayUnpickler(io.BytesIO(data)).load()
