"""The structure layer's fusion network: semantics and geometry to a picture.

Two branches extract features at strides 4, 8, 16 and 32 (64, 32, 16 and 8 for a 256 x 256
picture): one from the picture that the caption generates, one from the decoded edges and colour
map. At each scale a cross attention over channels aligns them (query from the semantic features,
key from the structure features, value from the coarser scale's output), self-calibrated
convolutions refine the structure features, and both are added element by element (Zhang et al.,
"Rethinking Semantic Image Compression", IEEE TCSVT 2023; the self-calibrated convolution is the
pixel-attention block of Zhao et al., "Efficient image super-resolution using pixel attention",
2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.weights import filled, load_weights


@dataclass(frozen=True)
class FusionConfig:
    """Shape of the network; the switches are the paper's ablations.

    Attributes:
        widths: Channels at strides 4, 8, 16 and 32.
        half_width: Channels at stride 2, in the decoder.
        alignment: Cross attention between the branches (else the semantic features as they are).
        self_calibration: Pixel-attention blocks (else plain convolutions).
        semantics: Use the generated picture at all.
        lattice_free: Between scales bilinear (else nearest), at the borders what stands there
            (else zeros): where the input is even, nothing then tells one place from another. Where
            it is not, the strides still do, and a loss must ask for the rest
            (:mod:`experiments.training.views`).
    """

    widths: tuple[int, int, int, int] = (64, 96, 128, 128)
    half_width: int = 32
    alignment: bool = True
    self_calibration: bool = True
    semantics: bool = True
    lattice_free: bool = False


class SelfCalibrated(nn.Module):
    """One half of the channels by 3 x 3, the other by 3 x 3 gated by a sigmoid 1 x 1."""

    def __init__(self, channels: int, gated: bool = True) -> None:
        super().__init__()
        half = channels // 2
        self.split_plain = nn.Conv2d(channels, half, 1)
        self.split_gated = nn.Conv2d(channels, half, 1)
        self.plain = nn.Conv2d(half, half, 3, padding=1)
        self.feature = nn.Conv2d(half, half, 3, padding=1)
        self.gate = nn.Conv2d(half, half, 1) if gated else None
        self.merge = nn.Conv2d(2 * half, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        a = F.leaky_relu(self.plain(F.leaky_relu(self.split_plain(x), 0.2)), 0.2)
        b = F.leaky_relu(self.split_gated(x), 0.2)
        b = self.feature(b) if self.gate is None else self.feature(b) * torch.sigmoid(self.gate(b))
        return x + self.merge(torch.cat([a, F.leaky_relu(b, 0.2)], 1))


class ChannelAlignment(nn.Module):
    """Cross attention over channels: which value channels belong to which semantic channels."""

    def __init__(self, channels: int, value_channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(value_channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, semantic: Tensor, structure: Tensor, value: Tensor) -> Tensor:
        """All [b, c, h, w] (value with its own channels); returns [b, c, h, w]."""
        b, c, h, w = semantic.shape

        def split(x: Tensor) -> Tensor:
            return x.reshape(b, self.heads, c // self.heads, h * w)

        q = F.normalize(split(self.query(semantic)).float(), dim=-1)
        k = F.normalize(split(self.key(structure)).float(), dim=-1)
        weights = (q @ k.transpose(-1, -2) * self.temperature * (h * w) ** 0.25).softmax(-1)
        mixed = (weights.to(value.dtype) @ split(self.value(value)).to(value.dtype)).reshape(
            b, c, h, w
        )
        return semantic + self.out(mixed)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        return x + self.conv2(F.leaky_relu(self.conv1(x), 0.2))


class SemanticBranch(NamedTuple):
    """Semantic features of a batch: at half the side, and at strides 4, 8, 16 and 32."""

    top: Tensor
    features: list[Tensor]

    def repeated(self, count: int) -> SemanticBranch:
        """The features [1, ...] as those of ``count`` pictures, without a copy."""
        top, *features = (x.expand(count, -1, -1, -1) for x in (self.top, *self.features))
        return SemanticBranch(top, features)


class FusionNet(nn.Module):
    """Generated picture, edges and colour map to a picture."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        w = config.widths
        self.semantic_in = nn.Conv2d(12 + 1, config.half_width, 3, padding=1)
        self.structure_in = nn.Conv2d(4, config.half_width, 3, padding=1)
        ins = (config.half_width, *w[:-1])
        self.semantic_down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(b, b, 3, padding=1)
            )
            for a, b in zip(ins, w, strict=True)
        )
        self.structure_down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2))
            for a, b in zip(ins, w, strict=True)
        )
        self.calibrate = nn.ModuleList(SelfCalibrated(c, config.self_calibration) for c in w)
        values = (*w[1:], w[-1])
        self.align = nn.ModuleList(ChannelAlignment(c, v) for c, v in zip(w, values, strict=True))
        self.up = nn.ModuleList(
            nn.Conv2d(v, c, 3, padding=1) for c, v in zip(w[:-1], w[1:], strict=True)
        )
        self.refine = nn.ModuleList(Residual(c) for c in w)
        self.to_half = nn.Conv2d(w[0], config.half_width * 4, 3, padding=1)
        self.at_half = nn.Conv2d(3 * config.half_width, config.half_width, 3, padding=1)
        self.half_refine = Residual(config.half_width)
        self.to_full = nn.Conv2d(config.half_width, 32, 3, padding=1)
        self.to_rgb = nn.Conv2d(8, 3, 3, padding=1)
        if config.lattice_free:
            for conv in (m for m in self.modules() if isinstance(m, nn.Conv2d)):
                conv.padding_mode = "replicate"

    @classmethod
    def load(cls, path: Path | None = None) -> FusionNet:
        """The shipped weights, or a safetensors file of the same layout.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        config, state = load_weights("fusion", path)
        build = partial(cls, FusionConfig(**config))
        return filled(build, state, path or "the shipped fusion network")

    def forward(
        self, semantic: Tensor, has_semantic: Tensor, edges: Tensor, colours: Tensor
    ) -> Tensor:
        """Fuse.

        Args:
            semantic: Generated picture, float32 [b, 3, H, W] in [0, 1]; H, W multiples of 32.
            has_semantic: float32 [b], 0 where the caption was lost.
            edges: Edge map, float32 [b, 1, H / 2, W / 2], 1 on an edge.
            colours: Colour map, float32 [b, 3, h, w] in [0, 1], of any size.

        Returns:
            Picture, float32 [b, 3, H, W], about [0, 1], not clamped.
        """
        return self.fuse(self.semantic_branch(semantic, has_semantic), edges, colours)

    def semantic_branch(self, semantic: Tensor, has_semantic: Tensor) -> SemanticBranch:
        """Features of the generated picture; shapes as in :meth:`forward`."""
        present = has_semantic[:, None, None, None] * float(self.config.semantics)
        guide = F.pixel_unshuffle((semantic * 2 - 1) * present, 2)
        top = self.semantic_in(torch.cat([guide, present.expand(-1, 1, *guide.shape[-2:])], 1))
        features, x = [], F.leaky_relu(top, 0.2)
        for down in self.semantic_down:
            x = F.leaky_relu(down(x), 0.2)
            features.append(x)
        return SemanticBranch(top, features)

    def blank_branch(self, height: int, width: int) -> SemanticBranch:
        """Features [1, ...] of no generated picture at ``height`` x ``width``.

        They depend on nothing but the weights, so that whoever paints many pictures of one size
        makes them once.
        """
        like = self.semantic_in.weight
        return self.semantic_branch(like.new_zeros(1, 3, height, width), like.new_zeros(1))

    def fuse(self, semantic: SemanticBranch, edges: Tensor, colours: Tensor) -> Tensor:
        """Picture of semantic features, edges and colours; shapes as in :meth:`forward`."""
        half = edges.shape[-2:]
        smooth = F.interpolate(colours * 2 - 1, size=half, mode="bicubic", align_corners=False)
        top_structure = self.structure_in(torch.cat([edges, smooth], 1))
        structure_features, x = [], F.leaky_relu(top_structure, 0.2)
        for down, calibrate in zip(self.structure_down, self.calibrate, strict=True):
            x = calibrate(down(x))
            structure_features.append(x)
        for i in range(len(self.config.widths) - 1, -1, -1):
            if i < len(self.config.widths) - 1:
                x = self._doubled(x)
            aligned = semantic.features[i]
            if self.config.alignment:
                aligned = self.align[i](aligned, structure_features[i], x)
            carried = 0 if i == len(self.config.widths) - 1 else self.up[i](x)
            x = self.refine[i](aligned + structure_features[i] + carried)
        x = F.pixel_shuffle(self.to_half(F.leaky_relu(x, 0.2)), 2)
        x = self.at_half(torch.cat([x, semantic.top, top_structure], 1))
        x = self.half_refine(F.leaky_relu(x, 0.2))
        x = F.pixel_shuffle(self.to_full(F.leaky_relu(x, 0.2)), 2)
        base = F.interpolate(smooth, scale_factor=2.0, mode="bilinear", align_corners=False)
        return (self.to_rgb(F.leaky_relu(x, 0.2)) + base) * 0.5 + 0.5

    def _doubled(self, x: Tensor) -> Tensor:
        if self.config.lattice_free:
            return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def from_colours(self, colours: Tensor, blank: SemanticBranch | None = None) -> Tensor:
        """Picture of a colour map alone.

        Args:
            colours: float32 [b, 3, h, w] in [0, 1].
            blank: ``blank_branch(2 * h, 2 * w)``, where it was made before.

        Returns:
            float32 [b, 3, 2 h, 2 w], about [0, 1], not clamped.
        """
        b, _, height, width = colours.shape
        blank = blank or self.blank_branch(2 * height, 2 * width)
        edges = colours.new_zeros(b, 1, height, width)
        return self.fuse(blank.repeated(b), edges, colours)
