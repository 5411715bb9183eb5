"""What is on air: symbols as an oversampled waveform, its peaks, and their limit.

A single carrier is shaped by a root-raised-cosine pulse, an OFDM link's symbols fill its grid
between the pilots. Peaks of the waveform lie 2 to 5 dB above those of its symbols.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import lru_cache

import torch
from torch import Tensor

from channels.errors import ChannelError
from channels.ofdm.antennas import spread
from channels.phy.names import ofdm_link
from channels.phy.ofdm_link import OfdmLink
from channels.phy.reception import fill_grid
from channels.units import db_to_lin, lin_to_db

OVERSAMPLING, ROLL_OFF = 4, 0.25
_MAX_ROUNDS, _TOLERANCE_DB, _STEP_DB = 400, 0.01, 0.01


def papr_db(symbols: Tensor, link: str = "flat") -> float:
    """Peak over mean power of a transmission's waveform in dB, on the worst antenna.

    The mean is that of an antenna while it sends: over OFDM, of elements of mean power 1.

    Args:
        symbols: complex64 [n].
        link: As in `channels.phy.names`: flat is a single carrier; of OFDM antennas and grid count.

    Source: J. Proakis, M. Salehi, Digital Communications, 5th ed., 9.2-3 (the pulse), 11.2-8
    (peaks of OFDM).

    >>> round(papr_db(torch.ones(64) + 0j), 3), papr_db(torch.ones(64) + 0j, "ofdm") > 8
    (0.0, True)
    """
    return _waveform(len(symbols), link).papr_db(_unit_power(symbols))


def limit_peak(symbols: Tensor, limit_db: float, link: str = "flat") -> Tensor:
    """Symbols near the given ones whose waveform has peaks of at most a limit over its mean.

    Clips the waveform, filters it back to what symbols can make, makes their power 1 again, and
    repeats, a little harder each time, until no peak grows back.

    Args:
        symbols: complex64 [n].
        limit_db: Largest PAPR in dB of the waveform, as `papr_db` measures it; met within 0.01 dB.
        link: As in `papr_db`.

    Returns:
        complex64 [n] of mean power 1.

    Raises:
        ChannelError: The limit is not above 0 dB or cannot be met, or all symbols are 0.

    Source: J. Armstrong, "Peak-to-average power reduction for OFDM by repeated clipping and
    frequency domain filtering", Electronics Letters 38(5), 2002.

    >>> loud = torch.tensor([1.0, -1.0, 1.0, 3.0] * 16) + 0j
    >>> papr_db(limit_peak(loud, 4.0)) < 4.011 < papr_db(loud)
    True
    """
    if not limit_db > 0:
        raise ChannelError(f"peak limit is {limit_db} dB over the mean; expected more than 0")
    if not float(symbols.abs().max()) > 0:
        raise ChannelError("all symbols are 0; expected some power")
    waveform, unit = _waveform(len(symbols), link), _unit_power(symbols)
    for rounds in range(_MAX_ROUNDS):
        if waveform.papr_db(unit) <= limit_db + _TOLERANCE_DB:
            return unit
        level = waveform.mean_power * db_to_lin(limit_db - rounds * _STEP_DB)
        samples = waveform.samples(unit)
        clipped = samples * (level**0.5 / samples.abs().clamp_min(1e-30)).clamp_max(1.0)
        unit = _unit_power(waveform.symbols(clipped))
    raise ChannelError(
        f"a waveform of {len(symbols)} symbols over {link!r} cannot keep its peaks within "
        f"{limit_db} dB of its mean; raise the limit"
    )


class _Waveform(ABC):
    """Symbols to samples and back; the power of symbols and samples is the same in sum."""

    mean_power = 1 / OVERSAMPLING  # of a sample, where symbols have mean power 1

    @abstractmethod
    def samples(self, symbols: Tensor) -> Tensor:
        """[n] to [n * OVERSAMPLING]."""

    @abstractmethod
    def symbols(self, samples: Tensor) -> Tensor:
        """Back again, by the matched filter."""

    def papr_db(self, symbols: Tensor) -> float:
        peak = float(self.samples(symbols).abs().square().max())
        return lin_to_db(peak / self.mean_power)


class _SingleCarrier(_Waveform):
    """A root-raised-cosine pulse, the transmission taken as periodic."""

    def samples(self, symbols: Tensor) -> Tensor:
        spectrum = torch.fft.fft(symbols, norm="ortho").repeat(OVERSAMPLING)
        return torch.fft.ifft(spectrum * _pulse(len(symbols)), norm="ortho")

    def symbols(self, samples: Tensor) -> Tensor:
        filtered = torch.fft.fft(samples, norm="ortho") * _pulse(len(samples) // OVERSAMPLING)
        return torch.fft.ifft(filtered.unflatten(0, (OVERSAMPLING, -1)).sum(0), norm="ortho")


class _Ofdm(_Waveform):
    """The grid with its pilots, symbol by symbol and antenna by antenna."""

    def __init__(self, link: OfdmLink, num_symbols: int) -> None:
        self._grid, self._num_tx, self._num = link.grid, link.num_tx, num_symbols
        self._odd = num_symbols % link.num_tx  # Alamouti's code needs pairs
        self.mean_power = 1 / OVERSAMPLING / link.num_tx

    def samples(self, symbols: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(symbols, (0, self._odd))
        sent = fill_grid(self._grid, spread(padded, self._num_tx), 1.0)
        return torch.fft.ifft(sent, OVERSAMPLING * sent.shape[-1], norm="ortho")

    def symbols(self, samples: Tensor) -> Tensor:
        elements = torch.fft.fft(samples, norm="ortho")[..., : self._grid.num_subcarriers]
        sent = self._grid.data_gains(elements, self._num + self._odd, self._num_tx)
        if self._num_tx == 1:
            return sent[0]
        (a1, a2), (b1, b2) = (antenna.unflatten(0, (-1, 2)).unbind(1) for antenna in sent)
        pairs = torch.stack([a1 + b2.conj(), b1 - a2.conj()], 1)
        return pairs.flatten()[: self._num] * math.sqrt(0.5)


def _waveform(num_symbols: int, link: str) -> _Waveform:
    ofdm = ofdm_link(link)
    return _SingleCarrier() if ofdm is None else _Ofdm(ofdm, num_symbols)


@lru_cache(maxsize=8)
def _pulse(num_symbols: int) -> Tensor:
    """The pulse's spectrum, float32 [OVERSAMPLING * num_symbols], in the order of the transform."""
    freq = torch.fft.fftfreq(OVERSAMPLING * num_symbols).abs() * OVERSAMPLING  # of symbol rates
    edge = ((freq - (1 - ROLL_OFF) / 2) / ROLL_OFF).clamp(0, 1)
    return torch.cos(math.pi / 2 * edge)


def _unit_power(symbols: Tensor) -> Tensor:
    return symbols / symbols.abs().square().mean(dtype=torch.float64).sqrt().float()
