"""The SNR of a link whose receiver knows the gains wrongly, for block error tables."""

from __future__ import annotations

import torch

# Symbols, in sending order, over which errors are averaged: as many as an OFDM symbol of the
# default grid has. Fewer see too little of an error that differs from element to element.
_WINDOW = 144
_NEWTON_STEPS = 6
_MIN_SINR = 1e-12


def effective_sinr(
    believed: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """SINR with which a receiver without errors would do as well as this one.

    The receiver has z = signal * s + noise and takes it for z = believed * s + noise of variance
    believed. Its estimate of s is x = z / (1 + believed). Over a window of symbols the share of s
    in x, with the best common factor, is ``rho = (E Re(x s*))^2 / E|x|^2``; a wrong phase, a wrong
    amplitude and noise all lower it. The returned SINR is the believed one times the factor c of
    the window for which a receiver without errors has that share, ``E c b / (1 + c b) = rho``, so
    c is 1 where the beliefs hold on average.

    Args:
        believed: SINR that the receiver goes by, float32 [b, n], in sending order.
        signal: True factor of the wanted symbol, complex64 [b, n].
        noise: True variance of all else, float32 [b, n].

    Returns:
        float32 [b, n].

    Source: the estimate is the linear MMSE one (S. Kay, Fundamentals of Statistical Signal
    Processing, vol. 1, 12.5), its share rho = 1 - MMSE; checked by
    ``benchmarks/ofdm_tables.py``.

    >>> told = torch.full((1, 200), 4.0)
    >>> float(effective_sinr(told, told + 0j, told)[0, 0])
    4.0
    >>> round(float(effective_sinr(told, 0.5 * told + 0j, told)[0, 0]), 3)  # half the amplitude
    1.0
    """
    believed, noise = believed.double().clamp_min(_MIN_SINR), noise.double()
    signal = signal.to(torch.complex128)
    num_windows = max(1, believed.shape[1] // _WINDOW)
    window = (torch.arange(believed.shape[1]) // _WINDOW).clamp_max(num_windows - 1)
    size = torch.bincount(window)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(len(values), num_windows).index_add_(1, window, values) / size

    correlation = mean(signal.real / (1 + believed)).clamp_min(0.0)
    energy = mean((signal.abs().square() + noise) / (1 + believed).square())
    rest = (energy - correlation.square()).clamp_min(_MIN_SINR**2)
    sinr = (correlation.square() / rest).clamp_min(_MIN_SINR**2)
    log_factor = torch.zeros_like(sinr)
    for _ in range(_NEWTON_STEPS):
        scaled = log_factor.exp()[:, window] * believed
        known, lost = mean(scaled / (1 + scaled)), mean(1 / (1 + scaled))
        slope = mean(scaled / (1 + scaled).square()) / (known * lost)
        log_factor -= ((known / lost).log() - sinr.log()) / slope
    return (log_factor.exp()[:, window] * believed).float()
