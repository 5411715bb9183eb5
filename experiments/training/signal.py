"""Train the signal layer's network.

    python -m experiments.training.signal --data DIR --out DIR --minutes 60
    python -m experiments.training.signal --data DIR --out DIR2 --start DIR/checkpoint.pt \
        --lower LOWER --minutes 30

The first run has no lower picture; the second goes on from it with the pictures that the lower
layers make (written by ``experiments.training.lower``), each shown with a probability, so that the
synthesis learns to use them and to do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, CaptionedImages, load_split, to_float
from experiments.training.loop import Averaged, Run, adam, descend, start_state
from experiments.training.lower import Lower, load_lower
from experiments.training.precision import mixed_precision
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.signal_net import LOWEST_LEVEL
from scmc_comm.codec.signal_transforms import LATENT_STRIDE, SignalConfig
from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError

TABLES = ("_quantized_cdf", "_offset", "_cdf_length", "scale_table", "integer_gain")


@dataclass(frozen=True)
class SignalRecipe:
    """How the network is trained; saved inside the checkpoint."""

    net: SignalConfig = field(default_factory=SignalConfig)
    batch: int = 8
    crop: int = 128
    lr: float = 6e-4
    linear_lr: float = 6e-5
    gain_lr: float = 2e-3
    going_on: float = 0.3  # share of these rates in a run that goes on from another
    aux_lr: float = 1e-3
    lower_probability: float = 0.7
    caption_only_share: float = 0.15
    truncate_probability: float = 0.1
    low_rate_emphasis: float = 1.0
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
        where = chosen_device()
        lower = to_float(np.stack(lows)).to(where) if self.lowers else None
        return to_float(np.stack(imgs)).to(where), lower, torch.tensor(keep, device=where)

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


def block_components(sets: list[CaptionedImages], count: int, seed: int = 0) -> Tensor:
    """Principal components of image blocks, most energy first.

    Returns:
        float32 [count, 768], orthonormal, for blocks of 16 x 16 as ``pixel_unshuffle`` lays them.
    """
    rng = np.random.default_rng(seed)
    blocks = []
    for data in sets:
        for i in rng.choice(len(data), min(len(data), 2000), replace=False):
            for top, left in rng.integers(0, 256 - LATENT_STRIDE + 1, (16, 2)):
                blocks.append(
                    data.pixels[i, top : top + LATENT_STRIDE, left : left + LATENT_STRIDE]
                )
    flat = F.pixel_unshuffle(to_float(np.stack(blocks)) - 0.5, LATENT_STRIDE)[:, :, 0, 0]
    _, vectors = torch.linalg.eigh((flat.T @ flat).double())
    return vectors.flip(1).T[:count].float()


def load_start(net: TrainedSignalNet, path: Path) -> None:
    """Go on from a checkpoint or from weights that ship, whose tables are made anew at the end.

    Raises:
        ScmcError: If the weights are of another network.
    """
    state = start_state("signal", path)
    weights = {name: value for name, value in state.items() if not name.endswith(TABLES)}
    left = net.load_state_dict(weights, strict=False)
    strange = left.unexpected_keys + [k for k in left.missing_keys if not k.endswith(TABLES)]
    if strange:
        raise ScmcError(f"{path} holds another network: {', '.join(strange[:3])} ... differ")


def parameter_groups(
    net: TrainedSignalNet, recipe: SignalRecipe, going_on: bool
) -> list[dict[str, Any]]:
    """The linear transforms start good and move slowly; the gains are logarithms and move fast."""
    groups: dict[float, list[Tensor]] = {recipe.linear_lr: [], recipe.gain_lr: [], recipe.lr: []}
    for name, value in net.named_parameters():
        if not value.requires_grad or name.endswith("quantiles"):
            continue
        rate = recipe.linear_lr if ".linear." in name else recipe.lr
        groups[recipe.gain_lr if "gain" in name else rate].append(value)
    factor = recipe.going_on if going_on else 1.0
    return [{"params": params, "lr": factor * rate} for rate, params in groups.items()]


def random_levels(
    rng: np.random.Generator, count: int, config: SignalConfig, emphasis: float
) -> Tensor:
    """Levels [count] over the whole range, low ones more often the larger ``emphasis`` is."""
    share = rng.random(count) ** emphasis
    top = len(config.lambdas) - 1
    return torch.from_numpy(LOWEST_LEVEL + share * (top - LOWEST_LEVEL)).float().to(chosen_device())


def rate_distortion(
    net: TrainedSignalNet, img: Tensor, bits: Tensor, img_hat: Tensor, quality: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss ``lambda 255^2 MSE + bpp``, evened out over the rates; and MSE and bpp per sample."""
    log_lambda = torch.tensor(net.config.lambdas, device=quality.device).log()
    low = quality.floor().long().clamp(0, len(net.config.lambdas) - 2)
    lam = (log_lambda[low] + (log_lambda[low + 1] - log_lambda[low]) * (quality - low)).exp()
    mse = (img_hat.float() - img).square().mean((1, 2, 3))
    bpp = bits / (img.shape[2] * img.shape[3])
    return ((lam * 255**2 * mse + bpp) / lam.sqrt() * 0.1).mean(), mse, bpp


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=60)
    parser.add_argument("--start", type=Path, help="weights to go on from (.pt or .safetensors)")
    parser.add_argument("--lower", type=Path, help="output of training.lower")
    args = script_arguments(parser, argv)
    recipe = SignalRecipe()
    torch.manual_seed(recipe.seed)
    sets = [load_split(args.data, name, "train", args.cache) for name in SETS]
    lowers = [load_lower(args.lower, name) for name in SETS] if args.lower else []
    crops = Crops(sets, lowers, recipe)
    net = TrainedSignalNet(recipe.net).to(memory_format=torch.channels_last)
    if not args.start:
        net.start_from_components(block_components(sets, recipe.net.num_latents))
    else:
        load_start(net, args.start)
    net = net.to(chosen_device())
    averaged = Averaged(net)
    net.synthesis.detail.requires_grad_(False)  # experiments.training.detail trains it
    optimizer = adam(parameter_groups(net, recipe, bool(args.start)), recipe.lr)
    aux_optimizer = adam([net.bottleneck.quantiles], recipe.aux_lr)
    run = Run(
        args.out,
        recipe,
        args.minutes,
        {"net": net, "averaged": averaged, "optimizer": optimizer, "aux": aux_optimizer},
    )
    rng = np.random.default_rng(recipe.seed + run.step)
    edges = np.cumsum(recipe.net.slices)
    while run.goes_on():
        img, lower, keep = crops.batch(rng)
        quality = random_levels(rng, recipe.batch, recipe.net, recipe.low_rate_emphasis)
        cut = rng.random(recipe.batch) < recipe.truncate_probability
        channels = np.where(cut, rng.choice(edges[:-1], recipe.batch), edges[-1])
        with mixed_precision():
            img_hat, bits = net(
                img.to(memory_format=torch.channels_last),
                quality,
                lower,
                keep,
                num_channels=torch.from_numpy(channels).to(img.device) if cut.any() else None,
            )
        loss, mse, bpp = rate_distortion(net, img, bits, img_hat, quality)
        descend(loss, optimizer)
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
