"""Channel estimation from pilots: least squares with interpolation, and linear MMSE.

Both are one matrix from the pilots of a slot to all its resource elements. Each slot is estimated
by itself, each transmit antenna from pilots of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from channels.ofdm.grid import SYMBOLS_PER_SLOT, OfdmGrid, StationaryChannel

CSI = ("perfect", "ls", "lmmse")


@dataclass(frozen=True)
class Estimator:
    """Estimates the gains of one transmit antenna over a slot.

    Attributes:
        weights: complex64 [14 * num_subcarriers, num_pilots], applied to received / sent pilots.
        error_variance: float32 [14 * num_subcarriers], mean square error that it counts on.
    """

    weights: torch.Tensor
    error_variance: torch.Tensor


@lru_cache(maxsize=8)
def ls_estimator(grid: OfdmGrid, tx: int, num_tx: int, pilot_no: float) -> Estimator:
    """Least squares at the pilots, linear between them: in frequency, then in time.

    Outside the outermost pilots the same lines go on in frequency; in time the nearest pilot
    symbol is held. It knows no statistics, so its error is that of the noise alone; it is to be
    scaled by `wiener_scaled`.

    Args:
        grid: The resource grid.
        tx: Transmit antenna.
        num_tx: How many there are.
        pilot_no: Noise variance over pilot power, linear.
    """
    symbols, subcarriers = grid.pilot_positions(tx, num_tx)
    in_time = _linear_weights(symbols, SYMBOLS_PER_SLOT, extrapolate=False)
    in_freq = _linear_weights(subcarriers, grid.num_subcarriers, extrapolate=True)
    weights = torch.kron(in_time, in_freq)
    error = pilot_no * weights.square().sum(1)
    return Estimator(weights.to(torch.complex64), error.to(torch.float32))


@lru_cache(maxsize=8)
def lmmse_estimator(
    grid: OfdmGrid, tx: int, num_tx: int, pilot_no: float, channel: StationaryChannel
) -> Estimator:
    """Linear MMSE over time and frequency together, from the channel's correlation.

    W = R_gp (R_pp + pilot_no I)^-1, error R_gg - W R_pg. Source: O. Edfors et al., "OFDM channel
    estimation by singular value decomposition", IEEE Trans. Commun. 46(7), 1998.

    Args:
        grid: The resource grid.
        tx: Transmit antenna.
        num_tx: How many there are.
        pilot_no: Noise variance over pilot power, linear.
        channel: Whose statistics the receiver knows.
    """
    symbols, subcarriers = grid.pilot_positions(tx, num_tx)
    pilots = (symbols.repeat_interleave(len(subcarriers)), subcarriers.repeat(len(symbols)))
    elements = torch.arange(SYMBOLS_PER_SLOT * grid.num_subcarriers)
    everywhere = (elements // grid.num_subcarriers, elements % grid.num_subcarriers)
    lags = _lag_table(grid, channel)
    at_pilots, to_pilots = _between(lags, pilots, pilots), _between(lags, everywhere, pilots)
    # Without noise the matrix may be singular; 1e-10 is 100 dB of Es/N0.
    at_pilots = at_pilots + max(pilot_no, 1e-10) * torch.eye(len(at_pilots))
    weights = torch.linalg.solve(at_pilots, to_pilots, left=False)
    error = (1.0 - (weights * to_pilots.conj()).sum(1).real).clamp_min(0.0)
    return Estimator(weights.to(torch.complex64), error.to(torch.float32))


def estimate(estimator: Estimator, at_pilots: torch.Tensor) -> torch.Tensor:
    """Gains over whole slots.

    Args:
        estimator: For the antenna that sent the pilots.
        at_pilots: Received over sent pilots, complex64 [..., num_slots, num_pilots].

    Returns:
        complex64 [..., num_slots, 14 * num_subcarriers].
    """
    return at_pilots @ estimator.weights.T


def wiener_scaled(h_hat: torch.Tensor, error: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Unbiased estimates of gains of unit mean power, scaled to the least mean square error.

    With rho = 1 / (1 + error) the scaled estimate is rho h_hat and its error has variance
    rho error, uncorrelated with it: only so may the demapper count the error as noise. A QAM
    demapper that takes h_hat for the gain expects points 1 / rho too far out.

    Args:
        h_hat: Gains plus errors, complex64 [..., num_symbols, num_subcarriers].
        error: Variance of the errors, broadcastable to h_hat.

    Source: S. Kay, Fundamentals of Statistical Signal Processing, vol. 1, 12.5 (linear MMSE).

    >>> scaled, error = wiener_scaled(torch.tensor([1.2 + 0j]), torch.tensor([0.25]))
    >>> round(float(scaled.real), 3), round(float(error), 3)
    (0.96, 0.2)
    """
    rho = 1.0 / (1.0 + error)
    return rho * h_hat, rho * error


def _lag_table(grid: OfdmGrid, channel: StationaryChannel) -> torch.Tensor:
    """Correlation by distance in symbols and subcarriers, complex128, distance 0 in the middle."""
    symbol, subcarrier = SYMBOLS_PER_SLOT - 1, grid.num_subcarriers - 1
    time_s = torch.arange(-symbol, symbol + 1, dtype=torch.float64) * grid.symbol_s
    freq = torch.arange(-subcarrier, subcarrier + 1, dtype=torch.float64)
    freq_hz = freq * grid.subcarrier_spacing_hz
    return channel.correlation(time_s[:, None], freq_hz[None, :]).to(torch.complex128)


def _between(
    lags: torch.Tensor,
    a: tuple[torch.Tensor, torch.Tensor],
    b: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """E h_a h_b* for elements given as (symbols, subcarriers), complex128 [len a, len b]."""
    index = [
        x[:, None] - y[None, :] + size // 2 for x, y, size in zip(a, b, lags.shape, strict=True)
    ]
    return lags[index[0], index[1]]


def _linear_weights(known: torch.Tensor, num: int, extrapolate: bool) -> torch.Tensor:
    """Matrix float64 [num, len(known)] that interpolates linearly from the known positions."""
    weights = torch.zeros(num, len(known), dtype=torch.float64)
    if len(known) == 1:
        return weights + 1.0
    place = torch.arange(num)
    left = (torch.searchsorted(known, place, right=True) - 1).clamp(0, len(known) - 2)
    share = (place - known[left]) / (known[left + 1] - known[left]).to(torch.float64)
    if not extrapolate:
        share = share.clamp(0.0, 1.0)
    weights[place, left] = 1.0 - share
    weights[place, left + 1] = share
    return weights
