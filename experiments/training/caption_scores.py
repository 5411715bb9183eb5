"""Judge the captioner of photographs on a held-back split, next to a nearest neighbour.

    python -m experiments.training.caption_scores --data DIR --cache DIR --weights FILE

BLEU and CIDEr are those of ``pycocoevalcap`` (the COCO captioning evaluation), on lower-case words
without punctuation; similarity is the cosine of MiniLM's sentence embeddings: the mean over the
human captions of a picture, and the best of them. Names are judged where a picture has one.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.caption_text import class_words, sentence, words_of
from experiments.training.data import CaptionedImages, load_split
from experiments.training.photo_features import SETS, load_features
from scmc_comm.codec.captioner_net import SPECIALS
from scmc_comm.codec.photo_captioner_net import CaptionerShape, PhotoCaptioner
from scmc_comm.codec.weights import load_weights
from scmc_comm.errors import ScmcError
from scmc_comm.zoo.sentence import load_sentence_model

logger = logging.getLogger(__name__)

_BATCH = 64
_NEIGHBOURS, _AGREEING = 60, 125
"""Neighbours whose captions are looked at, and how many of these a good caption agrees with."""


def plain(text: str) -> str:
    """Lower-case words without punctuation."""
    return " ".join(w for w in words_of(text) if w not in (",", ":"))


def scores(said: list[str], humans: list[tuple[str, ...]]) -> dict[str, float]:
    """BLEU-1, BLEU-4, CIDEr and MiniLM similarity of sentences to human captions."""
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
    except ImportError as error:
        raise ScmcError(
            "captions are scored by pycocoevalcap; pip install pycocoevalcap"
        ) from error

    result = {i: [plain(s)] for i, s in enumerate(said)}
    truth = {i: [plain(c) for c in captions] for i, captions in enumerate(humans)}
    bleu, _ = Bleu(4).compute_score(truth, result, verbose=0)
    cider, _ = Cider().compute_score(truth, result)
    model = load_sentence_model()
    mine = model.encode(said, normalize_embeddings=True)
    flat = model.encode([c for captions in humans for c in captions], normalize_embeddings=True)
    ends = np.cumsum([len(c) for c in humans])
    each = [flat[end - len(c) : end] @ m for end, c, m in zip(ends, humans, mine, strict=True)]
    return {
        "bleu1": bleu[0],
        "bleu4": bleu[3],
        "cider": float(cider),
        "minilm_mean": float(np.mean([e.mean() for e in each])),
        "minilm_best": float(np.mean([e.max() for e in each])),
        "words": float(np.mean([len(r[0].split()) for r in result.values()])),
    }


class Judged:
    """The captioner on kept features.

    Args:
        weights: File that ``photo_captioner`` wrote.
    """

    def __init__(self, weights: Path) -> None:
        config, state = load_weights("photo_captioner", weights)
        self.model = PhotoCaptioner(CaptionerShape(**config["shape"])).eval()
        self.model.load_state_dict(state)
        self.names: list[str] = config["names"]
        self.words = (*SPECIALS, *config["words"])

    @torch.inference_mode()
    def pooled(self, maps: np.ndarray) -> torch.Tensor:
        """Pooled features of a whole split, float [n, 1280]."""
        encoder = self.model.encoder
        blocks = [np.array(maps[i : i + _BATCH]) for i in range(0, len(maps), _BATCH)]
        return torch.cat([encoder.pooled(torch.from_numpy(b).float()) for b in blocks])

    @torch.inference_mode()
    def describe(
        self, maps: np.ndarray, colors: np.ndarray, beams: int, sure: float
    ) -> tuple[list[str], torch.Tensor, torch.Tensor]:
        """Sentences, their confidence [n], and probabilities of the kinds [n, kinds + 1]."""
        encoder = self.model.encoder
        texts: list[str] = []
        confidences: list[float] = []
        kinds = []
        for i in range(0, len(maps), _BATCH):
            block = torch.from_numpy(maps[i : i + _BATCH]).float()
            pooled = encoder.pooled(block)
            odds = encoder.kinds(pooled).softmax(-1)
            top, kind = odds.max(-1)
            kind = torch.where(top >= sure, kind, odds.shape[1] - 1)
            color = torch.from_numpy(colors[i : i + _BATCH]).float()
            tokens = encoder.tokens(encoder.cells(block), pooled, color, kind)
            for words, confidence in self.model.say(tokens, beams):
                texts.append(sentence([self.words[w] for w in words]))
                confidences.append(confidence)
            kinds.append(odds)
        return texts, torch.tensor(confidences), torch.cat(kinds)


def consensus(near: torch.Tensor, captions: tuple[tuple[str, ...], ...]) -> list[str]:
    """Of the captions of each picture's neighbours the one that agrees best with the others.

    Devlin et al., "Exploring nearest neighbor approaches for image captioning" (2015), with MiniLM
    in the place of CIDEr.

    Args:
        near: Rows of neighbours, int64 [n, k].
        captions: Of every row.
    """
    flat = [c for texts in captions for c in texts]
    ends = np.cumsum([len(texts) for texts in captions])
    vectors = load_sentence_model().encode(flat, normalize_embeddings=True)
    best = []
    for row in near.tolist():
        rows = np.concatenate([np.arange(ends[i] - len(captions[i]), ends[i]) for i in row])
        agree = np.sort(vectors[rows] @ vectors[rows].T, axis=1)
        best.append(flat[rows[int(agree[:, -_AGREEING:].mean(1).argmax())]])
    return best


def judge_names(odds: torch.Tensor, data: CaptionedImages, names: list[str], sure: float) -> str:
    """How often the kind is named, and named right."""
    order = {name: i for i, name in enumerate(names)}
    true = torch.tensor([order[" ".join(class_words(c))] for c in data.class_names])
    top, kind = odds.max(-1)
    named = (top >= sure) & (kind < len(names))
    right = (kind == true)[named].float().mean()
    return (
        f"best guess right {(kind == true).float().mean():.3f}; at {sure:g} named "
        f"{named.float().mean():.3f}, of these right {right:.3f}"
    )


def rows_of(data: CaptionedImages, rows: np.ndarray) -> CaptionedImages:
    """Some pictures of a split."""
    return CaptionedImages(
        pixels=data.pixels[rows],
        captions=tuple(data.captions[i] for i in rows),
        class_names=tuple(data.class_names[i] for i in rows),
        files=tuple(data.files[i] for i in rows),
        all_captions=tuple(data.all_captions[i] for i in rows),
    )


def judge_captions(
    args: argparse.Namespace,
    judged: Judged,
    said: list[str],
    data: CaptionedImages,
    maps: np.ndarray,
) -> None:
    """Print scores of sentences, of the nearest pictures' captions, and of humans."""
    print(json.dumps(scores(said, list(data.all_captions))))
    if not args.baseline:
        return
    first = load_split(args.data, SETS[0], "train", args.cache)
    train_maps, _ = load_features(args.cache, SETS[0], "train")
    asked, known = judged.pooled(maps), judged.pooled(train_maps[0])
    near = (F.normalize(asked, dim=1) @ F.normalize(known, dim=1).T).topk(_NEIGHBOURS, 1).indices
    nearest = [first.captions[int(row[0])] for row in near]
    print("nearest neighbour", json.dumps(scores(nearest, list(data.all_captions))))
    if args.baseline == "consensus":
        best = consensus(near, first.all_captions)
        print("consensus of neighbours", json.dumps(scores(best, list(data.all_captions))))
    rest = [c[1:] for c in data.all_captions]
    print("one human against four", json.dumps(scores(list(data.captions), rest)))
    print("the captioner against these four", json.dumps(scores(said, rest)))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="judge the captioner of photographs")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="of photo_features")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--split", default="val", choices=("val", "test"))
    parser.add_argument("--beams", type=int, default=3)
    parser.add_argument("--sure", type=float, default=0.5, help="probability to name a kind")
    parser.add_argument(
        "--baseline", choices=("nearest", "consensus"), help="the neighbours' captions as well"
    )
    parser.add_argument("--count", type=int, default=1 << 20, help="pictures of each set")
    parser.add_argument("--show", type=int, default=0, help="sentences to print of each set")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    judged = Judged(args.weights)
    for name in SETS:
        if (name, args.split) == ("general256", "test"):
            continue
        data = load_split(args.data, name, args.split, args.cache)
        all_maps, all_colors = load_features(args.cache, name, args.split)
        if not all_maps:
            print(f"{name} {args.split}: no features, see photo_features")
            continue
        rows = np.linspace(0, len(data) - 1, min(len(data), args.count)).astype(int)
        data, maps, colors = rows_of(data, rows), all_maps[0][rows], all_colors[0][rows]
        start = time.monotonic()
        said, confidence, odds = judged.describe(maps, colors, args.beams, args.sure)
        spent = (time.monotonic() - start) / len(said)
        print(f"{name} {args.split}: {spent:.3f} s a picture, confidence {confidence.mean():.3f}")
        if name == SETS[0]:
            nothing = odds.argmax(1) == odds.shape[1] - 1
            print(f"rightly no kind named {nothing.float().mean():.3f}")
            judge_captions(args, judged, said, data, maps)
        elif any(data.class_names):
            print(judge_names(odds, data, judged.names, args.sure))
        step = max(1, len(said) // args.show) if args.show else 0
        for i in range(0, len(said), step) if step else ():
            human = data.captions[i]
            print(f"  {data.files[i]} ({confidence[i]:.2f}): {said[i]}  | {human}")


if __name__ == "__main__":
    main()
