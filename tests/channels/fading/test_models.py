"""Statistics and reproducibility of the channels."""

from __future__ import annotations

import math

import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import (
    CHANNELS,
    Awgn,
    Channel,
    RayleighBlock,
    RicianBlock,
    make_channel,
    noise,
)
from channels.modulation.qam import map_bits
from channels.rng import generator

ALL = [Awgn(), RayleighBlock(16), RayleighBlock(), RicianBlock(6.0, 16), RicianBlock(0.0)]
FADING = ALL[1:]
SEEDS = list(range(50))


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("channel", [Awgn(), RayleighBlock(1), RicianBlock(6.0, 1)], ids=str)
@pytest.mark.parametrize("esno_db", [-4.0, 13.0])
def test_empirical_esno_within_a_twentieth_of_a_db(
    order: int, channel: Channel, esno_db: float
) -> None:
    num = 20_000
    bits = torch.randint(0, 2, (1, num * order), generator=generator(0, "bits"))
    x = map_bits(bits, order)
    state = channel.draw(num, esno_db, SEEDS)
    received = (state.h * x).abs().square().mean()
    disturbed = noise(num, state.no, SEEDS).abs().square().mean()
    assert 10 * math.log10(received / disturbed) == pytest.approx(esno_db, abs=0.05)


def test_noise_has_half_its_variance_in_each_real_dimension() -> None:
    w = noise(20_000, 0.5, SEEDS)
    assert w.dtype == torch.complex64
    assert float(w.real.var()) == pytest.approx(0.25, rel=0.01)
    assert float(w.imag.var()) == pytest.approx(0.25, rel=0.01)
    assert abs(float((w.real * w.imag).mean())) < 0.001
    assert abs(complex(w.mean())) < 0.005


@pytest.mark.parametrize("channel", [RayleighBlock(4), RicianBlock(3.0, 4)], ids=str)
def test_fading_has_unit_power_and_independent_blocks(channel: Channel) -> None:
    h = channel.draw(40_000, 0.0, SEEDS[:20]).h.unflatten(1, (-1, 4))
    assert bool((h == h[..., :1]).all()), "constant within a block"
    blocks = h[..., 0]
    assert float(blocks.abs().square().mean()) == pytest.approx(1.0, abs=0.01)
    scattered = blocks - blocks.mean()
    for other in (scattered.roll(1, 1), scattered.roll(1, 0)):
        correlation = (scattered * other.conj()).mean() / scattered.abs().square().mean()
        assert abs(complex(correlation)) < 4 / math.sqrt(blocks.numel())


def test_rayleigh_amplitude_distribution() -> None:
    power = RayleighBlock(1).draw(20_000, 0.0, SEEDS[:10]).h.abs().square()
    for x in (0.1, 1.0, 3.0):
        assert float((power > x).float().mean()) == pytest.approx(math.exp(-x), abs=0.005)


def test_rician_k_factor() -> None:
    h = RicianBlock(6.0, 1).draw(20_000, 0.0, SEEDS[:10]).h
    scattered = h - h.mean()
    k_factor = h.mean().abs().square() / scattered.abs().square().mean()
    assert 10 * math.log10(k_factor) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("channel", FADING, ids=str)
def test_gains_are_complex_and_differ_between_trials(channel: Channel) -> None:
    h = channel.draw(64, 0.0, [1, 2]).h
    assert h.dtype == torch.complex64
    assert float(h.imag.abs().min()) > 0
    assert not torch.equal(h[0], h[1])


@pytest.mark.parametrize("channel", ALL, ids=str)
@pytest.mark.parametrize("short", [1, 15, 17, 1023, 1024, 1025, 2500])
def test_draws_are_prefix_stable(channel: Channel, short: int) -> None:
    seeds = [5, 2**40]
    assert torch.equal(
        channel.draw(short, 3.0, seeds).h, channel.draw(3000, 3.0, seeds).h[:, :short]
    )
    assert torch.equal(noise(short, 0.5, seeds), noise(3000, 0.5, seeds)[:, :short])


@pytest.mark.parametrize("channel", ALL, ids=str)
def test_a_trial_does_not_depend_on_its_batch(channel: Channel) -> None:
    together = channel.draw(100, 3.0, SEEDS).h
    alone = torch.cat([channel.draw(100, 3.0, [seed]).h for seed in SEEDS])
    assert torch.equal(together, alone)
    assert torch.equal(noise(100, 0.1, SEEDS)[7:8], noise(100, 0.1, [SEEDS[7]]))


def test_noise_scales_with_its_variance_and_fades_do_not() -> None:
    assert torch.allclose(noise(50, 4.0, [1]), 2 * noise(50, 1.0, [1]))
    channel = RayleighBlock(8)
    assert torch.equal(channel.draw(50, 0.0, [1]).h, channel.draw(50, 20.0, [1]).h)


def test_draws_ignore_and_leave_the_global_generator() -> None:
    torch.manual_seed(1)
    first = noise(20, 1.0, [3])
    expected = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(noise(20, 1.0, [3]), first)


@pytest.mark.parametrize("channel", [*ALL, RicianBlock(-3.5, 256)], ids=str)
def test_name_rebuilds_the_channel(channel: Channel) -> None:
    assert make_channel(channel.name) == channel


def test_every_registered_channel_builds_by_name() -> None:
    needs_more = {"trace", "ray_traced"}  # a file, an extra package
    names = [name for name in CHANNELS if name not in needs_more]
    assert [make_channel(name).name.partition(":")[0] for name in names] == names


@pytest.mark.parametrize(
    "spec",
    ["weibull", "awgn:coherence_symbols=4", "rayleigh_block:coherence_symbols=x", "",
     "rayleigh_block:coherence_symbols=0", "rayleigh_block:speed=3", "rician_block:k_factor_db",
     "rician_block:k_factor_db=inf"],
)  # fmt: skip
def test_wrong_specs_are_refused(spec: str) -> None:
    with pytest.raises(ChannelError):
        make_channel(spec)


def test_empty_draws_are_refused() -> None:
    for num, seeds in ((0, [1]), (4, [])):
        with pytest.raises(ChannelError, match="at least one"):
            noise(num, 1.0, seeds)
        with pytest.raises(ChannelError, match="at least one"):
            RayleighBlock(4).draw(num, 1.0, seeds)
    with pytest.raises(ChannelError, match="0 or more"):
        noise(1, math.nan, [1])
