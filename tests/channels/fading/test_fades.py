"""Fades as draws and as nodes with weights, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import exp1
from scipy.stats import ncx2

from channels.errors import ChannelError
from channels.fading.models import Awgn, RayleighBlock, RicianBlock
from channels.fading.states import channel_states, drawn_states


def test_awgn_is_one_state() -> None:
    states = channel_states(Awgn(), 1000, 3.0)
    assert states.power.tolist() == [[1.0]] and states.weights.tolist() == [1.0]
    assert states.block_symbols == 1000 and states.no == pytest.approx(10**-0.3)


@pytest.mark.parametrize("esno_db", [0.0, 20.0, 40.0])
def test_rayleigh_outage_is_exact_however_deep(esno_db: float) -> None:
    states = channel_states(RayleighBlock(), 1000, esno_db)
    power_db = 10 * np.log10(states.power[:, 0])
    # A waterfall 1 dB wide, as a code block has: a hard step would only see the grid.
    lost = states.weights @ (1 / (1 + np.exp((power_db + esno_db) / 0.25)))
    grid = np.linspace(-90, 15, 200_001)
    density = np.exp(-(10 ** (grid / 10))) * 10 ** (grid / 10) * math.log(10) / 10
    exact = np.trapezoid(density / (1 + np.exp(((grid + esno_db) / 0.25).clip(-500, 500))), grid)
    assert lost == pytest.approx(exact, rel=1e-3)


def test_rayleigh_ergodic_capacity() -> None:
    states = channel_states(RayleighBlock(), 10, 10.0)
    capacity = states.weights @ np.log2(1 + states.power[:, 0] / states.no)
    assert capacity == pytest.approx(math.exp(0.1) * exp1(0.1) / math.log(2), rel=1e-4)


@pytest.mark.parametrize("k_factor_db", [0.0, 6.0, 15.0])
def test_rician_power_distribution(k_factor_db: float) -> None:
    channel = RicianBlock(k_factor_db)
    states = channel_states(channel, 10, 0.0)
    k = 10 ** (k_factor_db / 10)
    assert states.weights.sum() == pytest.approx(1.0)
    assert states.weights @ states.power[:, 0] == pytest.approx(1.0, abs=1e-3)
    second = states.weights @ states.power[:, 0] ** 2
    assert second == pytest.approx(1 + (1 + 2 * k) / (1 + k) ** 2, abs=3e-3)
    for x in (0.1, 0.7, 1.5):
        below = float(states.weights[states.power[:, 0] <= x].sum())
        assert below == pytest.approx(ncx2.cdf(2 * (1 + k) * x, 2, 2 * k), abs=0.01)


def test_rayleigh_power_is_exponential() -> None:
    x = np.array([0.0, 1e-6, 0.5, 3.0])
    assert np.allclose(RayleighBlock().power_law.cdf(x), 1 - np.exp(-x), rtol=1e-9)


@pytest.mark.parametrize("channel", [RayleighBlock(100), RicianBlock(3.0, 100)], ids=str)
def test_several_fades_are_independent_with_the_right_moments(
    channel: RayleighBlock | RicianBlock,
) -> None:
    states = channel_states(channel, 350, 5.0)
    assert states.power.shape == (1024, 4) and states.block_symbols == 100
    assert np.allclose(states.weights @ states.power, 1.0, atol=0.01)
    drawn = drawn_states(channel, 350, 5.0, range(20_000))
    assert np.allclose(states.power.var(axis=0), drawn.power.var(), rtol=0.1)
    assert np.all(np.abs(np.corrcoef(states.power.T) - np.eye(4)) < 0.05)
    # A mean over fades converges faster than by independent draws: 1 / sqrt(1024) is 0.03.
    best, mean = states.power.max(axis=1).mean(), drawn.power.max(axis=1).mean()
    assert best == pytest.approx(mean, abs=0.02)


def test_states_are_the_same_at_every_call() -> None:
    a, b = (channel_states(RayleighBlock(10), 55, 0.0) for _ in range(2))
    assert np.array_equal(a.power, b.power)


def test_drawn_states_are_those_of_the_bit_true_link() -> None:
    for channel in (Awgn(), RayleighBlock(), RayleighBlock(7), RicianBlock(3.0, 16)):
        h = channel.draw(50, 2.0, [4, 9]).h.abs().square().numpy()
        states = drawn_states(channel, 50, 2.0, [4, 9])
        at = np.arange(50) // states.block_symbols
        assert np.allclose(states.power[:, at], h, rtol=1e-5)


def test_one_state_is_refused() -> None:
    with pytest.raises(ChannelError, match="num_states is 1"):
        channel_states(RayleighBlock(), 10, 0.0, num_states=1)
