"""TDL and CDL against the tables of the standard and their own statistics."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import Channel, make_channel
from channels.fading.tr38901 import MODELS, Cdl, Tdl
from channels.ofdm.grid import OfdmGrid

# 3GPP TR 38.901, table 7.7.2-1: normalised delay and power in dB.
TDL_A = [
    (0.0, -13.4), (0.3819, 0.0), (0.4025, -2.2), (0.5868, -4.0), (0.4610, -6.0), (0.5375, -8.2),
    (0.6708, -9.9), (0.5750, -10.5), (0.7618, -7.5), (1.5375, -15.9), (1.8978, -6.6),
    (2.2242, -16.7), (2.1718, -12.4), (2.4942, -15.2), (2.5119, -10.8), (3.0582, -11.3),
    (4.0810, -12.7), (4.4579, -16.2), (4.5695, -18.3), (4.7966, -18.9), (5.0066, -16.6),
    (5.3043, -19.9), (9.6586, -29.7),
]  # fmt: skip
K_FACTOR_DB = {"D": 13.3, "E": 22.0}  # tables 7.7.2-4 and -5
WIDE = OfdmGrid(num_subcarriers=1200)


def rms_delay_spread(channel: Tdl | Cdl) -> float:
    power, delay = channel.powers, channel.delays_s
    mean = float((power * delay).sum())
    return math.sqrt(float((power * (delay - mean).square()).sum()))


def test_profile_is_the_table_of_the_standard() -> None:
    channel = Tdl("A", delay_spread_s=1e-7)
    delay, power_db = np.array(TDL_A).T
    power = 10 ** (power_db / 10)
    assert channel.delays_s.numpy() == pytest.approx(delay * 1e-7)
    assert channel.powers.numpy() == pytest.approx(power / power.sum())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cls", [Tdl, Cdl])
def test_rms_delay_spread_is_what_was_asked_for(cls: type, model: str) -> None:
    for delay_spread_s in (3e-8, 3e-7):
        channel = cls(model, delay_spread_s=delay_spread_s)
        assert float(channel.powers.sum()) == pytest.approx(1.0)
        # The normalisation of the standard's own tables is good to a few per cent.
        assert rms_delay_spread(channel) == pytest.approx(delay_spread_s, rel=0.05)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("cls", "num"), [(Tdl, 150), (Cdl, 100)])
def test_mean_power_is_one_and_the_spectrum_that_of_the_profile(
    cls: type, num: int, model: str
) -> None:
    channel = cls(model, delay_spread_s=3e-7, speed_kmh=0.0)
    h = channel.draw_grid(WIDE, 1, 1, 1, range(num))[:, 0, 0, 0]
    assert h.dtype == torch.complex64
    assert float(h.abs().square().mean()) == pytest.approx(1.0, abs=0.09)
    # The correlation over frequency is the Fourier transform of the delay profile.
    for lag in (5, 20, 60):
        measured = complex((h[:, lag:] * h[:, :-lag].conj()).mean())
        turn = -2 * math.pi * lag * WIDE.subcarrier_spacing_hz * channel.delays_s
        expected = complex((channel.powers * torch.polar(torch.ones_like(turn), turn)).sum())
        assert abs(measured - expected) < 0.1


@pytest.mark.parametrize("model", ["B", "D"])
def test_correlation_over_time_is_clarkes_with_a_line_of_sight(model: str) -> None:
    channel = Tdl(model, delay_spread_s=3e-7, speed_kmh=120.0)
    grid = OfdmGrid(num_subcarriers=600)
    h = channel.draw_grid(grid, 56, 1, 1, range(60))[:, 0, 0]
    for lag in (10, 25, 50):
        measured = complex((h[:, lag:] * h[:, :-lag].conj()).mean())
        time_s = torch.tensor(lag * grid.symbol_s, dtype=torch.float64)
        expected = complex(channel.correlation(time_s, torch.zeros((), dtype=torch.float64)))
        assert abs(measured - expected) < 0.1
    power = channel.correlation(torch.zeros(1), torch.zeros(1))
    assert abs(complex(power) - 1.0) < 1e-6


@pytest.mark.parametrize("model", ["D", "E"])
def test_line_of_sight_carries_its_share(model: str) -> None:
    k_factor = 10 ** (K_FACTOR_DB[model] / 10)
    for channel in (Tdl(model, 1e-9), Cdl(model, 1e-9)):
        # At a very short delay spread the gain is Rician: var |h|^2 = (1 + 2 K') / (1 + K')^2.
        power = channel.draw_grid(OfdmGrid(12), 1, 1, 1, range(300)).abs().square()[..., 0]
        first_tap = float(channel.powers[0])
        scattered = 1.0 - first_tap * k_factor / (k_factor + 1)
        expected = scattered**2 + 2 * scattered * (1 - scattered)
        assert float(power.var()) == pytest.approx(expected, rel=0.35)


@pytest.mark.parametrize("channel", [Tdl("C", 3e-7, 60.0), Cdl("D", 1e-7, 60.0)], ids=str)
def test_draws_depend_on_the_seed_alone(channel: Channel) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    seeds = [5, 2**40, -1]
    h = channel.draw(3000, 3.0, seeds).h
    assert torch.equal(torch.get_rng_state(), before)
    assert h.shape == (3, 3000)
    alone = torch.cat([channel.draw(3000, 3.0, [seed]).h for seed in seeds])
    assert torch.equal(h, alone)
    # A longer draw begins like a shorter one, to rounding.
    assert torch.allclose(channel.draw(500, 9.0, seeds).h, h[:, :500], atol=1e-5)
    assert not torch.allclose(h[0], h[1], atol=0.01)
    assert make_channel(channel.name) == channel


def test_antennas_of_a_tdl_are_independent_those_of_a_cdl_correlated() -> None:
    grid = OfdmGrid(num_subcarriers=600)
    correlation = {}
    for channel in (Tdl("A", 3e-7), Cdl("D", 3e-7)):
        h = channel.draw_grid(grid, 1, 2, 2, range(80))[:, :, :, 0]
        assert h.shape == (80, 2, 2, 600)
        assert float(h.abs().square().mean((0, 3)).sub(1).abs().max()) < 0.25
        correlation[type(channel)] = abs(complex((h[:, 0, 0] * h[:, 1, 0].conj()).mean()))
    assert correlation[Tdl] < 0.15
    assert correlation[Cdl] > 0.8


@pytest.mark.parametrize(
    "spec",
    ["tdl:model=F", "cdl:model=c", "tdl:speed_kmh=-3", "cdl:speed_kmh=nan", "tdl:carrier_hz=0",
     "tdl:carrier_hz=1e6", "tdl:delay_spread_s=-1e-7", "tdl:delay_spread_s=1",
     "cdl:delay_spread_s=nan", "tdl:speed=3", "tdl:model", "tdl:carrier_hz=3,5e9"],
)  # fmt: skip
def test_hostile_settings_give_one_clear_line(spec: str) -> None:
    with pytest.raises(ChannelError, match="expected|did you mean speed_kmh") as error:
        make_channel(spec)
    assert "\n" not in str(error.value)


def test_what_the_gains_do_not_model_is_refused() -> None:
    with pytest.raises(ChannelError, match="after the cyclic prefix"):
        Tdl("C", delay_spread_s=3e-6).draw(10, 0.0, [1])
    with pytest.raises(ChannelError, match="Doppler shift"):
        Cdl(speed_kmh=1000.0).draw(10, 0.0, [1])
    with pytest.raises(ChannelError, match="antennas"):
        Tdl().draw_grid(OfdmGrid(), 14, 3, 1, [1])


def test_threads_do_not_disturb_each_others_draws() -> None:
    channel, seeds = Tdl("B", 1e-7, 60.0), list(range(24))
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda seed: channel.draw(500, 0.0, [seed]).h, seeds))
    assert torch.equal(torch.cat(parts), channel.draw(500, 0.0, seeds).h)
