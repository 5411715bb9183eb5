"""Judge the captioner on a held-back split, next to a nearest neighbour.

    python -m experiments.training.caption_scores --data DIR --cache DIR --weights FILE

BLEU and CIDEr are those of ``pycocoevalcap`` (the COCO captioning evaluation), on lower-case words
without punctuation; similarity is the cosine of MiniLM's sentence embeddings: the mean over the
human captions of a picture, and the best of them. Names are judged where a picture has one.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.caption_text import class_words, words_of
from experiments.training.captioner import readings
from experiments.training.captioner_features import SETS, load_features
from experiments.training.data import CaptionedImages, load_split
from scmc_comm.codec.captioner import Reading, SmallBackend, tidy
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


@torch.inference_mode()
def pooled(backend: SmallBackend, maps: np.ndarray) -> torch.Tensor:
    """Pooled features of a whole split, float [n, 1280]."""
    blocks = [np.array(maps[i : i + _BATCH]) for i in range(0, len(maps), _BATCH)]
    encoder = backend.model.encoder
    return torch.cat([encoder.pooled(torch.from_numpy(b).float()) for b in blocks])


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


def judge_names(seen: Sequence[Reading], data: CaptionedImages, sure: float) -> str:
    """How often the kind is named, and named right."""
    true = [" ".join(class_words(c)) for c in data.class_names]
    right = np.array([r.kind == name for r, name in zip(seen, true, strict=True)])
    named = np.array([r.kind_odds >= sure and bool(r.kind) for r in seen])
    return (
        f"best guess right {right.mean():.3f}; at {sure:g} named {named.mean():.3f}, of these "
        f"right {right[named].mean():.3f}"
    )


def judge_confidence(seen: Sequence[Reading], data: CaptionedImages) -> None:
    """Print how like the human captions sentences are, by how sure the captioner is of them."""
    model = load_sentence_model()
    mine = model.encode([r.sentence for r in seen], normalize_embeddings=True)
    flat = model.encode(
        [c for texts in data.all_captions for c in texts], normalize_embeddings=True
    )
    ends = np.cumsum([len(texts) for texts in data.all_captions])
    alike = np.array([
        float((flat[end - len(texts) : end] @ m).mean())
        for end, texts, m in zip(ends, data.all_captions, mine, strict=True)
    ])  # fmt: skip
    order = np.argsort([r.confidence for r in seen])
    for rows in np.array_split(order, 8):
        first, last = seen[rows[0]].confidence, seen[rows[-1]].confidence
        print(f"  confidence {first:.2f} to {last:.2f}: similarity {alike[rows].mean():.3f}")


def judge_captions(
    args: argparse.Namespace,
    backend: SmallBackend,
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
    asked, known = (pooled(backend, x) for x in (maps, train_maps[0]))
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
    parser = argparse.ArgumentParser(description="judge the captioner on kept features")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="of captioner_features")
    parser.add_argument("--weights", type=Path, help="default: those that ship")
    parser.add_argument("--split", default="val", choices=("val", "test"))
    parser.add_argument(
        "--baseline", choices=("nearest", "consensus"), help="the neighbours' captions as well"
    )
    parser.add_argument("--show", type=int, default=0, help="sentences to print of each set")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    backend = SmallBackend.load(args.weights)
    trust = backend.trust
    for name in SETS:
        if (name, args.split) == ("general256", "test"):
            continue
        data = load_split(args.data, name, args.split, args.cache)
        seen = readings(backend, args.cache, name, args.split)
        maps, _ = load_features(args.cache, name, args.split)
        said = [tidy(trust.say(reading)) for reading in seen]
        told = np.mean([reading.confidence >= trust.say_from for reading in seen])
        print(f"{name} {args.split}: a sentence said of {told:.3f}")
        if name == SETS[0]:
            nothing = np.mean([not r.kind or r.kind_odds < trust.name_from for r in seen])
            print(f"rightly no kind named {nothing:.3f}")
            judge_captions(args, backend, said, data, maps[0])
            judge_confidence(seen, data)
        elif any(data.class_names):
            print(judge_names(seen, data, trust.name_from))
        step = max(1, len(said) // args.show) if args.show else 0
        for i in range(0, len(said), step) if step else ():
            reading, human = seen[i], data.captions[i]
            print(
                f"  {data.files[i]} ({reading.confidence:.2f}, {reading.image_class} "
                f"{reading.class_odds:.2f}): {said[i]}  | {human}"
            )


if __name__ == "__main__":
    main()
