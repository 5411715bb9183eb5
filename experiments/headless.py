"""Matplotlib wherever the program runs: figures need no display and no backend of a notebook."""

from __future__ import annotations

import contextlib
import os
import sys
from types import ModuleType


def import_matplotlib() -> ModuleType:
    """Matplotlib, even where ``MPLBACKEND`` names a backend that is not installed here.

    A command that a notebook starts inherits the name of the notebook's backend, with which
    matplotlib may refuse to be imported. A name that it takes stays in force for the caller's own
    plots; figures of this package are drawn without any.

    Example:
        >>> import_matplotlib().__name__
        'matplotlib'
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    named = os.environ.pop("MPLBACKEND", None)
    import matplotlib

    if named is not None:
        os.environ["MPLBACKEND"] = named
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = named
    return matplotlib
