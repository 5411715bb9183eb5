"""The signal layer: colour and detail as a learned, variable-rate bitstream in parts.

The first part holds one byte of quality and a range-coded stream of the hyper-latent and the first
slices of the latent; each further part is a stream of its own with the next slices. A part needs
those before it and none after it: every prefix of the parts decodes, missing slices take the
values that the context model expects.

A network that reads the structure layer's colour map codes a picture with that map or without,
which the first byte says; with it, the map is needed to decode.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.base_prior import BASE_UNIT, Told, upsampled
from scmc_comm.codec.entropy_tables import HYPER, LATENT, EntropyTables, scale_ladder
from scmc_comm.codec.exact import ACTIVATION_BITS, ExactNetwork, to_fixed
from scmc_comm.codec.range_coder import RangeDecoder, RangeEncoder
from scmc_comm.codec.signal_net import (
    HYPER_STRIDE,
    QUALITY_STEPS,
    SignalNet,
    checkerboard,
)
from scmc_comm.codec.signal_transforms import LATENT_STRIDE, SignalConfig
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.tiles import in_tiles
from scmc_comm.codec.weights import filled, load_weights
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels

_UNIT = 2.0**ACTIVATION_BITS
_MEAN_STEP = 2.0 ** (ACTIVATION_BITS - 4)  # means are multiples of 1/16
GAIN_BITS = 10
_MOVE_STEP = BASE_UNIT * 2.0**GAIN_BITS
_WITH_MAP = 128  # added to the quality of a picture that is coded given its colour map

CodeField = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""``(slice, means, table rows, field)`` codes the symbols of a field (bool [h, w]) and returns
the slice's symbols, of which only those in the field count."""


def usual_realism(quality: int) -> float:
    """The share of the perceptual refinement that is shown where nobody chose one.

    The fewer bits, the more of a picture's texture has to be made up. Of validation flowers the
    whole correction has the lower DISTS at every quality, by 0.006 at 0 for 0.1 dB of PSNR, but by
    0.001 at 24 for 0.3 dB and a higher LPIPS.

    Example:
        >>> usual_realism(0), usual_realism(12), usual_realism(96)
        (1.0, 0.875, 0.75)
    """
    return 1 - 0.25 * min(quality / 24, 1)


def is_conditioned(parts: Sequence[bytes]) -> bool:
    """Whether parts of a payload, untrusted ones too, say that they were coded given a map.

    Example:
        >>> is_conditioned((bytes([130]), b"")), is_conditioned(())
        (True, False)
    """
    return bool(parts and parts[0]) and parts[0][0] >= _WITH_MAP


class SignalCodec:
    """Encodes a picture at a quality, decodes it with or without a lower layer's picture.

    Qualities are whole numbers from 0 (about 0.03 bpp) to ``QUALITY_STEPS`` (above 1.5 bpp).
    """

    def __init__(self, net: SignalNet, tables: EntropyTables) -> None:
        self.net = net.eval().requires_grad_(False)
        self._hyper = ExactNetwork(net.hyper_synthesis)
        self._base: tuple[ExactNetwork, ExactNetwork] | None = None
        if net.base is not None:
            self._base = ExactNetwork(nn.Sequential(net.base.linear)), ExactNetwork(net.base.deep)
        self._contexts = [ExactNetwork(cast(nn.Sequential, context)) for context in net.contexts]
        self._medians = tables.medians
        self._hyper_tables, self._tables = tables.hyper, tables.latent
        # The same parts are shown with each subset of the lower layers, one after the other.
        self._last_latent = functools.lru_cache(1)(self.latent)

    def forget(self) -> None:
        """Drop the latent that was read last."""
        self._last_latent.cache_clear()

    @property
    def num_parts(self) -> int:
        """Parts of a payload."""
        return len(self.net.config.parts)

    @property
    def reads_colours(self) -> bool:
        """Whether the network can code a picture given its colour map."""
        return self._base is not None

    @classmethod
    def load(cls, path: Path | None = None) -> SignalCodec:
        """The shipped weights, or a safetensors file of the same layout.

        Raises:
            ScmcError: If the file is missing or of another layout.
        """
        config, state = load_weights("signal", path)
        coder = (f"{HYPER}.", f"{LATENT}.")
        weights = {k: v for k, v in state.items() if not k.startswith(coder)}
        build = functools.partial(SignalNet, SignalConfig(**config))
        net = filled(build, weights, path or "the shipped signal layer")
        return cls(net, EntropyTables.of(state))

    def encode(self, img: Tensor, quality: int, colours: Tensor | None = None) -> tuple[bytes, ...]:
        """Code a picture.

        Args:
            img: float32 [3, H, W] in [0, 1].
            quality: 0 to ``QUALITY_STEPS``.
            colours: The colour map that the receiver has, uint8 [3, h, w] of half the picture's
                size after padding to multiples of ``HYPER_STRIDE``, or None.

        Returns:
            The parts, most important first; at low rates the last ones, which say nothing, are
            left out.

        Raises:
            ScmcError: If the quality is out of range, or the network reads no colour map.
        """
        return self.parts(self.analyse(img, colours), quality, colours)

    @torch.no_grad()
    def analyse(self, img: Tensor, colours: Tensor | None = None) -> Tensor:
        """The latent before its gain, the same for every quality: [1, M, h, w]."""
        padded = pad_to(img[None], HYPER_STRIDE)
        inputs = [padded]
        if colours is not None:
            inputs.append(upsampled(self._about_zero(colours, _cells(padded)).float() / _UNIT))
        return in_tiles(self.net.analysis, inputs, _cells(padded)).float()

    @torch.no_grad()
    def parts(
        self, latent: Tensor, quality: int, colours: Tensor | None = None
    ) -> tuple[bytes, ...]:
        """Code a latent from :meth:`analyse` at a quality, given the same colour map."""
        if not 0 <= quality <= QUALITY_STEPS:
            raise ScmcError(f"quality is {quality}; expected 0 to {QUALITY_STEPS}")
        gain, _ = self.net.gains(self.net.level(quality))
        y = latent * gain
        z = self.net.hyper_analysis(y).double() - self._medians[:, None, None]
        z_symbols = torch.round(z)
        encoders = [RangeEncoder() for _ in range(self.num_parts)]
        encoders[0].push(_int32(z_symbols), self._hyper_rows(z_symbols), self._hyper_tables)
        slices = y.double().split(self.net.config.slices, 1)
        owner = self._part_of_slice()
        last = 0  # part that holds any symbol but 0, which a missing part stands for too

        def code(index: int, means: Tensor, rows: Tensor, field: Tensor) -> Tensor:
            nonlocal last
            symbols = torch.round(slices[index] - means)
            if symbols[:, :, field].any():
                last = owner[index]
            encoders[owner[index]].push(
                _int32(symbols[:, :, field]), _int32(rows[:, :, field]), self._tables
            )
            return symbols

        self._code(z_symbols, quality, colours, code)
        first, *rest = (encoder.finish() for encoder in encoders[: last + 1])
        return (bytes([quality + (0 if colours is None else _WITH_MAP)]) + first, *rest)

    @torch.no_grad()
    def decode(
        self,
        parts: Sequence[bytes],
        size: tuple[int, int],
        lower: Tensor | None = None,
        realism: float | None = None,
        colours: Tensor | None = None,
    ) -> Tensor:
        """Decode the parts that arrived.

        Args:
            parts: A prefix of what :meth:`encode` gave; wrong bytes give some picture or an
                error.
            size: (H, W) of the picture.
            lower: The lower layers' picture, float32 [3, H, W], or None.
            realism: 0 for the least squared error, 1 for the best look; None for
                :func:`usual_realism`.
            colours: The colour map that the parts were coded with, as in :meth:`encode`; stands
                for the lower picture as well.

        Returns:
            float32 [3, H, W] in [0, 1].

        Raises:
            ScmcError: If the parts cannot be of this codec.
        """
        height, width = size
        y_hat = self._last_latent(tuple(parts), size, colours)
        inputs = [y_hat]
        if colours is not None:
            cells = y_hat.shape[2], y_hat.shape[3]
            inputs.append(upsampled(self._about_zero(colours, cells).float() / _UNIT) + 0.5)
        elif lower is not None:
            inputs.append(pad_to(lower[None], HYPER_STRIDE))
        share = usual_realism(parts[0][0] % _WITH_MAP) if realism is None else realism
        network = functools.partial(on_device, self.net.synthesis, realism=share)
        img = in_tiles(network, inputs, (y_hat.shape[2], y_hat.shape[3]))
        return img[0, :, :height, :width].float().clamp(0, 1)

    @torch.no_grad()
    def latent(
        self, parts: Sequence[bytes], size: tuple[int, int], colours: Tensor | None = None
    ) -> Tensor:
        """The latent in the parts, bit-exactly the encoder's: float32 [1, M, h, w].

        Raises:
            ScmcError: If the parts cannot be of this codec.
        """
        height, width = size
        quality = parts[0][0] % _WITH_MAP if parts and parts[0] else QUALITY_STEPS + 1
        if not 1 <= len(parts) <= self.num_parts or quality > QUALITY_STEPS:
            raise ScmcError(
                f"signal payload of {[len(part) for part in parts]} bytes is not valid; "
                "the file is damaged or of another version"
            )
        check_pixels(size)
        if is_conditioned(parts) != (colours is not None):
            given = "without" if colours is None else "with"
            raise ScmcError(
                f"signal payload was not coded {given} a colour map; decode it likewise"
            )
        decoders = [RangeDecoder(part[1:] if i == 0 else part) for i, part in enumerate(parts)]
        rows, cols = -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE)
        hyper = torch.zeros(1, self.net.config.hyper_filters[0], rows, cols)
        z_symbols = decoders[0].pull(self._hyper_rows(hyper), self._hyper_tables)
        owner = self._part_of_slice()

        def code(index: int, means: Tensor, rows: Tensor, field: Tensor) -> Tensor:
            symbols = torch.zeros_like(means)
            if owner[index] < len(decoders):
                found = decoders[owner[index]].pull(_int32(rows[:, :, field]), self._tables)
                symbols[:, :, field] = torch.from_numpy(found).double().view(*means.shape[:2], -1)
            return symbols

        z = torch.from_numpy(z_symbols).double().view_as(hyper)
        y_hat = self._code(z, quality, colours, code)
        _, inverse = self.net.gains(self.net.level(quality))
        return y_hat.float() * inverse

    def _code(
        self, z_symbols: Tensor, quality: int, colours: Tensor | None, code: CodeField
    ) -> Tensor:
        """Walk through the slices and fields as encoder and decoder both must.

        Returns:
            The quantised latent with its gain, float64 [1, M, h, w].
        """
        hyper = self._hyper(to_fixed(z_symbols + self._medians[:, None, None]))
        told = None if colours is None else self._told(colours, hyper, quality)
        nothing = hyper.new_zeros(1, self.net.config.base_channels, *hyper.shape[2:])
        field = checkerboard(hyper)
        plane = torch.full_like(field, float(to_fixed(self.net.level(quality))))
        ladder = scale_ladder()
        borders = to_fixed((ladder[1:] + ladder[:-1]) / 2)
        done: list[Tensor] = []
        for index, channels in enumerate(self.net.config.slices):
            known = hyper.new_zeros(1, channels, *hyper.shape[2:])
            for number, mask in enumerate((field, 1 - field)):
                seen = number * field * _UNIT
                said = nothing if told is None else told.field(number)
                context = torch.cat([hyper, said, plane, seen, *done, known], 1)
                means, log_scales = self._contexts[index](context).chunk(2, 1)
                start = sum(d.shape[1] for d in done)
                moves = None if told is None else told.moves(number, start, channels)
                if moves is not None:
                    rest = channels - moves[0].shape[1]
                    means, log_scales = (
                        x + F.pad(move, (0, 0, 0, 0, 0, rest))
                        for x, move in zip((means, log_scales), moves, strict=True)
                    )
                means = torch.round(means / _MEAN_STEP) / 16
                rows = torch.bucketize(log_scales, borders)
                symbols = code(index, means, rows, mask[0, 0].bool())
                known = known + to_fixed((symbols + means) * mask)
            done.append(known)
        return torch.cat(done, 1) / _UNIT

    def _told(self, colours: Tensor, like: Tensor, quality: int) -> Told:
        """What the colour map says, in the integers of :mod:`scmc_comm.codec.exact`."""
        base = self._about_zero(colours, (like.shape[2], like.shape[3]))
        assert self._base is not None
        blocks = F.pixel_unshuffle(base, LATENT_STRIDE // 2)
        linear, deep = (network(blocks) for network in self._base)
        more, scales, features = deep.tensor_split([linear.shape[1], 2 * linear.shape[1]], 1)
        gain = self.net.integer_gain[quality].double().repeat(2)[:, None, None]
        means = torch.floor((linear + more) * gain / _MOVE_STEP + 0.5)
        return Told(means, scales, features)

    def _about_zero(self, colours: Tensor, cells: tuple[int, int]) -> Tensor:
        """A colour map as integers about zero, float64 [1, 3, h, w]; refused if of another size."""
        half = LATENT_STRIDE // 2
        expected = (3, half * cells[0], half * cells[1])
        if self._base is None:
            raise ScmcError("this signal network reads no colour map; load one that does")
        if tuple(colours.shape) != expected or colours.dtype != torch.uint8:
            raise ScmcError(
                f"colour map is {colours.dtype} {tuple(colours.shape)}; expected uint8 {expected}"
            )
        return colours[None].double() - 128

    def _part_of_slice(self) -> list[int]:
        return [part for part, count in enumerate(self.net.config.parts) for _ in range(count)]

    def _hyper_rows(self, z: Tensor) -> np.ndarray:
        return _int32(torch.arange(z.shape[1])[None, :, None, None].expand(z.shape))


def _cells(padded: Tensor) -> tuple[int, int]:
    return padded.shape[2] // LATENT_STRIDE, padded.shape[3] // LATENT_STRIDE


def _int32(x: Tensor) -> np.ndarray:
    return x.to(torch.int32).flatten().numpy()
