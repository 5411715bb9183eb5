"""Discriminator and crops of the networks that paint.

Least-squares adversarial terms (Mao et al., "Least squares generative adversarial networks", ICCV
2017), as in the SCMC paper; the discriminator is four strided spectral-norm convolutions that judge
patches. :mod:`experiments.training.perceptual` has the other losses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from experiments.training.loop import adam
from experiments.training.precision import mixed_precision


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


def random_crop(side: int, *batches: Tensor) -> tuple[Tensor, ...]:
    """The same random square of pictures and of maps of half their size.

    Args:
        side: Of the square in pixels of the largest, a multiple of 32.
        batches: [b, c, h, w] each, all of one size or of half that size, which is even.
    """
    full = max(batch.shape[-1] for batch in batches)
    room = (full - side) // 2 + 1
    top, left = (int(torch.randint(room, ())) for _ in range(2))
    cut = []
    for batch in batches:
        scale = 2 * batch.shape[-1] // full  # in units of two pixels
        y, x, length = top * scale, left * scale, side * scale // 2
        cut.append(batch[:, :, y : y + length, x : x + length])
    return tuple(cut)


def random_window(height: int, width: int, side: int) -> tuple[slice, slice]:
    """A random square window.

    The perceptual network has a stride of four; on a fixed grid it teaches a picture that has
    a pattern of that period, on a random one it cannot.
    """
    top = int(torch.randint(height - side + 1, ()))
    left = int(torch.randint(width - side + 1, ()))
    return slice(top, top + side), slice(left, left + side)


def discriminator_loss(net: PatchDiscriminator, real: Tensor, fake: Tensor) -> Tensor:
    """Least-squares loss of the discriminator."""
    return 0.5 * ((net(real) - 1).square().mean() + net(fake.detach()).square().mean())


def adversarial_loss(net: PatchDiscriminator, fake: Tensor) -> Tensor:
    """Least-squares loss of the generator."""
    return 0.5 * (net(fake) - 1).square().mean()


class Adversary:
    """A discriminator that learns beside the network that it judges.

    Args:
        in_channels: Of what it sees.
        lr: Its learning rate.
        weight: Of the adversarial term in the other's loss; 0 for none.
        starts_at: Share of the run before which there is none either.
    """

    def __init__(self, in_channels: int, lr: float, weight: float, starts_at: float) -> None:
        self.judge = PatchDiscriminator(in_channels).to(memory_format=torch.channels_last)
        self.optimizer = adam(self.judge.parameters(), lr, (0.5, 0.99))
        self.weight, self.starts_at = weight, starts_at

    def parts(self) -> dict[str, Any]:
        """What a checkpoint must hold of it."""
        return {"judge": self.judge, "judge_optimizer": self.optimizer}

    def step(self, real: Tensor, fake: Tensor, progress: float) -> tuple[Tensor, float]:
        """Learn from one batch.

        Args:
            real: [b, in_channels, h, w].
            fake: The same shape, of the network that is judged.
            progress: Share of the run that is done.

        Returns:
            The term to add to that network's loss, and the discriminator's own loss.
        """
        if not self.weight or progress <= self.starts_at:
            return torch.zeros(()), 0.0
        with mixed_precision():
            term = self.weight * adversarial_loss(self.judge, fake)
            loss = discriminator_loss(self.judge, real, fake)
        self.optimizer.zero_grad()
        loss.backward(inputs=list(self.judge.parameters()))
        self.optimizer.step()
        return term, loss.item()
