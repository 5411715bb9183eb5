"""Edge detectors by file or folder: this package's own kind, RCF and PiDiNet."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.pretrained.pidinet import PiDiNet
from scmc_comm.errors import ScmcError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def load_detector(source: str | Path | None = None) -> nn.Module:
    """Load an edge detector: float32 [b, 3, H, W] in [0, 1] to probabilities [b, 1, H, W].

    Args:
        source: None for the shipped one; a file of ``experiments.training.edges``
            (``.safetensors``), of RCF or of PiDiNet in the published layout (``.pth``); or a
            folder with one such file in it. Of a ``.pth`` only tensors are read: code inside it
            never runs.

    Raises:
        ScmcError: The file is missing or is none of these.

    Example:
        >>> load_detector()(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 1, 32, 32])
    """
    if source is None:
        return EdgeDetector.load()
    path = _file_of(Path(source).expanduser())
    if path.suffix == ".safetensors":
        return EdgeDetector.load(path)
    state = {name.removeprefix("module."): value for name, value in _tensors(path).items()}
    try:
        if "init_block.weight" in state:
            return PiDiNet.from_published(state)
        if "conv1_1.weight" in state:
            return EdgeDetector.from_published(state)
    except ScmcError as error:
        raise ScmcError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    raise ScmcError(
        f"{path} holds no edge detector that is known here: expected the tensors of RCF "
        f"('conv1_1.weight' ..) or PiDiNet ('init_block.weight' ..), found {_some(state)}"
    )


def _file_of(path: Path) -> Path:
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
        if len(found) != 1:
            raise ScmcError(
                f"folder {path} has {len(found)} weight files ({_some([p.name for p in found])}); "
                "give an edge detector's file itself"
            )
        return found[0]
    if not path.is_file():
        raise ScmcError(
            f"no edge detector at {path}; give a file of experiments.training.edges "
            "(.safetensors), or a published RCF or PiDiNet checkpoint (.pth), downloaded before"
        )
    if path.suffix not in SUFFIXES:
        raise ScmcError(f"{path} is no weight file; expected one of {', '.join(SUFFIXES)}")
    return path


def _tensors(path: Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint, be it wrapped together with other things or not."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # options beside the weights
            held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of a stranger: the reader may stumble in any way
        raise ScmcError(
            f"{path} is not readable as a checkpoint of tensors "
            f"({' '.join(str(error).split())[:120]})"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            held = held[key]
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) for v in held.values()):
        raise ScmcError(f"{path} holds no state dict; expected tensors by name")
    return {str(name): value.float() for name, value in held.items()}


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (", .." if len(listed) > 4 else "") if listed else "none"
