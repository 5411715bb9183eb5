"""The network that makes decoded VVC pictures look like photographs, at the receiver.

It adds to the decoded picture what a residual network of four scales makes of it. Every block is
scaled and shifted by what the receiver knows of the coding: QP and the resolution that was coded
(Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018). It has as
many parameters as the fusion network of the layered codec, within 10 percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.signal_transforms import act, conv3, zeroed
from scmc_comm.codec.weights import filled, load_weights

CELL = 16
"""Sides of what the network is shown are multiples of this."""
FINEST_QP = 17
"""Of the pictures that it is trained on; it does less and less below, and nothing at 0."""


@dataclass(frozen=True)
class EnhanceConfig:
    """Shape of the network.

    Attributes:
        widths: Channels at strides 2, 4, 8 and 16.
        blocks: Residual blocks at each on the way down; one fewer, but at least one, on the way up.
        condition: Values that describe the coding to every block.
    """

    widths: tuple[int, int, int, int] = (48, 96, 160, 192)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    condition: int = 32


class ConditionedResidual(nn.Module):
    """Two 3 x 3 convolutions beside an identity, between them a scale and shift per channel."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), zeroed(conv3(channels, channels))
        self.affine = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Same shape as ``x`` [b, c, h, w]; ``condition`` is [b, d]."""
        scale, shift = self.affine(condition)[:, :, None, None].chunk(2, 1)
        return x + self.second(act(self.first(x) * (1 + scale) + shift))


class EnhanceNet(nn.Module):
    """A decoded picture, QP and divisor to a picture that looks better."""

    def __init__(self, config: EnhanceConfig) -> None:
        super().__init__()
        self.config = config
        w, d = config.widths, config.condition
        self.describe = nn.Sequential(nn.Linear(4, d), nn.LeakyReLU(0.1), nn.Linear(d, d))
        self.enter = conv3(12, w[0])
        self.down = nn.ModuleList(conv3(a, b, 2) for a, b in zip(w, w[1:], strict=False))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in zip(w, w[1:], strict=False))
        self.fine_to_coarse = nn.ModuleList(
            nn.ModuleList(ConditionedResidual(c, d) for _ in range(n))
            for c, n in zip(w, config.blocks, strict=True)
        )
        self.coarse_to_fine = nn.ModuleList(
            nn.ModuleList(ConditionedResidual(c, d) for _ in range(max(1, n - 1)))
            for c, n in zip(w[:-1], config.blocks[:-1], strict=True)
        )
        self.out = zeroed(conv3(w[0], 12))

    @classmethod
    def load(cls, path: Path | None = None) -> EnhanceNet:
        """The shipped weights, or a safetensors file of the same layout.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        config, state = load_weights("enhance", path)
        build = partial(cls, EnhanceConfig(**config))
        return filled(build, state, path or "the shipped enhancement network")

    def forward(self, img: Tensor, qp: Tensor, divisor: Tensor) -> Tensor:
        """Enhance.

        Args:
            img: Decoded picture, float32 [b, 3, H, W] in [0, 1]; H, W multiples of `CELL`.
            qp: Of its coding, float32 [b], 0 to 63. Below `FINEST_QP` at full resolution less
                and less is added.
            divisor: How many times smaller the coded picture was, float32 [b].

        Returns:
            Picture, float32 [b, 3, H, W], about [0, 1], not clamped.
        """
        level, halvings = qp.clamp(min=FINEST_QP) / 32 - 1, divisor.log2()
        known = self.describe(
            torch.stack([level, level * level, halvings / 2, level * halvings / 2], 1)
        )
        x, carried = act(self.enter(F.pixel_unshuffle(img - 0.5, 2))), []
        for i, blocks in enumerate(self.fine_to_coarse):
            x = act(self.down[i - 1](x)) if i else x
            for block in cast(nn.ModuleList, blocks):
                x = block(x, known)
            carried.append(x)
        for i in reversed(range(len(self.up))):
            x = act(carried[i] + F.pixel_shuffle(self.up[i](x), 2))
            for block in cast(nn.ModuleList, self.coarse_to_fine[i]):
                x = block(x, known)
        share = torch.where(divisor > 1, 1.0, (qp / FINEST_QP).clamp(max=1))
        return img + share[:, None, None, None] * F.pixel_shuffle(self.out(x), 2)
