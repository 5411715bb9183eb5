"""The semantic layer: image to caption to image.

The caption is a content sentence, from a captioner, and a layout sentence, which says in plain
English what colours lie where. It is arithmetic-coded with an integer model. The receiver
paints it again; a seed that both ends know chooses among what fits.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from scmc_comm.codec.captioner import Captioner
from scmc_comm.codec.fusion_net import FusionNet
from scmc_comm.codec.generator import Generator
from scmc_comm.codec.layout import describe_layout, join_caption, parse_layout, split_caption
from scmc_comm.codec.scenes import ScenePainter
from scmc_comm.codec.tensors import resize
from scmc_comm.codec.text_coder import TextCoder
from scmc_comm.pixels import check_pixels

PAINTINGS = ("sample", "expected")
"""What a caption is painted as: a plausible scene, or the mean of all that fit."""


class Painter(Protocol):
    """Text to image."""

    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption, float32 [3, H, W] in [0, 1]; the same for the same seed."""
        ...


class SmallPainter:
    """Paints the mean of what fits a caption: soft, and of least squared error."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption; either of its two sentences may be missing."""
        content, _ = split_caption(caption)
        img = self.generator.paint([content], [parse_layout(caption)], seed)[0]
        return resize(img, size)


def load_painter(painting: str = PAINTINGS[0]) -> Painter:
    """The painter that ships.

    Args:
        painting: Of ``PAINTINGS``.

    Raises:
        ScmcError: Weights are missing.
    """
    generator = Generator.load()
    if painting == "expected":
        return SmallPainter(generator)
    return ScenePainter(generator, FusionNet.load())


class SemanticCodec:
    """Encodes a picture as a caption, decodes a caption as a picture."""

    def __init__(self, captioner: Captioner, painter: Painter, text_coder: TextCoder) -> None:
        self.captioner, self.painter, self.text_coder = captioner, painter, text_coder

    @classmethod
    def load(
        cls, captioner: Captioner | None = None, painter: Painter | None = None
    ) -> SemanticCodec:
        """The text model with the shipped captioner and generator, or with others."""
        return cls(
            captioner or Captioner.load(),
            painter or load_painter(),
            TextCoder.load(),
        )

    def describe(self, img: Tensor) -> str:
        """Caption of a picture float32 [3, H, W] in [0, 1]: content, then layout."""
        return join_caption(self.captioner(img), describe_layout(img))

    def encode(self, img: Tensor) -> bytes:
        """Caption of a picture as coded bytes."""
        return self.text_coder.encode(self.describe(img))

    def caption(self, payload: bytes) -> str:
        """The caption in a payload; ScmcError if it is damaged."""
        return self.text_coder.decode(payload)

    def decode(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption, float32 [3, H, W] in [0, 1]; ScmcError if that is too large."""
        check_pixels(size)
        return self.painter(caption, size, seed)
