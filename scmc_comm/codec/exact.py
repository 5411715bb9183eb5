"""A small convolutional network in exact integer arithmetic.

An entropy decoder must choose the very tables that the encoder chose. Floating-point networks do
not promise that: the sums depend on the order in which threads, instructions and machines add.
Here weights and activations are rounded to integers and held in float64, whose sums of integers
below 2^53 are exact in any order, so the result is the same everywhere (cf. Balle, Johnston and
Minnen, "Integer networks for data compression with latent-variable models", ICLR 2019).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATION_BITS = 8
WEIGHT_BITS = 12
LIMIT = 2.0**20
BAND_ROWS = 48


def to_fixed(x: Tensor, bits: int = ACTIVATION_BITS) -> Tensor:
    """Round to multiples of ``2 ** -bits``, returned as integers in float64."""
    return torch.round(x.double() * 2.0**bits)


class ExactNetwork:
    """Integer form of a ``Sequential`` of convolutions, transposed convolutions and ReLUs.

    Args:
        layers: The trained network; its weights are copied and rounded.

    Raises:
        TypeError: If the network holds any other kind of layer.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        self.layers: list[tuple[Any, Tensor, Tensor] | None] = []
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                self.layers.append(None)
            elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
                weight = to_fixed(layer.weight.detach(), WEIGHT_BITS)
                bias = to_fixed(layer.bias.detach(), WEIGHT_BITS + ACTIVATION_BITS)
                self.layers.append((layer, weight, bias))
            else:
                raise TypeError(f"no integer form of {type(layer).__name__}")
        kinds = [entry[0] for entry in self.layers if entry is not None]
        same = all(not k.transposed and k.stride == (1, 1) for k in kinds)
        self._halo = sum(k.padding[0] for k in kinds) if same else None

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Integers in, integers out, both float64 in steps of ``2 ** -ACTIVATION_BITS``.

        A tall input is worked off in bands of rows, which bounds the memory; since the sums are
        exact, the bands change nothing.
        """
        if self._halo is None or x.shape[2] <= BAND_ROWS:
            return self._run(x)
        bands = []
        for top in range(0, x.shape[2], BAND_ROWS):
            above = min(top, self._halo)
            bottom = min(x.shape[2], top + BAND_ROWS)
            band = self._run(x[:, :, top - above : bottom + self._halo])
            bands.append(band[:, :, above : above + bottom - top])
        return torch.cat(bands, 2)

    def _run(self, x: Tensor) -> Tensor:
        for entry in self.layers:
            if entry is None:
                x = x.clamp(min=0)
                continue
            layer: Any = entry[0]
            weight, bias = entry[1:]
            x = x.clamp(-LIMIT, LIMIT)
            if layer.transposed:
                x = F.conv_transpose2d(
                    x, weight, bias, layer.stride, layer.padding, layer.output_padding
                )
            else:
                x = F.conv2d(x, weight, bias, layer.stride, layer.padding)
            x = torch.floor((x + 2.0 ** (WEIGHT_BITS - 1)) / 2.0**WEIGHT_BITS)
        return x
