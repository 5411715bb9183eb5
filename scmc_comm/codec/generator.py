"""Text to image: the semantic layer's decoder.

The small generator shipped here is a one-step text-to-image network built from diffusers and
transformers classes: a CLIP text encoder reads the caption, and a ``UNet2DConditionModel``
attends to its words while it turns seeded noise and the colours of the layout sentence into
features, which a resize-convolution decoder renders at 256 x 256. One step instead of a
diffusion chain (as in adversarially distilled models) keeps decoding under half a second on a
processor. Anything that is a :class:`scmc_comm.codec.semantic.Painter` can take its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.weights import load_weights

SIDE = 256
NOISE_SIDE = 128
_NOISE_CHANNELS = (NOISE_SIDE // 32) ** 2
_WORD = re.compile(r"[a-z]+|[0-9]+")


def words_of(text: str) -> list[str]:
    """Lower-case words of a sentence, which is all the generator reads of it."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of the generator.

    Attributes:
        vocabulary: Known words; id 0 pads, 1 is any other word, 2 ends the sentence.
        max_words: Words read of a caption.
        text_width: Width of the text encoder.
        channels: UNet channels at 32, 16 and 8.
        decoder_channels: Decoder channels at 64 and 128.
    """

    vocabulary: tuple[str, ...] = ()
    max_words: int = 24
    text_width: int = 192
    channels: tuple[int, int, int] = (80, 144, 192)
    decoder_channels: tuple[int, int] = (64, 32)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out as in."""
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class Generator(nn.Module):
    """Caption words, layout colours and noise to a picture, in one pass."""

    def __init__(self, config: GeneratorConfig) -> None:
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        super().__init__()
        self.config = config
        self._ids = {w: i + 3 for i, w in enumerate(config.vocabulary)}
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(config.vocabulary) + 3,
                hidden_size=config.text_width,
                intermediate_size=2 * config.text_width,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=config.max_words + 1,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
            )
        )
        self.unet: Any = UNet2DConditionModel(
            sample_size=32,
            in_channels=_NOISE_CHANNELS + 4,
            out_channels=config.channels[0],
            block_out_channels=config.channels,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=config.text_width,
            attention_head_dim=4,
            norm_num_groups=16,
        )
        c64, c128 = config.decoder_channels
        self.to_64 = nn.Conv2d(config.channels[0], c64, 3, padding=1)
        self.at_64 = Residual(c64)
        self.to_128 = nn.Conv2d(c64, c128, 3, padding=1)
        self.at_128 = Residual(c128)
        self.to_256 = nn.Conv2d(c128, 12, 3, padding=1)
        self.to_rgb = nn.Conv2d(12, 3, 3, padding=1)
        self.noise_64 = nn.Conv2d(4, c64, 1, bias=False)
        self.noise_128 = nn.Conv2d(1, c128, 1, bias=False)

    @classmethod
    def load(cls, path: Path | None = None) -> Generator:
        """The shipped weights, or a safetensors file of the same layout.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        config, state = load_weights("generator", path)
        net = cls(GeneratorConfig(**config))
        net.load_state_dict(state)
        return net.eval().requires_grad_(False)

    def tokens(self, texts: list[str]) -> Tensor:
        """Word ids, int64 [b, max_words + 1]; unknown words become id 1."""
        length = self.config.max_words + 1
        out = torch.zeros(len(texts), length, dtype=torch.long)
        for row, text in zip(out, texts, strict=True):
            known = [self._ids.get(w, 1) for w in words_of(text)]
            ids = [*known[: length - 1], 2]
            row[: len(ids)] = torch.tensor(ids)
        return out

    def forward(self, tokens: Tensor, layout: Tensor, has_layout: Tensor, noise: Tensor) -> Tensor:
        """Generate pictures.

        Args:
            tokens: int64 [b, max_words + 1] from :meth:`tokens`.
            layout: float32 [b, 3, g, g] colours in [0, 1] of the layout sentence.
            has_layout: float32 [b], 0 where the caption has none.
            noise: float32 [b, 1, NOISE_SIDE, NOISE_SIDE], standard normal. It enters at
                several scales: fine texture that is made of noise has no pattern.

        Returns:
            float32 [b, 3, 256, 256], about [0, 1], not clamped.
        """
        text = self.text_encoder(input_ids=tokens, attention_mask=(tokens != 0).long())
        present = has_layout[:, None, None, None]
        colours = (layout * 2 - 1) * present
        smooth = F.interpolate(colours, size=32, mode="bicubic", align_corners=False)
        x = torch.cat([F.pixel_unshuffle(noise, 4), smooth, present.expand(-1, 1, 32, 32)], 1)
        step = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
        x = self.unet(x, step, text.last_hidden_state, encoder_attention_mask=(tokens != 0)).sample
        x = self.to_64(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.at_64(x + self.noise_64(F.pixel_unshuffle(noise, 2)))
        x = self.to_128(F.interpolate(F.silu(x), scale_factor=2.0, mode="nearest"))
        x = self.at_128(x + self.noise_128(noise))
        x = self.to_256(F.interpolate(F.silu(x), scale_factor=2.0, mode="bilinear"))
        base = F.interpolate(colours, size=SIDE, mode="bicubic", align_corners=False)
        return (self.to_rgb(F.silu(x)) + base) * 0.5 + 0.5
