"""Learned edge detection with richer convolutional features (RCF).

Every convolution of a VGG-like network is reduced by 1x1 to a few channels, summed per stage,
scored, upsampled to the picture's size, and a 1x1 convolution fuses the stages' scores.

Source: Y. Liu, M.-M. Cheng, X. Hu, K. Wang, X. Bai, "Richer Convolutional Features for Edge
Detection", CVPR 2017. Parameters carry the names of the authors' PyTorch code, so checkpoints
in that layout load into ``EdgeConfig.full()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from scmc_comm.codec.tensors import normalised
from scmc_comm.codec.weights import filled, load_weights
from scmc_comm.errors import ScmcError

MIN_SIDE = 16
_CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


@dataclass(frozen=True)
class EdgeConfig:
    """Shape of the network.

    The default is VGG16's stages 1 to 3 and a light fourth stage for context (2.1 M parameters).

    Attributes:
        channels: Channels per stage.
        depths: 3x3 convolutions per stage.
        strides: Stride of the pooling in front of each stage.
        dilations: Dilation of each stage's convolutions.
        reduced: Channels after each 1x1 reduction.
        caffe_input: Input as the authors' VGG16 wants it (BGR, 0 to 255, mean off), else RGB
            normalised as by torchvision.
    """

    channels: tuple[int, ...] = (64, 128, 256, 128)
    depths: tuple[int, ...] = (2, 2, 3, 2)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 2)
    reduced: int = 21
    caffe_input: bool = False

    def __post_init__(self) -> None:
        lengths = {len(self.channels), len(self.depths), len(self.strides), len(self.dilations)}
        if len(lengths) != 1 or not self.channels:
            raise ScmcError(f"edge network: channels, depths, ... must be equally long: {self}")

    @classmethod
    def full(cls) -> Self:
        """The published network: all five stages of VGG16, the last one dilated (14.8 M)."""
        return cls(
            (64, 128, 256, 512, 512), (2, 2, 3, 3, 3), (1, 2, 2, 2, 1), (1, 1, 1, 1, 2), 21, True
        )


class EdgeDetector(nn.Module):
    """Probability that each pixel lies on an object boundary.

    Example:
        >>> detector = EdgeDetector(EdgeConfig((4, 4), (1, 1), (1, 2), (1, 1), 2))
        >>> detector(torch.rand(1, 3, 24, 31)).shape
        torch.Size([1, 1, 24, 31])
    """

    def __init__(self, config: EdgeConfig = EdgeConfig()) -> None:
        super().__init__()
        self.config = config
        previous = 3
        for stage, (channels, depth) in enumerate(
            zip(config.channels, config.depths, strict=True), start=1
        ):
            for i in range(1, depth + 1):
                dilation = config.dilations[stage - 1]
                conv = nn.Conv2d(previous, channels, 3, padding=dilation, dilation=dilation)
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
                self.add_module(f"conv{stage}_{i}", conv)
                self.add_module(f"conv{stage}_{i}_down", nn.Conv2d(channels, config.reduced, 1))
                previous = channels
            self.add_module(f"score_dsn{stage}", nn.Conv2d(config.reduced, 1, 1))
        self.score_fuse = nn.Conv2d(len(config.channels), 1, 1)
        nn.init.constant_(self.score_fuse.weight, 1 / len(config.channels))
        nn.init.zeros_(self.score_fuse.bias)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The shipped detector, or one from a file of ``experiments.training.edges``.

        Raises:
            ScmcError: The file is missing or no edge network.
        """
        config, state = load_weights("edges", path)
        build = partial(cls, EdgeConfig(**config))
        return filled(build, state, path or "the shipped edge detector")

    @classmethod
    def from_published(cls, state: Mapping[str, Tensor]) -> Self:
        """The full network from a state dict in the layout of a published RCF checkpoint.

        Args:
            state: Tensors by the public names (``conv1_1.weight`` .. ``score_fuse.bias``, or
                ``score_final``); ``module.`` in front and ``weight_deconv*`` are tolerated.

        Raises:
            ScmcError: Names or shapes do not fit.
        """
        renamed = {
            name.removeprefix("module.").replace("score_final", "score_fuse"): value
            for name, value in state.items()
            if "weight_deconv" not in name
        }
        return filled(
            partial(cls, EdgeConfig.full()),
            renamed,
            "RCF checkpoint (expected in the published layout)",
        )

    def forward(self, img: Tensor) -> Tensor:
        """Edge probability.

        Args:
            img: float32 [b, 3, H, W] in [0, 1], sides at least 16.

        Returns:
            float32 [b, 1, H, W] in [0, 1].
        """
        return torch.sigmoid(self.logits(img)[-1]).float()

    def logits(self, img: Tensor) -> list[Tensor]:
        """Scores [b, 1, H, W] of every stage, then the fused one (deep supervision)."""
        check_input(img)
        x, scale, offset, scores = self._normalise(img), 1, 0, list[Tensor]()
        for stage, stride in enumerate(self.config.strides, start=1):
            if stage > 1:
                if stride == 1:  # a cell now straddles two: half a cell off the others
                    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
                    offset += scale // 2
                x = functional.max_pool2d(x, 2, stride, ceil_mode=True)
                scale *= stride
            x, score = self._stage(x, stage)
            rows, cols = (slice(offset, offset + side) for side in img.shape[2:])
            scores.append(_upsample(score, scale)[..., rows, cols])
        return [*scores, self.score_fuse(torch.cat(scores, 1))]

    def _stage(self, x: Tensor, stage: int) -> tuple[Tensor, Tensor]:
        total: Tensor | int = 0
        for i in range(1, self.config.depths[stage - 1] + 1):
            x = functional.relu(self.get_submodule(f"conv{stage}_{i}")(x))
            total = total + self.get_submodule(f"conv{stage}_{i}_down")(x)
        return x, self.get_submodule(f"score_dsn{stage}")(total)

    def _normalise(self, img: Tensor) -> Tensor:
        if self.config.caffe_input:
            return img.flip(1) * 255 - img.new_tensor(_CAFFE_MEAN_BGR).view(1, 3, 1, 1)
        return normalised(img)


def check_input(img: Tensor) -> None:
    """ScmcError unless these are pictures [b, 3, H, W] large enough for an edge detector."""
    if img.ndim != 4 or img.shape[1] != 3 or min(img.shape[2:]) < MIN_SIDE:
        raise ScmcError(
            f"edge detector: expected [b, 3, H, W] with sides >= {MIN_SIDE}, got {list(img.shape)}"
        )


def thin(prob: Tensor) -> Tensor:
    """Non-maximum suppression: keeps the ridges of an edge probability map.

    The normal is the direction of strongest curvature of the smoothed map; a pixel survives if
    it is not below its two neighbours along it (bilinear).

    Args:
        prob: float32 [b, 1, H, W].

    Returns:
        The same, zero off the ridges.

    Source: J. Canny, "A Computational Approach to Edge Detection", PAMI 1986; ridges as in
    P. Dollar, C. L. Zitnick, "Structured Forests for Fast Edge Detection", ICCV 2013.
    """
    smooth = prob
    for _ in range(2):
        smooth = functional.avg_pool2d(functional.pad(smooth, (1, 1, 1, 1), "replicate"), 3, 1)
    p = functional.pad(smooth, (1, 1, 1, 1), "replicate")
    centre, left, right = p[..., 1:-1, 1:-1], p[..., 1:-1, :-2], p[..., 1:-1, 2:]
    xx = left + right - 2 * centre
    yy = p[..., :-2, 1:-1] + p[..., 2:, 1:-1] - 2 * centre
    xy = (p[..., 2:, 2:] + p[..., :-2, :-2] - p[..., :-2, 2:] - p[..., 2:, :-2]) / 4
    # A symmetric 2 x 2 matrix's larger eigenvalue lies at half the angle of (xx - yy, 2 xy); with
    # a negative trace the other one is the stronger.
    angle = 0.5 * torch.atan2(2 * xy, xx - yy) + torch.pi / 2 * (xx + yy < 0)
    dx, dy = torch.cos(angle), torch.sin(angle)
    ridge = torch.ones_like(prob, dtype=torch.bool)
    for sign in (1, -1):
        ridge &= smooth >= _shifted(smooth, sign * dx, sign * dy)
    return prob * ridge


def _shifted(x: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Values of ``x`` at each pixel's position plus (dx, dy) pixels."""
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device).view(1, height, 1) + dy[:, 0]
    cols = torch.arange(width, device=x.device).view(1, 1, width) + dx[:, 0]
    grid = torch.stack([(2 * cols + 1) / width - 1, (2 * rows + 1) / height - 1], 3)
    return functional.grid_sample(x, grid, "bilinear", "border", align_corners=False)


def _upsample(score: Tensor, scale: int) -> Tensor:
    if scale == 1:
        return score
    return functional.interpolate(
        score, scale_factor=float(scale), mode="bilinear", align_corners=False
    )
