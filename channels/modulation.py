"""Gray-labelled QPSK and QAM: mapping, equalisation and exact soft demapping.

Constellations and labels are those of 3GPP TS 38.211, 5.1, as Sionna builds them. Even bits of a
label choose the real part and odd bits the imaginary part, so the exact ("app") LLRs of a square
QAM separate into two amplitude modulations: 2 sqrt(M) distances a symbol instead of M.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from channels.errors import ChannelError
from channels.rng import preserve_torch_rng
from channels.types import BITS_PER_SYMBOL

# Below this the exponents of the demapper leave float32; it is 100 dB of Es/N0.
_MIN_NO = 1e-10
_MIN_GAIN = 1e-20


def _check(num_bits_per_symbol: int) -> None:
    if num_bits_per_symbol not in BITS_PER_SYMBOL:
        raise ChannelError(
            f"num_bits_per_symbol is {num_bits_per_symbol}; expected one of {BITS_PER_SYMBOL}"
        )


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def constellation(num_bits_per_symbol: int) -> torch.Tensor:
    """Points complex64 [2**num_bits_per_symbol] of unit mean power, ordered by bit label."""
    _check(num_bits_per_symbol)
    with preserve_torch_rng():
        from sionna.phy.mapping import qam

        return torch.as_tensor(np.asarray(qam(num_bits_per_symbol)), dtype=torch.complex64)


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def _amplitudes(num_bits_per_symbol: int) -> torch.Tensor:
    """Real parts float32 [2**(num_bits_per_symbol / 2)], ordered by the label of one part."""
    half = num_bits_per_symbol // 2
    label = np.arange(2**half)
    # Spread the bits of one part over the even positions; the odd ones do not matter.
    spread = sum(((label >> i) & 1) << (2 * i + 1) for i in range(half))
    return constellation(num_bits_per_symbol).real[torch.as_tensor(spread)].contiguous()


def map_bits(bits: np.ndarray | torch.Tensor, num_bits_per_symbol: int) -> torch.Tensor:
    """Bits to symbols.

    Args:
        bits: 0 or 1 of any integer dtype, [..., n].
        num_bits_per_symbol: 2, 4, 6 or 8; must divide n.

    Returns:
        complex64 [..., n / num_bits_per_symbol], mean power 1 over all labels.
    """
    points = constellation(num_bits_per_symbol)
    bits = torch.as_tensor(bits)
    if bits.shape[-1] % num_bits_per_symbol:
        raise ChannelError(
            f"got {bits.shape[-1]} bits; expected a multiple of {num_bits_per_symbol}"
        )
    labels = bits.unflatten(-1, (-1, num_bits_per_symbol)).to(torch.int64)
    weights = 2 ** torch.arange(num_bits_per_symbol - 1, -1, -1)
    return points[(labels * weights).sum(-1)]


def demap(
    y: torch.Tensor, h: torch.Tensor, no: float | torch.Tensor, num_bits_per_symbol: int
) -> torch.Tensor:
    """Equalises with the known gain and computes exact bit LLRs.

    The symbol seen by the demapper is y / h, and its noise variance no / |h|^2.

    Args:
        y: Received symbols, complex64 [..., n].
        h: Gain of each symbol, complex, broadcastable to y. It includes the transmit amplitude.
        no: Noise variance per complex dimension before equalisation.
        num_bits_per_symbol: 2, 4, 6 or 8.

    Returns:
        LLRs ln P(1)/P(0), float32 [..., n * num_bits_per_symbol].
    """
    amplitudes = _amplitudes(num_bits_per_symbol)
    gain = h.abs().square().clamp_min(_MIN_GAIN)
    inv_no = gain / torch.as_tensor(no, dtype=torch.float32).clamp_min(_MIN_NO)
    parts = torch.view_as_real((y * h.conj() / gain).resolve_conj()).movedim(-1, 0)
    scale = -inv_no.broadcast_to(y.shape)
    metric = torch.empty(len(amplitudes), *parts.shape)
    for point, amplitude in enumerate(amplitudes.tolist()):
        torch.mul((parts - amplitude).square_(), scale, out=metric[point])
    half = num_bits_per_symbol // 2
    label = torch.arange(len(amplitudes))
    llr = torch.empty(half, *parts.shape)
    for i in range(half):
        one = (label >> (half - 1 - i)) & 1 == 1
        torch.sub(_logsumexp(metric[one]), _logsumexp(metric[~one]), out=llr[i])
    return llr.permute(*range(2, llr.dim()), 0, 1).flatten(-3)


def _logsumexp(metric: torch.Tensor) -> torch.Tensor:
    return metric[0] if len(metric) == 1 else metric.logsumexp(0)
