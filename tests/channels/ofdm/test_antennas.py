"""Combining and Alamouti's code against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from channels.errors import ChannelError
from channels.modulation.qam import map_bits
from channels.ofdm.antennas import ANTENNAS, mmse_combiner, parse_antennas, spread
from channels.rng import generator
from tests.references.ber import ber_diversity


def complex_normal(*shape: int, name: str) -> torch.Tensor:
    return torch.view_as_complex(
        torch.randn(*shape, 2, generator=generator(0, name)) * math.sqrt(0.5)
    )


@pytest.mark.parametrize("antennas", list(ANTENNAS))
def test_ber_of_qpsk_in_rayleigh_fading(antennas: str) -> None:
    num_tx, num_rx = parse_antennas(antennas)
    esno_db, num, trials = 5.0, 2000, 100
    no = 10 ** (-esno_db / 10)
    bits = torch.randint(0, 2, (2 * num,), generator=generator(0, "bits"))
    sent = spread(map_bits(bits, 2), num_tx)
    # The gain holds for the two uses of a pair.
    h = complex_normal(trials, num_rx, num_tx, num // 2, name="h").repeat_interleave(2, -1)
    y = (h * sent).sum(2) + complex_normal(trials, num_rx, num, name="n") * math.sqrt(no)
    combiner = mmse_combiner(h, torch.ones(num), torch.tensor(no))
    z, sinr = combiner.combine(y), combiner.sinr
    wrong = torch.stack([z.real < 0, z.imag < 0], -1).flatten(1) != bits.bool()
    # Each branch has the power that one transmit antenna sends, and half of Es in each bit.
    expected = ber_diversity(0.5 / no / num_tx, num_tx * num_rx)
    assert float(wrong.float().mean()) == pytest.approx(expected, rel=0.05)
    assert float(sinr.mean()) == pytest.approx(num_rx / no, rel=0.02)


@pytest.mark.parametrize("antennas", list(ANTENNAS))
def test_noise_after_combining_is_what_the_sinr_says(antennas: str) -> None:
    # Gains that differ within a pair, amplitudes and noise that differ too.
    num_tx, num_rx = parse_antennas(antennas)
    symbols = map_bits(torch.randint(0, 2, (4000,), generator=generator(1, "bits")), 2)
    amplitude = torch.where(torch.arange(2000) % 3 == 0, 0.7, 1.3)
    h = complex_normal(1, num_rx, num_tx, 4, name="h").repeat(1, 1, 1, 500)
    variance = torch.tensor([0.1, 0.4]).repeat(1000)
    sent = spread(symbols * amplitude, num_tx)
    noise = complex_normal(100, num_rx, 2000, name="n") * variance.sqrt()
    combiner = mmse_combiner(h.expand(100, -1, -1, -1), amplitude, variance)
    z, sinr = combiner.combine((h * sent).sum(2) + noise), combiner.sinr
    error = z / sinr - symbols
    measured = error.abs().square().mean(0)
    assert float((measured * sinr[0]).mean()) == pytest.approx(1.0, abs=0.03)
    per_phase = (measured * sinr[0]).unflatten(0, (-1, 4)).mean(0)
    assert float((per_phase - 1).abs().max()) < 0.06
    bias = (z / symbols).mean(0).real / sinr[0]
    assert float(bias.mean()) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("antennas", list(ANTENNAS))
def test_output_over_other_gains_than_believed(antennas: str) -> None:
    num_tx, num_rx = parse_antennas(antennas)
    symbols = map_bits(torch.randint(0, 2, (40000,), generator=generator(1, "bits")), 2)
    amplitude = torch.where(torch.arange(20000) % 3 == 0, 0.7, 1.3)
    h, believed = (
        complex_normal(1, num_rx, num_tx, 4, name=name).repeat(1, 1, 1, 5000) for name in "ab"
    )
    variance = torch.tensor([0.1, 0.4]).repeat(10000)
    noise = complex_normal(1, num_rx, 20000, name="n") * variance.sqrt()
    combiner = mmse_combiner(believed, amplitude, torch.tensor(0.2))
    z = combiner.combine((h * spread(symbols * amplitude, num_tx)).sum(2) + noise)
    wanted, rest = combiner.true_output(h, amplitude, variance)

    def per_phase(values: torch.Tensor) -> torch.Tensor:  # gains, noise and amplitudes return
        return values[0, :19992].unflatten(0, (-1, 12)).mean(0)

    measured = per_phase(z * symbols.conj())
    assert torch.allclose(measured, per_phase(wanted), atol=0.2 * float(wanted.abs().mean()))
    spoilt = per_phase((z - wanted * symbols).abs().square())
    assert torch.allclose(spoilt, per_phase(rest), rtol=0.12)
    told, noise_told = mmse_combiner(h, amplitude, variance).true_output(h, amplitude, variance)
    sinr = mmse_combiner(h, amplitude, variance).sinr
    assert torch.allclose(told.real, sinr, rtol=1e-3) and torch.allclose(
        noise_told, sinr, rtol=1e-3
    )


def test_power_is_shared_by_the_transmit_antennas() -> None:
    symbols = torch.tensor([1 + 1j, 2 - 1j, 0.5j, 3.0])
    for num_tx in (1, 2):
        sent = spread(symbols, num_tx)
        assert sent.shape == (num_tx, 4)
        assert float(sent.abs().square().sum()) == pytest.approx(
            float(symbols.abs().square().sum())
        )


def test_a_dead_channel_gives_no_information() -> None:
    for num_tx in (1, 2):
        h = torch.zeros(1, 2, num_tx, 4, dtype=torch.complex64)
        combiner = mmse_combiner(h, torch.ones(4), torch.tensor(0.1))
        assert not combiner.combine(torch.ones(1, 2, 4) + 0j).any() and not combiner.sinr.any()


def test_unknown_antennas_are_refused() -> None:
    with pytest.raises(ChannelError, match="expected one of 1x1, 1x2, 2x1, 2x2"):
        parse_antennas("4x4")
