"""Gray-labelled QPSK and QAM: mapping, equalisation and exact soft demapping.

Constellations and labels are those of 3GPP TS 38.211, 5.1. Even bits of a
label choose the real part and odd bits the imaginary part, so the exact ("app") LLRs of a square
QAM separate into two amplitude modulations: 2 sqrt(M) distances a symbol instead of M.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from channels.errors import ChannelError
from channels.kernels import modulation as kernel
from channels.types import BITS_PER_SYMBOL


def _check(num_bits_per_symbol: int) -> None:
    if num_bits_per_symbol not in BITS_PER_SYMBOL:
        raise ChannelError(
            f"num_bits_per_symbol is {num_bits_per_symbol}; expected one of {BITS_PER_SYMBOL}"
        )


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def amplitudes(num_bits_per_symbol: int) -> np.ndarray:
    """Real parts float32 [2**(num_bits_per_symbol / 2)], ordered by the label of one part."""
    _check(num_bits_per_symbol)
    half = num_bits_per_symbol // 2
    level = np.zeros(1)
    for i in range(half):  # from the last bit, which tells neighbours apart, to the first, the sign
        level = np.concatenate([2.0**i - level, level - 2.0**i])
    power = 2 * np.mean(level**2)
    return (level / np.sqrt(power)).astype(np.float32)


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def constellation(num_bits_per_symbol: int) -> torch.Tensor:
    """Points complex64 [2**num_bits_per_symbol] of unit mean power, ordered by bit label."""
    levels = amplitudes(num_bits_per_symbol)
    half = num_bits_per_symbol // 2
    label = np.arange(2**num_bits_per_symbol)
    real = sum(((label >> (2 * i + 1)) & 1) << i for i in range(half))
    imag = sum(((label >> (2 * i)) & 1) << i for i in range(half))
    return torch.as_tensor(levels[real] + 1j * levels[imag], dtype=torch.complex64)


def map_bits(bits: np.ndarray | torch.Tensor, num_bits_per_symbol: int) -> torch.Tensor:
    """Bits to symbols.

    Args:
        bits: 0 or 1 of any integer dtype, [..., n].
        num_bits_per_symbol: 2, 4, 6 or 8; must divide n.

    Returns:
        complex64 [..., n / num_bits_per_symbol], mean power 1 over all labels.
    """
    points = constellation(num_bits_per_symbol).numpy()
    values = np.ascontiguousarray(bits, np.uint8)
    if values.shape[-1] % num_bits_per_symbol:
        raise ChannelError(
            f"got {values.shape[-1]} bits; expected a multiple of {num_bits_per_symbol}"
        )
    shape = (*values.shape[:-1], values.shape[-1] // num_bits_per_symbol)
    symbols = np.empty(shape, np.complex64)
    kernel.map_labels(values.reshape(-1), num_bits_per_symbol, points, symbols.reshape(-1))
    return torch.from_numpy(symbols)


def demap(
    y: torch.Tensor, h: torch.Tensor, no: float | torch.Tensor, num_bits_per_symbol: int
) -> torch.Tensor:
    """Equalises with the known gain and computes exact bit LLRs.

    The symbol seen by the demapper is y / h, and its noise variance no / |h|^2.

    Args:
        y: Received symbols, complex64 [..., n].
        h: Gain of each symbol, complex, broadcastable to y. It includes the transmit amplitude.
        no: Noise variance per complex dimension before equalisation, broadcastable to y.
        num_bits_per_symbol: 2, 4, 6 or 8.

    Returns:
        LLRs ln P(1)/P(0), float32 [..., n * num_bits_per_symbol].
    """
    variance = torch.as_tensor(no, dtype=torch.float32)
    flat = [  # contiguous, which an expanded tensor is not, for the compiled loop
        np.ascontiguousarray(t.broadcast_to(y.shape).resolve_conj().reshape(-1).numpy())
        for t in (y.to(torch.complex64), h.to(torch.complex64), variance)
    ]
    parts = np.empty(2 * y.numel(), np.float32)
    inv_no = np.empty(y.numel(), np.float32)
    kernel.equalise(flat[0].view(np.float32), flat[1].view(np.float32), flat[2], parts, inv_no)
    llr = np.empty((*y.shape[:-1], y.shape[-1] * num_bits_per_symbol), np.float32)
    kernel.soft_bits(parts, inv_no, amplitudes(num_bits_per_symbol), llr.reshape(-1))
    return torch.from_numpy(llr)
