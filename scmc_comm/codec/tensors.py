"""Shapes: padding to a network's stride, and the size at which the lower layers work."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

WORKING_SIDE = 256
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision has them


def pad_to(img: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of [b, c, H, W] up to multiples of ``multiple``."""
    height, width = img.shape[-2:]
    return F.pad(img, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def normalised(img: Tensor) -> Tensor:
    """[b, 3, H, W] in [0, 1] with ImageNet's mean and deviation taken out, as networks want it."""
    mean, std = (img.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
    return (img - mean) / std


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size at which the semantic and structure layers see a picture of ``size``.

    Smaller pictures stay as they are; larger ones shrink until their short side is 256, because
    a sketch costs bytes by its area and says no more when it is larger.

    Example:
        >>> working_size((512, 768))
        (256, 384)
    """
    scale = min(1.0, WORKING_SIDE / min(size))
    return round(size[0] * scale), round(size[1] * scale)


def resize(img: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize [3, H, W] with antialiasing; the same tensor if the size is right already."""
    if tuple(img.shape[-2:]) == tuple(size):
        return img
    out = F.interpolate(img[None], size=size, mode="bicubic", antialias=True, align_corners=False)
    return out[0].clamp(0, 1)
