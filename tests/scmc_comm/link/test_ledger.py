"""The ledger: its sum is what the link sends, item by item."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.types import Frame, Mcs
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import ITEMS, Ledger, LedgerEntry, ledger_entry
from scmc_comm.link.mcs import MCS_GRID


def frame(num_bits, mcs, tag="x"):
    return Frame(tag, np.zeros(num_bits, np.uint8), mcs)


@settings(deadline=None)
@given(st.sampled_from(MCS_GRID), st.integers(8, 40_000))
def test_items_sum_to_the_channel_uses(mcs, num_bits):
    entry = ledger_entry(frame(num_bits, mcs), header_bits=8)
    assert entry.channel_uses == num_channel_uses(num_bits, mcs)
    assert sum(entry.uses(item) for item in ITEMS) == pytest.approx(entry.channel_uses)
    assert entry.payload + entry.header == num_bits
    assert entry.crc in (16, 24) or entry.crc % 24 in (0, 16)  # 24 more for every code block
    once = entry.channel_uses * mcs.num_bits_per_symbol // mcs.repetition
    assert entry.repetition == (mcs.repetition - 1) * once


def test_known_block():
    entry = ledger_entry(frame(512, Mcs(2, 0.5, 3)), header_bits=8)
    assert (entry.payload, entry.header, entry.crc, entry.filler) == (504, 8, 16, 0)
    assert (entry.parity, entry.repetition, entry.channel_uses) == (528, 2112, 1584)


def test_ledger_equals_what_the_phy_sends():
    frames = [frame(100, Mcs(2, 0.25, 2), "a"), frame(9000, Mcs(6, 0.7), "b")]
    ledger = Ledger(tuple(ledger_entry(f, 8) for f in frames), 5000)
    report = BitTruePhy().send(frames, make_channel("awgn"), 20.0, [0])
    ledger.check(report.channel_uses)
    assert ledger.used == report.channel_uses.sum() == ledger.budget_uses - ledger.unused
    with pytest.raises(ScmcError, match="link sent"):
        ledger.check(report.channel_uses + np.array([0, 1]))


def test_overspending_and_wrong_sums_are_errors():
    entry = ledger_entry(frame(100, Mcs(2, 0.5)), 8)
    with pytest.raises(ScmcError, match="budget"):
        Ledger((entry,), entry.channel_uses - 1)
    with pytest.raises(ScmcError, match="sum"):
        LedgerEntry("x", 10, 0, 0, 0, 0, 0, 2, 6)
    with pytest.raises(ScmcError, match="negative"):
        LedgerEntry("x", 14, 0, 0, 0, -2, 0, 2, 6)


def test_text_and_json():
    ledger = Ledger((ledger_entry(frame(512, Mcs(2, 0.5), "semantic"), 8),), 1000)
    report = json.loads(json.dumps(ledger.to_dict()))
    assert report["used"] + report["unused"] == report["budget_uses"] == 1000
    assert sum(report["uses_by_item"].values()) == pytest.approx(report["used"])
    lines = ledger.to_text().splitlines()
    assert lines[0].split() == ["frame", *ITEMS, "uses", "bit/use"]
    assert lines[1].split()[0] == "semantic" and lines[1].split()[-2:] == ["528", "2"]
    assert lines[-3].split() == ["unused", "472"] and "in channel uses" in lines[-1]


def test_text_and_json_say_the_same_uses_and_their_units():
    ledger = Ledger((ledger_entry(frame(512, Mcs(4, 0.5), "semantic"), 8),), 1000)
    (told,) = ledger.to_dict()["frames"]
    row = dict(zip(*(line.split() for line in ledger.to_text().splitlines()[:2]), strict=True))
    for item in ITEMS:
        assert float(row[item]) == pytest.approx(told["uses"][item], abs=0.05)
        assert told["uses"][item] == told[item] / 4
    units = " ".join(ledger.to_dict()["units"])
    assert all(key in units for key in ("budget_uses", "uses_by_item", "frames", "pilots"))
