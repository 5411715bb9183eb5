"""A physical layer of somebody's: found by name, without pilots or tables."""

import sys

import pytest

from channels import plugins
from channels.errors import ChannelError
from channels.phy.bit_true import BitTruePhy
from channels.phy.names import data_uses, make_phy, phy_identity, pilot_layout
from channels.plugins import PluginError, register


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    fresh = plugins._State({}, {}, None, "run", plugins.changes())
    monkeypatch.setattr(plugins, "_state", fresh)
    monkeypatch.setattr(sys, "path", list(sys.path))


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
