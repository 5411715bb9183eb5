"""Channel estimation: its own error formula, its limits, and Sionna as a peer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.fading.clarke import Clarke
from channels.fading.grid_gains import statistics_of
from channels.fading.models import Awgn, NakagamiBlock, RayleighBlock
from channels.fading.tr38901 import Tdl
from channels.kernels.normal import complex_normal, stream_keys
from channels.ofdm.estimation import estimate, lmmse_estimator, ls_estimator
from channels.ofdm.grid import SYMBOLS_PER_SLOT, OfdmGrid, pilot_symbols
from channels.rng import preserve_torch_rng

GRID = OfdmGrid(num_subcarriers=48)
CHANNEL = Tdl("C", 3e-7, 30.0)
NUM = 300


@pytest.fixture(scope="module")
def gains() -> torch.Tensor:
    return CHANNEL.draw_grid(GRID, SYMBOLS_PER_SLOT, 1, 1, range(NUM)).flatten(1)


def estimated(kind: str, gains: torch.Tensor, pilot_no: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Square error of each element, averaged over trials, and what the estimator counts on."""
    estimator = (
        ls_estimator(GRID, 0, 1, pilot_no)
        if kind == "ls"
        else lmmse_estimator(GRID, 0, 1, pilot_no, CHANNEL)
    )
    index = GRID.pilot_index(0, 1)
    noise = torch.from_numpy(complex_normal(len(index), stream_keys(range(NUM), "n"))) * math.sqrt(
        pilot_no
    )
    h_hat = estimate(estimator, (gains[:, index] + noise)[:, None])[:, 0]
    return (h_hat - gains).abs().square().mean(0), estimator.error_variance


@pytest.mark.parametrize("pilot_no", [1.0, 0.1, 1e-3])
def test_lmmse_error_is_the_one_it_predicts(gains: torch.Tensor, pilot_no: float) -> None:
    measured, predicted = estimated("lmmse", gains, pilot_no)
    assert float(measured.mean()) == pytest.approx(float(predicted.mean()), rel=0.15)
    assert np.corrcoef(measured, predicted)[0, 1] > 0.6 or pilot_no == 1.0


def test_lmmse_is_never_worse_and_both_tend_to_perfect(gains: torch.Tensor) -> None:
    errors = {
        kind: [float(estimated(kind, gains, no)[0].mean()) for no in (1.0, 0.1, 0.01, 1e-3)]
        for kind in ("ls", "lmmse")
    }
    assert all(a < b for a, b in zip(errors["lmmse"], errors["ls"], strict=True))
    for kind in errors:
        assert errors[kind] == sorted(errors[kind], reverse=True)
    assert errors["lmmse"][-1] < 1e-3
    assert errors["ls"][-1] < 0.02  # what is left is interpolation


def test_ls_counts_on_the_noise_alone() -> None:
    # A gain that is a straight line over frequency is interpolated without error.
    line = (torch.arange(48) * (0.01 + 0.02j) - 0.3).repeat(SYMBOLS_PER_SLOT)
    measured, predicted = estimated("ls", line.to(torch.complex64).expand(NUM, -1), 0.2)
    assert float(measured.mean()) == pytest.approx(float(predicted.mean()), rel=0.05)


def test_ls_agrees_with_sionna() -> None:
    with preserve_torch_rng():
        from sionna.phy.ofdm import LSChannelEstimator, PilotPattern, ResourceGrid

        mask = np.zeros((1, 1, SYMBOLS_PER_SLOT, 48), bool)
        mask.reshape(-1)[GRID.pilot_index(0, 1)] = True
        pilots = pilot_symbols(GRID, 0, 1)
        pattern = PilotPattern(mask, pilots.numpy()[None, None], device="cpu")
        grid = ResourceGrid(
            SYMBOLS_PER_SLOT, 48, GRID.subcarrier_spacing_hz, pilot_pattern=pattern, device="cpu"
        )
        peer = LSChannelEstimator(grid, interpolation_type="lin", device="cpu")
    y = torch.from_numpy(complex_normal(SYMBOLS_PER_SLOT * 48, stream_keys([1, 2], "y")))
    theirs, _ = peer(y.reshape(2, 1, 1, SYMBOLS_PER_SLOT, 48), torch.tensor(0.1))
    index = GRID.pilot_index(0, 1)
    ours = estimate(ls_estimator(GRID, 0, 1, 0.1), (y[:, index] / pilots)[:, None])[:, 0]
    ours = ours.reshape(2, SYMBOLS_PER_SLOT, 48)
    # In time we hold the outermost pilot symbols, where Sionna goes on in a line.
    inside = slice(2, 12)
    assert torch.allclose(ours[:, inside], theirs[:, 0, 0, 0, 0, inside], atol=1e-5)


def test_two_antennas_have_pilots_of_their_own() -> None:
    ours, other = (set(GRID.pilot_index(tx, 2).tolist()) for tx in (0, 1))
    assert not ours & other
    assert len(ours) == len(other) == GRID.pilots_per_slot(2) // 2
    assert (ours | other).isdisjoint(GRID.data_positions(2).tolist())


def test_what_a_receiver_can_know() -> None:
    assert statistics_of(Clarke()) == Clarke()
    for channel in (Awgn(), RayleighBlock(), NakagamiBlock()):
        one = statistics_of(channel).correlation(torch.ones(3, 1), torch.ones(1, 2))
        assert torch.equal(one, torch.ones(3, 2))
    with pytest.raises(ChannelError, match="use csi=ls"):
        statistics_of(RayleighBlock(64))
