"""Signal fidelity: MSE, PSNR, SSIM and MS-SSIM of float images in [0, 1].

SSIM: Wang et al., IEEE TIP 13(4), 2004 (Gaussian window of 11 pixels, sigma 1.5). MS-SSIM: Wang
et al., Asilomar 2003, five scales. Both by the ``pytorch-msssim`` package, averaged over RGB.
"""

from __future__ import annotations

import math

import torch

from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError

PSNR_CAP_DB = 100.0
"""PSNR reported for identical images, and the most that is ever reported: it keeps means finite.
The rounding to 8 bits alone limits real codecs to about 59 dB."""

MS_SSIM_MIN_SIDE = 161
"""Below this side, four halvings leave less than the 11-pixel window: MS-SSIM is NaN."""

SSIM_MIN_SIDE = 11

_RANGE_TOLERANCE = 1e-3


def mse(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each image over its channels and pixels.

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float64 [b].
    """
    check_pair(img, img_hat)
    return (img.double() - img_hat.double()).square().flatten(1).mean(1)


def psnr_db(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of each image, peak 1, at most `PSNR_CAP_DB`.

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float64 [b].

    Example:
        >>> psnr_db(torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.1)).round().item()
        20.0
    """
    return -10 * mse(img, img_hat).clamp_min(10 ** (-PSNR_CAP_DB / 10)).log10()


def ssim(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Structural similarity of each image, at most 1.

    Args:
        img: float [b, 3, H, W] in [0, 1], sides of 11 or more.
        img_hat: the same shape.

    Returns:
        float32 [b].
    """
    size = check_pair(img, img_hat)
    if min(size) < SSIM_MIN_SIDE:
        raise ScmcError(f"SSIM needs sides of {SSIM_MIN_SIDE} pixels or more, got {size}")
    from pytorch_msssim import ssim as library_ssim

    pair = img.float(), img_hat.float()
    return on_device(library_ssim, *pair, data_range=1.0, size_average=False)


def ms_ssim(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Multi-scale structural similarity of each image in [0, 1].

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float32 [b]; NaN if a side is below `MS_SSIM_MIN_SIDE`, where it is not defined.
    """
    size = check_pair(img, img_hat)
    if min(size) < MS_SSIM_MIN_SIDE:
        return torch.full((img.shape[0],), math.nan)
    from pytorch_msssim import ms_ssim as library_ms_ssim

    pair = img.float(), img_hat.float()
    return on_device(library_ms_ssim, *pair, data_range=1.0, size_average=False)


def check_pair(img: torch.Tensor, img_hat: torch.Tensor) -> tuple[int, int]:
    """``(H, W)`` of two image batches that can be compared.

    Raises:
        ScmcError: for unequal shapes, integers (an 8-bit image scored as if in [0, 1]), or
            values outside [0, 1], NaN included.
    """
    if img.shape != img_hat.shape or img.ndim != 4 or img.shape[1] != 3 or not img.numel():
        raise ScmcError(
            f"metrics compare two [b, 3, H, W] tensors, got {list(img.shape)} and "
            f"{list(img_hat.shape)}"
        )
    for name, x in (("img", img), ("img_hat", img_hat)):
        if not x.is_floating_point():
            raise ScmcError(f"{name} is {x.dtype}; expected floats in [0, 1]: divide bytes by 255")
        low, high = float(x.detach().min()), float(x.detach().max())
        if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):
            raise ScmcError(
                f"{name} reaches from {low:g} to {high:g}; metrics expect [0, 1]: clamp, or divide "
                "8-bit values by 255"
            )
    return int(img.shape[2]), int(img.shape[3])
