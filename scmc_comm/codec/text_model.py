"""The integer probability models behind ``text_coder``.

Every distribution is a vector of integer frequencies that sum to exactly 2^24, computed with
integer arithmetic only from integer tables. It is therefore the same on every machine, which
entropy decoding needs and floating point does not promise.

Words: an interpolated n-gram with absolute discounting (Ney, Essen and Kneser, 1994). Layout: a
two-layer perceptron in fixed point over the colours already sent (left, above, ...), the position
and the words of the content sentence; a softmax by table. Spelling of unknown words: a character
bigram with a Unicode escape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from scmc_comm.errors import ScmcError
from scmc_comm.npz import read_npz

BITS = 24
TOTAL = 1 << BITS
DISCOUNT_UNIT = 16
ORDER = 4
_PACK = 4096

# Printable ASCII, the end of the word, and an escape for every other code point.
CHAR_END, CHAR_OTHER, NUM_CHARS = 95, 96, 97

# Cells already sent that the layout model looks at, as (rows up, columns right).
NEIGHBOURS = ((0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-2, 0), (-2, 1), (-1, -2), (-1, 2))
HIDDEN_SHIFT = 8
LOGIT_UNIT = 256
_MIN_LAYOUT = 16

_INTEGERS = (
    "discounts", "chars", "neighbour_table", "position_table", "word_table", "hidden_bias",
    "out_weight", "out_bias", "exp_table",
)  # fmt: skip
_KINDS = {"words": "U"} | dict.fromkeys(_INTEGERS, "iu")  # of NumPy's types, by array


def exact_sum(freq: np.ndarray) -> np.ndarray:
    """Raise every frequency to 1 or more and mend the largest so that the sum is 2^24."""
    freq = np.maximum(freq, 1)
    freq[int(freq.argmax())] += TOTAL - int(freq.sum())
    return freq


@dataclass(frozen=True)
class NgramTable:
    """Counts of one order, sorted by context: context, word and count of every n-gram seen."""

    contexts: np.ndarray
    words: np.ndarray
    counts: np.ndarray

    def lookup(self, context: int) -> tuple[np.ndarray, np.ndarray]:
        """Words seen after a packed context, and how often."""
        a, b = np.searchsorted(self.contexts, [context, context + 1])
        return self.words[a:b], self.counts[a:b]


def pack(history: list[int]) -> int:
    """A context of up to three tokens as one integer."""
    key = 0
    for token in history:
        key = key * _PACK + token
    return key


class TextModel:
    """All tables, and the frequencies that follow from them.

    Args:
        arrays: What the model file holds.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.words: list[str] = [str(w) for w in arrays["words"]]
        self.ids: dict[str, int] = {w: i for i, w in enumerate(self.words) if i >= 6}
        self._discounts = [int(d) for d in arrays["discounts"]]
        ints = {k: v.astype(np.int64) for k, v in arrays.items() if v.dtype.kind in "iu"}
        self._ngrams = [
            NgramTable(ints[f"context_{n}"], ints[f"word_{n}"], ints[f"count_{n}"])
            for n in range(ORDER)
        ]
        self._uniform = exact_sum(np.full(len(self.words), TOTAL // len(self.words), np.int64))
        self._chars, self._exp = ints["chars"], ints["exp_table"]
        self._near, self._position = ints["neighbour_table"], ints["position_table"]
        self._topic, self._hidden_bias = ints["word_table"], ints["hidden_bias"]
        self._out_weight, self._out_bias = ints["out_weight"], ints["out_bias"]

    def word_frequencies(self, history: list[int]) -> np.ndarray:
        """Frequencies of the next token, int64 [vocabulary], given the tokens before it."""
        freq = self._uniform
        padded = [0] * (ORDER - 1) + history
        for n, table in enumerate(self._ngrams):
            words, counts = table.lookup(pack(padded[len(padded) - n :]))
            if not len(words):
                break
            discount = np.minimum(self._discounts[n], DISCOUNT_UNIT * counts)
            total = DISCOUNT_UNIT * int(counts.sum())
            mixed = freq * int(discount.sum())
            mixed[words] += (DISCOUNT_UNIT * counts - discount) * TOTAL
            freq = mixed // total
        return exact_sum(freq)

    def char_frequencies(self, before: int) -> np.ndarray:
        """Frequencies of the next character of an escaped word; ``CHAR_END`` also starts one."""
        row = self._chars[before] * 8 + 1
        return exact_sum(row * TOTAL // int(row.sum()))

    def topic(self, tokens: list[int]) -> np.ndarray:
        """What a content sentence says about the layout, int64 [hidden]."""
        return self._topic[sorted(set(tokens))].sum(0) + self._hidden_bias

    def layout_frequencies(
        self, grid: list[list[int]], size: tuple[int, int], topic: np.ndarray
    ) -> np.ndarray:
        """Frequencies of the next cell of a layout of ``size`` (rows, columns).

        Args:
            grid: Palette indices sent so far; the last row is the one being sent.
            size: Rows and columns of the whole.
            topic: From ``topic``.
        """
        row, column = len(grid) - 1, len(grid[-1])
        position = row * 5 // size[0] * 5 + column * 5 // size[1]
        hidden = topic + self._position[position]
        outside = self._near.shape[1] - 1
        for k, (up, right) in enumerate(NEIGHBOURS):
            r, c = row + up, column + right
            inside = r >= 0 and 0 <= c < size[1]
            hidden = hidden + self._near[k, grid[r][c] if inside else outside]
        hidden = np.clip(hidden, 0, (1 << 15) - 1)
        logits = (hidden @ self._out_weight >> HIDDEN_SHIFT) + self._out_bias
        below = np.minimum(int(logits.max()) - logits, len(self._exp) - 1)
        weights = self._exp[below]
        room = TOTAL - _MIN_LAYOUT * len(weights)
        return exact_sum(weights * room // int(weights.sum()) + _MIN_LAYOUT)


@cache
def load_model(path: Path) -> TextModel:
    """Read a model file (numpy arrays, no pickles).

    Raises:
        ScmcError: The file is missing or is no model.
    """
    try:
        arrays = read_npz(path)
    except FileNotFoundError:
        raise ScmcError(
            f"no text model at {path}; reinstall the package or train one with "
            "python -m experiments.training.text_model"
        ) from None
    except (OSError, ValueError) as e:
        raise ScmcError(f"cannot read the text model {path}: {e}") from None
    missing = [k for k in _KINDS if k not in arrays or arrays[k].dtype.kind not in _KINDS[k]]
    if missing:
        raise ScmcError(f"{path} is no text model: {missing[0]!r} is missing or of the wrong type")
    return TextModel(arrays)
