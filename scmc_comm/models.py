"""Where model files lie: weights, tables and measured curves, those that ship or a user's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from scmc_comm.errors import ScmcError

ZOO = Path(__file__).parent / "zoo"
FOLDER = ZOO / "weights"
"""Where the weights lie that ship with the package."""

MODELS_ENV = "SCMC_MODELS"
DATA_ENV = "SCMC_DATA"
"""Names the folder in which data sets are looked for."""


def model_path(file: str, shipped: Path = FOLDER) -> Path:
    """Path of a model file: in the folder ``$SCMC_MODELS`` names, else in the package.

    A folder in ``SCMC_MODELS``, such as ``scmc-comm train all`` fills, replaces all shipped models
    at once: a file that it lacks is an error and is not looked for in the package.

    Args:
        file: Its name.
        shipped: The package's folder for files of its kind.

    Raises:
        ScmcError: ``SCMC_MODELS`` names something that is no folder.
    """
    return (folder_of(MODELS_ENV) or shipped) / file


def folder_of(variable: str) -> Path | None:
    """The folder that an environment variable names, there or not; None if it is not set.

    Raises:
        ScmcError: It names something that is no folder.
    """
    named = os.environ.get(variable)
    folder = Path(named).expanduser() if named else None
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ScmcError(f"{variable} is {folder}, which is no folder; name one, or unset it")
    return folder


def enhance_path() -> Path:
    """Path of the enhancement network of ``vvc:enhance=perceptual``."""
    return model_path("enhance.safetensors")


def weights_state() -> str:
    """Identifies the weights in use: for the keys of what is made from them."""
    return files_state(model_path("").glob("*.safetensors"))


def files_state(named: Iterable[str | Path | None]) -> str:
    """Identifies files and the files of folders by path, size and time of change; "" for none.

    Args:
        named: Files and folders. What is None or empty names none; what does not exist, a hub
            name perhaps, counts as none.

    Example:
        >>> files_state([None, "", "no/such/file"])
        ''
    """
    paths = [Path(name).expanduser() for name in named if name]
    files = [
        file for path in paths for file in ([path] if os.path.isfile(path) else _files_below(path))
    ]
    stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return sha256(repr(stats).encode()).hexdigest() if stats else ""


def _files_below(path: Path) -> list[Path]:
    """Files of a folder, in order; none where there is no such folder, however it is called."""
    found = sorted(path.rglob("*")) if os.path.isdir(path) else []
    return [file for file in found if file.is_file()]
