"""The semantic layer: image to caption to image.

The caption is a content sentence, from a captioner, and a layout sentence, which says in plain
English what colours lie where. It is arithmetic-coded with an integer model. The generator
paints it again from a seed that both ends know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from scmc_comm.codec.captioner import Captioner
from scmc_comm.codec.generator import NOISE_SIDE, Generator
from scmc_comm.codec.layout import (
    GRID,
    describe_layout,
    join_caption,
    parse_layout,
    split_caption,
)
from scmc_comm.codec.tensors import resize
from scmc_comm.codec.text_coder import TextCoder


class Painter(Protocol):
    """Text to image."""

    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption, float32 [3, H, W] in [0, 1]; the same for the same seed."""
        ...


def _noise(seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(1, 1, NOISE_SIDE, NOISE_SIDE, generator=rng)


@torch.no_grad()
def paint(generator: Generator, contents: Sequence[str], layouts: Tensor, seed: int) -> Tensor:
    """Pictures of many captions that all have a layout.

    Args:
        generator: The shipped kind of generator.
        contents: Content sentences, b of them.
        layouts: Colours of the layout sentences, float32 [b, 3, g, g].
        seed: Seed of the noise, which all of them share.

    Returns:
        float32 [b, 3, 256, 256] in [0, 1].
    """
    noise = _noise(seed).expand(len(contents), -1, -1, -1)
    tokens = generator.tokens(list(contents))
    return generator(tokens, layouts, torch.ones(len(contents)), noise).clamp(0, 1)


class SmallPainter:
    """The one-step generator that ships with the package."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption; either of its two sentences may be missing."""
        content, _ = split_caption(caption)
        layout = parse_layout(caption)
        present = torch.tensor([float(layout is not None)])
        colours = torch.full((1, 3, GRID, GRID), 0.5) if layout is None else layout[None]
        tokens = self.generator.tokens([content])
        img = self.generator(tokens, colours, present, _noise(seed))
        return resize(img[0].clamp(0, 1), size)


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
            painter or SmallPainter(Generator.load()),
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
        """Picture of a caption, float32 [3, H, W] in [0, 1]."""
        return self.painter(caption, size, seed)
