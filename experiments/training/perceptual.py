"""Losses of the networks that paint: ``L_re = L1 + LPIPS`` of the SCMC paper, by two networks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from experiments.training.views import random_window
from scmc_comm.device import chosen_device
from scmc_comm.metrics.perceptual import load_lpips


@dataclass(frozen=True)
class PerceptualRecipe:
    """Weights of LPIPS-Alex and LPIPS-VGG in a loss.

    Alex alone rewards strokes of its own taste; VGG, of another, does not. DISTS stays out.

    Attributes:
        alex: Weight of LPIPS-Alex.
        vgg: Weight of LPIPS-VGG; 0 saves its time.
        vgg_side: Side of the window that VGG sees, because it takes ten times as long.
    """

    alex: float = 0.4
    vgg: float = 0.4
    vgg_side: int = 96


class PerceptualLoss:
    """Weighted LPIPS of both networks.

    Example:
        >>> import torch
        >>> perceptual = PerceptualLoss(PerceptualRecipe(alex=1.0, vgg=0.0))
        >>> img = torch.rand(2, 3, 64, 64)
        >>> tuple(perceptual(img, img, np.random.default_rng(0)).shape)
        (2,)
    """

    def __init__(self, recipe: PerceptualRecipe) -> None:
        self.recipe, where = recipe, chosen_device()
        self.alex = load_lpips("alex").to(where) if recipe.alex else None
        self.vgg = load_lpips("vgg").to(where) if recipe.vgg else None

    def __call__(self, img: Tensor, img_hat: Tensor, rng: np.random.Generator) -> Tensor:
        """Distances [b] of pictures float32 [b, 3, h, w], h and w at least ``vgg_side``.

        Args:
            img: The pictures.
            img_hat: What is compared with them.
            rng: Draws the window.
        """
        total = img.new_zeros(len(img))
        if self.alex:
            total = total + self.recipe.alex * self.alex(img, img_hat)
        if self.vgg:
            height, width = img.shape[2:]
            rows, columns = random_window(rng, height, width, self.recipe.vgg_side)
            seen = (x[:, :, rows, columns] for x in (img, img_hat))
            total = total + self.recipe.vgg * self.vgg(*seen)
        return total


def picture_loss(
    img_hat: Tensor, img: Tensor, perceptual: PerceptualLoss, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """``L1 + perceptual`` of same-sized pictures; also both terms."""
    l1 = (img_hat - img).abs().mean()
    distance = perceptual(img, img_hat, rng).mean()
    return l1 + distance, l1, distance


@dataclass(frozen=True)
class RefinementRecipe:
    """Losses of a network that makes a decoded picture look better.

    Attributes:
        perceptual: LPIPS of both networks.
        error_weight: Of the squared error relative to that of the decoded picture, so that one
            weight serves all rates.
        adversarial_weight: Of the discriminator's term.
        adversarial_from: Share of the run before which there is none.
        judge_lr: Learning rate of the discriminator.
    """

    perceptual: PerceptualRecipe = field(
        default_factory=lambda: PerceptualRecipe(alex=0.6, vgg=0.5)
    )
    error_weight: float = 0.06
    adversarial_weight: float = 0.08
    adversarial_from: float = 0.3
    judge_lr: float = 2e-4


def relative_error(img_hat: Tensor, base: Tensor, img: Tensor) -> Tensor:
    """Mean over pictures of the squared error of ``img_hat``, in units of that of ``base``."""
    error, floor = (
        F.mse_loss(x.float(), img, reduction="none").mean((1, 2, 3)) for x in (img_hat, base)
    )
    return (error / floor.clamp(min=1e-5)).mean()
