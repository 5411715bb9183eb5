"""Carrier offset, phase noise and the interferer."""

from __future__ import annotations

import math

import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import Awgn
from channels.kernels.normal import complex_normal, stream_keys
from channels.ofdm.grid import OfdmGrid
from channels.ofdm.impairments import Impairments, turn_waveform
from channels.phy.ofdm import OfdmPhy

GRID = OfdmGrid(num_subcarriers=144)


def lost(flaws: Impairments, num_trials: int) -> tuple[float, torch.Tensor]:
    """Power outside the common rotation, mid-band, and the rotations of the OFDM symbols."""
    sent = torch.from_numpy(complex_normal(14 * 144, stream_keys(range(num_trials), "x"))).reshape(
        num_trials, 1, 14, 144
    )
    rotation = flaws.rotation(GRID, 14, range(num_trials))
    common = rotation.mean(-1)
    rest = turn_waveform(sent, rotation) - sent * common[:, None, :, None]
    return float(rest[..., 30:-30].abs().square().mean()), common


@pytest.mark.parametrize("cfo_hz", [300.0, 1500.0, 4500.0])
def test_carrier_offset(cfo_hz: float) -> None:
    flaws = Impairments(cfo_hz=cfo_hz)
    measured, common = lost(flaws, 20)
    share = cfo_hz / GRID.subcarrier_spacing_hz
    sinc = math.sin(math.pi * share) / (math.pi * share)
    assert flaws.lost_power(GRID) == pytest.approx(1 - sinc**2, rel=1e-6)
    assert measured == pytest.approx(flaws.lost_power(GRID), rel=0.07)
    assert float(common.abs().mean()) == pytest.approx(sinc, rel=1e-3)
    # From one OFDM symbol to the next the phase goes on by 2 pi f T, cyclic prefix included.
    turn = (common[:, 1:] * common[:, :-1].conj()).angle()
    expected = math.remainder(2 * math.pi * cfo_hz * GRID.symbol_s, 2 * math.pi)
    assert float(turn.mean()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("linewidth_hz", [20.0, 500.0])
def test_phase_noise(linewidth_hz: float) -> None:
    flaws = Impairments(linewidth_hz=linewidth_hz)
    measured, _ = lost(flaws, 400)
    a = math.pi * linewidth_hz / GRID.subcarrier_spacing_hz
    assert flaws.lost_power(GRID) == pytest.approx(1 - 2 * (a - 1 + math.exp(-a)) / a**2, rel=1e-3)
    assert measured == pytest.approx(flaws.lost_power(GRID), rel=0.1)
    # A Wiener phase: E exp(j (phi(t + s) - phi(t))) = exp(-pi linewidth s).
    rotation = flaws.rotation(GRID, 14, range(400))
    along = (rotation[:, 8, 0] * rotation[:, 3, 0].conj()).real.mean()
    expected = math.exp(-math.pi * linewidth_hz * 5 * GRID.symbol_s)
    assert float(along) == pytest.approx(expected, abs=0.04)


def test_lost_power_is_smooth_down_to_none() -> None:
    assert Impairments().lost_power(GRID) == 0.0
    for small, large in ((2.2, 2.6), (4.6, 5.0)):  # on both sides of the switch to a series
        low, high = (Impairments(linewidth_hz=x).lost_power(GRID) for x in (small, large))
        assert high / low == pytest.approx(large / small, rel=1e-3)


def test_pilots_follow_a_common_rotation_and_perfect_knowledge_is_not_hurt_by_it() -> None:
    ones = torch.ones(1000)
    for csi in ("perfect", "ls"):
        flaws = Impairments(cfo_hz=100.0, linewidth_hz=5.0)
        phy = OfdmPhy(csi=csi, impairments=flaws)
        got = phy.pass_symbols(ones + 0j, ones, Awgn(), 25.0, [1, 2])
        assert float((got.z / got.sinr - 1).abs().square().mean()) < 0.02
    wrong = OfdmPhy(csi="ls", impairments=Impairments(cfo_hz=2000.0))
    got = wrong.pass_symbols(ones + 0j, ones, Awgn(), 25.0, [1, 2])
    assert float((got.z / got.sinr - 1).abs().square().mean()) > 0.1


def test_interferer_hits_its_share_at_its_power() -> None:
    flaws = Impairments(sir_db=3.0, interferer_band=0.25, interferer_duty=0.3)
    hit = flaws.interference(GRID, 14 * 50, range(100))
    assert sorted(hit.unique().tolist()) == pytest.approx([0.0, 10**-0.3])
    assert bool((hit[..., 36:] == 0).all())
    assert float((hit[..., 0] > 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(hit.mean()) == pytest.approx(flaws.mean_interference(GRID), rel=0.1)
    slots = hit.unflatten(1, (-1, 14))
    assert torch.equal(slots[:, :, 0], slots[:, :, 13])
    assert torch.equal(flaws.interference(GRID, 14, [7]), hit[7:8, :14])


def test_receiver_knows_the_interference() -> None:
    ones = torch.ones(1944)
    phy = OfdmPhy(impairments=Impairments(sir_db=0.0, interferer_band=0.5))
    got = phy.pass_symbols(ones + 0j, ones, Awgn(), 10.0, range(20))
    levels = got.sinr.unique().tolist()
    assert levels == pytest.approx([1 / 1.1, 10.0], rel=1e-4)
    for level in levels:
        there = got.sinr == level
        error = (got.z[there] / level - 1).abs().square().mean()
        assert float(error) * level == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize(
    "kwargs",
    [{"cfo_hz": math.nan}, {"linewidth_hz": -1.0}, {"sir_db": math.nan}, {"interferer_band": 0.0},
     {"interferer_duty": 1.5}],
    ids=str,
)  # fmt: skip
def test_hostile_settings_give_one_clear_line(kwargs: dict[str, float]) -> None:
    with pytest.raises(ChannelError, match=f"{next(iter(kwargs))} is .*; expected") as error:
        Impairments(**kwargs)
    assert "\n" not in str(error.value)
    with pytest.raises(ChannelError, match="half the subcarrier spacing"):
        OfdmPhy(impairments=Impairments(cfo_hz=7500.0))
