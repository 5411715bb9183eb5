"""Fill the memory of the semantic layer's generator, sketches too, and train its renderer.

    python -m experiments.training.generator --data DIR --out DIR --minutes 30

Of every kind of picture (its class, or its set where it has none) those are remembered whose
colours stand for most of the others: the pictures nearest to the centres of a k-means clustering of
their layouts. The renderer learns to paint pictures from their own coarse colour maps, with the
fusion network's ``L1 + LPIPS`` and a penalty where two views of one picture are painted
differently; what starts it is the fusion network that ships, or ``--start``.
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
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.captioner_features import SETS
from experiments.training.data import CaptionedImages, load_sets
from experiments.training.loop import (
    Averaged,
    Run,
    adam,
    check_share,
    descend,
    keep_some,
    start_state,
)
from experiments.training.perceptual import PerceptualLoss, PerceptualRecipe, picture_loss
from experiments.training.precision import mixed_precision
from experiments.training.views import disagreement, random_crop, random_views, random_window
from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.generator import SIDE as PICTURE_SIDE
from scmc_comm.codec.generator import Generator, coarse_map
from scmc_comm.codec.layout import GRID, layout_grid
from scmc_comm.codec.memory import SIDE, Memory, beyond_layout, smooth, words_of
from scmc_comm.codec.structure import COLOURS, LEVELS, colour_maps, edge_maps, join_streams
from scmc_comm.codec.vvc import encode_batch
from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER
from scmc_comm.types import FINEST

logger = logging.getLogger(__name__)

BATCH = 64
MIN_WORD_COUNT = 3
COUNT = 12000
COMPONENTS = 128
FEW_CENTRES = 256


@dataclass(frozen=True)
class GeneratorRecipe:
    """How the renderer is trained; saved inside the checkpoint.

    Attributes:
        crop: Side of the square in which two views of side ``view`` lie.
        margin: Pixels at the borders of their overlap in which they may disagree.
        window: Side of what ``perceptual`` sees of the first view.
        disagreement_weight: Of the mean absolute difference of the two views. At 5 dashes grow that
            are locked to the network's lattice, at 25 the edges are lost.
        least_detail: Share of the detail beyond the layout that it is shown at least.
    """

    net: FusionConfig = field(default_factory=lambda: FusionConfig(lattice_free=True))
    batch: int = 3
    crop: int = 192
    view: int = 160
    margin: int = 16
    window: int = 128
    lr: float = 2e-4
    perceptual: PerceptualRecipe = field(default_factory=PerceptualRecipe)
    disagreement_weight: float = 10.0
    least_detail: float = 0.5
    seed: int = 0


def content_of(data: CaptionedImages, i: int) -> str:
    """Class name and human caption of picture ``i`` as one sentence."""
    return f"{data.class_names[i]} {data.captions[i]}".strip()


def vocabulary(texts: Sequence[str], min_count: int = MIN_WORD_COUNT) -> tuple[str, ...]:
    """Words that occur at least ``min_count`` times, sorted."""
    counts = Counter(word for text in texts for word in words_of(text))
    return tuple(sorted(word for word, count in counts.items() if count >= min_count))


def small(data: CaptionedImages, name: str) -> Tensor:
    """All pictures of a set, float32 [n, 3, SIDE, SIDE] in [0, 1]."""
    blocks = tqdm(data.blocks(BATCH), total=-(-len(data) // BATCH), desc=f"{name} pictures")
    return torch.cat([F.adaptive_avg_pool2d(imgs, SIDE) for imgs in blocks])


def choose(layouts: NDArray[np.float32], kinds: Sequence[str], count: int) -> list[int]:
    """Pictures that stand for the others of their kind, in order.

    Args:
        layouts: Colours of each picture, float32 [n, d].
        kinds: Kind of each.
        count: About how many to choose; every kind gets its share, rounded up.

    Returns:
        At most ``count`` numbers and one for each kind.
    """
    members: dict[str, list[int]] = {}
    for i, kind in enumerate(kinds):
        members.setdefault(kind, []).append(i)
    chosen: list[int] = []
    for rows in members.values():
        share = -(-count * len(rows) // len(kinds))
        if share >= len(rows):
            chosen += rows
            continue
        mine = layouts[rows]
        # Centres far apart (k-means++) take the square of their number to find.
        minit = "++" if share <= FEW_CENTRES else "points"
        centres, _ = kmeans2(mine, share, minit=minit, seed=0)
        nearest = (int(np.square(mine - centre).sum(1).argmin()) for centre in centres)
        chosen += sorted({rows[i] for i in nearest})
    return sorted(chosen)


def principal_components(detail: Tensor, count: int) -> Tensor:
    """The first principal components of pictures and their mirror images.

    Args:
        detail: float32 [n, 3, h, w], of mean about 0.
        count: How many.

    Returns:
        float32 [count, 3 * h * w], orthonormal rows, the strongest first.
    """
    size = detail[0].numel()
    total = torch.zeros(size, size)
    for rows in (detail.flatten(1), detail.flip(3).flatten(1)):
        total += rows.T @ rows
    return torch.linalg.eigh(total)[1].flip(1)[:, :count].T.contiguous()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=30)
    parser.add_argument("--count", type=int, default=COUNT, help=f"about how many ({COUNT})")
    parser.add_argument(
        "--start",
        type=Path,
        default=FOLDER / "fusion.safetensors",
        help="fusion weights to go on from",
    )
    parser.add_argument(
        "--renderer", type=Path, help="generator whose renderer is kept: the memory alone is new"
    )
    parser.add_argument(
        "--keep", type=float, default=0.0, help="share of the start's weights in the result (0)"
    )
    args = script_arguments(parser, argv)
    if args.count < 1:
        raise ScmcError(f"got --count {args.count}; expected at least 1")
    check_share(args.keep)
    sets = load_sets(args.data, "train", args.cache, SETS)
    texts = [content_of(data, i) for data in sets.values() for i in range(len(data))]
    kinds = [kind or name for name, data in sets.items() for kind in data.class_names]
    imgs = torch.cat([small(data, name) for name, data in sets.items()])
    basis = principal_components(beyond_layout(imgs), COMPONENTS)
    chosen = choose(F.adaptive_avg_pool2d(imgs, GRID).flatten(1).numpy(), kinds, args.count)
    memory = Memory.of(imgs[chosen], [texts[i] for i in chosen], vocabulary(texts), basis)
    logger.info("%d memories of %d pictures", len(memory), len(imgs))
    sketches = sketches_of(list(sets.values()), chosen)
    if args.renderer:
        renderer = Generator.load(args.renderer).renderer
    else:
        renderer = train_renderer(args, list(sets.values()), basis)
    path = args.out / "generator.safetensors"
    Generator(memory, renderer, sketches).save(path)
    logger.info("wrote %s", path)


def sketches_of(sets: Sequence[CaptionedImages], chosen: Sequence[int]) -> list[bytes]:
    """Structure payloads of some pictures, numbered through all sets, at the finest level."""
    detector, how, starts = EdgeDetector.load(), LEVELS[FINEST], np.cumsum([0, *map(len, sets)])
    assert how.edge_qp is not None
    numbers, made = np.array(chosen), list[bytes]()
    for data, start, end in zip(sets, starts, starts[1:], strict=False):
        rows = numbers[(start <= numbers) & (numbers < end)] - start
        for i in tqdm(range(0, len(rows), BATCH), desc="sketches"):
            imgs = data.batch(rows[i : i + BATCH])
            with mixed_precision():
                edges = edge_maps(detector, imgs)
            streams = (
                encode_batch(edges, how.edge_qp),
                encode_batch(colour_maps(imgs), how.colour_qp, COLOURS),
            )
            made += map(join_streams, *streams)
    return made


def train_renderer(
    args: argparse.Namespace, sets: Sequence[CaptionedImages], basis: Tensor
) -> FusionNet:
    """The network that turns coarse maps into pictures.

    Its weights are averaged over the last steps and, by ``--keep``, with those it started from.
    """
    recipe = GeneratorRecipe()
    torch.manual_seed(recipe.seed)
    where = chosen_device()
    net = FusionNet(recipe.net).to(where).to(memory_format=torch.channels_last)
    start = start_state("fusion", args.start)
    net.load_state_dict(start)
    averaged = Averaged(net)
    optimizer = adam(net.parameters(), recipe.lr, (0.5, 0.99))
    perceptual = PerceptualLoss(recipe.perceptual)
    parts = {"net": net, "averaged": averaged, "optimizer": optimizer}
    run = Run(args.out, recipe, args.minutes, parts)
    rng = np.random.default_rng(recipe.seed + run.step)
    while run.goes_on():
        data = sets[rng.choice(len(sets), p=[len(s) / sum(map(len, sets)) for s in sets])]
        img = data.batch(rng.integers(len(data), size=recipe.batch))
        if rng.random() < 0.5:
            img = img.flip(3)
        pair = random_crop(rng, recipe.crop, img, own_map(img, basis, rng, recipe))
        img, colours = (x.to(where) for x in pair)
        view, other = random_views(rng, recipe.crop, recipe.view)
        window = random_window(rng, recipe.view, recipe.view, recipe.window)
        real = view.of(img, 2)[:, :, *window].contiguous(memory_format=torch.channels_last)
        with mixed_precision():
            painted = net.from_colours(torch.cat([view.of(colours, 1), other.of(colours, 1)]))
            fake, turned = painted.chunk(2)
            loss, l1, distance = picture_loss(fake[:, :, *window], real, perceptual, rng)
            differs = disagreement(fake, view, other.upright(turned), other, recipe.margin).mean()
        descend(loss + recipe.disagreement_weight * differs, optimizer)
        averaged.update(net)
        run.step_done(l1=l1.item(), perceptual=distance.item(), differs=differs.item())
    net.load_state_dict(keep_some(averaged.net.state_dict(), start, args.keep))
    return net


def own_map(
    img: Tensor, basis: Tensor, rng: np.random.Generator, recipe: GeneratorRecipe
) -> Tensor:
    """What would be remembered of pictures [b, 3, 256, 256] themselves, [b, 3, 128, 128]."""
    detail = beyond_layout(F.adaptive_avg_pool2d(img, SIDE))
    kept = (detail.flatten(1) @ basis.T @ basis).view_as(detail)
    share = torch.from_numpy(rng.uniform(recipe.least_detail, 1, (len(img), 1, 1, 1))).float()
    return smooth(coarse_map(layout_grid(img)[0], kept, share), PICTURE_SIDE // 2).clamp(0, 1)


if __name__ == "__main__":
    main()
