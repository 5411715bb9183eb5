"""The picture losses of the generator and of the fusion network.

``L_re = L1 + lambda_p * LPIPS`` and least-squares adversarial terms (Mao et al., "Least squares
generative adversarial networks", ICCV 2017), as in the SCMC paper; the discriminator is four
strided spectral-norm convolutions that judge patches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from scmc_comm.metrics.perceptual import PerceptualMetric

CROP = 192


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches of a picture; input [b, channels, H, W], about [0, 1]."""

    def __init__(self, in_channels: int = 3, width: int = 32) -> None:
        super().__init__()
        sizes = [in_channels, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for a, b in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, spectral_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1)))

    def forward(self, img: Tensor) -> Tensor:
        """Scores [b, 1, H / 16, W / 16]; 1 stands for real."""
        return self.net(img * 2 - 1)


def random_window(height: int, width: int, side: int = CROP) -> tuple[slice, slice]:
    """A random square window.

    The perceptual network has a stride of four; on a fixed grid it teaches a picture that has
    a pattern of that period, on a random one it cannot.
    """
    top = int(torch.randint(height - side + 1, ()))
    left = int(torch.randint(width - side + 1, ()))
    return slice(top, top + side), slice(left, left + side)


def picture_loss(
    img_hat: Tensor,
    img: Tensor,
    perceptual: PerceptualMetric,
    perceptual_weight: float,
    shrink: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """``L1 + perceptual_weight * LPIPS`` of same-sized pictures; also both terms.

    With ``shrink`` the perceptual term sees both pictures that many times smaller: it then asks
    for shapes, and not for fine texture that a blurred picture can only get as a pattern.
    """
    l1 = (img_hat - img).abs().mean()
    small, small_hat = (F.avg_pool2d(x, shrink) if shrink > 1 else x for x in (img, img_hat))
    distance = perceptual(small, small_hat).mean()
    return l1 + perceptual_weight * distance, l1, distance


def discriminator_loss(net: PatchDiscriminator, real: Tensor, fake: Tensor) -> Tensor:
    """Least-squares loss of the discriminator."""
    return 0.5 * ((net(real) - 1).square().mean() + net(fake.detach()).square().mean())


def adversarial_loss(net: PatchDiscriminator, fake: Tensor) -> Tensor:
    """Least-squares loss of the generator."""
    return 0.5 * (net(fake) - 1).square().mean()
