"""EfficientNet-Lite2 (Tan and Le, 2019; Google's Lite variant) up to its last block, in torch.

Batch normalisation is folded into the convolutions, so that what ships is one weight and one bias
a layer. Neither squeeze-and-excitation nor swish: ReLU6 and convolutions alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

FEATURES = 352
HEAD_FEATURES = 1280
CLASSES = 1000
STRIDE = 32
_EPSILON = 1e-3
_MEAN, _STD = 127.0 / 255, 128.0 / 255
_STAGES = (
    # kernel, stride, expansion, channels, repeats
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 48, 3),
    (3, 2, 6, 88, 4),
    (5, 1, 6, 120, 4),
    (5, 2, 6, 208, 5),
    (3, 1, 6, FEATURES, 1),
)
_STEM = 32


class SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow does: ``ceil(size / stride)`` outputs, more at the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [b, c, H, W] to [b, d, ceil(H / stride), ceil(W / stride)]."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        need = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
        high, wide = need
        x = F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return super().forward(x)


class Block(nn.Module):
    """Inverted bottleneck: expand, filter each channel, project."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = before * expansion
        self.expand = nn.Conv2d(before, inside, 1) if expansion > 1 else None
        self.filter = SameConv(inside, inside, kernel, stride, groups=inside)
        self.project = nn.Conv2d(inside, after, 1)
        self.skips = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [b, before, H, W] to [b, after, H / stride, W / stride]."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.filter(y)))
        return x + y if self.skips else y


class EfficientNetLite2(nn.Module):
    """The convolutions before the head: what ImageNet taught, 4 M parameters.

    Example:
        >>> EfficientNetLite2()(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 352, 2, 2])
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, _STEM, 3, 2)
        blocks, width = [], _STEM
        for kernel, stride, expansion, channels, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(Block(width, channels, kernel, stride if i == 0 else 1, expansion))
                width = channels
        self.blocks = nn.Sequential(*blocks)

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        """Features [b, 352, H / 32, W / 32] of images, float [b, 3, H, W] in [0, 1]."""
        features: torch.Tensor = self.blocks(F.relu6(self.stem((img - _MEAN) / _STD)))
        return features


def fold(published: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The published PyTorch weights in this module's names, normalisation folded in.

    Args:
        published: State of ``efficientnet_lite_pytorch``'s "efficientnet-lite2".

    Returns:
        ``trunk`` for :class:`EfficientNetLite2`, ``head`` for ``Linear(352, 1280)`` before a
        ReLU6, ``classes`` for ``Linear(1280, 1000)`` on its mean.
    """

    def folded(conv: str, norm: str) -> dict[str, torch.Tensor]:
        scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + _EPSILON).sqrt()
        shift = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
        return {"weight": published[f"{conv}.weight"] * scale[:, None, None, None], "bias": shift}

    trunk = {f"stem.{k}": v for k, v in folded("_conv_stem", "_bn0").items()}
    for i in range(sum(stage[-1] for stage in _STAGES)):
        names = [("filter", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
        if i:
            names.append(("expand", "_expand_conv", "_bn0"))
        for mine, conv, norm in names:
            pair = folded(f"_blocks.{i}.{conv}", f"_blocks.{i}.{norm}")
            trunk |= {f"blocks.{i}.{mine}.{k}": v for k, v in pair.items()}
    head = {k: v.flatten(1) if v.ndim > 1 else v for k, v in folded("_conv_head", "_bn1").items()}
    classes = {k: published[f"_fc.{k}"] for k in ("weight", "bias")}
    return {"trunk": trunk, "head": head, "classes": classes}
