"""Features of whole pictures by a frozen VGG16 (ImageNet): what kinds, KID and FID are measured on.

The codec's networks have no part in it (its captioner looks through AlexNet). LPIPS-VGG and DISTS
share the weights.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn import functional as F

from scmc_comm.device import device_class, on_device
from scmc_comm.metrics.perceptual import IMAGENET_MEAN, IMAGENET_STD, Trunk
from scmc_comm.zoo.feature_nets import VGG16
from scmc_comm.zoo.sources import vgg16_features

SIDE = 192
"""Pictures are looked at in the area of a square of this side."""
NUM_KIND = 1024
"""Features that kinds are told by: generalised means of the last two blocks."""
NUM_MEAN = 512
"""Features of KID and FID: means of the last block."""

_GRID = 16  # of the last block, in pixels
_POWER = 3.0  # of the generalised mean: Radenovic et al., TPAMI 41(7), 2019
_REMEMBERED = 256


@functools.cache
def vgg16_trunk() -> Trunk:
    """The convolutions in float32 on the CPU, loaded once a process.

    Raises:
        ScmcError: if the ImageNet weights cannot be found or fetched.
    """
    pool = functools.partial(F.max_pool2d, kernel_size=2)
    return Trunk(VGG16, vgg16_features(), pool).eval().requires_grad_(False)


@torch.inference_mode()
def compute_features(trunk: Trunk, imgs: Tensor) -> Tensor:
    """Features of pictures of one size.

    Args:
        trunk: `vgg16_trunk`, or a copy in bfloat16.
        imgs: float [b, 3, H, W] in [0, 1].

    Returns:
        float32 [b, NUM_KIND + NUM_MEAN]: the roots of the generalised means of blocks 4 and 5, each
        of unit length, and the means of block 5.
    """
    dtype = next(trunk.parameters()).dtype
    mean, std = (imgs.new_tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    small = F.interpolate(
        imgs.float(), _size(imgs.shape[2], imgs.shape[3]), mode="bicubic", antialias=True
    )
    stages = [x.float() for x in trunk(((small.clamp(0, 1) - mean) / std).to(dtype))][3:]
    parts = [F.normalize(_generalised_mean(stage).sqrt()) for stage in stages]
    return torch.cat([*parts, stages[-1].mean((2, 3))], dim=1)


def _size(height: int, width: int) -> tuple[int, int]:
    """Nearest shape of the area of `SIDE` squared that the last block's grid divides."""
    shape = (height / width) ** 0.5
    sides = (SIDE * shape, SIDE / shape)
    return tuple(max(2, round(side / _GRID)) * _GRID for side in sides)  # type: ignore[return-value]


def _generalised_mean(x: Tensor) -> Tensor:
    return x.clamp_min(1e-6).pow(_POWER).mean((2, 3)).pow(1 / _POWER)


def picture_features(imgs: Tensor) -> Tensor:
    """`compute_features` in float32, of each picture once: several metrics ask for the same.

    Args:
        imgs: float [b, 3, H, W] in [0, 1].
    """
    where = device_class()
    keys = [
        sha256(repr((x.shape, where)).encode() + x.contiguous().numpy().tobytes())
        for x in imgs.float()
    ]
    names = [key.digest() for key in keys]
    new = {name: i for i, name in enumerate(names) if name not in _memory}
    if new:
        _memory.update(
            zip(new, on_device(compute_features, vgg16_trunk(), imgs[[*new.values()]]), strict=True)
        )
    out = torch.stack([_memory[name] for name in names])
    while len(_memory) > _REMEMBERED:
        _memory.popitem(last=False)
    return out


_memory: OrderedDict[bytes, Tensor] = OrderedDict()
