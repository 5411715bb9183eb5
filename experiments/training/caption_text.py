"""Clean human captions into training targets for the captioner and the text model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from experiments.training.data import CaptionedImages

MIN_WORDS, MAX_WORDS = 4, 20

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|[0-9]+|[,:]")
_SPELLING = {
    "centre": "center",
    "centres": "centers",
    "colour": "color",
    "coloured": "colored",
    "colours": "colors",
    "pedal": "petal",
    "pedals": "petals",
    "pedicle": "pedicel",
    "peddles": "petals",
    "steman": "stamen",
    "stemen": "stamen",
    "gray": "grey",
}


def _edits(word: str) -> set[str]:
    """All strings at Damerau-Levenshtein distance one."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    out = {a + b[1:] for a, b in cuts if b}
    out |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    out |= {a + c + b[1:] for a, b in cuts if b for c in letters}
    return out | {a + c + b for a, b in cuts for c in letters}


def words_of(text: str) -> list[str]:
    """Lower-case words, commas and colons of a text, after the known spellings."""
    plain = text.lower().replace("’", "'").replace("inc olor", "in color")
    return [_SPELLING.get(w, w) for w in _WORD.findall(plain)]


def class_words(name: str) -> list[str]:
    """Words of a class name, without an immediate repetition ('lotus lotus')."""
    words = words_of(name)
    return [w for i, w in enumerate(words) if i == 0 or w != words[i - 1]]


def spelling_fixes(
    captions: Iterable[list[str]], rare: int = 2, common: int = 40
) -> dict[str, str]:
    """Rare words one typing error away from a common word, and that word."""
    counts = Counter(w for words in captions for w in words)
    fixes = {}
    for word, n in counts.items():
        if n <= rare and len(word) >= 5 and word[-1] != "s":
            near = [w for w in _edits(word) if counts[w] >= common]
            if near:
                fixes[word] = max(near, key=lambda w: counts[w])
    return fixes


def clean(words: list[str], known: set[str]) -> list[str] | None:
    """The words; None if the caption is too short, too long or has an unknown word."""
    out = list(words)
    while out and out[-1] in (",", ":"):
        out.pop()
    if not MIN_WORDS <= len(out) <= MAX_WORDS or any(w not in known for w in out):
        return None
    return out


def sentence(words: list[str]) -> str:
    """Words to a sentence, punctuation attached.

    Example:
        >>> sentence(["rose", ":", "red", ",", "round"])
        'rose: red, round'
    """
    return re.sub(r" ([,:])", r"\1", " ".join(words))


def targets(
    flowers: CaptionedImages, general: CaptionedImages, min_count: int = 3, max_words: int = 2600
) -> tuple[list[str], list[tuple[list[str], bool]]]:
    """Vocabulary and, per picture, the words of its target and whether the sentence ends there."""
    raw = [words_of(c) for c in (*flowers.captions, *general.captions)]
    elsewhere = {w for words in raw[len(flowers) :] for w in words}
    fixes = spelling_fixes(raw[: len(flowers)])
    fixes = {wrong: right for wrong, right in fixes.items() if wrong not in elsewhere}
    raw[: len(flowers)] = [[fixes.get(w, w) for w in words] for words in raw[: len(flowers)]]
    counts = Counter(w for words in raw[: len(flowers)] for w in words)
    names = [class_words(c) for c in (*flowers.class_names, *general.class_names)]
    known = {w for w, n in counts.items() if n >= min_count} | {w for n in names for w in n}
    known |= {":", ","}
    other = Counter(w for words in raw[len(flowers) :] for w in words)
    extra = [w for w, _ in other.most_common() if w not in known]
    known |= set(extra[: max(0, max_words - len(known))])
    out: list[tuple[list[str], bool]] = []
    for i, words in enumerate(raw):
        body = clean(words, known)
        head = [*names[i], ":"] if names[i] else []
        out.append((head + (body or []), body is not None))
    return sorted(known), out
