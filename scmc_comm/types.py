"""The codec's data types: layers, the layered bitstream, and what a receiver makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch

from scmc_comm.errors import ScmcError

MIN_SIDE = 32


class LayerKind(IntEnum):
    """The three scalable layers; the value is the wire id and the decoding order."""

    SEMANTIC = 0
    STRUCTURE = 1
    SIGNAL = 2

    @property
    def tag(self) -> str:
        """Lower-case name, as used on frames, in results and on the command line."""
        return self.name.lower()


@dataclass(frozen=True)
class Layer:
    """One coded layer.

    Attributes:
        kind: Which of the three.
        codec: Name of the codec that made it (registry name).
        payload: The coded bytes, without container or link overhead.
    """

    kind: LayerKind
    codec: str
    payload: bytes

    def __post_init__(self) -> None:
        if not self.payload:
            raise ScmcError(f"{self.kind.tag} layer has an empty payload; leave the layer out")


@dataclass(frozen=True)
class Reconstruction:
    """What the receiver shows.

    Attributes:
        img_hat: float32 [3, H, W] in [0, 1].
        level: Highest layer that arrived and was used, or None if nothing did (mid-grey).
        delivered: Tags of all units that arrived.
        caption: The caption received, or None.
    """

    img_hat: torch.Tensor
    level: LayerKind | None
    delivered: frozenset[str]
    caption: str | None = None
