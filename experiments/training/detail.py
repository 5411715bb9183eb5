"""Train the signal layer's perceptual refinement; the network's other weights stay as they are.

    python -m experiments.training.detail --data DIR --start SCALABLE/checkpoint.pt --out DIR

The signal is coded as ``experiments.training.scalable`` does, most pictures given their colour map.
The loss weighs LPIPS of both networks against the squared error relative to that of the picture
without the correction, so that one weight serves all rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.captioner_features import SETS
from experiments.training.colour_maps import load_maps
from experiments.training.data import load_split
from experiments.training.gan import Adversary
from experiments.training.loop import Averaged, Run, adam, descend, start_state
from experiments.training.perceptual import PerceptualLoss, RefinementRecipe, relative_error
from experiments.training.precision import mixed_precision
from experiments.training.scalable import MapCrops, ScalableRecipe, base_latents_of, load_start
from experiments.training.signal import random_levels
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.base_prior import upsampled
from scmc_comm.codec.signal_transforms import SignalConfig
from scmc_comm.device import chosen_device


@dataclass(frozen=True)
class DetailRecipe:
    """How the correction is trained; saved inside the checkpoint."""

    net: SignalConfig = field(default_factory=SignalConfig)
    crops: ScalableRecipe = field(default_factory=ScalableRecipe)
    losses: RefinementRecipe = field(default_factory=RefinementRecipe)
    lr: float = 4e-4
    low_rate_emphasis: float = 1.6
    seed: int = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=30)
    parser.add_argument(
        "--start", type=Path, required=True, help="weights of training.scalable (.pt, .safetensors)"
    )
    parser.add_argument("--qps", default="57", help="of the colour maps, separated by commas (57)")
    args = script_arguments(parser, argv)
    qps = tuple(int(q) for q in args.qps.split(","))
    shape = replace(SignalConfig(), base_latents=base_latents_of(start_state("signal", args.start)))
    recipe = DetailRecipe(shape, ScalableRecipe(qps=qps))
    torch.manual_seed(recipe.seed)
    sets = [load_split(args.data, name, "train", args.cache) for name in SETS]
    maps = [[load_maps(args.cache, name, "train", q) for q in qps] for name in SETS]
    crops = MapCrops(sets, maps, recipe.crops)
    net = TrainedSignalNet(shape).to(memory_format=torch.channels_last).eval()
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
        img, base, keep = crops.batch(rng)
        img = img.to(memory_format=torch.channels_last)
        told = base * keep[:, None, None, None] if shape.base_latents else None
        lower = None if told is None else upsampled(told) + 0.5
        quality = random_levels(rng, len(img), recipe.net, recipe.low_rate_emphasis)
        with torch.no_grad(), mixed_precision():
            y_hat, _ = net.encode_decode(img, quality, base=told, keep=keep)
            coded, features = net.synthesis.base(y_hat, lower, keep)
        with mixed_precision():
            fake = coded + net.synthesis.correction(coded, features, lower, keep)
            distance = perceptual(fake.clamp(0, 1), img, rng).mean()
        excess = relative_error(fake, coded, img)
        loss = distance + losses.error_weight * excess
        term, judge_loss = adversary.step(img, fake, run.progress)
        loss = loss + term
        descend(loss, optimizer)
        averaged.update(net)
        with torch.no_grad(), mixed_precision():
            before = (
                perceptual(coded.clamp(0, 1), img, rng).mean()
                if run.step % 50 == 0
                else distance * 0
            )
        run.step_done(
            distance=distance.item(), before=50 * before.item(), error=excess.item(),
            judge=judge_loss,
        )  # fmt: skip


if __name__ == "__main__":
    main()
