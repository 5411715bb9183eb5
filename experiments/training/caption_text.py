"""Clean human captions into training targets for the captioner and the text model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

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


def sentence(words: list[str]) -> str:
    """Words to a sentence, punctuation attached.

    Example:
        >>> sentence(["rose", ":", "red", ",", "round"])
        'rose: red, round'
    """
    return re.sub(r" ([,:])", r"\1", " ".join(words))
