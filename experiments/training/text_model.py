"""Fit the integer tables of the text coder and write them to one npz file.

    python -m experiments.training.text_model --data DIR --captions DIR --out FILE.npz

``--captions`` holds what the captioner says of some training pictures, one line a picture, as
``experiments.training.captioner`` writes it (``SET-train.txt`` and ``SET-val.txt``), because its
sentences are what is sent. Human captions count once, the captioner's several times.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.caption_targets import targets, vocabulary
from experiments.training.caption_text import sentence
from experiments.training.captioner import described
from experiments.training.captioner_features import SETS
from experiments.training.data import CaptionedImages, load_split
from scmc_comm.codec import text_model as tm
from scmc_comm.codec.layout import NAMES, layout_grid
from scmc_comm.codec.text_tokens import END, ESCAPE, MARKS, tokenize

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextRecipe:
    """How the tables are fitted."""

    own_weight: int = 8
    discounts: tuple[int, ...] = (8, 24, 20, 16)  # in 1/16, by order
    min_count: int = 2
    word_min_count: int = 5
    hidden: int = 96
    topic_min_count: int = 20
    epochs: int = 16
    lr: float = 4e-3
    seed: int = 0


def ngram_tables(
    weighted: list[tuple[str, int]], words: list[str], recipe: TextRecipe
) -> dict[str, np.ndarray]:
    """Count n-grams of sentences with integer weights, contexts of 0 to 3 tokens."""
    ids = {w: i for i, w in enumerate(words) if i >= len(MARKS)}
    counts: list[Counter[tuple[int, int]]] = [Counter() for _ in range(tm.ORDER)]
    for text, weight in weighted:
        tokens = [t for t in tokenize(text, ids) if isinstance(t, int)]
        history = [END] * (tm.ORDER - 1)
        for token in tokens:
            for n in range(tm.ORDER):
                counts[n][tm.pack(history[len(history) - n :]), token] += weight
            history.append(token)
    out: dict[str, np.ndarray] = {}
    for n, table in enumerate(counts):
        kept = sorted(table)
        out[f"context_{n}"] = np.array([k[0] for k in kept], np.int64)
        out[f"word_{n}"] = np.array([k[1] for k in kept], np.uint16)
        out[f"count_{n}"] = np.minimum([table[k] for k in kept], 65535).astype(np.uint16)
    return out


def char_table(texts: list[str], words: list[str]) -> np.ndarray:
    """Character bigrams of all words that occur, once each."""
    table = np.zeros((tm.NUM_CHARS, tm.NUM_CHARS), np.uint16)
    for word in {w for t in texts for w in t.split()} | set(words[len(MARKS) :]):
        codes = [ord(c) - 32 for c in word if 32 <= ord(c) < 127] + [tm.CHAR_END]
        for a, b in zip([tm.CHAR_END, *codes], codes, strict=False):
            table[a, b] += 1
    return table


def neighbours(grid: torch.Tensor) -> torch.Tensor:
    """Cells that ``text_model.NEIGHBOURS`` names: int64 [b, 5, 5] to [b, 25, neighbours]."""
    outside = len(NAMES)
    padded = F.pad(grid, (2, 2, 2, 0), value=outside)
    views = [padded[:, 2 + u : 7 + u, 2 + r : 7 + r] for u, r in tm.NEIGHBOURS]
    return torch.stack(views, -1).flatten(1, 2)


class LayoutNet(nn.Module):
    """The float twin of ``TextModel.layout_frequencies``."""

    def __init__(self, vocabulary: int, hidden: int, rng: torch.Generator) -> None:
        """Small random weights."""
        super().__init__()
        near = torch.randn(len(tm.NEIGHBOURS), len(NAMES) + 1, hidden, generator=rng)
        self.near = nn.Parameter(near * 0.2)
        self.position = nn.Parameter(torch.zeros(25, hidden))
        self.topic = nn.Parameter(torch.zeros(vocabulary, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.out = nn.Linear(hidden, len(NAMES))
        for value in self.out.parameters():
            nn.init.uniform_(value, -(hidden**-0.5), hidden**-0.5, generator=rng)

    def forward(self, near: torch.Tensor, bags: torch.Tensor) -> torch.Tensor:
        """Logits [b, 25, 48] from neighbours [b, 25, n] and word bags [b, vocabulary]."""
        hidden = self.bias + self.position + (bags @ self.topic)[:, None]
        for k in range(near.shape[-1]):
            hidden = hidden + F.embedding(near[..., k], self.near[k])
        return self.out(hidden.relu())

    def tables(self) -> dict[str, np.ndarray]:
        """Fixed-point tables: 256 is 1.0 in each."""

        def fixed(t: torch.Tensor) -> np.ndarray:
            return (
                (t.detach() * tm.LOGIT_UNIT).round().clamp(-32768, 32767).numpy().astype(np.int16)
            )

        return {
            "neighbour_table": fixed(self.near),
            "position_table": fixed(self.position),
            "word_table": fixed(self.topic),
            "hidden_bias": fixed(self.bias),
            "out_weight": fixed(self.out.weight.T),
            "out_bias": fixed(self.out.bias),
            "exp_table": np.round(
                2.0**22 * np.exp(-np.arange(16 * tm.LOGIT_UNIT) / tm.LOGIT_UNIT)
            ).astype(np.int32),
        }


def word_bags(captions: list[str], words: list[str], keep: np.ndarray) -> torch.Tensor:
    """Which words each caption has, float32 [n, vocabulary]; only the kept ones."""
    ids = {w: i for i, w in enumerate(words) if i >= len(MARKS)}
    out = torch.zeros(len(captions), len(words))
    for row, text in zip(out, captions, strict=True):
        row[[t for t in tokenize(text, ids) if isinstance(t, int)]] = 1
    return out * torch.from_numpy(keep)


def fit_layout(
    grids: torch.Tensor,
    bags: torch.Tensor,
    test: tuple[torch.Tensor, torch.Tensor],
    recipe: TextRecipe,
) -> LayoutNet:
    """Train the layout network on grids [n, 5, 5] and word bags [n, vocabulary]."""
    rng = torch.Generator().manual_seed(recipe.seed)
    net = LayoutNet(bags.shape[1], recipe.hidden, rng)
    groups = [
        {"params": [net.topic], "weight_decay": 0.3},
        {"params": [net.near, net.position, net.bias, *net.out.parameters()], "weight_decay": 0.05},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr)
    batch = min(128, len(grids))
    steps = len(grids) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, recipe.epochs * steps)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(grids), generator=rng)
        for rows in order[: steps * batch].view(steps, batch):
            grid = grids[rows].flip(-1) if torch.rand((), generator=rng) < 0.5 else grids[rows]
            whole, single = (
                torch.rand(batch, 1, generator=rng),
                torch.rand(batch, len(bags.T), generator=rng),
            )
            kept = (whole < 0.8) * (single < 0.8)
            loss = F.cross_entropy(
                net(neighbours(grid), bags[rows] * kept).flatten(0, 1), grid.flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            logits = net(neighbours(test[0]), test[1])
            bits = F.cross_entropy(logits.flatten(0, 1), test[0].flatten()) / np.log(2) * 25
        logger.info("layout epoch %d: %.1f bits a layout on val", epoch, float(bits))
    return net


def grids_of(data: Path, name: str, split: str, cache: Path) -> torch.Tensor:
    """Palette indices of the pictures whose captions are written, int64 [n, 5, 5]."""
    images = load_split(data, name, split, cache)
    rows = np.array(described(len(images), split))
    blocks = np.array_split(rows, -(-len(rows) // 64))
    return torch.cat([layout_grid(images.batch(block))[1] for block in blocks])


def human_sentences(sets: list[CaptionedImages], min_count: int) -> list[str]:
    """What people said of the training pictures, as the captioner would say it."""
    words, fixes = vocabulary(sets, min_count)
    known = set(words)
    return [
        f"{sentence([*target.name, *([':'] if target.name else []), *text])}."
        for data in sets
        for target in targets(data, known, fixes)
        for text in target.texts
    ]


def fit(data: Path, captions: Path, cache: Path, recipe: TextRecipe) -> dict[str, np.ndarray]:
    """All arrays of the model file."""

    def said(split: str) -> list[str]:
        files = (captions / f"{name}-{split}.txt" for name in SETS)
        return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]

    sets = [load_split(data, n, "train", cache) for n in SETS]
    human, own = human_sentences(sets, recipe.word_min_count), said("train")
    pieces = re.compile(r"[.,:]|[^\s.,:]+")
    counts = Counter(w for t in human + own for w in pieces.findall(t))
    words = [*MARKS, *sorted(w for w, c in counts.items() if c >= recipe.min_count)]
    weighted = [(t, 1) for t in human] + [(t, recipe.own_weight) for t in own]
    arrays = ngram_tables(weighted, words, recipe)
    arrays |= {
        "words": np.array(words),
        "discounts": np.array(recipe.discounts, np.int32),
        "chars": char_table(human, words),
    }
    keep = np.array(
        [i > ESCAPE and counts[w] >= recipe.topic_min_count for i, w in enumerate(words)]
    )
    grids, val = (
        torch.cat([grids_of(data, n, split, cache) for n in SETS]) for split in ("train", "val")
    )
    test = (val, word_bags(said("val"), words, keep))
    net = fit_layout(grids, word_bags(own, words, keep), test, recipe)
    return arrays | net.tables()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__, out="model file to write (.npz)", cache_beside="captions")
    parser.add_argument("--captions", type=Path, required=True, help="folder of *-train.txt")
    args = script_arguments(parser, argv)
    torch.set_num_threads(1)
    arrays = fit(args.data, args.captions, args.cache, TextRecipe())
    with args.out.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    logger.info("%s: %d bytes", args.out, args.out.stat().st_size)


if __name__ == "__main__":
    main()
