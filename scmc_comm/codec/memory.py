"""The memory that both ends share: scenes as short codes, retrieved by words and layout.

The memory is a learned codebook that ships with the weights, the shared knowledge base of semantic
communication. Of each of some thousand scenes it holds the words, the colours of a layout's cells,
and what lies beyond those cells as coordinates in a basis of principal components ("eigenpictures",
Sirovich and Kirby, JOSA A 1987). A caption finds the scene whose words and colours are nearest to
its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scmc_comm.codec.layout import GRID

SIDE = 32
MAX_WORDS = 24
WORD_WEIGHT = 0.2
"""Colour distance, in units of full scale, that entirely different words are worth."""

_PEAK = 255
_WORD = re.compile(r"[a-z]+|[0-9]+")


def words_of(text: str) -> list[str]:
    """Lower-case words of a sentence, which is all that a memory keeps of it."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Recalled:
    """What a retrieval found.

    Attributes:
        index: Which one.
        mirrored: Whether its mirror image fits better.
    """

    index: int
    mirrored: bool


class Memory:
    """Codes of scenes with the words that were said of them.

    Args:
        vocabulary: Known words.
        words: int16 [n, MAX_WORDS], places of each scene's words in the vocabulary, each once;
            -1 behind the last.
        grids: uint8 [n, 3, GRID, GRID], mean colours of the cells.
        codes: int8 [n, d], coordinates of the rest.
        basis: float32 [d, 3 * SIDE * SIDE], one component a row.
    """

    def __init__(
        self, vocabulary: Sequence[str], words: Tensor, grids: Tensor, codes: Tensor, basis: Tensor
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.words, self.grids, self.codes, self.basis = words, grids, codes, basis
        self._ids = {word: i for i, word in enumerate(self.vocabulary)}
        self._known: NDArray[np.int64] = words.numpy().astype(np.int64)
        counts = np.bincount(self._known[self._known >= 0], minlength=len(self.vocabulary))
        rarity = np.log(len(self) / np.maximum(counts, 1))
        self._rarity: NDArray[np.float64] = np.append(rarity, 0.0)  # the last is for -1
        self._lengths = np.sqrt(np.square(self._rarity[self._known]).sum(1)) + 1e-9
        self._grids = torch.stack([grids, grids.flip(3)], 1).numpy().astype(np.int64)

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(
        cls, imgs: Tensor, texts: Iterable[str], vocabulary: Sequence[str], basis: Tensor
    ) -> Memory:
        """The memory of pictures float32 [n, 3, SIDE, SIDE] in [0, 1] and a text of each.

        Args:
            imgs: The pictures.
            texts: What was said of each.
            vocabulary: Words to know them by.
            basis: Orthonormal components, float32 [d, 3 * SIDE * SIDE].
        """
        ids = {word: i for i, word in enumerate(vocabulary)}
        words = torch.full((len(imgs), MAX_WORDS), -1, dtype=torch.int16)
        for row, text in zip(words, texts, strict=True):
            known = list(dict.fromkeys(ids[w] for w in words_of(text) if w in ids))[:MAX_WORDS]
            row[: len(known)] = torch.tensor(known, dtype=torch.int16)
        grids = F.adaptive_avg_pool2d(imgs, GRID).mul(_PEAK).round().byte()
        exact = beyond_layout(imgs).flatten(1) @ basis.T
        steps = exact.abs().amax(0).clamp(min=1e-9) / 127
        codes = (exact / steps).round().to(torch.int8)
        return cls(vocabulary, words, grids, codes, basis * steps[:, None])

    def detail(self, indices: Sequence[int]) -> Tensor:
        """What is stored beyond the layout's cells, float32 [b, 3, SIDE, SIDE] around 0."""
        return (self.codes[list(indices)].float() @ self.basis).unflatten(1, (3, SIDE, SIDE))

    def recall(self, content: str, layout: Tensor | None, place: int = 0) -> Recalled:
        """Retrieve the scene that fits a caption best.

        Of a scene and its mirror image the one that fits better counts. What is compared are whole
        numbers and double-precision sums, so that every machine recalls the same.

        Args:
            content: Content sentence, perhaps empty.
            layout: Colours of the layout sentence, float32 [3, GRID, GRID] in [0, 1], or None.
            place: 0 for the best, 1 for the second best, ...; round and round.
        """
        squares = np.zeros((len(self), 2))
        if layout is not None:
            wanted = layout.mul(_PEAK).round().numpy().astype(np.int64)
            squares = np.square(self._grids - wanted).mean((2, 3, 4))
        penalty = WORD_WEIGHT * (1 - self.likeness(content)) + np.sqrt(squares.min(1)) / _PEAK
        best = int(np.argsort(penalty, kind="stable")[place % len(self)])
        return Recalled(best, bool(squares[best, 1] < squares[best, 0]))

    def likeness(self, content: str) -> NDArray[np.float64]:
        """How much of what was said of each memory a sentence says, [n] in [0, 1].

        The cosine of both sets of words, weighted by the logarithm of their rarity (TF-IDF).
        """
        said = sorted({self._ids[w] for w in words_of(content) if w in self._ids})
        weight = np.zeros_like(self._rarity)
        weight[said] = np.square(self._rarity[said])
        length = np.sqrt(weight.sum()) + 1e-9
        cosine: NDArray[np.float64] = weight[self._known].sum(1) / (length * self._lengths)
        return cosine


def smooth(x: Tensor, side: int) -> Tensor:
    """[b, c, h, w] to [b, c, side, side] without corners."""
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False)


def layout_map(layouts: Tensor) -> Tensor:
    """Smooth colours [b, 3, SIDE, SIDE] whose means over the cells are about the layouts'."""
    first = smooth(layouts, SIDE)
    return first + smooth(layouts - F.adaptive_avg_pool2d(first, GRID), SIDE)


def beyond_layout(imgs: Tensor) -> Tensor:
    """What pictures [b, 3, SIDE, SIDE] show beyond the mean colours of a layout's cells."""
    return imgs - layout_map(F.adaptive_avg_pool2d(imgs, GRID))
