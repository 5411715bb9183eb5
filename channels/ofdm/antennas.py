"""Antennas: maximum-ratio combining, Alamouti's code, and what the demapper needs of them.

The receiver is the linear MMSE one. For one stream it is maximum-ratio combining; for Alamouti's
pairs it is the optimal combiner as well where both elements of a pair have one gain, and it also
copes with gains that differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Combiner:
    """Linear filters for the symbols of one or two streams, as the receiver has chosen them.

    Attributes:
        weights: Of every received row for each stream, complex64 [b, num_tx, rows, n / num_tx].
        sinr: As the receiver believes, float32 [b, n]; its output is then
            z = sinr * s + noise of variance sinr.
    """

    weights: torch.Tensor
    sinr: torch.Tensor

    def combine(self, y: torch.Tensor) -> torch.Tensor:
        """Received symbols, complex64 [b, num_rx, n], to combined ones, complex64 [b, n]."""
        return self._outputs(_rows(y, self._num_tx))

    def true_output(
        self, h: torch.Tensor, amplitude: torch.Tensor, variance: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What becomes of symbols over gains other than those that the filters are made for.

        Args:
            h: The true gains, complex64 [b, num_rx, num_tx, n].
            amplitude: As in `mmse_combiner`.
            variance: True noise variance, broadcastable to [b, num_rx, n].

        Returns:
            The factor of the wanted symbol, complex64 [b, n], and the variance of noise and of
            the other stream together, float32 [b, n].
        """
        noise = _rows(variance.expand(h[:, :, 0].shape), self._num_tx)
        spoilt = (self.weights.abs().square() * noise[:, None]).sum(2)
        responses = [self._outputs(signature) for signature in _signatures(h, amplitude)]
        if self._num_tx == 1:
            return responses[0], spoilt[:, 0]
        first, second = (response.unflatten(-1, (-1, 2)) for response in responses)
        wanted = torch.stack([first[..., 0], second[..., 1]], -1)
        other = torch.stack([second[..., 0], first[..., 1]], -1).abs().square()
        return wanted.flatten(1), (other + spoilt.mT).flatten(1)

    @property
    def _num_tx(self) -> int:
        return self.weights.shape[1]

    def _outputs(self, rows: torch.Tensor) -> torch.Tensor:
        return (self.weights.conj() * rows[:, None]).sum(2).mT.flatten(1)


def mmse_combiner(h: torch.Tensor, amplitude: torch.Tensor, variance: torch.Tensor) -> Combiner:
    """The MMSE receiver, unbiased, of what `spread` sent.

    Args:
        h: Gains that the receiver believes in, complex64 [b, num_rx, num_tx, n].
        amplitude: What each symbol s of unit mean power was multiplied with, float32 [n].
        variance: Noise and whatever counts as noise per complex dimension, float32,
            broadcastable to [b, num_rx, n].
    """
    num_tx = h.shape[2]
    variance = _rows(variance.clamp_min(_MIN_VARIANCE).expand(h[:, :, 0].shape), num_tx)
    signatures = _signatures(h, amplitude)
    filters = [signature / variance for signature in signatures]
    power = [(s.conj() * f).sum(1).real for s, f in zip(signatures, filters, strict=True)]
    if num_tx == 1:
        return Combiner(filters[0][:, None], power[0])
    (w1, w2), (p1, p2) = filters, power
    cross = (signatures[0].conj() * w2).sum(1)
    # Unbiased MMSE: subtract what the other stream's estimate explains.
    sinr_1 = p1 - cross.abs().square() / (1 + p2)
    sinr_2 = p2 - cross.abs().square() / (1 + p1)
    w1, w2 = w1 - (cross.conj() / (1 + p2))[:, None] * w2, w2 - (cross / (1 + p1))[:, None] * w1
    return Combiner(torch.stack([w1, w2], 1), torch.stack([sinr_1, sinr_2], -1).flatten(1))


def _rows(y: torch.Tensor, num_tx: int) -> torch.Tensor:
    """The observations that a symbol is in: [b, num_rx, n] to [b, rows, n / num_tx].

    For a pair of Alamouti's code the first use, then the conjugate of the second.
    """
    if num_tx == 1:
        return y
    first, second = y.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.cat([first, second.conj()], 1)


def _signatures(h: torch.Tensor, amplitude: torch.Tensor) -> list[torch.Tensor]:
    """What each stream's symbol is multiplied with in each of `_rows`."""
    if h.shape[2] == 1:
        return [h[:, :, 0] * amplitude]
    h = h.unflatten(-1, (-1, 2)) * math.sqrt(0.5)
    first, second = amplitude.unflatten(0, (-1, 2)).unbind(1)
    return [
        torch.cat([h[:, :, 0, :, 0], h[:, :, 1, :, 1].conj()], 1) * first,
        torch.cat([h[:, :, 1, :, 0], -h[:, :, 0, :, 1].conj()], 1) * second,
    ]
