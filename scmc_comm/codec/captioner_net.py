"""The small captioner: AlexNet convolutions, then a small GPT-2 over whole words.

The encoder sees 256 x 256 pixels as 12 tokens.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from scmc_comm.codec.tensors import normalised
from scmc_comm.codec.word_decoder import WordDecoder, beam_search

SIDE = 256
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
"""The first word ids, as `scmc_comm.codec.word_decoder` counts them."""
MAX_NEW_TOKENS = 28  # of a sentence, whichever captioner makes it
COLOR_GRID = 5
_CHANNELS = 256
_PARTS = 3
KIND_FEATURES = 5 * _CHANNELS


class AlexNetTokens(nn.Module):
    """AlexNet convolutions (Krizhevsky et al., 2012; torchvision's layout) made into tokens.

    The tokens are: what kind of thing it is, by a linear classifier on pooled features; the whole
    picture; its colours on a 5 x 5 grid; and nine parts of the picture.

    Args:
        width: Size of a token.
        num_kinds: Kinds of things that the classifier tells apart.
        dropout: Of the parts, in training.
    """

    def __init__(self, width: int, num_kinds: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, _CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Linear(KIND_FEATURES, num_kinds)
        self.kind = nn.Embedding(num_kinds, width)
        self.whole = nn.Linear(2 * _CHANNELS, width)
        self.colors = nn.Linear(3 * COLOR_GRID**2, width)
        self.part = nn.Linear(_CHANNELS, width)
        self.position = nn.Parameter(torch.zeros(_PARTS**2, width))
        self.out_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def maps(self, img: torch.Tensor) -> torch.Tensor:
        """Feature maps [b, 256, 7, 7] of [b, 3, 256, 256] in [0, 1]."""
        return self.features(normalised(img))

    def tokens(self, maps: torch.Tensor, colors: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
        """Tokens [b, 12, width] of pooled feature maps [b, 256, 7, 7] (or 3 x 3).

        Args:
            maps: From ``maps``.
            colors: From ``color_grid``.
            kind: Index of the kind of thing, int64 [b].
        """
        root = maps.sqrt()
        parts = self.dropout(F.adaptive_max_pool2d(root, _PARTS).flatten(2).transpose(1, 2))
        whole = torch.cat([parts.mean(1), parts.amax(1)], dim=-1)
        first = [self.kind(kind), self.whole(whole), self.colors(colors)]
        rest = self.part(parts) + self.position
        return self.out_norm(torch.cat([torch.stack(first, dim=1), rest], dim=1))

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        """Tokens [b, 12, width] of images, float32 [b, 3, 256, 256] in [0, 1]."""
        maps = self.maps(img)
        kind = self.classifier(kind_features(maps)).argmax(-1)
        return self.tokens(maps, color_grid(img), kind)


class SmallCaptioner(nn.Module):
    """Encoder and decoder.

    Args:
        encoder: Makes tokens of images.
        decoder: Makes words of tokens.
    """

    def __init__(self, encoder: AlexNetTokens, decoder: WordDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, tokens: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """Logits [b, n, vocabulary] of each next word, given image tokens and words so far."""
        logits: torch.Tensor = self.decoder(words, tokens)
        return logits

    @torch.inference_mode()
    def generate(self, img: torch.Tensor, beams: int) -> list[list[int]]:
        """Word ids of images [b, 3, 256, 256], by beam search."""
        return beam_search(self.decoder, self.encoder(img), beams, MAX_NEW_TOKENS)


def kind_features(maps: torch.Tensor) -> torch.Tensor:
    """What the classifier sees of feature maps [b, 256, 7, 7]: float [b, 1280]."""
    corners = F.adaptive_max_pool2d(maps, 2).flatten(1)
    return torch.cat([corners, F.adaptive_avg_pool2d(maps, 1).flatten(1)], dim=1).sqrt()


def color_grid(img: torch.Tensor) -> torch.Tensor:
    """Mean colours of a 5 x 5 grid about zero: [b, 3, H, W] to [b, 75]."""
    return F.adaptive_avg_pool2d(img, COLOR_GRID).flatten(1) - 0.5


def build(
    num_words: int,
    num_kinds: int = 103,
    width: int = 160,
    layers: int = 2,
    heads: int = 5,
    max_tokens: int = 32,
) -> SmallCaptioner:
    """The captioner with random weights, for a vocabulary of ``num_words`` and the specials."""
    decoder = WordDecoder(num_words + len(SPECIALS), width, layers, heads, max_tokens)
    return SmallCaptioner(AlexNetTokens(width, num_kinds), decoder)


def prepare(img: torch.Tensor) -> torch.Tensor:
    """Resize images [b, 3, H, W] in [0, 1] to what the encoder takes, [b, 3, 256, 256]."""
    if img.shape[-2:] == (SIDE, SIDE):
        return img.float()
    out = F.interpolate(img.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    return out.clamp(0, 1)
