"""One transmission over the resource grid, up to the filters that the receiver chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from channels.fading.grid_gains import grid_gains, statistics_of
from channels.fading.models import Channel
from channels.kernels.normal import complex_normal, stream_keys
from channels.ofdm.antennas import Combiner, mmse_combiner, spread
from channels.ofdm.estimation import (
    Estimator,
    estimate,
    lmmse_estimator,
    ls_estimator,
    wiener_scaled,
)
from channels.ofdm.grid import SYMBOLS_PER_SLOT, OfdmGrid, pilot_symbols
from channels.ofdm.impairments import turn_waveform
from channels.phy.ofdm_link import OfdmLink
from channels.units import db_to_lin, esno_db_to_no


@dataclass(frozen=True)
class Reception:
    """The data elements as received, the receiver's filters, and the truth that it cannot see.

    Attributes:
        y: Received, complex64 [num_trials, num_rx, n].
        combiner: What the receiver makes of y, from the gains that it believes in.
        h: True gains, complex64 [num_trials, num_rx, num_tx, n].
        amplitude: Of each symbol as sent, float32 [n].
        variance: True noise variance, broadcastable to y.
    """

    y: torch.Tensor
    combiner: Combiner
    h: torch.Tensor
    amplitude: torch.Tensor
    variance: torch.Tensor


def receive(
    link: OfdmLink,
    points: torch.Tensor,
    amplitude: torch.Tensor,
    channel: Channel,
    esno_db: float,
    seeds: Sequence[int],
) -> Reception:
    """Sends symbols once for each seed; see `channels.phy.ofdm.OfdmPhy.pass_symbols`.

    With two transmit antennas an odd number of symbols is filled up to pairs.
    """
    grid, num_tx, num_data = link.grid, link.num_tx, len(points)
    odd = num_data % num_tx  # Alamouti's code needs pairs
    points = torch.nn.functional.pad(points, (0, odd))
    scale = _amplitude_scale(link, num_data)
    amplitude = torch.nn.functional.pad(amplitude, (0, odd), value=1.0) * scale
    pilot_amplitude = scale * math.sqrt(db_to_lin(link.pilot_power_db))
    sent = fill_grid(grid, spread(points * amplitude, num_tx), pilot_amplitude)

    num_symbols = sent.shape[1]
    h = grid_gains(channel, grid, num_symbols, link.num_rx, num_tx, seeds)
    received = torch.einsum("brtnf,tnf->brnf", h, sent)
    if link.impairments.turns:
        rotation = link.impairments.rotation(grid, num_symbols, seeds)
        received = turn_waveform(received, rotation)
        h = h * rotation.mean(-1)[:, None, None, :, None]
    no = esno_db_to_no(esno_db)
    hit = no + link.impairments.interference(grid, num_symbols, seeds)
    received += _noise(link, num_symbols, seeds) * hit[:, None].sqrt()

    h_hat, error = _known_gains(link, received, h, channel, no, pilot_amplitude, seeds)
    symbol_power = amplitude.square()
    if num_tx == 2:
        symbol_power = symbol_power.unflatten(0, (-1, 2)).mean(1).repeat_interleave(2)

    def pick(values: torch.Tensor) -> torch.Tensor:
        return grid.data_gains(values, len(points), num_tx)

    h, h_hat, noise = pick(h), pick(h_hat), pick(hit)[:, None]
    # What the neighbours leak into an element has faded about as the element itself has.
    lost = link.impairments.lost_power(grid)
    believed = noise + lost * h_hat.abs().square().mean(2) + pick(error).mean(0) * symbol_power
    true = noise + lost * h.abs().square().mean(2)
    return Reception(pick(received), mmse_combiner(h_hat, amplitude, believed), h, amplitude, true)


def _amplitude_scale(link: OfdmLink, num_data: int) -> float:
    """What makes the mean power of data and pilots together 1."""
    pilots = link.grid.pilot_uses(num_data, link.num_tx)
    total = num_data + pilots * db_to_lin(link.pilot_power_db)
    return math.sqrt((num_data + pilots) / total)


def fill_grid(grid: OfdmGrid, data: torch.Tensor, pilot_amplitude: float) -> torch.Tensor:
    """Data [num_tx, n] and pilots on the grid, complex64 [num_tx, num_symbols, F]."""
    num_tx = len(data)
    num_slots, per_slot = grid.num_slots(data.shape[1], num_tx), grid.data_per_slot(num_tx)
    width = SYMBOLS_PER_SLOT * grid.num_subcarriers
    sent = torch.zeros(num_tx, num_slots, width, dtype=torch.complex64)
    padded = torch.nn.functional.pad(data, (0, num_slots * per_slot - data.shape[1]))
    sent[:, :, grid.data_positions(num_tx)] = padded.unflatten(1, (num_slots, per_slot))
    for tx in range(num_tx):
        pilots = pilot_symbols(grid, tx, num_tx) * pilot_amplitude
        sent[tx][:, grid.pilot_index(tx, num_tx)] = pilots
    return sent.reshape(num_tx, -1, grid.num_subcarriers)


def _noise(link: OfdmLink, num_symbols: int, seeds: Sequence[int]) -> torch.Tensor:
    """CN(0, 1) on each receive antenna, complex64 [b, num_rx, num_symbols, F]."""
    width = link.grid.num_subcarriers
    streams = ["noise", *(f"noise.{rx}" for rx in range(1, link.num_rx))]
    parts = [_normal(num_symbols * width, seeds, stream) for stream in streams]
    return torch.stack(parts, 1).unflatten(-1, (num_symbols, width))


def _known_gains(
    link: OfdmLink,
    received: torch.Tensor,
    h: torch.Tensor,
    channel: Channel,
    no: float,
    pilot_amplitude: float,
    seeds: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the receiver takes for h, and the error variance [num_tx, num_symbols, F]."""
    num_symbols, width = h.shape[-2:]
    if link.csi == "perfect":
        error = torch.full((link.num_tx, num_symbols, width), float(link.csi_error_variance))
        if link.csi_error_variance > 0.0:
            h, error = wiener_scaled(h + _csi_error(link, h, seeds), error)
        return h, error
    flaws = link.impairments
    noise = no + flaws.mean_interference(link.grid) + flaws.lost_power(link.grid)
    slots = received.unflatten(2, (-1, SYMBOLS_PER_SLOT)).flatten(-2)
    h_hat, errors = [], []
    for tx in range(link.num_tx):
        estimator = _estimator(link, channel, tx, noise / pilot_amplitude**2)
        pilots = pilot_symbols(link.grid, tx, link.num_tx) * pilot_amplitude
        estimated = estimate(estimator, slots[..., link.grid.pilot_index(tx, link.num_tx)] / pilots)
        h_hat.append(estimated.reshape(*received.shape))
        errors.append(estimator.error_variance.repeat(slots.shape[2]).reshape(-1, width))
    known, error = torch.stack(h_hat, 2), torch.stack(errors)
    return wiener_scaled(known, error) if link.csi == "ls" else (known, error)


def _csi_error(link: OfdmLink, h: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    parts = [
        _normal(h.shape[-2] * h.shape[-1], seeds, f"csi_error.{rx}.{tx}")
        for rx in range(link.num_rx)
        for tx in range(link.num_tx)
    ]
    return torch.stack(parts, 1).reshape(h.shape) * math.sqrt(link.csi_error_variance)


def _estimator(link: OfdmLink, channel: Channel, tx: int, pilot_no: float) -> Estimator:
    if link.csi == "ls":
        return ls_estimator(link.grid, tx, link.num_tx, pilot_no)
    return lmmse_estimator(link.grid, tx, link.num_tx, pilot_no, statistics_of(channel))


def _normal(num: int, seeds: Sequence[int], stream: str) -> torch.Tensor:
    """CN(0, 1), complex64 [len(seeds), num]."""
    return torch.from_numpy(complex_normal(num, stream_keys(seeds, stream)))
