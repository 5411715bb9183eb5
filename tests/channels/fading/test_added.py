"""Channels of other people: their gains are looked at before they are used."""

import dataclasses

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.fading.added import draw, plugin_channel
from channels.fading.grid_gains import grid_gains
from channels.ofdm.grid import OfdmGrid
from channels.phy.analog import send_symbols
from channels.phy.bit_true import BitTruePhy
from channels.plugins import Plugin, PluginError
from channels.specs import parameters
from channels.types import ChannelState, Frame, Mcs

FRAME = Frame("a", np.ones(80, np.uint8), Mcs(2, 0.5))


@dataclasses.dataclass(frozen=True)
class Theirs:
    """A channel whose gains or noise are not what they ought to be."""

    amplitude: float = 1.0
    extra: int = 0
    noise: float = 1.0
    fill: float = 1.0
    kind: torch.dtype = torch.complex64

    def draw(self, num_symbols, esno_db, seeds):
        h = torch.full((len(seeds), num_symbols + self.extra), self.amplitude).to(self.kind)
        return ChannelState(h * self.fill, self.noise * 10 ** (-esno_db / 10))


SENDERS = {
    "bit true": lambda channel: BitTruePhy().send([FRAME], channel, 10.0, [1]),
    "analog": lambda channel: send_symbols(torch.ones(8) + 0j, channel, 10.0, [1]),
    "grid": lambda channel: grid_gains(channel, OfdmGrid(), 14, 1, 1, [1]),
    "draw": lambda channel: draw(channel, 8, 10.0, [1]),
}


@pytest.mark.parametrize("send", SENDERS.values(), ids=SENDERS)
@pytest.mark.parametrize(
    ("channel", "match"),
    [
        (Theirs(amplitude=1.2), "gains of mean power 1.44; expected 1, over symbols 0 to 511 at"),
        (Theirs(extra=1), "torch.complex64 .*17.; expected complex64 .*16.$"),
        (Theirs(kind=torch.float32), "gave gains torch.float32"),
        (Theirs(noise=0.5), "gave noise of variance 0.2506 at Es/N0 3 dB; expected 0.5012"),
        (Theirs(fill=float("nan")), "not finite"),
    ],
    ids=str,
)
def test_gains_of_the_wrong_power_or_shape_are_refused_wherever_they_are_used(send, channel, match):
    with pytest.raises(ChannelError, match=match):
        send(channel)


def test_a_channel_of_power_one_is_taken():
    for send in SENDERS.values():
        send(Theirs())


def made(function):
    return plugin_channel(Plugin("channel", "mine", function, "a test"))


def test_a_function_becomes_a_channel_with_its_parameters():
    def rice(num_symbols, rng, k_factor_db: float = 6, spread: int = 2):
        return np.ones(num_symbols) + 0j

    found = [(p.name, p.default, p.unit) for p in parameters(made(rice))]
    assert found == [("k_factor_db", "6", "dB"), ("spread", "2", "")]
    assert made(rice)(k_factor_db=3.0).name == "mine:k_factor_db=3.0,spread=2"


def test_a_trial_depends_on_its_seed_alone():
    def block(num_symbols, rng):
        return np.full(num_symbols, rng.normal() + 1j * rng.normal()) / 2**0.5

    channel = made(block)()
    both = channel.draw(4, 0.0, [5, 6]).h
    assert torch.equal(both[1:], channel.draw(4, 0.0, [6]).h) and both[0, 0] != both[1, 0]
    power = draw(channel, 1, 0.0, range(4000)).h.abs().square().mean()
    assert float(power) == pytest.approx(1.0, abs=0.08)


def rayleigh(num_symbols, rng, power=1.0):
    return np.full(num_symbols, rng.normal() + 1j * rng.normal()) * (power / 2) ** 0.5


def late(num_symbols, rng):
    return np.where(np.arange(num_symbols) < 16, 1.0, 3.0)


def drift(num_symbols, rng):
    return np.exp(-np.arange(num_symbols) / 4000) * rayleigh(num_symbols, rng)


def strong(num_symbols, rng):
    return rayleigh(num_symbols, rng, 1.1)


def weak(num_symbols, rng):
    return rayleigh(num_symbols, rng, 0.9)


@pytest.mark.parametrize("function", [late, drift, strong, weak])
def test_another_mean_power_is_refused_later_in_a_draw_and_of_random_gains(function):
    with pytest.raises(ChannelError, match="gains of mean power .*; expected 1"):
        draw(made(function)(), 8, 0.0, [1])


def nakagami(num_symbols, rng):
    return np.full(num_symbols, np.sqrt(rng.gamma(0.5, 2.0)))


def fast(num_symbols, rng):
    return (rng.normal(size=num_symbols) + 1j * rng.normal(size=num_symbols)) / 2**0.5


@pytest.mark.parametrize("function", [rayleigh, nakagami, fast])
def test_fading_of_mean_power_one_is_taken(function):
    draw(made(function)(), 8, 0.0, [1])


@pytest.mark.parametrize("at", [-10.0, 30.0])
def test_mean_power_is_looked_at_where_gains_depend_on_the_esno(at):
    @dataclasses.dataclass(frozen=True)
    class Depends(Theirs):
        def draw(self, num_symbols, esno_db, seeds):
            state = super().draw(num_symbols, esno_db, seeds)
            return ChannelState(state.h * (2.0 if esno_db == at else 1.0), state.no)

    with pytest.raises(ChannelError, match=f"mean power 4; expected 1, over .* at Es/N0 {at:g} dB"):
        draw(Depends(), 8, 3.0, [1])


def test_gains_of_another_length_are_refused():
    with pytest.raises(ChannelError, match=r"channel mine gave gains \[3\]; expected \[16\]"):
        draw(made(lambda num_symbols, rng: np.ones(3))(), 8, 0.0, [1])


@dataclasses.dataclass
class NotFrozen:
    """A channel that could change while it is used, and that no draw could be found by."""

    def draw(self, num_symbols, esno_db, seeds):
        return ChannelState(torch.ones(len(seeds), num_symbols) + 0j, 10 ** (-esno_db / 10))


@pytest.mark.parametrize("component", [3, "text", object, NotFrozen], ids=str)
def test_what_is_no_channel_says_what_is(component):
    with pytest.raises(PluginError, match="expected a function"):
        made(component)
