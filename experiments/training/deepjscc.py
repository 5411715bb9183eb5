"""Train the analog baseline: pictures straight to channel symbols and back.

    python -m experiments.training.deepjscc --data DIR --out DIR --minutes 60

One network for every SNR and bandwidth: each sample has a mean Es/N0, a budget and, some of them, a
fade of its own. It starts from the transforms of the signal layer (``--start``, by default those
that ship), which are trained on the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from channels.phy.analog import equalise
from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, load_split
from experiments.training.loop import Averaged, Run, adam, descend, start_state
from experiments.training.signal import Crops, SignalRecipe
from scmc_comm.baselines.deepjscc_net import DeepJsccConfig, DeepJsccNet
from scmc_comm.codec.signal_transforms import LATENT_STRIDE
from scmc_comm.device import chosen_device

_NEW = (".attend", ".more", ".gain.", ".log_", ".mean", ".usual")
"""Parts of names of what the signal layer does not have."""


@dataclass(frozen=True)
class DeepJsccRecipe:
    """How the network is trained; saved inside the checkpoint.

    Attributes:
        faded: Share of samples whose symbols fade, half of them in one block.
        esno_db: Range of the mean Es/N0.
        rho: Range of the bandwidth ratio, drawn evenly in its logarithm.
        weight: Samples count as ``mse ** -weight``, so that no rate or SNR is trained alone.
    """

    net: DeepJsccConfig = field(default_factory=DeepJsccConfig)
    batch: int = 8
    crop: int = 96
    lr: float = 8e-4
    start_lr: float = 2e-4
    linear_lr: float = 2e-5
    faded: float = 0.3
    esno_db: tuple[float, float] = (-5.0, 20.0)
    rho: tuple[float, float] = (1 / 192, 1 / 6)
    weight: float = 0.8
    seed: int = 0


def amplitudes(rng: np.random.Generator, shape: tuple[int, int], faded: float) -> Tensor:
    """abs(h) of every symbol [b, n]: 1, or Rayleigh in one block or in 2 to 64 scattered ones."""
    out = np.ones(shape)
    for row in out:
        if rng.random() < faded:
            blocks = 1 if rng.random() < 0.5 else int(2 ** rng.uniform(1, 6))
            row[:] = np.sqrt(rng.exponential(1, blocks))[rng.integers(blocks, size=len(row))]
    return torch.from_numpy(out).float()


def received(
    symbols: Tensor, gain: Tensor, no: Tensor, noise: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Symbols after noise and equalisation, and the Es/N0 in dB that is left, [b]."""
    unit = torch.randn(symbols.shape, generator=noise, dtype=symbols.dtype).to(symbols.device)
    y = symbols * gain + unit * no[:, None].sqrt()
    x_hat, esno = equalise(y, gain.to(y.dtype), no)
    return x_hat, 10 * esno.clamp(min=1e-3).log10()


def parameter_groups(net: nn.Module, recipe: DeepJsccRecipe) -> list[dict[str, object]]:
    """What starts from the signal layer's weights moves more slowly than what is new."""
    groups: dict[float, list[Tensor]] = {}
    for name, value in net.named_parameters():
        rate = recipe.linear_lr if ".linear." in name else recipe.start_lr
        new = any(part in name for part in _NEW)
        groups.setdefault(recipe.lr if new else rate, []).append(value)
    return [{"params": params, "lr": rate} for rate, params in groups.items()]


def started(recipe: DeepJsccRecipe, start: Path | None, pictures: Tensor) -> DeepJsccNet:
    """The network with the signal layer's transforms and gains that suit the pictures."""
    from scmc_comm.models import model_path

    net = DeepJsccNet(recipe.net)
    state = start_state("signal", start or model_path("signal.safetensors"))
    parts = {
        part: {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}
        for part in ("analysis.", "synthesis.")
    }
    net.start_from(parts["analysis."], parts["synthesis."])
    net.balance(pictures.cpu())
    return net.to(chosen_device()).to(memory_format=torch.channels_last)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=60)
    parser.add_argument("--start", type=Path, help="signal layer's checkpoint or weights")
    args = script_arguments(parser, argv)
    recipe = DeepJsccRecipe()
    torch.manual_seed(recipe.seed)
    sets = [load_split(args.data, name, "train", args.cache) for name in SETS]
    rng = np.random.default_rng(recipe.seed)
    crops = Crops(sets, [], SignalRecipe(crop=recipe.crop, batch=recipe.batch))
    first = Crops(sets, [], SignalRecipe(crop=recipe.crop, batch=64)).batch(rng)[0]
    net = started(recipe, args.start, first)
    averaged = Averaged(net)
    optimizer = adam(parameter_groups(net, recipe), recipe.lr)
    parts = {"net": net, "averaged": averaged, "optimizer": optimizer}
    run = Run(args.out, recipe, args.minutes, parts)
    rng = np.random.default_rng((recipe.seed, run.step))
    noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
    blocks = (recipe.crop // LATENT_STRIDE) ** 2
    low, high = np.log(recipe.rho)
    while run.goes_on():
        img, _, _ = crops.batch(rng)
        rho = np.exp(rng.uniform(low, high, recipe.batch))
        uses = torch.from_numpy(rho * 3 * recipe.crop**2).long().clamp(min=1).to(img.device)
        esno_db = torch.from_numpy(rng.uniform(*recipe.esno_db, recipe.batch)).float()
        esno_db = esno_db.to(img.device)
        symbols = net.encode(img.to(memory_format=torch.channels_last), esno_db, uses)
        gain = amplitudes(rng, (recipe.batch, symbols.shape[1]), recipe.faded).to(img.device)
        x_hat, left_db = received(symbols, gain, 10 ** (-esno_db / 10), noise)
        size = (recipe.crop, recipe.crop)
        img_hat = net.decode(x_hat * net.sent(uses, blocks), size, esno_db, left_db, uses)
        mse = (img_hat - img).square().mean((1, 2, 3))
        loss = (mse * mse.detach().clamp(min=1e-5) ** -recipe.weight).mean()
        descend(loss, optimizer)
        averaged.update(net)
        psnr = -10 * mse.detach().clamp(min=1e-6).log10()
        run.step_done(loss=loss.item(), psnr=psnr.mean().item())


if __name__ == "__main__":
    main()
