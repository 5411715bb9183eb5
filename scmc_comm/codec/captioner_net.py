"""The small captioner: EfficientNet-Lite2 features, then a small GPT-2.

The encoder sees 256 x 256 pixels as 19 tokens: the kind of thing, the whole picture, its colours,
and 4 x 4 cells of the features. The decoder is GPT-2 (Radford et al., 2019) with cross
attention, over whole words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scmc_comm.codec.efficientnet_lite import (
    CLASSES,
    FEATURES,
    HEAD_FEATURES,
    EfficientNetLite2,
)
from scmc_comm.codec.word_decoder import BOS_ID, EOS_ID, WordDecoder, beam_search

SIDE = 256
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
"""The first word ids, as `scmc_comm.codec.word_decoder` counts them."""
MAX_NEW_TOKENS = 28  # of a sentence, whichever captioner makes it
COLOR_GRID = 5
CELLS = 4
_COLORS = 3 * COLOR_GRID**2


@dataclass(frozen=True)
class CaptionerShape:
    """Sizes of the captioner.

    Attributes:
        words: Words it can say, without the marks.
        kinds: Kinds of things it can name; one more, the last, is "not named".
        width: Size of a token.
        layers: Of the decoder.
        heads: Of its attention.
        dropout: In training, of the decoder and of the cells.
        max_tokens: Longest sentence in words.
    """

    words: int
    kinds: int
    width: int = 256
    layers: int = 3
    heads: int = 8
    dropout: float = 0.2
    max_tokens: int = 32


class ImageTokens(nn.Module):
    """Tokens of a picture, and what it shows.

    Args:
        shape: Sizes.
    """

    def __init__(self, shape: CaptionerShape) -> None:
        super().__init__()
        self.trunk = EfficientNetLite2()
        self.head = nn.Linear(FEATURES, HEAD_FEATURES)
        self.classes = nn.Linear(HEAD_FEATURES, CLASSES)
        self.kinds = nn.Linear(HEAD_FEATURES, shape.kinds + 1)
        width = shape.width
        self.kind = nn.Embedding(shape.kinds + 1, width)
        self.whole = nn.Linear(HEAD_FEATURES, width)
        self.colors = nn.Linear(_COLORS, width)
        self.cell_norm = nn.LayerNorm(FEATURES)
        self.cell = nn.Linear(FEATURES, width)
        self.position = nn.Parameter(torch.zeros(CELLS**2, width))
        self.out_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(shape.dropout)

    def cells(self, maps: Tensor) -> Tensor:
        """Mean features of a 4 x 4 grid, [b, 16, 352], of the trunk's maps [b, 352, h, w]."""
        return F.adaptive_avg_pool2d(maps, CELLS).flatten(2).transpose(1, 2).contiguous()

    def pooled(self, maps: Tensor) -> Tensor:
        """The published head's mean features, float [b, 1280], of the trunk's maps."""
        return F.relu6(self.head(maps.flatten(2).transpose(1, 2))).mean(1)

    def tokens(self, cells: Tensor, pooled: Tensor, colors: Tensor, kind: Tensor) -> Tensor:
        """Tokens [b, 19, width].

        Args:
            cells: From ``cells``, float [b, 16, 352].
            pooled: From ``pooled``, float [b, 1280].
            colors: From ``color_grid``, float [b, 75].
            kind: Index of the kind of thing, int64 [b].
        """
        parts = self.cell(self.cell_norm(cells)) + self.position
        parts = parts * self.dropout(parts.new_ones(*parts.shape[:2], 1))  # whole cells
        first = [self.kind(kind), self.whole(self.dropout(pooled)), self.colors(colors)]
        return self.out_norm(torch.cat([torch.stack(first, dim=1).to(parts.dtype), parts], dim=1))


class SmallCaptioner(nn.Module):
    """Encoder and decoder.

    Args:
        shape: Sizes.
    """

    def __init__(self, shape: CaptionerShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = ImageTokens(shape)
        self.decoder = WordDecoder(
            shape.words + len(SPECIALS),
            shape.width,
            shape.layers,
            shape.heads,
            shape.max_tokens,
            shape.dropout,
        )

    def forward(self, tokens: Tensor, words: Tensor) -> Tensor:
        """Logits [b, n, vocabulary] of each next word, given image tokens and words so far."""
        logits: Tensor = self.decoder(words, tokens)
        return logits

    @torch.inference_mode()
    def say(
        self, tokens: Tensor, beams: int, max_words: int = MAX_NEW_TOKENS
    ) -> list[tuple[list[int], float]]:
        """Sentences by beam search.

        Args:
            tokens: From ``encoder.tokens``.
            beams: Width of the search; 1 is greedy.
            max_words: Longest sentence.

        Returns:
            Word ids of each sentence without marks, and the mean log-probability of its words and
            of its end.
        """
        ended = beam_search(self.decoder, tokens, beams, max_words)
        sentences = [[word for word in words if word >= len(SPECIALS)] for words in ended]
        return [
            (words, self._confidence(seen, words))
            for seen, words in zip(tokens, sentences, strict=True)
        ]

    def _confidence(self, seen: Tensor, words: list[int]) -> float:
        ids = torch.tensor([[BOS_ID, *words, EOS_ID]], device=seen.device)
        log = self(seen[None], ids[:, :-1]).float().log_softmax(-1)
        return float(log.gather(2, ids[:, 1:, None]).mean())


def color_grid(img: Tensor) -> Tensor:
    """Mean colours of a 5 x 5 grid about zero: [b, 3, H, W] to [b, 75]."""
    return F.adaptive_avg_pool2d(img, COLOR_GRID).flatten(1) - 0.5


def prepare(img: Tensor) -> Tensor:
    """Resize images [b, 3, H, W] in [0, 1] to what the encoder takes, [b, 3, 256, 256]."""
    if img.shape[-2:] == (SIDE, SIDE):
        return img.float()
    out = F.interpolate(img.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    return out.clamp(0, 1)
