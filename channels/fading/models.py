"""Channels by name, what all of them have in common, and the receiver's noise.

How random numbers are drawn, and why systems see the same fades and noise: `channels.fading.draws`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from channels.errors import ChannelError
from channels.fading.added import plugin_channel
from channels.fading.block import Awgn, BlockFading, NakagamiBlock, RayleighBlock, RicianBlock
from channels.fading.clarke import Clarke
from channels.fading.draws import check_size
from channels.fading.gilbert_elliott import GilbertElliott
from channels.fading.raytraced import RayTraced
from channels.fading.tr38901 import Cdl, Tdl
from channels.fading.trace import Trace
from channels.kernels.normal import complex_normal, stream_keys
from channels.registry import Registry
from channels.specs import build
from channels.types import Channel

__all__ = [
    "CHANNELS",
    "Awgn",
    "BlockFading",
    "Channel",
    "RayleighBlock",
    "RicianBlock",
    "channel_identity",
    "make_channel",
    "noise",
]


def noise(num_symbols: int, no: float, seeds: Sequence[int]) -> torch.Tensor:
    """Circular complex Gaussian noise, variance `no` (half of it in each real dimension).

    Args:
        num_symbols: Samples per trial.
        no: Noise variance per complex dimension, linear.
        seeds: One seed per trial.

    Returns:
        complex64 [len(seeds), num_symbols].
    """
    if not no >= 0.0:
        raise ChannelError(f"noise variance is {no}; expected 0 or more")
    check_size(num_symbols, seeds)
    return torch.from_numpy(complex_normal(num_symbols, stream_keys(seeds, "noise"), no))


_BUILT_IN: dict[str, Callable[..., Channel]] = {
    cls.word(): cls
    for cls in (
        Awgn, RayleighBlock, RicianBlock, NakagamiBlock, Clarke, GilbertElliott, Trace, Tdl, Cdl,
        RayTraced,
    )
}  # fmt: skip
CHANNELS: Registry[Callable[..., Channel]] = Registry("channel", _BUILT_IN, plugin_channel)
"""All channels by name."""


def make_channel(spec: str) -> Channel:
    """Builds a channel from its name and parameters.

    Args:
        spec: ``name`` or ``name:key=value,key=value``.

    >>> make_channel("rician_block:k_factor_db=3,coherence_symbols=256")
    RicianBlock(k_factor_db=3.0, coherence_symbols=256)
    """
    channel: Channel = build("channel", CHANNELS, spec)
    return channel


def channel_identity(spec: str) -> str:
    """What the gains of a channel depend on, beside the seeds: for the keys of stored results.

    The text itself, and for a channel that reads a file a hash of the content as well: a file
    that is written anew is another channel, and so is a plug-in of another source.

    Args:
        spec: As for `make_channel`.

    >>> channel_identity("rayleigh_block")
    'rayleigh_block'
    """
    content = getattr(make_channel(spec), "content_sha256", None)
    added = CHANNELS.identity(spec.partition(":")[0])
    return " ".join(filter(None, (spec, f"sha256={content}" if content else "", added)))
