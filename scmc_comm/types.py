"""The codec's data types: layers, the layered bitstream, and what a receiver makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    import torch

CODEC_ALIASES = {"bpg": "hevc"}
"""The field's words for image codecs of ours: BPG is HEVC intra in a container of its own."""

MIN_SIDE = 32
MAX_PARTS = 4
"""Parts that a signal layer can have."""
STRUCTURE_LEVELS = 2
"""Settings of the structure layer, from the coarsest, 0, to `FINEST`."""
FINEST = STRUCTURE_LEVELS - 1


@dataclass(frozen=True)
class Annotation:
    """What a data set states of a picture.

    Attributes:
        class_name: What it shows, in lower-case words; empty where that is not stated.
        captions: What people said of it; perhaps nothing.
    """

    class_name: str = ""
    captions: tuple[str, ...] = ()


UNANNOTATED = Annotation()
"""Of a picture of which nothing is stated."""


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
        cuts: Byte positions at which the payload may end early: what comes before a cut decodes
            without what comes after it. Only a signal layer has any.

    Example:
        >>> Layer(LayerKind.SIGNAL, "residual", b"abcdef", cuts=(2, 5)).parts
        (b'ab', b'cde', b'f')
    """

    kind: LayerKind
    codec: str
    payload: bytes
    cuts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.payload:
            raise ScmcError(f"{self.kind.tag} layer has an empty payload; leave the layer out")
        if self.cuts and self.kind is not LayerKind.SIGNAL:
            raise ScmcError(f"{self.kind.tag} layer has cuts {self.cuts}; it comes in one part")
        ends = (0, *self.cuts, len(self.payload))
        if len(ends) > MAX_PARTS + 1 or any(a >= b for a, b in itertools.pairwise(ends)):
            raise ScmcError(
                f"layer of {len(self.payload)} bytes has cuts {self.cuts}; expected up to "
                f"{MAX_PARTS - 1} rising positions inside it"
            )

    @classmethod
    def of_parts(cls, kind: LayerKind, codec: str, parts: Sequence[bytes]) -> Layer:
        """The layer whose payload is these parts, one after the other."""
        ends = list(itertools.accumulate(len(part) for part in parts))
        return cls(kind, codec, b"".join(parts), tuple(ends[:-1]))

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The payload in pieces, each of which needs those before it and none after it."""
        ends = (0, *self.cuts, len(self.payload))
        return tuple(self.payload[a:b] for a, b in itertools.pairwise(ends))

    def first_parts(self, count: int) -> Layer:
        """The layer without the parts behind the first ``count``."""
        return Layer.of_parts(self.kind, self.codec, self.parts[:count])


def part_tag(kind: LayerKind, part: int) -> str:
    """Tag of one part of a layer: that of the layer, and a number behind it from the second on.

    Example:
        >>> part_tag(LayerKind.SIGNAL, 0), part_tag(LayerKind.SIGNAL, 1)
        ('signal', 'signal.2')
    """
    return kind.tag if part == 0 else f"{kind.tag}.{part + 1}"


_SIGNAL_PARTS = [part_tag(LayerKind.SIGNAL, part) for part in range(MAX_PARTS)]
PART_NEEDS: Mapping[str, str] = dict(itertools.pairwise(reversed(_SIGNAL_PARTS)))
"""Tag of each part of the signal but the first, and of the part before it, which it needs."""


def usable(delivered: frozenset[str], needs: Mapping[str, str] = PART_NEEDS) -> frozenset[str]:
    """The delivered tags whose needs were delivered too; the others show nothing.

    Args:
        delivered: Tags.
        needs: For a tag, the tag without which it cannot be used.

    Example:
        >>> sorted(usable(frozenset({"semantic", "signal", "signal.3"})))
        ['semantic', 'signal']
    """
    kept = delivered
    while lacking := {tag for tag in kept if needs.get(tag, tag) not in kept}:
        kept = kept - lacking
    return kept


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

    def __post_init__(self) -> None:
        if self.caption is not None and not _is_text(self.caption):
            raise ScmcError(
                f"the caption is {self.caption!r:.80}; expected text in UTF-8 without NUL, or None"
            )


def _is_text(value: object) -> bool:
    """Is it text that stores can hold?"""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
