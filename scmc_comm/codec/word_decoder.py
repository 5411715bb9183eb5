"""A small GPT-2 with cross attention, and its beam search.

The network is that of Radford et al., "Language Models are Unsupervised Multitask Learners",
2019, with a cross attention to the picture's tokens in each layer; its parameters have the names
and layouts of transformers' ``GPT2LMHeadModel``. It stands here because importing transformers
takes longer than captioning a picture.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BOS_ID, EOS_ID = 1, 2
_INIT_STD = 0.02
_DROPOUT = 0.1


class Projection(nn.Module):
    """A linear layer whose weight is stored [inputs, outputs], as GPT-2's are."""

    def __init__(self, inputs: int, outputs: int, std: float = _INIT_STD) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs).normal_(std=std))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Features [b, n, outputs] of [b, n, inputs]."""
        return F.linear(x, self.weight.T, self.bias)


class Attention(nn.Module):
    """Multi-head attention: causal to itself, or to other tokens."""

    def __init__(self, width: int, heads: int, out_std: float, cross: bool, dropout: float) -> None:
        super().__init__()
        self.heads, self.cross, self.dropout = heads, cross, dropout
        self.c_attn = Projection(width, (2 if cross else 3) * width)
        if cross:
            self.q_attn = Projection(width, width)
        self.c_proj = Projection(width, width, out_std)

    def forward(self, x: Tensor, others: Tensor | None = None) -> Tensor:
        """Features [b, n, width] of ``x``, which looks at ``others`` [b, m, width] if it must."""
        if self.cross:
            mixed = (self.q_attn(x), *self.c_attn(others).chunk(2, -1))
        else:
            mixed = self.c_attn(x).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in mixed)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=not self.cross
        )
        return F.dropout(self.c_proj(out.transpose(1, 2).flatten(2)), self.dropout, self.training)


class Mlp(nn.Module):
    """The two layers between attentions."""

    def __init__(self, width: int, inner: int, out_std: float, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.c_fc, self.c_proj = Projection(width, inner), Projection(inner, width, out_std)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        inner = F.gelu(self.c_fc(x), approximate="tanh")
        return F.dropout(self.c_proj(inner), self.dropout, self.training)


class Block(nn.Module):
    """One layer: attention to the words, to the picture, and a perceptron."""

    def __init__(self, width: int, heads: int, inner: int, out_std: float, dropout: float) -> None:
        super().__init__()
        self.ln_1, self.ln_cross_attn, self.ln_2 = (nn.LayerNorm(width) for _ in range(3))
        self.attn = Attention(width, heads, out_std, cross=False, dropout=dropout)
        self.crossattention = Attention(width, heads, out_std, cross=True, dropout=dropout)
        self.mlp = Mlp(width, inner, out_std, dropout)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Same shape."""
        x = x + self.attn(self.ln_1(x))
        x = x + self.crossattention(self.ln_cross_attn(x), tokens)
        return x + self.mlp(self.ln_2(x))


class Trunk(nn.Module):
    """Embeddings and blocks; arguments as of :class:`WordDecoder`."""

    def __init__(
        self, vocabulary: int, width: int, layers: int, heads: int, max_words: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        out_std = _INIT_STD / math.sqrt(2 * layers)
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(max_words, width)
        self.h = nn.ModuleList(
            Block(width, heads, 3 * width, out_std, dropout) for _ in range(layers)
        )
        self.ln_f = nn.LayerNorm(width)
        for embedding in (self.wte, self.wpe):
            nn.init.normal_(embedding.weight, std=_INIT_STD)

    def forward(self, words: Tensor, tokens: Tensor) -> Tensor:
        """Features [b, n, width] of words int64 [b, n] that look at tokens [b, m, width]."""
        x = self.wte(words) + self.wpe(torch.arange(words.shape[1], device=words.device))
        x = F.dropout(x, self.dropout, self.training)
        for block in self.h:
            x = block(x, tokens)
        return self.ln_f(x)


class WordDecoder(nn.Module):
    """Words so far and a picture's tokens to the next word.

    Args:
        vocabulary: Number of words, specials among them.
        width: Channels.
        layers: Number of blocks.
        heads: Attention heads.
        max_words: Longest sentence, with its start.
        dropout: Share of the features that are dropped in training.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        max_words: int,
        dropout: float = _DROPOUT,
    ) -> None:
        super().__init__()
        self.transformer = Trunk(vocabulary, width, layers, heads, max_words, dropout)

    def forward(self, words: Tensor, tokens: Tensor) -> Tensor:
        """Logits [b, n, vocabulary] of the word after each of int64 [b, n].

        Args:
            words: The sentences so far, each with its start.
            tokens: What is seen, float [b, m, width].
        """
        return F.linear(self.transformer(words, tokens), self.transformer.wte.weight)


def beam_search(
    decoder: WordDecoder, tokens: Tensor, beams: int, max_words: int
) -> list[list[int]]:
    """The likeliest sentence of each picture, by mean log probability of a word.

    As transformers' ``generate`` does it: of twice as many candidates as beams, those that end and
    are among the best compete by their mean, and the others go on until the worst of the ended
    is better than the best that goes on.

    Args:
        decoder: Predicts the next word.
        tokens: What is seen, float [b, m, width].
        beams: Beam width; 1 takes the likeliest word each time.
        max_words: Longest sentence; the end counts as a word.

    Returns:
        Word ids of each sentence behind its start, the end among them if it came to one.
    """
    return [_search(decoder, seen, beams, max_words) for seen in tokens]


def _search(decoder: WordDecoder, seen: Tensor, beams: int, max_words: int) -> list[int]:
    running = torch.full((1, 1), BOS_ID, device=seen.device)
    scores = torch.zeros(1, device=seen.device)
    ended: list[tuple[float, list[int]]] = []
    for length in range(1, max_words + 1):
        logits = decoder(running, seen.expand(len(running), -1, -1))[:, -1]
        total = scores[:, None] + logits.float().log_softmax(-1)
        best, index = total.flatten().topk(min(2 * beams, total.numel()))
        candidates = torch.cat(
            [running[index // total.shape[1]], index[:, None] % total.shape[1]], 1
        )
        ends = candidates[:, -1] == EOS_ID
        if length == max_words:
            ends[:] = True
        ended += [
            (best[i].item() / length, candidates[i, 1:].tolist()) for i in range(beams) if ends[i]
        ]
        ended = sorted(ended, key=lambda e: -e[0])[:beams]
        running, scores = candidates[~ends][:beams], best[~ends][:beams]
        done = len(ended) == beams and (beams == 1 or bool((scores <= length * ended[-1][0]).all()))
        if done or not len(scores):
            break
    return ended[0][1]
