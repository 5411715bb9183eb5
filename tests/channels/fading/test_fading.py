"""Nakagami, Clarke and Gilbert-Elliott against their closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from channels.errors import ChannelError
from channels.fading.block import NakagamiBlock
from channels.fading.clarke import Clarke
from channels.fading.gilbert_elliott import GilbertElliott
from channels.fading.models import Channel, RayleighBlock, make_channel
from channels.fading.states import channel_states
from channels.ofdm.grid import OfdmGrid

SEEDS = list(range(60))
ALL = [NakagamiBlock(0.7, 16), NakagamiBlock(3.0), Clarke(30.0), GilbertElliott()]


@pytest.mark.parametrize(
    "channel", [NakagamiBlock(0.5, 1), NakagamiBlock(4.0, 1), GilbertElliott(0.2, 3.0, -10.0, 4)],
    ids=str,
)  # fmt: skip
def test_mean_power_is_one(channel: Channel) -> None:
    h = channel.draw(20_000, 0.0, SEEDS[:20]).h
    assert h.dtype == torch.complex64
    assert float(h.abs().square().mean()) == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize("m", [0.5, 2.0, 10.0])
def test_nakagami_power_is_gamma_distributed(m: float) -> None:
    h = NakagamiBlock(m, 1).draw(2000, 0.0, SEEDS[:10]).h.flatten()
    power = h.abs().square().numpy()
    assert stats.kstest(power, stats.gamma(m, scale=1 / m).cdf).pvalue > 1e-3
    assert stats.kstest(h.angle().numpy(), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-3


def test_nakagami_fades_have_exact_nodes() -> None:
    channel, power = NakagamiBlock(2.5), np.array([0.01, 0.5, 3.0])
    assert channel.power_law.cdf(power) == pytest.approx(stats.gamma(2.5, scale=1 / 2.5).cdf(power))
    states = channel_states(channel, 100, 0.0)
    assert float(states.weights @ states.power[:, 0]) == pytest.approx(1.0, abs=1e-3)
    assert float(states.weights @ states.power[:, 0] ** 2) == pytest.approx(1 + 1 / 2.5, abs=1e-3)


def test_nakagami_of_shape_one_is_the_same_rayleigh_fade() -> None:
    rayleigh = RayleighBlock(8).draw(500, 0.0, SEEDS).h
    assert torch.allclose(NakagamiBlock(1.0, 8).draw(500, 0.0, SEEDS).h, rayleigh, atol=1e-5)
    # Whatever the shape, the order of fades stays.
    other = NakagamiBlock(5.0, 8).draw(500, 0.0, SEEDS).h
    assert torch.equal(other[0].abs()[::8].argsort(), rayleigh[0].abs()[::8].argsort())


def test_clarke_autocorrelation_is_j0() -> None:
    channel, interval = Clarke(speed_kmh=100.0, carrier_hz=3.5e9), 1e-4
    h = channel.gains(512, interval, range(600))[:, 0]
    lags = np.arange(0, 200, 7)
    measured = [complex((h[:, lag:] * h[:, : 512 - lag].conj()).mean()) for lag in lags]
    expected = special.j0(2 * math.pi * channel.doppler_hz * lags * interval)
    assert channel.doppler_hz == pytest.approx(324.3, abs=0.1)
    assert expected.min() < -0.3  # the lags reach beyond the first minimum
    assert np.abs(np.array(measured) - expected).max() < 0.05


def test_clarke_is_rayleigh_and_its_antennas_independent() -> None:
    h = Clarke(50.0).gains(1, 1e-3, range(3000), num_links=2)[:, :, 0]
    assert stats.kstest(h.abs().square().flatten().numpy(), "expon").pvalue > 1e-3
    assert abs(complex((h[:, 0] * h[:, 1].conj()).mean())) < 4 / math.sqrt(3000)
    alone = Clarke(50.0).gains(1, 1e-3, range(10))[:, 0, 0]
    assert torch.equal(alone, h[:10, 0])


def test_clarke_at_rest_stands_still_and_on_a_grid_it_is_flat() -> None:
    h = Clarke(0.0).draw(3000, 0.0, [1]).h
    assert torch.allclose(h, h[:, :1].expand_as(h), atol=1e-6)
    grid = OfdmGrid(12)
    h = Clarke(60.0).draw_grid(grid, 28, 2, 2, [1, 2])
    assert h.shape == (2, 2, 2, 28, 12)
    assert bool((h == h[..., :1]).all())
    same = Clarke(60.0).gains(28, grid.symbol_s, [1, 2], 4).reshape(2, 2, 2, 28)
    assert torch.equal(h[..., 0], same)


def test_gilbert_elliott_bursts() -> None:
    channel = GilbertElliott(bad_fraction=0.15, mean_burst_blocks=5.0)
    bad = channel.bad_blocks(20_000, range(10))
    starts = (bad[:, 1:] & ~bad[:, :-1]).sum()
    assert bad.mean() == pytest.approx(0.15, abs=0.01)
    assert bad.sum() / starts == pytest.approx(5.0, rel=0.05)
    # Steady state from the first block on.
    assert channel.bad_blocks(1, range(4000)).mean() == pytest.approx(0.15, abs=0.025)
    # Run lengths are geometric: a burst goes on with probability 1 - 1 / mean.
    assert (bad[:, 1:] & bad[:, :-1]).sum() / bad[:, :-1].sum() == pytest.approx(0.8, abs=0.01)


def test_gilbert_elliott_levels_and_blocks() -> None:
    h = GilbertElliott(0.3, 2.0, -13.0, 50).draw(5000, 0.0, [3]).h
    levels = h.abs().square().unique()
    assert len(levels) == 2
    assert 10 * math.log10(levels[0] / levels[1]) == pytest.approx(-13.0, abs=1e-3)
    blocks = h.unflatten(1, (-1, 50))
    assert bool((blocks == blocks[..., :1]).all())
    assert float(h.angle().std()) < 1e-6, "one phase a trial"
    grid = GilbertElliott().draw_grid(OfdmGrid(12), 14, 2, 1, [1])
    assert torch.equal(grid[:, 0], grid[:, 1]), "a burst hits both antennas"


@pytest.mark.parametrize("channel", ALL, ids=str)
@pytest.mark.parametrize("short", [1, 63, 65, 1023, 1025, 2500])
def test_draws_are_prefix_stable_and_do_not_depend_on_the_batch(
    channel: Channel, short: int
) -> None:
    together = channel.draw(3000, 3.0, [5, 2**40]).h
    assert torch.equal(channel.draw(short, 3.0, [2**40]).h, together[1:, :short])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("channel", ALL, ids=str)
def test_name_rebuilds_the_channel(channel: Channel) -> None:
    assert make_channel(channel.name) == channel


@pytest.mark.parametrize(
    "spec",
    ["nakagami_block:m=0.2", "nakagami_block:m=nan", "clarke:speed_kmh=-1",
     "clarke:carrier_hz=0", "clarke:symbol_rate_hz=0", "clarke:speed_kmh=nan",
     "gilbert_elliott:bad_fraction=1", "gilbert_elliott:mean_burst_blocks=0.5",
     "gilbert_elliott:bad_db=3", "gilbert_elliott:coherence_symbols=0"],
)  # fmt: skip
def test_hostile_settings_give_one_clear_line(spec: str) -> None:
    with pytest.raises(ChannelError, match="expected") as error:
        make_channel(spec)
    assert "\n" not in str(error.value)
    assert spec.partition(":")[2].partition("=")[0] in str(error.value)


def test_a_speed_beyond_the_grid_is_refused() -> None:
    with pytest.raises(ChannelError, match="lower speed_kmh"):
        Clarke(500.0).draw_grid(OfdmGrid(12), 14, 1, 1, [1])
