"""The quality curves that ship, or those of the models in use."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from scmc_comm.link.quality import QualityModel, load_pictures, quality_model
from scmc_comm.models import ZOO, files_state, model_path
from scmc_comm.types import FINEST

FILE = "layer_curves.json"


def layer_curves_path() -> Path:
    """Where the curves lie: with the models in use, like all weights."""
    return model_path(FILE, ZOO)


def layer_curves_state() -> str:
    """Identifies the file of the curves: for the keys of what is planned by them."""
    return files_state([layer_curves_path()])


def load_quality(size: tuple[int, int], level: int = FINEST) -> QualityModel:
    """The mean over the validation pictures, for pictures of ``(H, W)``.

    Args:
        size: ``(H, W)``.
        level: Of the structure layer.

    Example:
        >>> model = load_quality((256, 256))
        >>> model.given.shown.shape
        (96, 4, 4, 4)
    """
    return _load(layer_curves_path(), layer_curves_state(), size, level)


@lru_cache(maxsize=32)
def _load(path: Path, _: str, size: tuple[int, int], level: int) -> QualityModel:
    pictures, metrics = load_pictures(path)
    return quality_model(pictures, metrics, size, level)
