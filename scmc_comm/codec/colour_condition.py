"""The structure layer's colour map as the signal layer reads it, in integers alone.

The entropy model of the signal layer is conditioned on it, so both ends must have the same numbers:
no float enters. Pictures above the working size have a sketch of fewer pixels, which is enlarged by
bilinear interpolation with weights in 256ths.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scmc_comm.codec.signal_net import HYPER_STRIDE
from scmc_comm.codec.tensors import working_size

_WEIGHT_BITS = 8


def colour_condition(colours: Tensor, size: tuple[int, int]) -> Tensor:
    """The map of a picture at half its padded size, as `SignalCodec.encode` takes it.

    Args:
        colours: uint8 [3, h, w] from `SketchCodec.colour_map` at the working size of the picture.
        size: (H, W) of the picture.

    Returns:
        uint8 [3, H' / 2, W' / 2], H' and W' being H and W padded to ``HYPER_STRIDE``.

    Example:
        >>> colour_condition(torch.zeros(3, 128, 192, dtype=torch.uint8), (512, 768)).shape
        torch.Size([3, 256, 384])
    """
    small = working_size(size)
    half = [-(-side // HYPER_STRIDE) * HYPER_STRIDE // 2 for side in size]
    if small == tuple(size):
        return colours  # padded likewise
    out = colours[:, : (small[0] + 1) // 2, : (small[1] + 1) // 2].int()
    for axis, side in ((1, size[0]), (2, size[1])):
        out = _enlarged(out, axis, (side + 1) // 2)
        last = out.narrow(axis, out.shape[axis] - 1, 1)
        missing = half[axis - 1] - out.shape[axis]
        out = torch.cat([out, *[last] * missing], axis)
    bits = 2 * _WEIGHT_BITS
    return ((out + (1 << (bits - 1))) >> bits).to(torch.uint8)


def _enlarged(x: Tensor, axis: int, length: int) -> Tensor:
    """int32 values along one axis at another length, pixel centres kept; times 2^_WEIGHT_BITS."""
    old, one = x.shape[axis], 1 << _WEIGHT_BITS
    # Pixel i of the new axis lies at ((2 i + 1) old - length) / (2 length) of the old one.
    place = ((2 * torch.arange(length) + 1) * old - length).clamp(min=0)
    low = (place // (2 * length)).clamp(max=old - 1)
    high = (low + 1).clamp(max=old - 1)
    weight = ((place - 2 * length * low) * one // (2 * length)).clamp(0, one)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    share = weight.int().view(shape)
    return x.index_select(axis, low) * (one - share) + x.index_select(axis, high) * share
