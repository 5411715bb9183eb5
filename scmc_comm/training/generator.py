"""Train the one-step text-to-image generator of the semantic layer.

    python -m scmc_comm.training.generator --data DIR --out DIR --minutes 60

Each sentence of the caption is dropped at random, so that a caption may have either or both.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from scmc_comm.codec.generator import NOISE_SIDE, Generator, GeneratorConfig, words_of
from scmc_comm.codec.layout import layout_grid
from scmc_comm.metrics.perceptual import load_lpips
from scmc_comm.training.data import CaptionedImages, load_split
from scmc_comm.training.gan import (
    PatchDiscriminator,
    adversarial_loss,
    discriminator_loss,
    picture_loss,
    random_window,
)
from scmc_comm.training.loop import Averaged, Run, adam
from scmc_comm.training.precision import mixed_precision

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GeneratorRecipe:
    """How the generator is trained; saved inside the checkpoint."""

    net: GeneratorConfig = field(default_factory=GeneratorConfig)
    batch: int = 6
    lr: float = 4e-4
    discriminator_lr: float = 4e-4
    perceptual_weight: float = 0.4
    adversarial_weight: float = 0.06
    adversarial_from: float = 0.2
    drop_content: float = 0.1
    drop_layout: float = 0.12
    general_share: float = 0.25
    min_word_count: int = 3
    seed: int = 0


def content_of(data: CaptionedImages, i: int) -> str:
    """Class name and human caption of picture ``i`` as one sentence."""
    return f"{data.class_names[i]} {data.captions[i]}".strip()


def vocabulary(sets: list[CaptionedImages], min_count: int) -> tuple[str, ...]:
    """Words that occur at least ``min_count`` times, sorted."""
    counts = Counter(w for d in sets for i in range(len(d)) for w in words_of(content_of(d, i)))
    return tuple(sorted(w for w, n in counts.items() if n >= min_count))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="decoded pictures (default: OUT/cache)")
    parser.add_argument("--minutes", type=float, default=60)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cache = args.cache or args.out / "cache"
    flowers, general = (
        load_split(args.data, name, "train", cache) for name in ("flowers256", "general256")
    )
    words = vocabulary([flowers, general], GeneratorRecipe.min_word_count)
    recipe = GeneratorRecipe(net=GeneratorConfig(vocabulary=words))
    torch.manual_seed(recipe.seed)
    net = Generator(recipe.net).to(memory_format=torch.channels_last)
    judge = PatchDiscriminator().to(memory_format=torch.channels_last)
    averaged = Averaged(net)
    optimizer = adam(net.parameters(), recipe.lr, (0.5, 0.99))
    judge_optimizer = adam(judge.parameters(), recipe.discriminator_lr, (0.5, 0.99))
    lpips = load_lpips("vgg")
    run = Run(
        args.out,
        recipe,
        args.minutes,
        {
            "net": net,
            "averaged": averaged,
            "optimizer": optimizer,
            "judge": judge,
            "judge_optimizer": judge_optimizer,
        },
    )
    rng = np.random.default_rng(recipe.seed + run.step)
    while run.goes_on():
        data = [
            general if rng.random() < recipe.general_share else flowers for _ in range(recipe.batch)
        ]
        index = [int(rng.integers(len(d))) for d in data]
        img = torch.cat([d.batch([i]) for d, i in zip(data, index, strict=True)])
        if rng.random() < 0.5:
            img = img.flip(3)
        texts = [content_of(d, i) for d, i in zip(data, index, strict=True)]
        texts = [t if rng.random() > recipe.drop_content else "" for t in texts]
        has_layout = torch.from_numpy(rng.random(recipe.batch) > recipe.drop_layout).float()
        layout, _ = layout_grid(img)
        noise = torch.randn(recipe.batch, 1, NOISE_SIDE, NOISE_SIDE)
        window = random_window(256, 256)
        real = img[:, :, *window].contiguous(memory_format=torch.channels_last)
        with mixed_precision():
            whole = net(net.tokens(texts), layout, has_layout, noise)
            fake = whole[:, :, *window]
            loss, l1, distance = picture_loss(whole, img, lpips, recipe.perceptual_weight, shrink=2)
        judge_loss = torch.zeros(())
        if run.progress > recipe.adversarial_from:
            with mixed_precision():
                loss = loss + recipe.adversarial_weight * adversarial_loss(judge, fake)
                judge_loss = discriminator_loss(judge, real, fake)
            judge_optimizer.zero_grad()
            judge_loss.backward(inputs=list(judge.parameters()))
            judge_optimizer.step()
        optimizer.zero_grad()
        loss.backward(inputs=list(net.parameters()))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        averaged.update(net)
        run.step_done(
            loss=loss.item(), l1=l1.item(), lpips=distance.item(), judge=judge_loss.item()
        )


if __name__ == "__main__":
    main()
