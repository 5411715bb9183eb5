"""Train the small captioner.

    python -m experiments.training.captioner --data DIR --out DIR --minutes 15

First the pictures go through the frozen convolutions once, in two views each (as it is, and a
random crop, mirrored or not), into a memory-mapped array. The classifier of kinds is a linear
discriminant in closed form (kinds: the class names, and one for everything else). Then the
decoder is trained on the feature maps and the true kind. Targets are "class name: caption" for
pictures with a class, else the caption.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.caption_text import class_words, sentence, targets
from experiments.training.data import SETS, CaptionedImages, load_split
from experiments.training.loop import Averaged, Run, adam, descend
from experiments.training.precision import mixed_precision
from scmc_comm.codec import captioner_net as net
from scmc_comm.codec.captioner import Captioner, save_small
from scmc_comm.device import chosen_device
from scmc_comm.zoo.sources import alexnet_features

logger = logging.getLogger(__name__)

VIEWS = 2


@dataclass(frozen=True)
class CaptionerRecipe:
    """How the captioner is trained; saved inside the checkpoint."""

    batch: int = 64
    lr: float = 3e-3
    smoothing: float = 0.05
    shrinkage: float = 0.2
    min_count: int = 3
    max_words: int = 2600
    seed: int = 0


@torch.no_grad()
def precompute(
    encoder: net.AlexNetTokens,
    sets: list[CaptionedImages],
    keep: np.ndarray,
    folder: Path,
    seed: int,
) -> np.ndarray:
    """Feature maps of the kept pictures: float16 [n, VIEWS, 256, 7, 7]."""
    path = folder / f"captioner-top-{len(keep)}.npy"
    done = folder / f"captioner-{len(keep)}.done"
    first = int(done.read_text(encoding="utf-8")) if done.is_file() else 0
    if first < len(keep):
        rng = np.random.default_rng([seed, first])
        shape = (len(keep), VIEWS, 256, 7, 7)
        maps = np.lib.format.open_memmap(
            path, mode="r+" if first else "w+", dtype=np.float16, shape=shape
        )
        offsets = np.cumsum([0] + [len(s) for s in sets])
        for row in range(first, len(keep)):
            which = int(np.searchsorted(offsets, keep[row], side="right")) - 1
            img = sets[which].batch([keep[row] - offsets[which]])
            views = [img]
            for _ in range(VIEWS - 1):
                side = int(rng.integers(176, 248))
                top, left = rng.integers(0, 256 - side + 1, 2)
                crop = net.prepare(img[..., top : top + side, left : left + side])
                views.append(crop.flip(-1) if rng.random() < 0.5 else crop)
            with mixed_precision():
                maps[row] = encoder.maps(torch.cat(views)).float().numpy()
            if row % 500 == 499 or row == len(keep) - 1:
                maps.flush()
                done.write_text(str(row + 1), encoding="utf-8")
                logger.info("features of %d / %d pictures", row + 1, len(keep))
    return np.load(path, mmap_mode="r")


def discriminant(
    features: torch.Tensor, kinds: torch.Tensor, num_kinds: int, shrinkage: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Linear discriminant analysis with shrinkage, equal priors: weight [k, d] and bias [k].

    Features are standardised first (and the scaling folded into the result); the covariance
    within the kinds is shrunk towards the identity (Friedman, 1989).
    """
    mean, std = features.mean(0), features.std(0) + 1e-3
    z = (features - mean) / std
    one_hot = F.one_hot(kinds, num_kinds).float()
    count = one_hot.sum(0).clamp(min=1)
    centers = one_hot.T @ z / count[:, None]
    within = (z.T @ z - (centers.T * count) @ centers) / len(z)
    within += shrinkage * torch.eye(len(mean))
    solved = torch.cholesky_solve(centers.T, torch.linalg.cholesky(within))
    weight = solved.T / std
    return weight, -0.5 * (centers.T * solved).sum(0) - weight @ mean


def pooled(maps: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps [n, v, 256, 7, 7] pooled to 3 x 3 (float16), and the classifier's view of them."""
    parts, features = [], []
    for row in range(0, len(maps), 256):
        block = torch.from_numpy(np.array(maps[row : row + 256])).float()
        flat = block.flatten(0, 1)
        parts.append(F.adaptive_max_pool2d(flat, 3).half().view(*block.shape[:3], 3, 3))
        features.append(net.kind_features(flat).view(*block.shape[:2], -1))
    return torch.cat(parts), torch.cat(features)


def label_batch(texts: list[tuple[list[str], bool]], ids: dict[str, int]) -> torch.Tensor:
    """Token ids with the end mark, padded by -100, int64 [b, longest]."""
    rows = [[ids[w] for w in words] + ([2] if ends else []) for words, ends in texts]
    out = torch.full((len(rows), max(map(len, rows))), -100)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row)
    return out


def write_captions(captioner: Captioner, data: CaptionedImages, path: Path) -> None:
    """Caption a whole split as users will, one line a picture, and log the class accuracy."""
    lines = [line for imgs in data.blocks(64) for line in captioner.describe(imgs)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if any(data.class_names):
        hits = sum(
            line.split(":")[0] == sentence(class_words(c))
            for line, c in zip(lines, data.class_names, strict=True)
        )
        logger.info("%s: class named right %.3f of %d", path.stem, hits / len(data), len(data))


def train(data: Path, out: Path, cache: Path, minutes: float, recipe: CaptionerRecipe) -> None:
    """Train, resume if ``out`` holds a checkpoint, and export to ``out/captioner.safetensors``."""
    torch.manual_seed(recipe.seed)
    sets = [load_split(data, n, "train", cache) for n in SETS]
    words, texts = targets(sets[0], sets[1], recipe.min_count, recipe.max_words)
    keep = np.array([i for i, (t, _) in enumerate(texts) if t])
    logger.info(
        "%d words, %d pictures, %d whole captions", len(words), len(keep), sum(e for _, e in texts)
    )
    names = sorted({c for s in sets for c in s.class_names if c})
    order = {name: i for i, name in enumerate(names)}
    every = [order.get(c, len(names)) for s in sets for c in s.class_names]
    kinds = torch.tensor(every)[torch.from_numpy(keep)]
    model = net.build(len(words), num_kinds=len(names) + 1)
    encoder = model.encoder
    encoder.load_state_dict(alexnet_features(), strict=False)
    maps = precompute(encoder.eval(), sets, keep, cache, recipe.seed)
    colors = torch.cat([net.color_grid(imgs) for s in sets for imgs in s.blocks(64)])
    colors = colors[torch.from_numpy(keep)]
    parts, features = pooled(maps)
    weight, bias = discriminant(
        features.flatten(0, 1), kinds.repeat_interleave(VIEWS), len(names) + 1, recipe.shrinkage
    )
    encoder.classifier.load_state_dict({"weight": weight, "bias": bias})
    encoder.features.requires_grad_(False)
    encoder.classifier.requires_grad_(False)
    ids = {w: i + len(net.SPECIALS) for i, w in enumerate(words)}

    where = chosen_device()
    model.to(where)
    optimizer = adam([p for p in model.parameters() if p.requires_grad], recipe.lr)
    averaged = Averaged(model, decay=0.99)
    state = {"model": model, "averaged": averaged, "optimizer": optimizer}
    run = Run(out, recipe, minutes, state)
    rng = np.random.default_rng([recipe.seed, run.step])
    model.train()
    while run.goes_on():
        rows = torch.from_numpy(rng.integers(0, len(keep), recipe.batch))
        views = torch.from_numpy(rng.integers(0, VIEWS, recipe.batch))
        labels = label_batch([texts[keep[r]] for r in rows], ids)
        start = torch.ones(len(rows), 1, dtype=torch.long)
        inputs = torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] < 0, 2)], dim=1)
        with mixed_precision():
            seen = parts[rows, views].float(), colors[rows], kinds[rows]
            tokens = encoder.tokens(*(x.to(where) for x in seen))
            logits = model(tokens, inputs.to(where))
        loss = F.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten().to(where),
            label_smoothing=recipe.smoothing,
        )  # fmt: skip
        descend(loss, optimizer)
        averaged.update(model)
        run.step_done(loss=loss.item())
    path = out / "captioner.safetensors"
    save_small(averaged.net, words, path)
    captioner = Captioner.load(path)
    for name, split in (("flowers256", "test"), ("flowers256", "val"), ("general256", "val")):
        write_captions(captioner, load_split(data, name, split, cache), out / f"{name}-{split}.txt")
    for split_set, name in zip(sets, SETS, strict=True):
        write_captions(captioner, split_set, out / f"{name}-train.txt")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=15)
    parser.add_argument("--threads", type=int, default=1)
    args = script_arguments(parser, argv)
    torch.set_num_threads(args.threads)
    train(args.data, args.out, args.cache, args.minutes, CaptionerRecipe())


if __name__ == "__main__":
    main()
