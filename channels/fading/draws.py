"""Random draws that the channels share.

Every random number is drawn from the trial's own seed and its place (`channels.kernels.normal`), or
in chunks of fixed size. So a row depends on its seed alone, not on the batch it is drawn in, and a
shorter draw is the beginning of a longer one: systems that use different numbers of symbols see
the same fades and the same noise (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from channels.errors import ChannelError
from channels.rng import generator

# torch.rand is not prefix-stable over lengths; a sequence of draws of one length is.
_CHUNK = 16


def check_size(num_symbols: int, seeds: Sequence[int]) -> None:
    """Refuses an empty draw."""
    if num_symbols < 1 or len(seeds) == 0:
        raise ChannelError(
            f"asked for {num_symbols} symbols of {len(seeds)} trials; expected at least one of each"
        )


def uniform(num: int, seeds: Sequence[int], stream: str) -> torch.Tensor:
    """Uniform in [0, 1), float64 [len(seeds), num]: row i from seed i, prefix-stable in `num`."""
    check_size(num, seeds)
    num_chunks = -(-num // _CHUNK)
    out = torch.empty(len(seeds), num_chunks, _CHUNK, dtype=torch.float64)
    for row, seed in enumerate(seeds):
        gen = generator(seed, stream)
        for i in range(num_chunks):
            torch.rand(_CHUNK, generator=gen, out=out[row, i])
    return out.flatten(1)[:, :num]


def with_random_phase(amplitude: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Amplitudes [b, n] with one uniform phase for each trial, complex64 [b, n]."""
    phase = 2 * math.pi * uniform(1, seeds, "phase")
    return torch.polar(amplitude.to(torch.float64), phase.expand(amplitude.shape)).to(
        torch.complex64
    )


def child_seed(seed: int, *names: str | int) -> int:
    """A seed of its own for a part of a trial, 0 to 2**63 - 1."""
    high = torch.iinfo(torch.int64).max
    return int(torch.randint(high, (1,), generator=generator(seed, "child", *names)))
