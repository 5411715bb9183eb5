"""Closed-form bit error rates of uncoded, Gray-labelled square QAM with perfect CSI."""

from __future__ import annotations

import math


def q_function(x: float) -> float:
    """Tail of the standard normal distribution."""
    return 0.5 * math.erfc(x / math.sqrt(2))


def _gray_qam_terms(num_bits_per_symbol: int) -> list[tuple[float, float]]:
    """Weights w and factors a with BER = sum of w * Q(sqrt(a * Es/N0)).

    Cho and Yoon, "On the general BER expression of one- and two-dimensional amplitude
    modulations", IEEE Trans. Commun. 50(7), 2002, equations 14 and 16 for square QAM.
    """
    size, half = 2**num_bits_per_symbol, num_bits_per_symbol // 2
    side = 2**half
    terms = []
    for bit in range(1, half + 1):
        for i in range(side - side // 2**bit):
            ratio = i * 2 ** (bit - 1) / side
            sign = (-1) ** math.floor(ratio)
            count = 2 ** (bit - 1) - math.floor(ratio + 0.5)
            terms.append((2 * sign * count / (side * half), 3 * (2 * i + 1) ** 2 / (size - 1)))
    return terms


def ber_awgn(num_bits_per_symbol: int, esno: float) -> float:
    """Exact bit error rate of Gray QAM in AWGN; `esno` is linear, per complex symbol."""
    return sum(w * q_function(math.sqrt(a * esno)) for w, a in _gray_qam_terms(num_bits_per_symbol))


def ber_rayleigh(num_bits_per_symbol: int, esno: float) -> float:
    """The same averaged over Rayleigh fading (Proakis: E[Q(sqrt(a g))] for exponential g)."""
    return sum(
        w * 0.5 * (1 - math.sqrt(a * esno / (2 + a * esno)))
        for w, a in _gray_qam_terms(num_bits_per_symbol)
    )


def ber_diversity(branch_snr: float, num_branches: int) -> float:
    """BER of QPSK with L Rayleigh branches of mean Eb/N0 `branch_snr`.

    Proakis and Salehi, Digital Communications, 5th ed., equation 13.4-15.
    """
    mu = math.sqrt(branch_snr / (1 + branch_snr))
    terms = (math.comb(num_branches - 1 + k, k) * ((1 + mu) / 2) ** k for k in range(num_branches))
    return ((1 - mu) / 2) ** num_branches * sum(terms)
