"""Train the captioner of photographs of anything.

    python -m experiments.training.photo_captioner --data DIR --cache DIR --published FILE --out DIR

After ``photo_features``, whose cache it reads. Frozen convolutions, a decoder with attention on
4 x 4 cells, and a classifier of kinds (flowers, birds, neither). One sample in five of a named
picture is taught without its name, so that the captioner can describe what it cannot name.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.captioner import label_batch
from experiments.training.data import CaptionedImages, load_split
from experiments.training.loop import Averaged, Run, adam
from experiments.training.photo_features import SETS, load_features
from experiments.training.photo_text import Target, targets, vocabulary
from experiments.training.precision import mixed_precision
from scmc_comm.codec.captioner_net import SPECIALS
from scmc_comm.codec.efficientnet_lite import fold
from scmc_comm.codec.photo_captioner_net import CaptionerShape, PhotoCaptioner
from scmc_comm.codec.weights import save_weights
from scmc_comm.codec.word_decoder import BOS_ID, EOS_ID

logger = logging.getLogger(__name__)

NETWORK = "photo_captioner"
_VALIDATE_EVERY = 500


@dataclass(frozen=True)
class PhotoCaptionerRecipe:
    """How the captioner is trained; saved inside the checkpoint.

    Attributes:
        batch: Pictures a step.
        lr: Of Adam.
        smoothing: Of the labels.
        min_count: A word must occur as often to be taught.
        shares: Of a batch, for each of ``photo_features.SETS``.
        unnamed: Share of the named pictures that are taught without their name.
        classifier: Weight of the kinds' cross-entropy.
        width: Of the decoder.
        layers: Of the decoder.
        dropout: In the decoder and of the cells.
        seed: Of the draw of samples.
    """

    batch: int = 64
    lr: float = 8e-4
    smoothing: float = 0.1
    min_count: int = 5
    shares: tuple[float, ...] = (0.55, 0.15, 0.22, 0.08)
    unnamed: float = 0.2
    classifier: float = 0.5
    width: int = 256
    layers: int = 3
    dropout: float = 0.2
    seed: int = 0


class Samples:
    """One split of a set: features of all views, and what is taught about each picture."""

    def __init__(
        self, cache: Path, data: CaptionedImages, name: str, split: str, taught: list[Target]
    ) -> None:
        self.maps, self.colors = load_features(cache, name, split)
        self.taught = taught
        self.rows = [i for i, t in enumerate(taught) if t.texts and self.maps]
        self.name = name
        logger.info(
            "%s %s: %d of %d pictures taught, %d views",
            *(name, split, len(self.rows), len(data), len(self.maps)),
        )

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Target]:
        """Maps, colours and target of a picture drawn at random, in a view drawn at random."""
        row = self.rows[int(rng.integers(len(self.rows)))]
        view = int(rng.integers(len(self.maps)))
        return self.maps[view][row], self.colors[view][row], self.taught[row]


class Teacher:
    """Draws batches, and scores the captioner on them."""

    def __init__(
        self, sets: list[Samples], words: list[str], names: list[str], recipe: PhotoCaptionerRecipe
    ) -> None:
        self.sets, self.recipe = sets, recipe
        self.ids = {w: i + len(SPECIALS) for i, w in enumerate(words)}
        self.kinds = {name: i for i, name in enumerate(names)}

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, ...]:
        """Maps, colours, kinds that are told, true kinds, labels."""
        given = zip(self.recipe.shares, self.sets, strict=False)
        shares = np.array([share if samples.rows else 0.0 for share, samples in given])
        which = rng.choice(len(self.sets), size, p=shares / shares.sum())
        drawn = [self.sets[i].draw(rng) for i in which]
        told, true, texts = [], [], []
        for _, _, target in drawn:
            kind = self.kinds.get(" ".join(target.name), len(self.kinds))
            words = list(target.texts[int(rng.integers(len(target.texts)))])
            true.append(kind)
            if target.name and rng.random() >= self.recipe.unnamed:
                told.append(kind)
                words = [*target.name, ":", *words]
            else:
                told.append(len(self.kinds))
            texts.append((words, True))
        return (
            torch.from_numpy(np.stack([d[0] for d in drawn])).float(),
            torch.from_numpy(np.stack([d[1] for d in drawn])).float(),
            torch.tensor(told),
            torch.tensor(true),
            label_batch(texts, self.ids),
        )

    def losses(
        self, model: PhotoCaptioner, batch: tuple[torch.Tensor, ...], smoothing: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of the words and of the kinds."""
        maps, colors, told, true, labels = batch
        start = torch.full((len(labels), 1), BOS_ID)
        inputs = torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] < 0, EOS_ID)], dim=1)
        with mixed_precision():
            with torch.no_grad():
                cells, pooled = model.encoder.cells(maps), model.encoder.pooled(maps)
            logits = model(model.encoder.tokens(cells, pooled, colors, told), inputs)
            kinds = model.encoder.kinds(model.encoder.dropout(pooled))
        words = F.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), label_smoothing=smoothing
        )
        return words, F.cross_entropy(kinds.float(), true)


def train(
    data: Path,
    cache: Path,
    published: Path,
    out: Path,
    minutes: float,
    recipe: PhotoCaptionerRecipe,
    steps: int | None = None,
) -> None:
    """Train, resume if ``out`` holds a checkpoint, and export the weights beside it."""
    torch.manual_seed(recipe.seed)
    splits = {s: [load_split(data, n, s, cache) for n in SETS] for s in ("train", "val")}
    words, fixes = vocabulary(splits["train"], recipe.min_count)
    known = set(words)
    samples = {
        split: [
            Samples(cache, d, n, split, targets(d, known, fixes))
            for d, n in zip(sets, SETS, strict=True)
        ]
        for split, sets in splits.items()
    }
    names = sorted({" ".join(t.name) for s in samples["train"] for t in s.taught if t.name})
    logger.info("%d words, %d names", len(words), len(names))
    shape = CaptionerShape(
        len(words), len(names), width=recipe.width, layers=recipe.layers, dropout=recipe.dropout
    )
    model = PhotoCaptioner(shape)
    imagenet = fold(torch.load(published, weights_only=True))
    model.encoder.trunk.load_state_dict(imagenet["trunk"])
    model.encoder.head.load_state_dict(imagenet["head"])
    model.encoder.classes.load_state_dict(imagenet["classes"])
    for frozen in (model.encoder.trunk, model.encoder.head, model.encoder.classes):
        frozen.requires_grad_(False)
    taught = [p for p in model.parameters() if p.requires_grad]
    optimizer = adam(taught, recipe.lr)
    averaged = Averaged(model, decay=0.998)
    state = {"model": model, "averaged": averaged, "optimizer": optimizer}
    run = Run(out, recipe, minutes, state, steps=steps)
    teacher = Teacher(samples["train"], words, names, recipe)
    judge = Teacher(samples["val"], words, names, recipe)
    rng = np.random.default_rng([recipe.seed, run.step])
    torch.manual_seed(run.step)
    model.train()
    while run.goes_on():
        text, kinds = teacher.losses(model, teacher.batch(rng, recipe.batch), recipe.smoothing)
        optimizer.zero_grad()
        (text + recipe.classifier * kinds).backward()
        torch.nn.utils.clip_grad_norm_(taught, 1.0)
        optimizer.step()
        averaged.update(model)
        run.step_done(text=text.item(), kinds=kinds.item())
        if run.step % _VALIDATE_EVERY == 0:
            _validate(averaged.net, judge, run.step)
            export(averaged.net, words, names, out / f"{NETWORK}.safetensors")
    _validate(averaged.net, judge, run.step)
    export(averaged.net, words, names, out / f"{NETWORK}.safetensors")


@torch.inference_mode()
def _validate(model: torch.nn.Module, judge: Teacher, step: int) -> None:
    assert isinstance(model, PhotoCaptioner)
    for i, samples in enumerate(judge.sets):
        if not samples.rows:
            continue
        one = Teacher([samples], [], [], judge.recipe)
        one.ids, one.kinds = judge.ids, judge.kinds
        rng = np.random.default_rng(i)
        scores = [one.losses(model, one.batch(rng, 64), 0.0) for _ in range(4)]
        text, kinds = (float(torch.stack(s).mean()) for s in zip(*scores, strict=True))
        logger.info("step %d val %s: words %.3f kinds %.3f", step, samples.name, text, kinds)


def export(model: torch.nn.Module, words: list[str], names: list[str], path: Path) -> None:
    """Write the file of weights; matrices in eight bits."""
    assert isinstance(model, PhotoCaptioner)
    config = {"shape": model.config(), "words": words, "names": names}
    save_weights(NETWORK, config, model.state_dict(), path, eight_bits=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="train the captioner of photographs")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, required=True, help="of photo_features")
    parser.add_argument("--published", type=Path, required=True, help="efficientnet-lite2 .pth")
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--steps", type=int, help="length in steps, in place of minutes")
    parser.add_argument("--lr", type=float, default=PhotoCaptionerRecipe.lr)
    parser.add_argument("--dropout", type=float, default=PhotoCaptionerRecipe.dropout)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    recipe = PhotoCaptionerRecipe(lr=args.lr, dropout=args.dropout)
    train(args.data, args.cache, args.published, args.out, args.minutes, recipe, args.steps)


if __name__ == "__main__":
    main()
