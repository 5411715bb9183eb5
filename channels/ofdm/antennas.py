"""Antennas: maximum-ratio combining, Alamouti's code, and what the demapper needs of them.

The receiver is the linear MMSE one. For one stream it is maximum-ratio combining; for Alamouti's
pairs it is the optimal combiner as well where both elements of a pair have one gain, and it also
copes with gains that differ.
"""

from __future__ import annotations

import math

import torch

from channels.errors import ChannelError

# Transmit x receive antennas.
ANTENNAS = {"1x1": (1, 1), "1x2": (1, 2), "2x1": (2, 1), "2x2": (2, 2)}
_MIN_VARIANCE = 1e-10  # 100 dB of Es/N0, as in the demapper


def parse_antennas(text: str) -> tuple[int, int]:
    """Transmit and receive antennas of a setup such as "1x2"."""
    if text not in ANTENNAS:
        raise ChannelError(
            f"antennas is {text!r}; expected one of {', '.join(ANTENNAS)} (transmit x receive)"
        )
    return ANTENNAS[text]


def spread(symbols: torch.Tensor, num_tx: int) -> torch.Tensor:
    """What each antenna sends, with mean power 1 over all antennas.

    Two antennas send Alamouti's code over pairs of channel uses: (s1, -s2*) and (s2, s1*).
    Source: S. M. Alamouti, IEEE J. Sel. Areas Commun. 16(8), 1998.

    Args:
        symbols: complex64 [n]; n even for two antennas.
        num_tx: 1 or 2.

    Returns:
        complex64 [num_tx, n].

    >>> spread(torch.tensor([1 + 1j, 2 + 0j]), 1).shape
    torch.Size([1, 2])
    """
    if num_tx == 1:
        return symbols[None]
    first, second = symbols.unflatten(0, (-1, 2)).unbind(1)
    sent = torch.stack(
        [torch.stack([first, -second.conj()], 1), torch.stack([second, first.conj()], 1)]
    )
    return sent.flatten(1) * math.sqrt(0.5)


def combine(
    y: torch.Tensor, h: torch.Tensor, amplitude: torch.Tensor, variance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """MMSE equalisation of what `spread` sent.

    Args:
        y: Received, complex64 [b, num_rx, n].
        h: Gains that the receiver believes in, complex64 [b, num_rx, num_tx, n].
        amplitude: What each symbol s of unit mean power was multiplied with, float32 [n].
        variance: Noise and whatever counts as noise per complex dimension, float32,
            broadcastable to [b, num_rx, n].

    Returns:
        Combined symbols z, complex64 [b, n], and SINR after combining, float32 [b, n]:
        z = sinr * s + noise of variance sinr.
    """
    variance = variance.clamp_min(_MIN_VARIANCE).expand(y.shape)
    if h.shape[2] == 1:
        gain = h[:, :, 0] * amplitude
        return (gain.conj() * y / variance).sum(1), (gain.abs().square() / variance).sum(1)
    h, y = h.unflatten(-1, (-1, 2)) * math.sqrt(0.5), y.unflatten(-1, (-1, 2))
    # Rows of the 2 x 2 system of a pair: y of the first use, conjugate of y of the second.
    rows_y = torch.cat([y[..., 0], y[..., 1].conj()], 1)
    first, second = amplitude.unflatten(0, (-1, 2)).unbind(1)
    rows_1 = torch.cat([h[:, :, 0, :, 0], h[:, :, 1, :, 1].conj()], 1) * first
    rows_2 = torch.cat([h[:, :, 1, :, 0], -h[:, :, 0, :, 1].conj()], 1) * second
    scale = 1.0 / torch.cat(variance.unflatten(-1, (-1, 2)).unbind(-1), 1)
    z1, z2 = (rows_1.conj() * rows_y * scale).sum(1), (rows_2.conj() * rows_y * scale).sum(1)
    p1, p2 = (rows_1.abs().square() * scale).sum(1), (rows_2.abs().square() * scale).sum(1)
    cross = (rows_1.conj() * rows_2 * scale).sum(1)
    # Unbiased MMSE: subtract what the other stream's estimate explains.
    sinr_1 = p1 - cross.abs().square() / (1 + p2)
    sinr_2 = p2 - cross.abs().square() / (1 + p1)
    u1, u2 = z1 - cross * z2 / (1 + p2), z2 - cross.conj() * z1 / (1 + p1)
    z = torch.stack([u1, u2], -1).flatten(1)
    return z, torch.stack([sinr_1, sinr_2], -1).flatten(1)
