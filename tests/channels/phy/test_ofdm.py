"""The OFDM link as a whole: charges, power, closed forms, and the effective-SNR prediction."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from channels.coding.transport_block import num_channel_uses
from channels.errors import ChannelError
from channels.fading.clarke import Clarke
from channels.fading.gilbert_elliott import GilbertElliott
from channels.fading.grid_gains import grid_gains
from channels.fading.models import Awgn, RayleighBlock, make_channel
from channels.fading.tr38901 import Tdl
from channels.modulation.qam import map_bits
from channels.ofdm.grid import OfdmGrid
from channels.phy import ofdm as ofdm_module
from channels.phy.bit_true import BitTruePhy
from channels.phy.equivalent import EquivalentChannel
from channels.phy.ofdm import OfdmPhy
from channels.rng import generator
from channels.types import Frame, Mcs
from tests.references.ber import ber_diversity


def _frame(tag: str, k: int, mcs: Mcs, **kwargs: float) -> Frame:
    bits = np.random.default_rng(k).integers(0, 2, k, dtype=np.uint8)
    return Frame(tag, bits, mcs, **kwargs)  # type: ignore[arg-type]


FRAMES = (
    _frame("signal", 3000, Mcs(4, 0.5), power_db=-1.0, priority=2),
    _frame("semantic", 80, Mcs(2, 0.2, 2), power_db=3.0),
    _frame("structure", 200, Mcs(6, 0.75), priority=1),
)
DATA = [num_channel_uses(f.bits.size, f.mcs) for f in FRAMES]
SETUPS = ["1x1", "1x2", "2x1", "2x2"]
TDL = Tdl("C", 3e-7, 30.0)


def qpsk_ber(phy: OfdmPhy, channel: Clarke, esno_db: float, trials: int, num: int) -> float:
    bits = torch.randint(0, 2, (2 * num,), generator=generator(0, "bits"))
    got = phy.pass_symbols(map_bits(bits, 2), torch.ones(num), channel, esno_db, range(trials))
    wrong = torch.stack([got.z.real < 0, got.z.imag < 0], -1).flatten(1) != bits.bool()
    return float(wrong.float().mean())


@pytest.mark.parametrize("csi", ["perfect", "ls", "lmmse"])
@pytest.mark.parametrize("antennas", SETUPS)
def test_link_without_noise_returns_every_bit(antennas: str, csi: str) -> None:
    report = OfdmPhy(antennas, csi).send(FRAMES, Tdl("A", 1e-7), 60.0, [1, 2])
    assert report.delivered.all()
    for frame, bits in zip(FRAMES, report.bits_hat, strict=True):
        assert (bits == frame.bits).all()


@pytest.mark.parametrize("antennas", SETUPS)
def test_pilots_are_charged_to_the_frames_that_begin_their_slots(antennas: str) -> None:
    phy = OfdmPhy(antennas)
    report = phy.send(FRAMES, Awgn(), 40.0, [1])
    pilots = phy.pilot_uses(FRAMES)
    assert report.channel_uses.tolist() == (np.array(DATA) + pilots).tolist()
    assert pilots.sum() == phy.grid.pilot_uses(sum(DATA), phy.num_tx)
    per_slot = phy.num_tx * 2 * 144 // 4
    assert pilots.tolist() == [per_slot, per_slot, 0]


@pytest.mark.parametrize("antennas", SETUPS)
@pytest.mark.parametrize("pilot_power_db", [0.0, 6.0])
def test_power_is_one_over_data_and_pilots(antennas: str, pilot_power_db: float) -> None:
    phy = OfdmPhy(antennas, pilot_power_db=pilot_power_db)
    num = 2500
    ones = torch.ones(num)
    sinr = phy.pass_symbols(ones + 0j, ones, Awgn(), 10.0, [1]).sinr
    pilots = phy.grid.pilot_uses(num, phy.num_tx)
    data_power = (num + pilots) / (num + pilots * 10 ** (pilot_power_db / 10))
    assert float(sinr.mean()) == pytest.approx(10.0 * phy.num_rx * data_power, rel=1e-4)


def test_grid_counts() -> None:
    grid = OfdmGrid(num_subcarriers=24, num_pilot_symbols=3, pilot_spacing=6)
    for num_tx in (1, 2):
        assert grid.pilots_per_slot(num_tx) == num_tx * 12
        assert len(grid.data_positions(num_tx)) == grid.data_per_slot(num_tx) == 336 - num_tx * 12
        for uses in (0, 5, 13, 300, 336, 337, 700):
            data = grid.data_uses(uses, num_tx)
            assert data + grid.pilot_uses(data, num_tx) <= uses or data == 0
            assert data + 1 + grid.pilot_uses(data + 1, num_tx) > uses
    assert 14 * grid.symbol_s == pytest.approx(1e-3)  # 15 kHz
    assert OfdmGrid(subcarrier_spacing_hz=30e3).cyclic_prefix_s == pytest.approx(2.34e-6, rel=1e-2)


@pytest.mark.parametrize("antennas", SETUPS)
def test_uncoded_ber_has_the_diversity_of_the_antennas(antennas: str) -> None:
    # The whole chain, pairs of elements fading independently of each other.
    phy = OfdmPhy(antennas, grid=OfdmGrid(num_subcarriers=12))
    measured = qpsk_ber(phy, RayleighBlock(2), 5.0, 150, 280)
    branch = 0.5 * 10**0.5 / phy.num_tx
    assert measured == pytest.approx(ber_diversity(branch, phy.num_tx * phy.num_rx), rel=0.12)


@pytest.mark.parametrize("csi", ["ls", "lmmse"])
def test_estimated_csi_tends_to_perfect_as_the_pilots_power_grows(csi: str) -> None:
    # The data keep their Es/N0: what the pilots take is given back.
    channel, num, gaps = Clarke(10.0), 300, []
    for pilot_power_db in (-6.0, 0.0, 6.0, 20.0):
        pilots = OfdmGrid(24).pilot_uses(num, 1)
        taken = (num + pilots) / (num + pilots * 10 ** (pilot_power_db / 10))
        esno_db = 6.0 - 10 * math.log10(taken)
        ber = {
            know: qpsk_ber(
                OfdmPhy(csi=know, pilot_power_db=pilot_power_db, grid=OfdmGrid(24)),
                channel, esno_db, 150, num,
            )
            for know in ("perfect", csi)
        }  # fmt: skip
        gaps.append(ber[csi] / ber["perfect"] - 1)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.15
    assert abs(gaps[-1]) < 0.03


def test_imperfect_csi_costs_what_its_error_adds_to_the_noise() -> None:
    # The scaled estimate of a gain of unit power: power 1 / 1.1, error 0.1 / 1.1.
    phy, num = OfdmPhy(csi_error_variance=0.1), 1500
    ones = torch.ones(num)
    got = phy.pass_symbols(ones + 0j, ones, RayleighBlock(2), 10.0, range(30))
    assert float(got.sinr.mean()) == pytest.approx((1 / 1.1) / (0.1 + 0.1 / 1.1), rel=0.05)
    error = (got.z / got.sinr - 1).abs().square() * got.sinr
    assert float(error.mean()) == pytest.approx(1.0, rel=0.1)
    bers = [
        qpsk_ber(OfdmPhy(csi_error_variance=v), Clarke(3.0), 8.0, 60, 400) for v in (0, 0.05, 0.3)
    ]
    assert bers == sorted(bers) and bers[2] > 1.5 * bers[0]


@pytest.mark.parametrize("antennas", ["1x1", "1x2", "2x2"])
@pytest.mark.parametrize("know", ["csi_error_variance=0.3", "csi=ls"])
def test_the_demapper_sees_points_without_bias(antennas: str, know: str) -> None:
    """Least squares of what was sent on what the demapper takes for it: a factor of 1."""
    phy = OfdmPhy.from_spec(f"antennas={antennas},{know}")
    points = map_bits(torch.randint(0, 2, (4 * 1800,), generator=generator(0, "bits")), 4)
    got = phy.pass_symbols(points, torch.ones(1800), TDL, 5.0, range(200))
    slope = (got.z * points.conj()).real.mean() / (got.sinr * points.abs().square()).mean()
    assert float(slope) == pytest.approx(1.0, abs=0.08)  # of the fades drawn
    error = (got.z - got.sinr * points).abs().square().mean() / got.sinr.mean()
    assert float(error) == pytest.approx(1.0, abs=0.12)


def test_16qam_with_a_poor_estimate_loses_what_a_scaled_one_loses() -> None:
    frames, seeds = [_frame("a", 1000, Mcs(4, 0.5))], range(150)
    phy = OfdmPhy("1x2", csi_error_variance=0.3)
    lost = 1 - float(phy.send(frames, Tdl("C", 3e-7), 20.0, seeds).delivered.mean())
    assert lost == pytest.approx(0.25, abs=0.06)  # 0.41 with points expected too far out


def test_better_knowledge_and_more_antennas_deliver_more() -> None:
    frames, seeds = [_frame("a", 400, Mcs(2, 0.5))], range(60)

    def lost(antennas: str, csi: str) -> float:
        return 1 - float(OfdmPhy(antennas, csi).send(frames, TDL, 3.0, seeds).delivered.mean())

    assert lost("1x1", "perfect") <= lost("1x1", "lmmse") < lost("1x1", "ls")
    assert lost("2x2", "perfect") < lost("1x2", "perfect") < lost("1x1", "perfect")


def test_perfect_knowledge_on_one_antenna_is_the_flat_link_of_the_same_gains() -> None:
    frames, seeds = [_frame("a", 400, Mcs(2, 0.5))], range(80)
    over_grid = OfdmPhy().send(frames, TDL, 4.0, seeds).delivered[:, 0]
    flat = BitTruePhy().send(frames, TDL, 4.0, seeds).delivered[:, 0]
    assert 0 < flat.sum() < 80
    # The noise differs by the pilots' places; the fades are the same.
    assert (over_grid == flat).mean() > 0.9
    h = EquivalentChannel(OfdmPhy(), TDL).draw(500, 4.0, [1, 2]).h
    assert torch.allclose(h.abs(), TDL.draw(500, 4.0, [1, 2]).h.abs(), atol=1e-4)


def test_a_trial_does_not_depend_on_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    phy = OfdmPhy("2x2", "lmmse", grid=OfdmGrid(48))
    seeds = [3, 1, 4, 15, 9]
    whole = phy.send(FRAMES, TDL, 9.0, seeds)
    assert 0 < whole.delivered.sum() < whole.delivered.size
    monkeypatch.setattr(ofdm_module, "_ELEMENTS_PER_CHUNK", 1)
    alone = phy.send(FRAMES, TDL, 9.0, seeds)
    assert np.array_equal(whole.delivered, alone.delivered)
    torch.manual_seed(0)
    again = phy.send(FRAMES, TDL, 9.0, seeds[2:3])
    assert np.array_equal(again.delivered, whole.delivered[2:3])


def test_systems_see_the_same_fades_and_noise() -> None:
    # Another transmission, longer, that begins with the same symbols.
    for antennas in ("1x2", "2x2"):
        phy = OfdmPhy(antennas, "ls", impairments=replace(OfdmPhy().impairments, linewidth_hz=10.0))
        short, long = (
            phy.pass_symbols(torch.ones(n) + 0j, torch.ones(n), Clarke(30.0), 5.0, [7])
            for n in (1800, 5000)
        )
        # To the last full OFDM symbol: with phase noise, what shares a symbol leaks.
        assert torch.allclose(short.z[:, :1700], long.z[:, :1700], rtol=1e-3, atol=1e-3)


def test_flat_channels_go_over_the_grid_too() -> None:
    for spec in ("awgn", "rayleigh_block", "nakagami_block:m=3", "gilbert_elliott:bad_db=-5"):
        for antennas in SETUPS:
            report = OfdmPhy(antennas, "ls").send(FRAMES[1:], make_channel(spec), 30.0, [1, 2, 3])
            assert report.delivered[:, 0].all(), (spec, antennas)
    h = grid_gains(RayleighBlock(), OfdmGrid(12), 14, 2, 1, range(400))[..., 0, 0]
    assert abs(complex((h[:, 0] * h[:, 1].conj()).mean())) < 0.2, "antennas fade independently"


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        ("antennas=4x4", "antennas is '4x4'"),
        ("csi=genie", "csi is 'genie'"),
        ("csi_error_variance=-1", "expected csi_error_variance as a number, 0 to 1000"),
        ("csi=ls,csi_error_variance=0.1", "expected csi=perfect"),
        ("num_subcarriers=0", "num_subcarriers as a whole number, 12 to 1200"),
        ("num_subcarriers=100", "multiple of 12"),
        ("num_subcarriers=120000", "num_subcarriers as a whole number, 12 to 1200"),
        ("subcarrier_spacing_hz=0", "subcarrier_spacing_hz as a number, above 0"),
        ("pilot_spacing=5", "divisor"),
        ("pilot_spacing=1,antennas=2x2", "do not fit"),
        ("num_pilot_symbols=0", "whole number, 1 to 4"),
        ("pilot_power_db=nan", "expected pilot_power_db as a number, -100 to 100"),
        ("cfo_hz=9000", "half the subcarrier spacing"),
        ("decoder=turbo", "decoder is"),
        ("speed_kmh=3", "no key 'speed_kmh'"),
        ("grid=3", "no key 'grid'"),
        ("sir_db=loud", "expected sir_db as a number, -100 to 100"),
    ],
)
def test_hostile_settings_give_one_clear_line(args: str, wrong: str) -> None:
    with pytest.raises(ChannelError, match=wrong) as error:
        OfdmPhy.from_spec(args)
    assert "\n" not in str(error.value)


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(ChannelError, match="all different"):
        OfdmPhy().send([FRAMES[0], FRAMES[0]], Awgn(), 1.0, [1])
    with pytest.raises(ChannelError, match="no seeds"):
        OfdmPhy().send(FRAMES, Awgn(), 1.0, [])
    with pytest.raises(ChannelError, match="use csi=ls"):
        OfdmPhy(csi="lmmse").send(FRAMES, GilbertElliott(), 1.0, [1])
