"""The discriminator of the networks that paint.

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
from scmc_comm.device import chosen_device


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


class Adversary:
    """A discriminator that learns beside the network that it judges.

    Args:
        in_channels: Of what it sees.
        lr: Its learning rate.
        weight: Of the adversarial term in the other's loss; 0 for none.
        starts_at: Share of the run before which there is none either.
    """

    def __init__(self, in_channels: int, lr: float, weight: float, starts_at: float) -> None:
        judge = PatchDiscriminator(in_channels).to(memory_format=torch.channels_last)
        self.judge = judge.to(chosen_device())
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
            term = self.weight * 0.5 * (self.judge(fake) - 1).square().mean()
            right, wrong = self.judge(real) - 1, self.judge(fake.detach())
            loss = 0.5 * (right.square().mean() + wrong.square().mean())
        self.optimizer.zero_grad()
        loss.backward(inputs=list(self.judge.parameters()))
        self.optimizer.step()
        return term, loss.item()
