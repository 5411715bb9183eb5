"""Train the captioner of photographs of anything.

    python -m experiments.training.captioner --data DIR --cache DIR --out DIR

After ``captioner_features``, whose cache it reads. Frozen convolutions, a decoder with attention on
4 x 4 cells, and a classifier of kinds (flowers, birds, neither). One sample in five of a named
picture is taught without its name, so that the captioner can describe what it cannot name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.caption_targets import Target, targets, vocabulary
from experiments.training.captioner_features import SETS, load_features, published_weights
from experiments.training.data import CaptionedImages, load_split
from experiments.training.loop import Averaged, Run, adam, descend
from experiments.training.precision import mixed_precision
from scmc_comm.codec.captioner import DEFAULT_BEAMS, Reading, SmallBackend, Trust, save_small, tidy
from scmc_comm.codec.captioner_net import SPECIALS, CaptionerShape, SmallCaptioner
from scmc_comm.codec.word_decoder import BOS_ID, EOS_ID
from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

FIRST = "run 'scmc-comm train captioner_features' with this cache first"
_VALIDATE_EVERY = 500
_BATCH = 64
_DESCRIBED = {"train": 750, "val": 200}


@dataclass(frozen=True)
class CaptionerRecipe:
    """How the captioner is trained; saved inside the checkpoint.

    Attributes:
        batch: Pictures a step.
        lr: Of Adam.
        smoothing: Of the labels.
        min_count: A word must occur as often to be taught.
        shares: Of a batch, for each of ``captioner_features.SETS``.
        unnamed: Share of the named pictures that are taught without their name.
        classifier: Weight of the kinds' cross-entropy.
        width: Of the decoder.
        layers: Of the decoder.
        dropout: In the decoder and of the cells.
        seed: Of the draw of samples.
        trust: When it says what.
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
    trust: Trust = field(default_factory=Trust)


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


def label_batch(texts: Sequence[Sequence[str]], ids: dict[str, int]) -> torch.Tensor:
    """Token ids with the end mark, padded by -100, int64 [b, longest]."""
    rows = [[*(ids[w] for w in words), EOS_ID] for words in texts]
    out = torch.full((len(rows), max(map(len, rows))), -100)
    for i, row in enumerate(rows):
        out[i, : len(row)] = torch.tensor(row)
    return out


class Teacher:
    """Draws batches, and scores the captioner on them."""

    def __init__(
        self, sets: list[Samples], words: list[str], names: list[str], recipe: CaptionerRecipe
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
            texts.append(words)
        parts = (
            torch.from_numpy(np.stack([d[0] for d in drawn])).float(),
            torch.from_numpy(np.stack([d[1] for d in drawn])).float(),
            torch.tensor(told),
            torch.tensor(true),
            label_batch(texts, self.ids),
        )
        return tuple(part.to(chosen_device()) for part in parts)

    def losses(
        self, model: SmallCaptioner, batch: tuple[torch.Tensor, ...], smoothing: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of the words and of the kinds."""
        maps, colors, told, true, labels = batch
        start = torch.full((len(labels), 1), BOS_ID, device=labels.device)
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


def train(data: Path, cache: Path, run_of: Callable[..., Run], recipe: CaptionerRecipe) -> Path:
    """Train, resume if the run's folder holds a checkpoint, and export the weights beside it."""
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
    if not any(s.rows for s in samples["train"]):
        raise ScmcError(f"{cache} holds no features; {FIRST}")
    names = sorted({" ".join(t.name) for s in samples["train"] for t in s.taught if t.name})
    logger.info("%d words, %d names", len(words), len(names))
    shape = CaptionerShape(
        len(words), len(names), width=recipe.width, layers=recipe.layers, dropout=recipe.dropout
    )
    model = SmallCaptioner(shape).to(chosen_device())
    imagenet = published_weights()
    for part in ("trunk", "head", "classes"):
        frozen = getattr(model.encoder, part)
        frozen.load_state_dict(imagenet[part])
        frozen.requires_grad_(False)
    taught = [p for p in model.parameters() if p.requires_grad]
    optimizer = adam(taught, recipe.lr)
    averaged = Averaged(model, decay=0.998)
    run = run_of(
        config=recipe, state={"model": model, "averaged": averaged, "optimizer": optimizer}
    )
    teacher = Teacher(samples["train"], words, names, recipe)
    judge = Teacher(samples["val"], words, names, recipe)
    rng = np.random.default_rng([recipe.seed, run.step])
    torch.manual_seed(run.step)
    model.train()
    while run.goes_on():
        text, kinds = teacher.losses(model, teacher.batch(rng, recipe.batch), recipe.smoothing)
        descend(text + recipe.classifier * kinds, optimizer)
        averaged.update(model)
        run.step_done(text=text.item(), kinds=kinds.item())
        if run.step % _VALIDATE_EVERY == 0:
            validate(averaged.net, judge, run.step)
    validate(averaged.net, judge, run.step)
    path = run.path.with_name("captioner.safetensors")
    assert isinstance(averaged.net, SmallCaptioner)
    save_small(averaged.net, words, names, imagenet_classes(), recipe.trust, path)
    return path


@torch.inference_mode()
def validate(model: torch.nn.Module, judge: Teacher, step: int) -> None:
    """Log the losses on validation pictures of every set."""
    assert isinstance(model, SmallCaptioner)
    for i, samples in enumerate(judge.sets):
        if not samples.rows:
            continue
        one = Teacher([samples], [], [], judge.recipe)
        one.ids, one.kinds = judge.ids, judge.kinds
        rng = np.random.default_rng(i)
        scores = [one.losses(model, one.batch(rng, 64), 0.0) for _ in range(4)]
        text, kinds = (float(torch.stack(s).mean()) for s in zip(*scores, strict=True))
        logger.info("step %d val %s: words %.3f kinds %.3f", step, samples.name, text, kinds)


def imagenet_classes() -> list[str]:
    """Names of ImageNet's 1,000 classes, in lower case."""
    from torchvision.models import EfficientNet_B0_Weights

    return [name.lower() for name in EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]]


def readings(
    backend: SmallBackend, cache: Path, name: str, split: str, rows: range | None = None
) -> list[Reading]:
    """What a captioner makes of the pictures of a split, or of some rows, from kept features."""
    all_maps, all_colors = load_features(cache, name, split)
    if not all_maps:
        raise ScmcError(f"{cache} holds no features of {name}, {split}; {FIRST}")
    maps, colors = all_maps[0], all_colors[0]
    rows = range(len(maps)) if rows is None else rows
    seen: list[Reading] = []
    with torch.inference_mode():
        for start in range(0, len(rows), _BATCH):
            block = rows[start : start + _BATCH]
            part, hues = (torch.from_numpy(np.array(x[block])).float() for x in (maps, colors))
            seen += backend.read(part, hues, DEFAULT_BEAMS)
    return seen


def described(count: int, split: str) -> range:
    """Rows of a split whose captions are written, evenly spaced; the text model learns on them.

    Example:
        >>> described(6000, "train"), described(150, "val")
        (range(0, 6000, 8), range(0, 150))
    """
    return range(0, count, max(1, count // _DESCRIBED[split]))


def write_captions(path: Path, data: Path, cache: Path, out: Path) -> None:
    """What the captioner says of training and validation pictures, a line a picture."""
    backend = SmallBackend.load(path)
    for name in SETS:
        for split in _DESCRIBED:
            rows = described(len(load_split(data, name, split, cache)), split)
            seen = readings(backend, cache, name, split, rows)
            said = [tidy(backend.trust.say(reading)) for reading in seen]
            (out / f"{name}-{split}.txt").write_text("\n".join(said) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, minutes=45)
    parser.add_argument("--steps", type=int, help="length in steps, in place of minutes")
    args = script_arguments(parser, argv)
    torch.set_num_threads(1)
    run_of = partial(Run, args.out, minutes=args.minutes, steps=args.steps)
    path = train(args.data, args.cache, run_of, CaptionerRecipe())
    write_captions(path, args.data, args.cache, args.out)


if __name__ == "__main__":
    main()
