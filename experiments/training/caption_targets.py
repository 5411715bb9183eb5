"""What the captioner of photographs is taught to say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from experiments.training.caption_text import class_words, spelling_fixes, words_of
from experiments.training.data import CaptionedImages

MIN_WORDS, MAX_WORDS = 4, 18

_BIRD_PARTS = re.compile(r"\bcrown\b.*\bwings\b.*\bbelly\b")
_NO_HUMAN = "a photo of "
"""Begins the captions of general256 that are no more than a class name."""


@dataclass(frozen=True)
class Target:
    """What is taught about one picture.

    Attributes:
        name: Words of its name; empty where it has none.
        texts: Words of each of its sentences.
    """

    name: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]


def said(captions: tuple[str, ...], class_name: str) -> list[list[str]]:
    """The captions that are taught, in words.

    Of the five templates of a bird only the one with crown, wings and belly: the same facts in the
    same order cost the fewest bits. Bare class names are left out.
    """
    chosen = [c for c in captions if not c.startswith(_NO_HUMAN)]
    if class_name and len(chosen) > 1:
        chosen = [c for c in chosen if _BIRD_PARTS.search(c)][:1] or chosen[:1]
    return [[w for w in words_of(c) if w != ":"] for c in chosen]


def vocabulary(sets: list[CaptionedImages], min_count: int) -> tuple[list[str], dict[str, str]]:
    """Words that occur often enough, in alphabetical order, and typing errors to mend."""
    flowers: list[list[str]] = []
    others: list[list[str]] = []
    names: set[str] = set()
    for data in sets:
        for captions, class_name in zip(data.all_captions, data.class_names, strict=True):
            names.update(class_words(class_name))
            (flowers if len(captions) == 1 else others).extend(said(captions, class_name))
    elsewhere = Counter(w for words in others for w in words)
    fixes = {k: v for k, v in spelling_fixes(flowers).items() if k not in elsewhere}
    counts = elsewhere + Counter(fixes.get(w, w) for words in flowers for w in words)
    known = {w for w, n in counts.items() if n >= min_count} | names | {":", ","}
    return sorted(known), fixes


def targets(data: CaptionedImages, known: set[str], fixes: dict[str, str]) -> list[Target]:
    """What is taught about each picture of a split; captions with unknown words are left out."""
    out = []
    for captions, class_name in zip(data.all_captions, data.class_names, strict=True):
        texts = []
        for words in said(captions, class_name):
            mended = [fixes.get(w, w) for w in words]
            while mended and mended[-1] == ",":
                mended.pop()
            if MIN_WORDS <= len(mended) <= MAX_WORDS and known.issuperset(mended):
                texts.append(tuple(mended))
        out.append(Target(tuple(class_words(class_name)), tuple(texts)))
    return out
