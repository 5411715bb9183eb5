"""The analog link: symbols of any value, faded, in noise, equalised; nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from channels.errors import ChannelError
from channels.fading.added import draw
from channels.fading.models import Channel, noise


def equalise(y: Tensor, h: Tensor, no: Tensor) -> tuple[Tensor, Tensor]:
    """Linear MMSE equaliser for symbols of unit power, and the Es/N0 that is left.

    ``x_hat = conj(h) y / (abs(h)^2 + no)``, whose error is ``no / (abs(h)^2 + no)`` per symbol; the
    Es/N0 is that of a channel without fading of the same mean error, so ``abs(h)^2 / no`` where h
    is constant.

    Args:
        y: Received symbols, complex64 [b, n].
        h: Gains, complex64 [b, n].
        no: Noise variance per complex symbol, float32 [b].

    Returns:
        Estimates complex64 [b, n] and linear Es/N0 float32 [b].

    Source: D. Tse, P. Viswanath, Fundamentals of Wireless Communication, section 8.3.3.

    >>> h, no = torch.full((1, 4), 0.5j), torch.tensor([0.01])
    >>> x_hat, esno = equalise(h * 1.0, h, no)
    >>> round(float(x_hat[0, 0].real), 3), round(float(esno[0]), 2)
    (0.962, 25.0)
    """
    power = h.abs().square()
    noise_variance = no[:, None]
    x_hat = h.conj() * y / (power + noise_variance)
    return x_hat, mean_error_esno(power / noise_variance)


def mean_error_esno(sinr: Tensor) -> Tensor:
    """Es/N0 without fading of the same mean error as symbols of these SINR after the equaliser.

    Args:
        sinr: Linear, float32 [b, n]; the error of each symbol is ``1 / (1 + sinr)``.

    Returns:
        float32 [b].

    >>> float(mean_error_esno(torch.tensor([[3.0, 3.0]])))
    3.0
    """
    error = (1 / (1 + sinr)).double().mean(1)
    return (1 / error - 1).float()


def check_symbols(symbols: Tensor, seeds: Sequence[int]) -> None:
    """Refuses symbols whose mean power is not 1, and a transmission without seeds."""
    if len(seeds) == 0:
        raise ChannelError("got no seeds; expected one per trial")
    power = float(symbols.abs().square().mean(dtype=torch.float64)) if symbols.numel() else 0.0
    if not abs(power - 1) < 1e-4:
        raise ChannelError(f"symbols have mean power {power:.4g}; expected 1 over a transmission")


def send_symbols(
    symbols: Tensor, channel: Channel, esno_db: float, seeds: Sequence[int]
) -> tuple[Tensor, Tensor, int]:
    """Sends the same symbols once for each seed; the receiver knows h and the noise variance.

    Gains and noise of a trial are those that a coded transmission of the same seed meets
    (`channels.phy.bit_true.BitTruePhy`).

    Args:
        symbols: complex64 [n], of mean power 1.
        channel: The channel, drawn once over all symbols.
        esno_db: Mean Es/N0 per channel use in dB.
        seeds: One per trial.

    Returns:
        Equalised symbols complex64 [len(seeds), n] and Es/N0 after it, linear float32 [len(seeds)],
        as `equalise` gives them; and the channel uses, pilots of the link included.

    Raises:
        ChannelError: The mean power is not 1, or there are no seeds.

    >>> from channels.fading.models import make_channel
    >>> x_hat, esno, uses = send_symbols(torch.ones(8) + 0j, make_channel("awgn"), 40.0, [1, 2])
    >>> x_hat.shape, [round(float(e)) for e in esno]
    (torch.Size([2, 8]), [10000, 10000])
    """
    check_symbols(symbols, seeds)
    state = draw(channel, len(symbols), esno_db, seeds)
    y = noise(len(symbols), state.no, seeds).addcmul_(state.h, symbols)
    return *equalise(y, state.h, torch.full((len(seeds),), state.no)), len(symbols)
