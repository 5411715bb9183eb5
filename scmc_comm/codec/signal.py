"""The signal layer: colour and detail as a learned, variable-rate bitstream.

Payload: one byte of quality, then one rANS stream (CompressAI's coder) of the hyper-latent and
the latent, latent channels in order of importance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scmc_comm.codec.exact import ACTIVATION_BITS, ExactNetwork, to_fixed
from scmc_comm.codec.signal_net import (
    LOWEST_LEVEL,
    SCALE_LEVELS,
    SCALE_MAX,
    SCALE_MIN,
    SignalConfig,
    SignalNet,
)
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.weights import load_weights
from scmc_comm.errors import ScmcError

QUALITY_STEPS = 96
STRIDE = 64
MAX_PIXELS = 4096 * 4096


class SignalCodec:
    """Encodes a picture at a quality, decodes it with or without a lower layer's picture.

    Qualities are whole numbers from 0 (about 0.05 bpp) to ``QUALITY_STEPS`` (above 1 bpp).
    """

    def __init__(self, net: SignalNet) -> None:
        self.net = net.eval().requires_grad_(False)
        self._hyper_synthesis = ExactNetwork(net.hyper_synthesis)
        self._scale_steps = to_fixed(net.gaussian.scale_table)

    @classmethod
    def load(cls, path: Path | None = None) -> SignalCodec:
        """The shipped weights, or a safetensors file of the same layout.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        from compressai.models.utils import update_registered_buffers

        config, state = load_weights("signal", path)
        net = SignalNet(SignalConfig(**config))
        for part in ("bottleneck", "gaussian"):
            names = ["_quantized_cdf", "_offset", "_cdf_length"]
            names += ["scale_table"] if part == "gaussian" else []
            update_registered_buffers(
                getattr(net, part), part, names, state, policy="resize_if_empty"
            )
        net.load_state_dict(state)
        return cls(net)

    @staticmethod
    def freeze_tables(net: SignalNet) -> dict[str, object]:
        """Make the entropy coder's integer tables, which ship with the weights.

        Returns:
            The network's configuration, for the weights' header.
        """
        table = torch.logspace(
            torch.tensor(SCALE_MIN).log2(), torch.tensor(SCALE_MAX).log2(), SCALE_LEVELS, base=2.0
        )
        net.gaussian.update_scale_table(table.tolist(), force=True)
        net.bottleneck.update(force=True, update_quantiles=True)
        return asdict(net.config)

    def encode(self, img: Tensor, quality: int) -> bytes:
        """Code a picture.

        Args:
            img: float32 [3, H, W] in [0, 1].
            quality: 0 to ``QUALITY_STEPS``.

        Raises:
            ScmcError: If the quality is out of range.
        """
        return self.payload(self.analyse(img), quality)

    @torch.no_grad()
    def analyse(self, img: Tensor) -> Tensor:
        """The latent before its gain, the same for every quality: [1, M, h, w]."""
        return self.net.analysis(pad_to(img[None], STRIDE))

    @torch.no_grad()
    def payload(self, latent: Tensor, quality: int) -> bytes:
        """Code a latent from :meth:`analyse` at a quality."""
        if not 0 <= quality <= QUALITY_STEPS:
            raise ScmcError(f"quality is {quality}; expected 0 to {QUALITY_STEPS}")
        from compressai.ans import BufferedRansEncoder

        gain, _ = self.net.gains(self._level(quality))
        y = latent.float() * gain
        z = self.net.hyper_analysis(y).float()
        medians = self.net.bottleneck._get_medians()[None, :, 0]
        z_symbols = torch.round(z - medians[..., None])
        means, indexes = self._tables(z_symbols)
        y_symbols = torch.round(y - means)
        encoder = BufferedRansEncoder()
        _push(encoder, self.net.bottleneck, z_symbols, self._z_indexes(z_symbols))
        _push(encoder, self.net.gaussian, y_symbols, indexes)
        return bytes([quality]) + encoder.flush()

    @torch.no_grad()
    def decode(self, payload: bytes, size: tuple[int, int], lower: Tensor | None = None) -> Tensor:
        """Decode a payload.

        Args:
            payload: From :meth:`encode`; wrong bytes give some picture or an error.
            size: (H, W) of the picture.
            lower: The lower layers' picture, float32 [3, H, W], or None.

        Returns:
            float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: If the payload cannot be one of this codec.
        """
        height, width = size
        y_hat = self.latent(payload, size)
        cond = None if lower is None else pad_to(lower[None], STRIDE)
        img = self.net.synthesize(y_hat, cond)
        return img[0, :, :height, :width].float().clamp(0, 1)

    @torch.no_grad()
    def latent(self, payload: bytes, size: tuple[int, int]) -> Tensor:
        """The latent in a payload, bit-exactly the encoder's: float32 [1, M, h, w].

        Raises:
            ScmcError: If the payload cannot be one of this codec.
        """
        from compressai.ans import RansDecoder

        height, width = size
        if len(payload) < 5 or payload[0] > QUALITY_STEPS or height * width > MAX_PIXELS:
            raise ScmcError(
                f"signal payload of {len(payload)} bytes for {height} x {width} is not valid; "
                "the file is damaged or of another version"
            )
        rows, cols = -(-height // STRIDE), -(-width // STRIDE)
        latents = (1, self.net.config.num_latents, 4 * rows, 4 * cols)
        hyper = torch.zeros(1, self.net.config.num_filters, rows, cols)
        decoder = RansDecoder()
        # The coder reads where the stream tells it to; zeros behind the end keep a damaged
        # stream inside memory that is ours (ten words are the most that one symbol can take).
        words = 10 * (hyper.numel() + 16 * latents[1] * rows * cols) + 16
        decoder.set_stream(payload[1:] + bytes(4 * words))
        z_symbols = _pull(decoder, self.net.bottleneck, self._z_indexes(hyper)).view_as(hyper)
        means, indexes = self._tables(z_symbols)
        y_symbols = _pull(decoder, self.net.gaussian, indexes).view(latents)
        _, inverse = self.net.gains(self._level(payload[0]))
        return (y_symbols + means) * inverse

    def _level(self, quality: int) -> Tensor:
        top = len(self.net.config.lambdas) - 1
        return torch.tensor([LOWEST_LEVEL + quality / QUALITY_STEPS * (top - LOWEST_LEVEL)])

    def _z_indexes(self, z: Tensor) -> Tensor:
        return torch.arange(z.shape[1])[None, :, None, None].expand(z.shape)

    def _tables(self, z_symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Means (multiples of 1/16) and scale table indices of the latent, exactly."""
        medians = self.net.bottleneck._get_medians()[None, :, 0, :, None].double()
        out = self._hyper_synthesis(to_fixed(z_symbols.double() + medians))
        scales, means = out.chunk(2, 1)
        indexes = torch.bucketize(scales, self._scale_steps[:-1])
        coarse = 2.0 ** (ACTIVATION_BITS - 4)
        return (torch.round(means / coarse) / 16).float(), indexes


def _table_lists(model: torch.nn.Module) -> Iterator[list[Any]]:
    for name in ("_quantized_cdf", "_cdf_length", "_offset"):
        yield getattr(model, name).int().tolist()


def _push(encoder: Any, model: torch.nn.Module, symbols: Tensor, indexes: Tensor) -> None:
    encoder.encode_with_indexes(
        symbols.int().flatten().tolist(), indexes.int().flatten().tolist(), *_table_lists(model)
    )


def _pull(decoder: Any, model: torch.nn.Module, indexes: Tensor) -> Tensor:
    values = decoder.decode_stream(indexes.int().flatten().tolist(), *_table_lists(model))
    return torch.tensor(values, dtype=torch.float32)
