"""Train the structure layer's fusion network.

    python -m experiments.training.lower sketches --data DIR --out LOWER
    python -m experiments.training.fusion --data DIR --lower LOWER --out DIR --minutes 40
    python -m experiments.training.fusion --data DIR --lower LOWER --out DIR2 \
        --start DIR/checkpoint.pt --steady

Losses as in the paper: L1 + LPIPS, and least squares against a patch discriminator that sees the
picture beside the edges. ``--steady`` adds a penalty where two views of one sketch are painted
differently, and so takes out the strokes that are locked to the network's lattice;
``training.export --keep`` then averages the weights with those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, load_split
from experiments.training.gan import Adversary
from experiments.training.loop import Averaged, Run, adam, descend, start_state
from experiments.training.lower import load_lower
from experiments.training.perceptual import PerceptualLoss, PerceptualRecipe, picture_loss
from experiments.training.precision import mixed_precision
from experiments.training.views import (
    View,
    disagreement,
    random_crop,
    random_views,
    random_window,
)
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError


@dataclass(frozen=True)
class Agreement:
    """What it costs that two views of one sketch are painted differently.

    Attributes:
        view: Side of the views, inside the crop.
        margin: Pixels at the borders of their overlap in which they may disagree.
        coarse: Weight of their mean absolute difference where a crop has no edges (no crop of a
            coarse sketch has), so that any stroke is made up.
        fine: The same where it has some. At 2 the texture that they stand for is lost as well.
    """

    view: int = 160
    margin: int = 16
    coarse: float = 10.0
    fine: float = 0.4


@dataclass(frozen=True)
class FusionRecipe:
    """How the fusion network is trained; saved inside the checkpoint.

    It sees crops of side ``crop``; the losses look at a window of side ``window`` inside, so that
    neither sees the same grid all the time. With ``agreement`` it sees two views of every crop.
    """

    net: FusionConfig = field(default_factory=FusionConfig)
    batch: int = 6
    crop: int = 192
    window: int = 160
    lr: float = 5e-4
    going_on: float = 0.6  # share of this rate in a run that goes on from another
    discriminator_lr: float = 2e-4
    perceptual: PerceptualRecipe = field(default_factory=PerceptualRecipe)
    adversarial_weight: float = 0.25
    adversarial_from: float = 0.4
    drop_semantic: float = 0.15
    general_share: float = 0.4
    agreement: Agreement | None = None
    seed: int = 0


STEADY = FusionRecipe(batch=3, window=128, lr=2e-4, adversarial_from=0.0, agreement=Agreement())
NO_PERCEPTUAL = PerceptualRecipe(alex=0.0, vgg=0.0)
ABLATIONS = {
    "alignment": FusionRecipe(net=FusionConfig(alignment=False)),
    "self-calibration": FusionRecipe(net=FusionConfig(self_calibration=False)),
    "semantics": FusionRecipe(net=FusionConfig(semantics=False)),
    "gan": FusionRecipe(adversarial_weight=0.0),
    "perceptual": FusionRecipe(perceptual=NO_PERCEPTUAL, adversarial_weight=0.0),
}
"""What the network or its loss can be trained without; without the last, L1 alone is left."""


class Inputs(NamedTuple):
    """What the network is shown of a batch; shapes as in :meth:`FusionNet.forward`."""

    semantic: Tensor
    present: Tensor
    edges: Tensor
    colours: Tensor

    def of(self, view: View) -> Inputs:
        """A view of the maps, which are of the picture's size or of half of it."""
        edges, colours = view.of(self.edges, 1), view.of(self.colours, 1)
        return Inputs(view.of(self.semantic, 2), self.present, edges, colours)


def paint_twice(
    net: FusionNet, shown: Inputs, how: Agreement, rng: np.random.Generator
) -> tuple[Tensor, View, Tensor]:
    """Paint two views of square maps.

    Returns:
        The first view's pictures [b, 3, how.view, how.view], that view, and what it costs that
        the second's are different, a scalar.
    """
    view, other = random_views(rng, shown.semantic.shape[-1], how.view)
    pairs = zip(shown.of(view), shown.of(other), strict=True)
    fake, turned = net(*(torch.cat(pair) for pair in pairs)).chunk(2)
    differs = disagreement(fake, view, other.upright(turned), other, how.margin)
    no_edges = shown.edges.amax((1, 2, 3)) == 0
    return fake, view, (torch.where(no_edges, how.coarse, how.fine) * differs).mean()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=40)
    parser.add_argument("--lower", type=Path, required=True, help="output of training.lower")
    parser.add_argument("--steps", type=int, help="length in steps, in the place of minutes")
    parser.add_argument("--start", type=Path, help="weights to go on from (.pt or .safetensors)")
    parser.add_argument(
        "--steady", action="store_true", help="two views of one sketch must agree; with --start"
    )
    parser.add_argument("--without", choices=ABLATIONS, help="leave a part out, to see its worth")
    args = script_arguments(parser, argv)
    if args.steady and (args.without or not args.start):
        raise ScmcError("--steady goes on from a whole network; give --start, not --without")
    recipe = ABLATIONS[args.without] if args.without else STEADY if args.steady else FusionRecipe()
    torch.manual_seed(recipe.seed)
    originals = [load_split(args.data, name, "train", args.cache) for name in SETS]
    lowers = [load_lower(args.lower, name) for name in SETS]
    where = chosen_device()
    net = FusionNet(recipe.net).to(where).to(memory_format=torch.channels_last)
    if args.start:
        net.load_state_dict(start_state("fusion", args.start))
    adversary = Adversary(
        4, recipe.discriminator_lr, recipe.adversarial_weight, recipe.adversarial_from
    )
    averaged = Averaged(net)
    lr = recipe.lr * (recipe.going_on if args.start else 1.0)
    optimizer = adam(net.parameters(), lr, (0.5, 0.99))
    perceptual = PerceptualLoss(recipe.perceptual)
    run = Run(
        args.out,
        recipe,
        args.minutes,
        {"net": net, "averaged": averaged, "optimizer": optimizer, **adversary.parts()},
        steps=args.steps,
    )
    rng = np.random.default_rng(recipe.seed + run.step)
    while run.goes_on():
        which = int(rng.random() < recipe.general_share)
        original, lower = originals[which], lowers[which]
        rows = rng.integers(len(lower), size=recipe.batch)
        img = original.batch(lower.index[rows])
        semantic, edges, colours = lower.maps(rows)
        if rng.random() < 0.5:
            img, semantic, colours, edges = (x.flip(3) for x in (img, semantic, colours, edges))
        img, semantic, colours, edges = random_crop(rng, recipe.crop, img, semantic, colours, edges)
        present = torch.from_numpy(rng.random(recipe.batch) > recipe.drop_semantic).float()
        maps = img, semantic, colours, edges, present
        img, semantic, colours, edges, present = (x.to(where) for x in maps)
        shown, penalty = Inputs(semantic, present, edges, colours), torch.zeros(())
        with mixed_precision():
            if recipe.agreement:
                fake, view, penalty = paint_twice(net, shown, recipe.agreement, rng)
                img, edges = view.of(img, 2), view.of(edges, 1)
            else:
                fake = net(*shown)
            height, width = fake.shape[-2:]
            window = random_window(rng, height, width, recipe.window)
            fake = fake[:, :, *window]
            real = img[:, :, *window].contiguous(memory_format=torch.channels_last)
            loss, l1, distance = picture_loss(fake, real, perceptual, rng)
        lines = F.interpolate(edges, scale_factor=2.0)[:, :, *window]
        seen, made = torch.cat([real, lines], 1), torch.cat([fake, lines], 1)
        term, judge_loss = adversary.step(seen, made, run.progress)
        loss = loss + term + penalty
        descend(loss, optimizer)
        averaged.update(net)
        run.step_done(
            l1=l1.item(), distance=distance.item(), judge=judge_loss, penalty=penalty.item()
        )


if __name__ == "__main__":
    main()
