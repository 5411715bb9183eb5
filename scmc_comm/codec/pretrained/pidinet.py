"""PiDiNet, an edge detector of pixel differences, in the layout of its published checkpoints.

Source: Z. Su et al., "Pixel Difference Networks for Efficient Edge Detection", ICCV 2021. A pixel
difference convolution weighs differences of pixels: of each to the centre (central, "cd"), to
its neighbour around the ring ("ad"), or of a ring of radius two to one of radius one (radial,
"rd"). All are linear, so each is an ordinary convolution with a kernel made of its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.edges import check_input
from scmc_comm.codec.tensors import normalised
from scmc_comm.codec.weights import filled
from scmc_comm.errors import ScmcError

_DIFFERENCES = ("cd", "ad", "rd", "cv")  # the authors' "carv4": these four, four times over
_DEPTHS = (3, 4, 4, 4)
# Flat positions: each pixel's neighbour around the 3 x 3 ring, and a 5 x 5 kernel's two rings.
_NEIGHBOUR = [3, 0, 1, 6, 4, 2, 7, 8, 5]
_OUTER = [0, 2, 4, 10, 14, 20, 22, 24]
_INNER = [6, 7, 8, 11, 13, 16, 17, 18]


class DifferenceConv(nn.Module):
    """A 3 x 3 convolution of pixel differences, without bias."""

    def __init__(self, kind: str, ins: int, outs: int, groups: int = 1) -> None:
        super().__init__()
        self.kind, self.groups = kind, groups
        self.weight = nn.Parameter(torch.zeros(outs, ins // groups, 3, 3))

    def kernel(self) -> Tensor:
        """The ordinary kernel that does the same: 3 x 3, radial ones 5 x 5."""
        flat = self.weight.flatten(2)
        if self.kind == "cd":
            centre = torch.zeros_like(flat)
            centre[..., 4] = flat.sum(2)
            return (flat - centre).view_as(self.weight)
        if self.kind == "ad":
            return (flat - flat[..., _NEIGHBOUR]).view_as(self.weight)
        if self.kind == "rd":
            rings = flat.new_zeros(*flat.shape[:2], 25)
            rings[..., _OUTER], rings[..., _INNER] = flat[..., 1:], -flat[..., 1:]
            return rings.unflatten(2, (5, 5))
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """[b, ins, H, W] to [b, outs, H, W]."""
        return F.conv2d(x, self.kernel(), padding="same", groups=self.groups)


class Block(nn.Module):
    """Depthwise difference convolution and 1 x 1 beside an identity or, halving, a shortcut."""

    def __init__(self, kind: str, ins: int, outs: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        if halve:
            self.shortcut = nn.Conv2d(ins, outs, 1)
        self.conv1 = DifferenceConv(kind, ins, ins, groups=ins)
        self.conv2 = nn.Conv2d(ins, outs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[b, ins, H, W] to [b, outs, H, W], or half of each side."""
        x = F.max_pool2d(x, 2) if self.halve else x
        y = self.conv2(F.relu(self.conv1(x)))
        return y + (self.shortcut(x) if self.halve else x)


class DilatedContext(nn.Module):
    """The authors' CDCM: four dilated convolutions, summed."""

    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(ins, outs, 1)
        for i, dilation in enumerate((5, 7, 9, 11), start=1):
            conv = nn.Conv2d(outs, outs, 3, dilation=dilation, padding=dilation, bias=False)
            self.add_module(f"conv2_{i}", conv)

    def forward(self, x: Tensor) -> Tensor:
        """[b, ins, H, W] to [b, outs, H, W]."""
        x = self.conv1(F.relu(x))
        return torch.stack([self.get_submodule(f"conv2_{i}")(x) for i in (1, 2, 3, 4)]).sum(0)


class SpatialAttention(nn.Module):
    """The authors' CSAM: a gate for each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 1)
        self.conv2 = nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        return x * torch.sigmoid(self.conv2(self.conv1(F.relu(x))))


class PiDiNet(nn.Module):
    """Probability that each pixel lies on an edge.

    Args:
        channels: Of the first stage; 60, 30 and 20 are the published sizes.
        context: Channels of the dilated context (24, 12, 8), or None for the light variants.
        attention: Whether there are spatial gates.

    Example:
        >>> PiDiNet(4, 2, True)(torch.rand(1, 3, 24, 31)).shape
        torch.Size([1, 1, 24, 31])
    """

    def __init__(self, channels: int, context: int | None, attention: bool) -> None:
        super().__init__()
        kinds = iter(_DIFFERENCES * 4)
        self.init_block = DifferenceConv(next(kinds), 3, channels)
        widths, ins = (channels, 2 * channels, 4 * channels, 4 * channels), channels
        for stage, (outs, depth) in enumerate(zip(widths, _DEPTHS, strict=True), start=1):
            for i in range(1, depth + 1):
                block = Block(next(kinds), ins, outs, halve=stage > 1 and i == 1)
                self.add_module(f"block{stage}_{i}", block)
                ins = outs
        fused = widths if context is None else (context,) * 4
        self.dilations = nn.ModuleList(
            [] if context is None else [DilatedContext(width, context) for width in widths]
        )
        self.attentions = nn.ModuleList([SpatialAttention(w) for w in fused] if attention else [])
        self.conv_reduces = nn.ModuleList(
            nn.ModuleDict({"conv": nn.Conv2d(width, 1, 1)}) for width in fused
        )
        self.classifier = nn.Conv2d(4, 1, 1)

    @classmethod
    def from_published(cls, state: Mapping[str, Tensor]) -> Self:
        """The network of a published checkpoint, its size read from the tensors.

        Args:
            state: Tensors by the public names (``init_block.weight`` .. ``classifier.bias``);
                ``module.`` in front is tolerated. The kinds of difference are not in a
                checkpoint: they are taken to be those of "carv4", as in all that are published.

        Raises:
            ScmcError: Names or shapes do not fit.
        """
        state = {name.removeprefix("module."): value for name, value in state.items()}
        first, context = state.get("init_block.weight"), state.get("dilations.0.conv1.weight")
        if first is None or first.shape[1:] != (3, 3, 3):
            raise ScmcError(
                "this is no PiDiNet checkpoint: 'init_block.weight' [C, 3, 3, 3] is not there"
            )
        build = partial(
            cls,
            len(first),
            None if context is None else len(context),
            "attentions.0.conv1.weight" in state,
        )
        return filled(
            build, state, "PiDiNet checkpoint (expected in the published, unconverted layout)"
        )

    def forward(self, img: Tensor) -> Tensor:
        """Edge probability.

        Args:
            img: float32 [b, 3, H, W] in [0, 1], sides at least 16.

        Returns:
            float32 [b, 1, H, W] in [0, 1].
        """
        check_input(img)
        x, scores = self.init_block(normalised(img)), []
        for stage, depth in enumerate(_DEPTHS):
            for i in range(1, depth + 1):
                x = self.get_submodule(f"block{stage + 1}_{i}")(x)
            y = self.dilations[stage](x) if len(self.dilations) else x
            y = self.attentions[stage](y) if len(self.attentions) else y
            score = self.get_submodule(f"conv_reduces.{stage}.conv")(y)
            scores.append(F.interpolate(score, img.shape[2:], mode="bilinear"))
        return torch.sigmoid(self.classifier(torch.cat(scores, 1)))
