"""Block error tables through the SNR after equalisation, against the bit-true OFDM link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from channels.bler.table import default_table
from channels.coding.transport_block import num_channel_uses
from channels.fading.models import Awgn
from channels.fading.tr38901 import Tdl
from channels.modulation.qam import constellation
from channels.phy import equivalent
from channels.phy.bit_true import BitTruePhy
from channels.phy.equivalent import EquivalentChannel
from channels.phy.ofdm import OfdmPhy
from channels.phy.table import TablePhy
from channels.types import ChannelState, Frame, Mcs

TDL = Tdl("C", 3e-7, 30.0)


def _frame(tag: str, k: int, mcs: Mcs) -> Frame:
    return Frame(tag, np.random.default_rng(k).integers(0, 2, k, dtype=np.uint8), mcs)


def test_tables_predict_the_link_through_its_equivalent_channel() -> None:
    scheme = next(m for m in default_table().schemes if m.num_bits_per_symbol == 2)
    frames, seeds = [_frame("a", 400, scheme)], range(300)
    phy = OfdmPhy("2x2")
    esno_db = -3.0 + 10 * math.log10(scheme.coderate / 0.5)
    measured = phy.send(frames, TDL, esno_db, seeds).delivered.mean()
    equivalent = EquivalentChannel(phy, TDL)
    predicted = TablePhy().delivery_probabilities(frames, equivalent, esno_db, seeds).mean()
    assert 0.05 < measured < 0.95
    assert predicted == pytest.approx(measured, abs=0.05)


@pytest.mark.parametrize(
    ("spec", "order", "esno_db"),
    [
        ("csi=ls", 2, 4.0),
        ("csi=ls,antennas=1x2", 4, 8.0),
        ("csi=ls,antennas=2x2", 2, -1.0),
        ("csi=lmmse", 2, 2.0),
        ("csi_error_variance=0.3", 2, 5.0),
        ("csi_error_variance=0.1,antennas=1x2", 4, 9.0),
        ("csi=ls,linewidth_hz=30", 2, 5.0),
        ("csi=ls,cfo_hz=250", 2, 6.0),
        ("csi=lmmse,cfo_hz=250", 2, 4.0),
    ],
)
def test_tables_predict_a_link_that_estimates(spec: str, order: int, esno_db: float) -> None:
    """The loss that the tables say lies between those half a dB above and below, with room for
    what 200 trials leave open; the SNR that the receiver believes is 1 to 8 dB too high."""
    scheme = next(m for m in default_table().schemes if m.num_bits_per_symbol == order)
    frames, seeds, phy = [_frame("a", 480, scheme)], range(200), OfdmPhy.from_spec(spec)
    told = [
        1 - float(TablePhy().delivery_probabilities(
            frames, EquivalentChannel(phy, TDL), esno_db + off_db, seeds).mean())
        for off_db in (0.5, -0.5)
    ]  # fmt: skip
    sent = 1 - float(phy.send(frames, TDL, esno_db, seeds).delivered.mean())
    assert told[0] - 0.02 < sent < told[1] + 0.02
    assert 0.01 < sent < 0.6


def bit_information(order: int, snr_db: np.ndarray) -> np.ndarray:
    """Mutual information of a bit, exact soft demapping, by Gauss-Hermite quadrature.

    Caire, Taricco and Biglieri, IEEE Trans. Inf. Theory 44(3), 1998, equation 8.
    """
    x, w = np.polynomial.hermite.hermgauss(20)
    noise, weight = np.add.outer(x, 1j * x).ravel(), np.outer(w, w).ravel() / math.pi
    points, label = constellation(order).numpy(), np.arange(2**order)
    values = []
    for no in 10 ** (-snr_db / 10):
        moved = points[:, None] - points[None, :]
        distance = np.abs(moved[:, None, :] / math.sqrt(no) + noise[None, :, None]) ** 2
        likelihood = np.exp(np.abs(noise[None, :, None]) ** 2 - distance)
        whole, lost = np.log2(likelihood.sum(-1)), 0.0
        for bit in range(order):
            same = (label[:, None] ^ label[None, :]) >> bit & 1 == 0
            part = np.log2((likelihood * same[:, None, :]).sum(-1))
            lost += float(((whole - part) @ weight).mean())
        values.append(1.0 - lost / order)
    return np.array(values)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "antennas", "channel", "centre_db", "esno_db"),
    [
        (2, "2x2", Tdl("C", 3e-7), 0.6, (0.93, 3.08)),
        (4, "2x2", Tdl("A", 3e-7), 5.8, (6.06, 8.33)),
    ],
    ids=["qpsk", "16qam"],
)
def test_bler_agrees_with_the_effective_snr(
    order: int, antennas: str, channel: Tdl, centre_db: float, esno_db: tuple[float, float]
) -> None:
    # Mutual-information effective SNR (MIESM): the SNR at which AWGN gives the same mean
    # information per bit decides, by the code's own AWGN waterfall.
    frames = [_frame("a", 480, Mcs(order, 0.5))]
    waterfall_db = np.arange(centre_db - 2.0, centre_db + 2.6, 0.3)
    bler = [
        1 - BitTruePhy().send(frames, Awgn(), x, range(800)).delivered.mean() for x in waterfall_db
    ]
    log_bler = np.log10(np.maximum(bler, 1e-5))
    snr_db = np.arange(-30.0, 40.0, 0.25)
    information = bit_information(order, snr_db)

    phy, seeds = OfdmPhy(antennas), range(1600)
    state = EquivalentChannel(phy, channel).draw(num_channel_uses(480, frames[0].mcs), 0.0, seeds)
    gain_db = 20 * np.log10(state.h.abs().numpy() + 1e-9)

    def predicted(at_db: float) -> float:
        mean = np.interp(gain_db + at_db, snr_db, information).mean(1)
        effective = np.interp(mean, information, snr_db)
        return float((10 ** np.interp(effective, waterfall_db, log_bler)).mean())

    for at_db, level in zip(esno_db, (1e-1, 1e-2), strict=True):
        measured = 1 - float(phy.send(frames, channel, at_db, seeds).delivered.mean())
        assert level / 2 < measured < level * 2
        assert predicted(at_db + 0.3) < measured < predicted(at_db - 0.3)


@pytest.mark.parametrize("spec", ["", "csi=lmmse,antennas=1x2", "antennas=2x1,csi=ls"])
def test_a_symbol_s_snr_does_not_depend_on_how_full_its_slot_is(spec: str) -> None:
    flat = EquivalentChannel(OfdmPhy.from_spec(spec), TDL)
    whole = flat.phy.whole_slots(100)
    assert whole >= 1000 and flat.phy.whole_slots(whole) == whole < flat.phy.whole_slots(whole + 1)
    full, part = (flat.draw(n, 6.0, [3, 4]).h for n in (whole, 777))
    assert torch.equal(full[:, :777], part)


def test_pilots_of_more_power_leave_it_to_the_number_of_symbols() -> None:
    """Then each symbol's share of the mean power depends on how many there are."""
    phy = OfdmPhy.from_spec("pilot_power_db=3")
    assert phy.whole_slots(100) == 100
    flat = EquivalentChannel(phy, Awgn())
    few, many = (float(flat.draw(n, 0.0, range(2)).h.abs().square().mean()) for n in (100, 1500))
    assert few < many < 1


def test_the_draws_of_an_expectation_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = OfdmPhy.effective_sinr

    def counted(self: OfdmPhy, num: int, *args: object) -> torch.Tensor:
        calls.append(num)
        return real(self, num, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(OfdmPhy, "effective_sinr", counted)
    equivalent._kept_sinr.cache.clear()
    flat = EquivalentChannel(OfdmPhy(), TDL)
    first = flat.draw(500, 4.0, range(3)).h
    again = EquivalentChannel(OfdmPhy(), Tdl("C", 3e-7, 30.0)).draw(400, 4.0, range(3)).h
    assert torch.equal(first[:, :400], again) and len(calls) == 1
    flat.draw(500, 5.0, range(3)), flat.draw(500, 4.0, range(4)), flat.draw(5000, 4.0, range(3))
    EquivalentChannel(OfdmPhy("1x2"), TDL).draw(500, 4.0, range(3))
    EquivalentChannel(OfdmPhy(), Tdl("A", 3e-7, 30.0)).draw(500, 4.0, range(3))
    assert len(calls) == 6
    flat.draw(500, 4.0, [0, 1, 2]), flat.draw(500, 4.0, [0, 1, 2])  # single trials are not kept
    assert len(calls) == 8


@dataclass(frozen=True)
class Unsteady:
    """A channel of other people whose draws change without its fields."""

    gains: ClassVar[list[float]] = [1.0]

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        h = torch.full((len(seeds), num_symbols), self.gains[0], dtype=torch.complex64)
        return ChannelState(h=h, no=10 ** (-esno_db / 10))


def test_draws_of_other_people_s_channels_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = EquivalentChannel(OfdmPhy(), Unsteady())  # type: ignore[arg-type]
    monkeypatch.setattr("channels.fading.added.check_power", lambda channel: None)
    before = flat.draw(20, 4.0, range(3)).h
    monkeypatch.setattr(Unsteady, "gains", [0.5])
    assert torch.allclose(flat.draw(20, 4.0, range(3)).h, before / 2)
