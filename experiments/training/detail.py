"""Train the signal layer's perceptual refinement; the network's other weights stay as they are.

    python -m experiments.training.detail --data DIR --lower LOWER \
        --start SIGNAL/checkpoint.pt --out DIR

The loss weighs LPIPS of both networks against the squared error relative to that of the picture
without the correction, so that one weight serves all rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, load_split
from experiments.training.gan import Adversary
from experiments.training.loop import Averaged, Run, adam, descend
from experiments.training.lower import load_lower
from experiments.training.perceptual import PerceptualLoss, RefinementRecipe, relative_error
from experiments.training.precision import mixed_precision
from experiments.training.signal import Crops, SignalRecipe, load_start, random_levels
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.signal_transforms import SignalConfig
from scmc_comm.device import chosen_device


@dataclass(frozen=True)
class DetailRecipe:
    """How the correction is trained; saved inside the checkpoint."""

    net: SignalConfig = field(default_factory=SignalConfig)
    crops: SignalRecipe = field(default_factory=SignalRecipe)
    losses: RefinementRecipe = field(default_factory=RefinementRecipe)
    lr: float = 4e-4
    low_rate_emphasis: float = 1.6
    seed: int = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=30)
    parser.add_argument("--lower", type=Path, required=True, help="output of training.lower")
    parser.add_argument(
        "--start", type=Path, required=True, help="weights of training.signal (.pt or .safetensors)"
    )
    args = script_arguments(parser, argv)
    recipe = DetailRecipe()
    torch.manual_seed(recipe.seed)
    sets = [load_split(args.data, name, "train", args.cache) for name in SETS]
    crops = Crops(sets, [load_lower(args.lower, name) for name in SETS], recipe.crops)
    net = TrainedSignalNet(recipe.net).to(memory_format=torch.channels_last).eval()
    load_start(net, args.start)
    net = net.to(chosen_device()).requires_grad_(False)
    detail = net.synthesis.detail.train().requires_grad_(True)
    losses = recipe.losses
    adversary = Adversary(3, losses.judge_lr, losses.adversarial_weight, losses.adversarial_from)
    averaged = Averaged(net)
    optimizer = adam(detail.parameters(), recipe.lr, (0.5, 0.99))
    perceptual = PerceptualLoss(losses.perceptual)
    parts = {"net": net, "averaged": averaged, "optimizer": optimizer, **adversary.parts()}
    run = Run(args.out, recipe, args.minutes, parts)
    rng = np.random.default_rng(recipe.seed + run.step)
    while run.goes_on():
        img, lower, keep = crops.batch(rng)
        img = img.to(memory_format=torch.channels_last)
        quality = random_levels(rng, len(img), recipe.net, recipe.low_rate_emphasis)
        with torch.no_grad(), mixed_precision():
            y_hat, _ = net.encode_decode(img, quality)
            base, features = net.synthesis.base(y_hat, lower, keep)
        with mixed_precision():
            fake = base + net.synthesis.correction(base, features, lower, keep)
            distance = perceptual(fake.clamp(0, 1), img, rng).mean()
        excess = relative_error(fake, base, img)
        loss = distance + losses.error_weight * excess
        term, judge_loss = adversary.step(img, fake, run.progress)
        loss = loss + term
        descend(loss, optimizer)
        averaged.update(net)
        with torch.no_grad(), mixed_precision():
            before = (
                perceptual(base.clamp(0, 1), img, rng).mean()
                if run.step % 50 == 0
                else distance * 0
            )
        run.step_done(
            distance=distance.item(), before=50 * before.item(), error=excess.item(),
            judge=judge_loss,
        )  # fmt: skip


if __name__ == "__main__":
    main()
