"""Mutual information of Gray-labelled QAM with bitwise demapping (BICM), and its inverse.

Caire, Taricco, Biglieri, "Bit-interleaved coded modulation" (IEEE Trans. IT 1998), eq. 15, for the
constellations of `channels.modulation.qam`. A square QAM separates into two amplitude modulations,
so one real dimension tells all. The expectation over the noise is a Gauss-Hermite sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels.modulation.qam import amplitudes
from channels.types import BITS_PER_SYMBOL

_GRID_DB = np.arange(-40.0, 50.01, 0.2)
_HERMITE_NODES = 96


@dataclass(frozen=True)
class BicmInformation:
    """Mutual information per coded bit against the Es/N0 of a symbol.

    Attributes:
        esno_db: float64 [n], ascending.
        bits: float64 [n], in (0, 1), ascending.

    >>> qpsk = bicm_information(2)
    >>> round(float(qpsk(np.array([1.0]))[0]), 2)  # Es/N0 of 0 dB; BPSK at Eb/N0 = -3 dB
    0.49
    """

    esno_db: np.ndarray
    bits: np.ndarray

    def __call__(self, esno: np.ndarray) -> np.ndarray:
        """Information per coded bit at linear Es/N0, of any shape; clipped to the grid's ends."""
        with np.errstate(divide="ignore"):
            return np.interp(10 * np.log10(esno), self.esno_db, self.bits)

    def inverse_db(self, bits: np.ndarray) -> np.ndarray:
        """Es/N0 in dB that carries so much information per coded bit."""
        return np.interp(bits, self.bits, self.esno_db)


@lru_cache(maxsize=len(BITS_PER_SYMBOL))
def bicm_information(num_bits_per_symbol: int) -> BicmInformation:
    """The curve of one constellation: 2 (QPSK), 4, 6 or 8 bits a symbol."""
    points = amplitudes(num_bits_per_symbol).astype(np.float64)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_HERMITE_NODES)
    weights = weights / weights.sum()
    sigma = np.sqrt(0.5 * 10 ** (-_GRID_DB / 10))[:, None, None]
    received = points[:, None] + sigma * nodes  # [snr, sent, node]
    metric = -((received[..., None] - points) ** 2) / (2 * sigma[..., None] ** 2)
    label = np.arange(len(points))
    total = np.logaddexp.reduce(metric, axis=-1)
    half = num_bits_per_symbol // 2
    lost = np.zeros(len(_GRID_DB))
    for i in range(half):
        bit = (label >> i) & 1
        same = np.empty_like(total)
        for value in (0, 1):
            sent = bit == value
            same[:, sent] = np.logaddexp.reduce(metric[:, sent][..., bit == value], axis=-1)
        lost += ((total - same) @ weights).mean(axis=1) / np.log(2)
    # Rounding near saturation must not cost monotonicity, which the inverse needs.
    bits = np.maximum.accumulate(np.clip(1 - lost / half, 1e-9, 1 - 1e-12))
    rising = np.concatenate([[True], np.diff(bits) > 0])
    return BicmInformation(_GRID_DB[rising], bits[rising])
