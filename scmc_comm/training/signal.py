"""Train the signal layer's network.

    python -m scmc_comm.training.signal --data DIR --out DIR --minutes 60
    python -m scmc_comm.training.signal --data DIR --out DIR2 --start DIR/checkpoint.pt \
        --lower LOWER --minutes 30

The first run has no lower picture; the second goes on from it with the pictures that the lower
layers make (written by ``scmc_comm.training.lower``), each shown with a probability, so that the
synthesis learns to use them and to do without.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scmc_comm.codec.signal_net import LOWEST_LEVEL, SignalConfig, SignalNet
from scmc_comm.training.data import CaptionedImages, load_split, to_float
from scmc_comm.training.loop import Averaged, Run, adam
from scmc_comm.training.lower import SETS, Lower, load_lower

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SignalRecipe:
    """How the network is trained; saved inside the checkpoint."""

    net: SignalConfig = field(default_factory=SignalConfig)
    batch: int = 8
    crop: int = 128
    lr: float = 5e-4
    lr_going_on: float = 1.5e-4
    aux_lr: float = 1e-3
    lower_probability: float = 0.7
    caption_only_share: float = 0.15
    truncate_probability: float = 0.1
    low_rate_emphasis: float = 1.6
    seed: int = 0


class Crops:
    """Random flipped crops of the training sets in equal shares, some with their lower picture."""

    def __init__(
        self, sets: list[CaptionedImages], lowers: list[Lower], recipe: SignalRecipe
    ) -> None:
        self.sets, self.lowers, self.recipe = sets, lowers, recipe

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor | None, Tensor]:
        """Pictures, lower pictures (None without any), and [b] of 1 where there is one."""
        picks = [self._pick(rng) for _ in range(self.recipe.batch)]
        imgs, lows, keep = (list(column) for column in zip(*picks, strict=True))
        lower = to_float(np.stack(lows)) if self.lowers else None
        return to_float(np.stack(imgs)), lower, torch.tensor(keep)

    def _pick(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        which = int(rng.integers(len(self.sets)))
        index, lower_pixels = int(rng.integers(len(self.sets[which]))), None
        if self.lowers and rng.random() < self.recipe.lower_probability:
            lower = self.lowers[which]
            row = int(rng.integers(len(lower)))
            index = int(lower.index[row])
            caption_only = rng.random() < self.recipe.caption_only_share
            source = lower.semantic if caption_only or lower.fused is None else lower.fused
            lower_pixels = source[row]
        side = self.recipe.crop
        top, left = rng.integers(0, 256 - side + 1, 2)
        step = -1 if rng.random() < 0.5 else 1

        def cut(pixels: np.ndarray) -> np.ndarray:
            return pixels[top : top + side, left : left + side][:, ::step]

        img = cut(self.sets[which].pixels[index])
        return (
            img,
            img if lower_pixels is None else cut(lower_pixels),
            float(lower_pixels is not None),
        )


def rate_distortion(
    net: SignalNet, img: Tensor, bits: Tensor, img_hat: Tensor, quality: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss ``lambda 255^2 MSE + bpp``, evened out over the rates; and MSE and bpp per sample."""
    log_lambda = torch.tensor(net.config.lambdas).log()
    low = quality.floor().long().clamp(0, len(net.config.lambdas) - 2)
    lam = (log_lambda[low] + (log_lambda[low + 1] - log_lambda[low]) * (quality - low)).exp()
    mse = (img_hat.float() - img).square().mean((1, 2, 3))
    bpp = bits / (img.shape[2] * img.shape[3])
    return ((lam * 255**2 * mse + bpp) / lam.sqrt() * 0.1).mean(), mse, bpp


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="decoded pictures (default: OUT/cache)")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--start", type=Path, help="checkpoint of the run to go on from")
    parser.add_argument("--lower", type=Path, help="output of training.lower")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = SignalRecipe()
    torch.manual_seed(recipe.seed)
    cache = args.cache or args.out / "cache"
    sets = [load_split(args.data, name, "train", cache) for name in SETS]
    lowers = [load_lower(args.lower, name) for name in SETS] if args.lower else []
    crops = Crops(sets, lowers, recipe)
    net = SignalNet(recipe.net).to(memory_format=torch.channels_last)
    if args.start:
        net.load_state_dict(torch.load(args.start, weights_only=True)["state"]["averaged"])
    averaged = Averaged(net)
    main_params = [p for n, p in net.named_parameters() if not n.endswith("quantiles")]
    optimizer = adam(main_params, recipe.lr_going_on if args.start else recipe.lr)
    aux_optimizer = adam([net.bottleneck.quantiles], recipe.aux_lr)
    run = Run(
        args.out,
        recipe,
        args.minutes,
        {"net": net, "averaged": averaged, "optimizer": optimizer, "aux": aux_optimizer},
    )
    rng = np.random.default_rng(recipe.seed + run.step)
    edges = np.cumsum(recipe.net.chunks)
    while run.goes_on():
        img, lower, keep = crops.batch(rng)
        share = rng.random(recipe.batch) ** recipe.low_rate_emphasis
        level = LOWEST_LEVEL + share * (len(recipe.net.lambdas) - 1 - LOWEST_LEVEL)
        quality = torch.from_numpy(level).float()
        cut = rng.random(recipe.batch) < recipe.truncate_probability
        channels = np.where(cut, rng.choice(edges[:-1], recipe.batch), edges[-1])
        with torch.autocast("cpu", torch.bfloat16):
            img_hat, bits = net(
                img.to(memory_format=torch.channels_last),
                quality,
                lower,
                keep,
                num_channels=torch.from_numpy(channels) if cut.any() else None,
            )
        loss, mse, bpp = rate_distortion(net, img, bits, img_hat, quality)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(main_params, 1.0)
        optimizer.step()
        aux_optimizer.zero_grad()
        aux = net.bottleneck.loss()
        aux.backward()
        aux_optimizer.step()
        averaged.update(net)
        psnr = -10 * mse.detach().clamp(min=1e-6).log10()
        run.step_done(
            loss=loss.item(), psnr=psnr.mean().item(), bpp=bpp.mean().item(), aux=aux.item()
        )


if __name__ == "__main__":
    main()
