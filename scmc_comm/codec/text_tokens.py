"""Any string as a list of small integers and back: words, punctuation, and escapes for the rest.

Words are separated by one space and , . : ; ! ? follow their word directly; whatever deviates
is spelt out by the marks below, so the way back is exact for every string.
"""

from __future__ import annotations

import re

END, ESCAPE, GLUE, SPACE, CAPITAL, UPPER = range(6)
MARKS = ("<end>", "<escape>", "<glue>", "<space>", "<capital>", "<upper>")

_PIECE = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|.", re.DOTALL)
_CLOSING = frozenset(",.:;!?")


def _gap(before: str | None, after: str | None) -> int:
    """Spaces expected between two pieces (None: the ends of the text)."""
    return int(before is not None and after is not None and after not in _CLOSING)


def _word(piece: str, ids: dict[str, int]) -> list[int | str]:
    if piece in ids:
        return [ids[piece]]
    lower = piece.lower()
    if lower in ids and lower.isascii():
        if piece == lower[:1].upper() + lower[1:]:
            return [CAPITAL, ids[lower]]
        if piece == lower.upper():
            return [UPPER, ids[lower]]
    return [ESCAPE, piece]


def tokenize(text: str, ids: dict[str, int]) -> list[int | str]:
    """Split a text into tokens, ending with ``END``.

    Args:
        text: Any string.
        ids: Token of each known word (lower-case) or punctuation mark, 6 or more.

    Returns:
        Tokens; each ``ESCAPE`` is followed by the string that it stands for.

    Example:
        >>> tokenize("A rose, red", {"a": 6, "rose": 7, ",": 8})
        [4, 6, 7, 8, 1, 'red', 0]
    """
    out: list[int | str] = []
    before: str | None = None
    spaces = 0
    for piece in [*_PIECE.findall(text), None]:
        if piece == " ":
            spaces += 1
            continue
        if spaces != _gap(before, piece):
            out += [GLUE, *[SPACE] * spaces]
        if piece is not None:
            out += _word(piece, ids)
        before, spaces = piece, 0
    return [*out, END]


class Joiner:
    """Puts a text together from its tokens, the inverse of ``tokenize``."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._parts: list[str] = []
        self._before: str | None = None
        self._glued = False
        self._case = ""
        self.length = 0

    def _append(self, part: str) -> None:
        self._parts.append(part)
        self.length += len(part)

    def add(self, token: int) -> None:
        """One token other than ``END`` and ``ESCAPE``."""
        if token == GLUE:
            self._glued = True
        elif token == SPACE:
            self._append(" ")
        elif token in (CAPITAL, UPPER):
            self._case = MARKS[token]
        else:
            word = self._words[token]
            if self._case == MARKS[UPPER]:
                word = word.upper()
            elif self._case:
                word = word[:1].upper() + word[1:]
            self.add_word(word)

    def add_word(self, word: str) -> None:
        """One word as it is written."""
        if not self._glued and _gap(self._before, word):
            self._append(" ")
        self._append(word)
        self._before, self._glued, self._case = word, False, ""

    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)
