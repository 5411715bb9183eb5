"""What the structure layer's colour map says about the signal layer's latent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.signal_transforms import LATENT_STRIDE, SignalConfig, conv3, zeroed

BASE_UNIT = 16.0  # predictions of latents are in sixteenths, finer than the integers' own step
_BASE_BLOCK = 3 * (LATENT_STRIDE // 2) ** 2


def upsampled(base: Tensor) -> Tensor:
    """A colour map at the picture's size, bilinear: [b, 3, h, w] to [b, 3, 2 h, 2 w]."""
    return F.interpolate(base, scale_factor=2, mode="bilinear")


class BasePrior(nn.Module):
    """What the colour map of the structure layer says about the latent.

    Reads maps of half the picture's size in blocks of 8 x 8, one for each place of the latent. For
    each of the two fields of the checkerboard it moves the means of the first latents, narrows or
    widens their scales, and gives features to the context networks. ``linear`` and ``deep`` are
    plain, so that they have an integer form.

    Args:
        config: Shape of the network.
    """

    def __init__(self, config: SignalConfig) -> None:
        super().__init__()
        inside, features = config.base_filters
        self.latents = config.base_latents
        self.linear = zeroed(conv3(_BASE_BLOCK, 2 * self.latents))
        last = nn.Conv2d(inside, 4 * self.latents + features, 1)
        self.deep = nn.Sequential(
            conv3(_BASE_BLOCK, inside), nn.ReLU(), conv3(inside, inside), nn.ReLU(), last
        )
        with torch.no_grad():
            for value in last.parameters():
                value[: 4 * self.latents] = 0

    def forward(self, base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Moves of means before their gain, moves of log2 scales, and features.

        Args:
            base: Colour map about zero, [b, 3, 8 h, 8 w].

        Returns:
            [b, 2 * base_latents, h, w] twice, the first field's latents first, and [b, f, h, w].
        """
        blocks = F.pixel_unshuffle(base, LATENT_STRIDE // 2)
        both = 2 * self.latents
        more, scales, features = self.deep(blocks).tensor_split([both, 2 * both], 1)
        return (self.linear(blocks) + more) / BASE_UNIT, scales, features


@dataclass(frozen=True)
class Told:
    """What a colour map says, for the context networks and after them.

    Attributes:
        means: To be added to the means of each field's first latents, [b, 2 * base_latents, h, w].
        scales: The same of the log2 of scales.
        features: For the context networks, [b, f, h, w].
    """

    means: Tensor
    scales: Tensor
    features: Tensor

    def field(self, number: int) -> Tensor:
        """What the context networks see in the first (0) or the second field (1)."""
        return torch.cat([self.means.chunk(2, 1)[number], self.features], 1)

    def moves(self, number: int, start: int, size: int) -> tuple[Tensor, Tensor] | None:
        """Moves of means and log2 scales of a slice's first latents; None if it has none."""
        means, scales = (part.chunk(2, 1)[number] for part in (self.means, self.scales))
        if start >= means.shape[1]:
            return None
        return means[:, start : start + size], scales[:, start : start + size]
