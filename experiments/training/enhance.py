"""Train the enhancement network of the rival ``vvc:enhance=perceptual``.

    python -m experiments.training.enhance --data DIR --out DIR --minutes 60

The same pictures, losses and size as the networks of the layered codec that paint: LPIPS of both
networks, the squared error relative to the decoded picture's own, and least squares against a patch
discriminator, as of the perceptual refinement (:mod:`experiments.training.detail`). What VVC's
receiver has is written first, see :mod:`experiments.training.vvc_pairs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import load_sets
from experiments.training.gan import Adversary
from experiments.training.loop import Averaged, Run, adam, descend
from experiments.training.perceptual import PerceptualLoss, RefinementRecipe, relative_error
from experiments.training.precision import mixed_precision
from experiments.training.vvc_pairs import load_pairs, pairs_folder, write_pairs
from scmc_comm.baselines.enhance_net import EnhanceConfig, EnhanceNet
from scmc_comm.device import chosen_device


@dataclass(frozen=True)
class EnhanceRecipe:
    """How the network is trained; saved inside the checkpoint."""

    net: EnhanceConfig = field(default_factory=EnhanceConfig)
    losses: RefinementRecipe = field(default_factory=RefinementRecipe)
    batch: int = 8
    crop: int = 128
    lr: float = 5e-4
    general_share: float = 0.4
    seed: int = 0


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=60)
    parser.add_argument(
        "--count", type=int, default=2000, help="decoded pictures of each set, at least (2000)"
    )
    args = script_arguments(parser, argv)
    recipe = EnhanceRecipe()
    losses = recipe.losses
    torch.manual_seed(recipe.seed)
    sets, pairs = [], []
    for name, originals in load_sets(args.data, "train", args.cache).items():
        folder = pairs_folder(args.cache, name, originals)
        write_pairs(originals, folder, args.count)
        sets.append(originals)
        pairs.append(load_pairs(folder))
    where = chosen_device()
    net = EnhanceNet(recipe.net).to(where).to(memory_format=torch.channels_last)
    adversary = Adversary(3, losses.judge_lr, losses.adversarial_weight, losses.adversarial_from)
    averaged = Averaged(net)
    optimizer = adam(net.parameters(), recipe.lr, (0.5, 0.99))
    perceptual = PerceptualLoss(losses.perceptual)
    parts = {"net": net, "averaged": averaged, "optimizer": optimizer, **adversary.parts()}
    run = Run(args.out, recipe, args.minutes, parts)
    rng = np.random.default_rng(recipe.seed + run.step)
    while run.goes_on():
        which = int(rng.random() < recipe.general_share) if len(sets) > 1 else 0
        rows = rng.integers(len(pairs[which]), size=recipe.batch)
        batch = pairs[which].crops(sets[which], rows, recipe.crop, rng)
        img, seen, qp, divisor = (x.to(where) for x in batch)
        img, seen = (x.contiguous(memory_format=torch.channels_last) for x in (img, seen))
        with mixed_precision():
            fake = net(seen, qp, divisor)
            distance = perceptual(fake.clamp(0, 1), img, rng).mean()
        excess = relative_error(fake, seen, img)
        loss = distance + losses.error_weight * excess
        term, judge_loss = adversary.step(img, fake, run.progress)
        descend(loss + term, optimizer)
        averaged.update(net)
        run.step_done(distance=distance.item(), error=excess.item(), judge=judge_loss)


if __name__ == "__main__":
    main()
