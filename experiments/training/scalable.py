"""Train the signal layer conditioned on the structure layer's colour map, or the same without it.

    python -m experiments.training.scalable train --data DIR --cache DIR --out OUT \
        --start signal.safetensors --qps 57,52 --minutes 600
    python -m experiments.training.scalable train ... --plain
    python -m experiments.training.scalable judge --data DIR --cache DIR --net OUT/checkpoint.pt
    python -m experiments.training.scalable export ... --net OUT/checkpoint.pt --out FILE

After ``colour_maps``. It starts from weights that know no map: what reads the map starts at zero,
but for moves of the first latents' means and scales that are fitted by least squares, so that the
network begins better than they are. A share of the pictures is coded without a map, which keeps the
network one for both. ``judge`` gives rate and PSNR on validation pictures with and without the
map, the map's own bytes apart.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.execution.devices import add_device
from experiments.training.captioner_features import SETS
from experiments.training.colour_maps import ColourMaps, load_maps
from experiments.training.data import CaptionedImages, load_split, to_float
from experiments.training.export import export_signal
from experiments.training.loop import Averaged, Run, adam, descend, start_state
from experiments.training.precision import mixed_precision
from experiments.training.signal import (
    TABLES,
    SignalRecipe,
    parameter_groups,
    random_levels,
    rate_distortion,
)
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.base_prior import BASE_UNIT, upsampled
from scmc_comm.codec.signal_net import checkerboard
from scmc_comm.codec.signal_transforms import LATENT_STRIDE, SignalConfig
from scmc_comm.device import choose_device, chosen_device
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

BASE_LATENTS = 64
JUDGED_LEVELS = (-1.5, -0.5, 0.5, 1.5, 2.5)
_RIDGE = 1e-3


@dataclass(frozen=True)
class ScalableRecipe:
    """How the network is trained; saved inside the checkpoint.

    Attributes:
        signal: Rates, crops and the rest of the signal layer's recipe.
        qps: Of the colour maps, each as often as the others.
        base_probability: Share of the pictures that are coded given their map.
        shares: Of a batch, for each of ``captioner_features.SETS``.
        new_lr: Of what reads the map and is new.
    """

    signal: SignalRecipe = field(default_factory=SignalRecipe)
    qps: tuple[int, ...] = (57,)
    base_probability: float = 0.75
    shares: tuple[float, ...] = (0.35, 0.15, 0.2, 0.3)
    new_lr: float = 6e-4


class MapCrops:
    """Random flipped crops of the training sets, some with their colour map."""

    def __init__(
        self, sets: list[CaptionedImages], maps: list[list[ColourMaps]], recipe: ScalableRecipe
    ) -> None:
        self.sets, self.maps, self.recipe = sets, maps, recipe

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [b, 3, s, s], maps about zero [b, 3, s / 2, s / 2], [b] of 1 where one is."""
        picks = [self._pick(rng) for _ in range(self.recipe.signal.batch)]
        imgs, maps, keep = (list(column) for column in zip(*picks, strict=True))
        # Steps of 1 / 256 about 128, as the integer form has them.
        base = (to_float(np.stack(maps)) * 255 - 128) / 256
        where = chosen_device()
        return to_float(np.stack(imgs)).to(where), base.to(where), torch.tensor(keep, device=where)

    def _pick(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
        shares = np.array(self.recipe.shares)
        which = int(rng.choice(len(self.sets), p=shares / shares.sum()))
        side = self.recipe.signal.crop
        top, left = (2 * int(n) for n in rng.integers(0, (256 - side) // 2 + 1, 2))
        step = -1 if rng.random() < 0.5 else 1
        half = slice(top // 2, (top + side) // 2), slice(left // 2, (left + side) // 2)
        there = rng.random() < self.recipe.base_probability
        if there:
            maps = self.maps[which][int(rng.integers(len(self.maps[which])))]
            row = int(rng.integers(len(maps.rows)))
            index = int(maps.rows[row])
            base = maps.maps[row][half][:, ::step]
        else:
            index = int(rng.integers(len(self.sets[which])))
            base = np.full((side // 2, side // 2, 3), 128, np.uint8)
        img = self.sets[which].pixels[index, top : top + side, left : left + side]
        return img[:, ::step], base, float(there)


def load_start(net: TrainedSignalNet, path: Path) -> None:
    """Go on from weights with or without the condition; what is new starts at zero.

    Raises:
        ScmcError: If the weights are of another network.
    """
    state = start_state("signal", path)
    weights = {k: v for k, v in state.items() if not k.endswith(TABLES)}
    hyper = net.config.hyper_filters[1]
    for name, value in net.state_dict().items():
        old = weights.get(name)
        if old is not None and old.shape != value.shape:
            new = torch.zeros_like(value)
            new[:, :hyper] = old[:, :hyper]
            new[:, hyper + net.config.base_channels :] = old[:, hyper:]
            weights[name] = new
    left = net.load_state_dict(weights, strict=False)
    fresh = ("base.", "analysis.base.")
    missing = [k for k in left.missing_keys if not k.endswith(TABLES) and not k.startswith(fresh)]
    if strange := left.unexpected_keys + missing:
        raise ScmcError(f"{path} holds another network: {', '.join(strange[:3])} ... differ")


def base_latents_of(state: dict[str, Tensor]) -> int:
    """Latent channels that these weights predict from the colour map; 0 where they read none."""
    weights = state.get("base.linear.weight")
    return 0 if weights is None else len(weights) // 2


@torch.no_grad()
def fit_linear(net: TrainedSignalNet, crops: MapCrops, batches: int = 160) -> None:
    """Least squares of what the map says beyond the context's means, into ``net.base.linear``."""
    assert net.base is not None and net.base.linear.bias is not None
    net.eval()
    latents, rng = net.config.base_latents, np.random.default_rng(1)
    told = MapCrops(crops.sets, crops.maps, replace(crops.recipe, base_probability=1.0))
    grams: list[Any] = [0.0, 0.0]
    crosses: list[Any] = [0.0, 0.0]
    energies: list[Any] = [0.0, 0.0]
    count = 0
    for _ in range(batches):
        img, base, _ = told.batch(rng)
        quality = random_levels(rng, len(img), net.config, 1.0)
        gain, _ = net.gains(quality)
        y = net.analysis(img).float() * gain
        z_hat, _ = net.bottleneck(net.hyper_analysis(y))
        means: list[Tensor] = []
        net._code(y, net.hyper_synthesis(z_hat), quality, None, seen_means=means)
        blocks = F.pixel_unshuffle(base, LATENT_STRIDE // 2)
        inputs = F.pad(F.unfold(blocks, 3, padding=1), (0, 0, 0, 1), value=1.0)
        fields = checkerboard(y).flatten().bool()
        for number, field_ in enumerate((fields, ~fields)):
            left = ((y - torch.cat(means[number::2], 1)) / gain)[:, :latents].flatten(2)
            x = inputs[:, :, field_].transpose(1, 2).flatten(0, 1).double()
            wanted = left[:, :, field_].transpose(1, 2).flatten(0, 1).double()
            grams[number] = grams[number] + x.T @ x
            crosses[number] = crosses[number] + x.T @ wanted
            energies[number] = energies[number] + wanted.square().sum(0)
        count += len(x)
    for number, (gram, cross, energy) in enumerate(zip(grams, crosses, energies, strict=True)):
        ridge = _RIDGE * 0.05 * count * torch.eye(len(gram)).to(gram)
        solved = torch.linalg.solve(gram + ridge, cross)
        left = (energy - 2 * (solved * cross).sum(0) + (solved * (gram @ solved)).sum(0)) / energy
        shown = " ".join(f"{v:.2f}" for v in left[:16].tolist())
        logger.info("field %d: of the errors of the means the map leaves %s", number, shown)
        rows = slice(number * latents, (number + 1) * latents)
        net.base.linear.weight[rows] = (BASE_UNIT * solved[:-1].T).float().view(latents, -1, 3, 3)
        net.base.linear.bias[rows] = (BASE_UNIT * solved[-1]).float()
        # Scales shrink as the standard deviation does, by the last layer's bias.
        last = net.base.deep[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        shift = slice((2 + number) * latents, (3 + number) * latents)
        last.bias[shift] = 0.5 * left.clamp(0.02, 1).log2().float()
    net.train()


def train(args: argparse.Namespace) -> None:
    """Train, resume if the folder holds a checkpoint."""
    qps = tuple(int(q) for q in args.qps.split(","))
    shape = replace(SignalRecipe().net, base_latents=0 if args.plain else BASE_LATENTS)
    signal = replace(SignalRecipe(), net=shape)
    recipe = ScalableRecipe(signal, qps, base_probability=1.0 if args.rate_only else 0.75)
    torch.manual_seed(recipe.signal.seed)
    sets = [load_split(args.data, name, "train", args.cache) for name in SETS]
    maps = [[load_maps(args.cache, name, "train", q) for q in qps] for name in SETS]
    crops = MapCrops(sets, maps, recipe)
    net = TrainedSignalNet(shape).to(memory_format=torch.channels_last)
    load_start(net, args.start)
    net = net.to(chosen_device())
    fresh = not (args.out / "checkpoint.pt").is_file()
    if fresh and net.base is not None and not net.base.linear.weight.any():
        fit_linear(net, crops)
    if args.rate_only:
        freeze_all_but_the_entropy_model(net)
    averaged = Averaged(net, decay=0.98 if args.rate_only else 0.998)
    net.synthesis.detail.requires_grad_(False)  # experiments.training.detail trains it
    optimizer = adam(rates(net, recipe), recipe.signal.lr)
    aux_optimizer = adam([net.bottleneck.quantiles], recipe.signal.aux_lr)
    state = {"net": net, "averaged": averaged, "optimizer": optimizer, "aux": aux_optimizer}
    run = Run(args.out, recipe, args.minutes, state, steps=args.steps)
    rng = np.random.default_rng(recipe.signal.seed + run.step)
    edges = np.cumsum(shape.slices)
    while run.goes_on():
        img, base, keep = crops.batch(rng)
        quality = random_levels(rng, len(img), shape, args.emphasis)
        cut = rng.random(len(img)) < recipe.signal.truncate_probability
        channels = np.where(cut, rng.choice(edges[:-1], len(img)), edges[-1])
        with mixed_precision():
            told = None if args.plain else base * keep[:, None, None, None]
            some = cut.any() and not args.rate_only
            arrived = torch.from_numpy(channels).to(img.device) if some else None
            img = img.to(memory_format=torch.channels_last)
            y_hat, bits = net.encode_decode(img, quality, arrived, told, keep)
            lower = None if told is None else upsampled(told) + 0.5
            img_hat = img if args.rate_only else net.synthesis(y_hat, lower, keep)
        loss, mse, bpp = rate_distortion(net, img, bits, img_hat, quality)
        descend(loss, optimizer)
        aux_optimizer.zero_grad()
        aux = net.bottleneck.loss()
        aux.backward()
        aux_optimizer.step()
        averaged.update(net)
        psnr = -10 * mse.detach().clamp(min=1e-6).log10()
        run.step_done(loss=loss.item(), psnr=psnr.mean().item(), bpp=bpp.mean().item())


def freeze_all_but_the_entropy_model(net: TrainedSignalNet) -> None:
    """Leave the transforms and gains: what is then saved in bits is saved at the same picture."""
    net.analysis.requires_grad_(False)
    net.synthesis.requires_grad_(False)
    for gain in (net.log_gain, net.log_inverse_gain):
        gain.requires_grad_(False)


def rates(net: TrainedSignalNet, recipe: ScalableRecipe) -> list[dict[str, Any]]:
    """Groups of parameters with their rates: what reads the map is new and moves faster."""
    new: list[Tensor] = []
    if net.base is not None and net.analysis.base is not None:
        new = [*net.base.deep.parameters(), *net.analysis.base.parameters()]
    ours = {id(p) for p in new}
    groups = parameter_groups(net, recipe.signal, going_on=True)
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in ours]
    groups.append({"params": [p for p in new if p.requires_grad], "lr": recipe.new_lr})
    return [group for group in groups if group["params"]]


@torch.inference_mode()
def judge(args: argparse.Namespace) -> None:
    """Rate in bytes and PSNR of validation pictures, a line of JSON for each set and level."""
    saved = start_state("signal", args.net)
    base_latents = base_latents_of(saved)
    net = TrainedSignalNet(replace(SignalConfig(), base_latents=base_latents)).eval()
    load_start(net, args.net)
    where = chosen_device()
    net = net.to(where)
    qp = int(args.qps.split(",")[0])
    for name in SETS:
        data = load_split(args.data, name, "val", args.cache)
        maps = load_maps(args.cache, name, "val", qp)
        count = min(args.count, len(maps.rows))
        img = data.batch(maps.rows[:count]).to(where)
        base = ((to_float(np.array(maps.maps[:count])) * 255 - 128) / 256).to(where)
        for told in (False, True) if base_latents else (False,):
            for level in JUDGED_LEVELS:
                quality = torch.full((count,), level, device=where)
                with mixed_precision():
                    img_hat, bits = net(img, quality, base=base if told else None)
                mse = (img_hat.float().clamp(0, 1) - img).square().mean((1, 2, 3))
                line = {
                    "set": name,
                    "map": told,
                    "level": level,
                    "bytes": round(float(bits.mean() / 8), 1),
                    "psnr": round(float((-10 * mse.log10()).mean()), 3),
                    "map_bytes": round(float(maps.sizes[:count].mean()), 1) if told else 0.0,
                }
                print(json.dumps(line), flush=True)


def export(args: argparse.Namespace) -> None:
    """Write the file of weights of a checkpoint."""
    saved = torch.load(args.net, weights_only=True, map_location="cpu")
    export_signal(saved["config"]["signal"]["net"], saved["state"]["averaged"], args.out)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="signal layer given the colour map")
    parser.add_argument("what", choices=("train", "judge", "export"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, required=True, help="decoded pictures and maps")
    parser.add_argument("--out", type=Path, help="train: folder; export: file to write")
    parser.add_argument("--start", type=Path, help="train: weights to go on from")
    parser.add_argument("--net", type=Path, help="judge, export: checkpoint.pt")
    parser.add_argument("--plain", action="store_true", help="train: no condition")
    parser.add_argument("--rate-only", action="store_true", help="train: the entropy model alone")
    parser.add_argument("--qps", default="57", help="of the colour maps; judge takes the first")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, help="train: length in steps, in place of minutes")
    parser.add_argument("--emphasis", type=float, default=1.0, help="above 1: low rates more often")
    parser.add_argument("--count", type=int, default=24, help="judge: pictures of each set")
    add_device(parser)
    args = parser.parse_args(argv)
    choose_device(args.device)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    {"train": train, "judge": judge, "export": export}[args.what](args)


if __name__ == "__main__":
    main()
