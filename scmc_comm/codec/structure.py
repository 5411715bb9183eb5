"""The structure layer: an edge map coded as screen content, a colour map, and their fusion.

Payload: a varint with the length of the edge stream, the edge stream (gray VVC at half
resolution, or :mod:`scmc_comm.codec.edge_coder`'s other coder; empty at the coarsest level, which
has no bytes for edges), the colour stream (RGB VVC at half resolution). VVC's streams are slim: the
parameter sets that never change stay at both ends (:mod:`scmc_comm.codec.vvc`).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.edge_coder import decode_edges, encode_edges
from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.fusion_net import FusionNet
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.vvc import decode_slim, encode_slim
from scmc_comm.codec.vvc_stream import MAX_SIDE, VvcSettings, check_size
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels
from scmc_comm.types import FINEST, STRUCTURE_LEVELS
from scmc_comm.wire import Reader, encode_varint

STRIDE = 64  # the fusion network's own is 32; VVC codes the half size in blocks of 8
COLOURS = VvcSettings(color=True, screen_content=False)
EDGE_FLOOR = 0.2  # fainter edges are left out: they cost bytes and say little


@dataclass(frozen=True)
class SketchLevel:
    """How finely a sketch is coded.

    Attributes:
        colour_qp: Of the colour map, 0 to 63.
        edge_qp: Of the edge map; None leaves it out.
    """

    colour_qp: int
    edge_qp: int | None = None


LEVELS = (SketchLevel(57), SketchLevel(52, edge_qp=63))
"""About 70 and 230 bytes of a picture of 256 x 256, a quarter of them for the edges."""
assert len(LEVELS) == STRUCTURE_LEVELS


@dataclass(frozen=True)
class Sketch:
    """What the structure layer carries.

    Attributes:
        edges: float32 [1, H / 2, W / 2], 1 on an edge, 0 elsewhere; all 0 where none were sent.
        colours: float32 [3, H / 2, W / 2] in [0, 1].
    """

    edges: Tensor
    colours: Tensor


@torch.no_grad()
def edge_maps(detector: nn.Module, imgs: Tensor) -> np.ndarray:
    """Edge maps of pictures, ready for coding.

    Args:
        detector: The edge detector, [b, 3, H, W] to probabilities [b, 1, H, W].
        imgs: float32 [b, 3, H, W] in [0, 1]; H, W multiples of ``STRIDE``.

    Returns:
        uint8 [b, H / 2, W / 2].
    """
    strong = (detector(imgs)[:, 0] - EDGE_FLOOR).clamp(min=0) / (1 - EDGE_FLOOR)
    return F.avg_pool2d(strong, 2).float().mul(255).round().byte().numpy()


def colour_maps(imgs: Tensor) -> np.ndarray:
    """Colour maps uint8 [b, H / 2, W / 2, 3] of pictures as in :func:`edge_maps`."""
    colours = F.avg_pool2d(imgs, 2)
    return colours.mul(255).round().byte().permute(0, 2, 3, 1).numpy()


class SketchCodec(ABC):
    """Encodes the geometry of a picture; how it becomes a picture again is the receiver's choice.

    Args:
        detector: Edge detector, [b, 3, H, W] to probabilities [b, 1, H, W].
        edge_coder: One of `scmc_comm.codec.edge_coder.EDGE_CODERS`; a receiver reads both.
    """

    reads_picture = True
    """Whether decoding looks at the caption's picture; if not, nobody has to paint it."""

    def __init__(self, detector: nn.Module, edge_coder: str = "vvc") -> None:
        self.detector = detector.eval().requires_grad_(False)
        self.edge_coder = edge_coder
        # The fusion and the signal layer both read the colours of one picture.
        self._decoded = functools.lru_cache(4)(_decode_colours)

    def forget(self) -> None:
        """Drop what was kept, so that the next call takes its full time."""
        self._decoded.cache_clear()

    def encode(self, img: Tensor, level: int = FINEST) -> bytes:
        """Code the edges and colours of a picture.

        Args:
            img: float32 [3, H, W] in [0, 1].
            level: 0, the coarsest, to ``FINEST``.

        Raises:
            ScmcError: If there is no such level, or as `check_structure`.
        """
        check_structure((int(img.shape[1]), int(img.shape[2])))
        if level not in range(STRUCTURE_LEVELS):
            raise ScmcError(f"structure level is {level}; expected 0 to {FINEST}")
        how = LEVELS[level]
        padded, edge_stream = pad_to(img[None], STRIDE), b""
        if how.edge_qp is not None:
            edges = edge_maps(self.detector, padded)[0]
            edge_stream = encode_edges(edges, how.edge_qp, self.edge_coder)
        colour_stream = encode_slim(colour_maps(padded)[0], how.colour_qp, COLOURS)
        return join_streams(edge_stream, colour_stream)

    def sketch(self, payload: bytes, size: tuple[int, int]) -> Sketch:
        """Decode the maps of a payload for a picture of (H, W), padded to ``STRIDE``.

        Raises:
            ScmcError: If the payload is damaged.
        """
        return read_sketch(payload, size, self._decoded)

    def colour_map(self, payload: bytes, size: tuple[int, int]) -> Tensor:
        """The colour map alone, in integers that are the same on every machine.

        Args:
            payload: From :meth:`encode`.
            size: (H, W) of the picture.

        Returns:
            uint8 [3, H' / 2, W' / 2], H' and W' being H and W padded to ``STRIDE``.

        Raises:
            ScmcError: If the payload is damaged.
        """
        return self._decoded(payload, size).clone()

    @abstractmethod
    def decode(
        self,
        payload: bytes,
        size: tuple[int, int],
        semantic: Tensor | None,
        caption: str | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Picture of the lower two layers.

        Args:
            payload: From :meth:`encode`.
            size: (H, W) of the picture.
            semantic: The caption's picture, float32 [3, H, W], or None if it was lost (or is
                not read).
            caption: The caption itself, or None if it was lost.
            seed: Seed of the noise, if the decoder has any.

        Returns:
            float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: If the payload is damaged.
        """


class StructureCodec(SketchCodec):
    """The sketch, fused with the caption's picture by the network of this package."""

    def __init__(self, detector: nn.Module, fusion: FusionNet, edge_coder: str = "vvc") -> None:
        super().__init__(detector, edge_coder)
        self.fusion = fusion.eval().requires_grad_(False)

    @classmethod
    def load(cls, detector: nn.Module | None = None, edge_coder: str = "vvc") -> StructureCodec:
        """The shipped weights, or another edge detector over the shipped fusion network.

        Raises:
            ScmcError: If a file is missing or of another layout.
        """
        return cls(detector or EdgeDetector.load(), FusionNet.load(), edge_coder)

    @torch.no_grad()
    def decode(
        self,
        payload: bytes,
        size: tuple[int, int],
        semantic: Tensor | None,
        caption: str | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Picture of the lower two layers; see :meth:`SketchCodec.decode`."""
        maps = self.sketch(payload, size)
        present = torch.tensor([float(semantic is not None)])
        guide = torch.zeros(3, *size) if semantic is None else semantic
        inputs = pad_to(guide[None], STRIDE), present, maps.edges[None], maps.colours[None]
        img = on_device(self.fusion, *inputs)
        return img[0, :, : size[0], : size[1]].clamp(0, 1)


def join_streams(edges: bytes, colours: bytes) -> bytes:
    """The payload of an edge stream, perhaps empty, and a colour stream."""
    return encode_varint(len(edges)) + edges + colours


def read_sketch(
    payload: bytes,
    size: tuple[int, int],
    colours: Callable[[bytes, tuple[int, int]], Tensor] | None = None,
) -> Sketch:
    """What :meth:`SketchCodec.encode` coded.

    Args:
        payload: Its bytes.
        size: (H, W) of the picture.
        colours: Decodes the colours, if a decoder that remembers them is at hand.

    Raises:
        ScmcError: The payload is damaged, or the size too large.
    """
    check_pixels(size)
    half = _half(size)
    edge_stream, _ = _streams(payload)
    edges = decode_edges(edge_stream, half) if edge_stream else np.zeros(half, np.uint8)
    return Sketch(
        torch.from_numpy(edges).float().div(255)[None],
        (colours or _decode_colours)(payload, size).float().div(255),
    )


def _half(size: tuple[int, int]) -> tuple[int, int]:
    """Sizes of the maps of a picture of (H, W)."""
    return -(-size[0] // STRIDE) * STRIDE // 2, -(-size[1] // STRIDE) * STRIDE // 2


def check_structure(size: tuple[int, int]) -> None:
    """Refuses a picture of ``(H, W)`` whose maps, of half its sides, VVC cannot code.

    Raises:
        ScmcError: A side is beyond 16384 pixels, or it has too many pixels.

    Example:
        >>> check_structure((32, 16384))
    """
    check_pixels(size)
    try:
        check_size(_half(size))
    except ScmcError as error:
        height, width = size
        raise ScmcError(
            f"the structure layer cannot code a picture of {height} x {width}: sides must be up to "
            f"{2 * MAX_SIDE}; resize it, as images=FOLDER@SIDE does"
        ) from error


def _streams(payload: bytes) -> tuple[bytes, bytes]:
    """Edge and colour stream."""
    reader = Reader(payload, "structure payload")
    edges = reader.take(reader.varint("edge length", len(payload)), "edge stream")
    return edges, reader.rest()


def _decode_colours(payload: bytes, size: tuple[int, int]) -> Tensor:
    check_pixels(size)
    _, stream = _streams(payload)
    return torch.from_numpy(decode_slim(stream, _half(size), COLOURS)).permute(2, 0, 1)
