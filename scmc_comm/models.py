"""Where model files lie: weights, tables and measured curves, those that ship or a user's own."""

from __future__ import annotations

import os
from pathlib import Path

ZOO = Path(__file__).parent / "zoo"
FOLDER = ZOO / "weights"
"""Where the weights lie that ship with the package."""

MODELS_ENV = "SCMC_MODELS"


def model_path(file: str, shipped: Path = FOLDER) -> Path:
    """Path of a model file: in the folder ``$SCMC_MODELS`` names, else in the package.

    A folder in ``SCMC_MODELS``, such as ``scmc-comm train all`` fills, replaces all shipped models
    at once: a file that it lacks is an error and is not looked for in the package.

    Args:
        file: Its name.
        shipped: The package's folder for files of its kind.
    """
    folder = os.environ.get(MODELS_ENV)
    return (Path(folder).expanduser() if folder else shipped) / file
