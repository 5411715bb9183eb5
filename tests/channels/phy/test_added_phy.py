"""A physical layer of somebody's: found by name, its pilots as it declares them, no tables."""

from dataclasses import replace

import numpy as np
import pytest

from channels.errors import ChannelError
from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.phy.names import (
    data_uses,
    make_phy,
    phy_identity,
    pilot_layout,
    pilot_uses,
    symbol_pilot_uses,
)
from channels.plugins import PluginError, register
from channels.types import Frame, Mcs

pytestmark = pytest.mark.usefixtures("nothing_registered")


def test_it_is_made_by_name_and_leaves_all_uses_to_data():
    register("phy", "theirs", BitTruePhy)
    assert isinstance(make_phy("theirs"), BitTruePhy)
    assert data_uses("theirs", 100) == 100 and pilot_layout("theirs") == "flat"
    assert phy_identity("theirs") != "theirs" and phy_identity("flat") == "flat"


def test_what_it_cannot_do_is_said():
    register("phy", "theirs", BitTruePhy)
    with pytest.raises(ChannelError, match="whose tables know nothing of it; use monte-carlo"):
        make_phy("theirs", "expected")
    with pytest.raises(ChannelError, match="theirs takes no parameters"):
        make_phy("theirs:a=1")
    register("phy", "empty", object())
    with pytest.raises(PluginError, match="expected a class or an object with send"):
        make_phy("empty")


class Piloted(BitTruePhy):
    """A pilot before every 16 symbols."""

    def pilots(self, num_symbols):
        return -(-num_symbols // 16)

    def send(self, frames, channel, esno_db, seeds):
        report = super().send(frames, channel, esno_db, seeds)
        pilots = np.array(pilot_uses("piloted", frames))
        return replace(report, channel_uses=report.channel_uses + pilots)


def test_its_pilots_are_charged():
    register("phy", "piloted", Piloted)
    assert [data_uses("piloted", number) for number in (0, 1, 2, 16, 17, 18, 1700)] == [
        0, 0, 1, 15, 16, 16, 1600,
    ]  # fmt: skip
    assert symbol_pilot_uses("piloted", 33) == 3 and pilot_layout("piloted") == "piloted"
    frames = [Frame(tag, np.zeros(80, np.uint8), Mcs(2, 0.5)) for tag in ("a", "b", "c")]
    uses = BitTruePhy().send(frames, make_channel("awgn"), 30.0, [1]).channel_uses
    assert sum(pilot_uses("piloted", frames)) == -(-uses.sum() // 16)


@pytest.mark.parametrize("wrong", [-1, 0.5, True, None, 3])
def test_a_declaration_that_is_none_is_refused(wrong):
    register("phy", "wrong", type("Wrong", (BitTruePhy,), {"pilots": lambda self, n: wrong}))
    with pytest.raises(ChannelError, match=r"phy 'wrong' declares .* pilots with 0 symbols"):
        symbol_pilot_uses("wrong", 0)


@pytest.mark.parametrize(
    ("pilots", "wrong"),
    [
        (lambda self, n: max(0, 500 - n) * (n > 0), "has fewer pilots with more symbols"),
        (lambda self, n: n // (n > 10**9), "pilots of phy 'wrong' with .* ZeroDivisionError"),
    ],
)
def test_pilots_that_fall_or_cannot_be_told_name_the_phy(pilots, wrong):
    register("phy", "wrong", type("Wrong", (BitTruePhy,), {"pilots": pilots}))
    frames = [Frame(tag, np.zeros(80, np.uint8), Mcs(2, 0.5)) for tag in ("a", "b")]
    with pytest.raises(ChannelError, match=wrong):
        pilot_uses("wrong", frames)
