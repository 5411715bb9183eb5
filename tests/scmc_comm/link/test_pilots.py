"""Pilots are part of every system's budget, without a system that knows of them."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_transmit import IMG, FakeCodec

from channels.errors import ChannelError
from channels.fading.models import make_channel
from channels.phy.names import data_uses, make_phy, pilot_uses
from channels.types import Frame, Mcs
from experiments.commands.main import main
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import make_system
from scmc_comm.systems.scmc import Scmc
from scmc_comm.transmission import send, transmit

LINKS = ("ofdm", "ofdm:antennas=2x2,csi=lmmse", "ofdm:num_pilot_symbols=4,pilot_spacing=2")


@given(st.integers(0, 30_000), st.sampled_from(LINKS))
def test_data_and_pilots_fill_the_budget_and_never_more(num_uses, link):
    num_data, grid = data_uses(link, num_uses), make_phy(link).grid
    num_tx = make_phy(link).num_tx
    used = num_data + grid.pilot_uses(num_data, num_tx)
    assert used <= num_uses
    one_more = num_data + 1 + grid.pilot_uses(num_data + 1, num_tx)
    assert one_more > num_uses


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("make", [lambda: Scmc(codec=FakeCodec()), lambda: make_system("jpeg")])
def test_the_ledger_holds_what_was_sent(make, link):
    budget = Budget(1 / 24, 10.0, phy=link)
    gradient = torch.linspace(0, 1, 256).expand(3, 256, 256)
    phy = make_phy(link)
    sent = transmit(make(), gradient, budget, make_channel("awgn"), 30.0, [1, 2], phy)
    ledger = sent.prepared.ledger
    assert ledger.used == int(sent.report.channel_uses.sum()) <= ledger.budget_uses == 8192
    assert sum(ledger.pilots) == sum(pilot_uses(link, sent.prepared.frames)) > 0
    assert ledger.used - sum(ledger.pilots) <= budget.uses((256, 256)) < 8192
    assert all(delivered == frozenset(sent.prepared.tags) for delivered in sent.delivered)
    told = ledger.to_dict()
    assert sum(told["uses_by_item"].values()) == pytest.approx(told["used"])
    assert sum(f["channel_uses"] + f["pilots"] for f in told["frames"]) == told["used"]
    assert f"{sum(ledger.pilots)}" in ledger.to_text() and "pilots" in ledger.to_text()


def test_pilots_cost_data_and_a_flat_link_has_none():
    flat = Scmc(codec=FakeCodec()).prepare(IMG, Budget(1 / 24, 10.0))
    assert "pilots" not in flat.ledger.to_text()
    sizes = [
        sum(f.bits.size for f in Scmc(codec=FakeCodec()).prepare(IMG, Budget(1 / 24, 10.0, phy=p)).frames)
        for p in ("flat", "ofdm", "ofdm:num_pilot_symbols=4,pilot_spacing=2")
    ]  # fmt: skip
    assert sizes[0] > sizes[1] > sizes[2]


def test_pilots_that_nobody_charged_are_an_error():
    prepared = Scmc(codec=FakeCodec()).prepare(IMG, Budget(1 / 24, 10.0))  # for a flat link
    with pytest.raises(ScmcError, match="symbols per frame"):
        send(prepared, make_channel("awgn"), 30.0, [1], make_phy("ofdm"))


def test_what_does_not_fit_stays_a_failure_with_its_whole_budget():
    budget = Budget(1 / 24, 10.0, phy="ofdm")
    nothing = Prepared.nothing((64, 64), budget, "too small")
    assert nothing.ledger.budget_uses == 512 == nothing.ledger.unused


def test_a_ledger_refuses_wrong_pilots():
    entry = ledger_entry(Frame("x", np.zeros(64, np.uint8), Mcs(2, 0.5)), 0)
    for pilots in ((1, 2), (-1,)):
        with pytest.raises(ScmcError, match="pilots are"):
            Ledger((entry,), 1000, pilots)
    with pytest.raises(ScmcError, match="30 of them pilots"):
        Ledger((entry,), entry.channel_uses + 29, (30,))


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("wifi", "there is no phy 'wifi'; there are flat, ofdm"),
        ("flat:x=1", "flat takes no parameters"),
        ("ofdm:x=1", "got 'x=1'"),
        ("harq:kind=chase", "scmc-comm sweep harq"),
    ],
)
def test_unknown_links_are_refused(link, wrong):
    with pytest.raises(ChannelError, match=wrong):
        make_phy(link)


def test_tables_stand_for_the_ofdm_link():
    frames = [Frame("a", np.ones(160, np.uint8), Mcs(2, 449 / 1024), priority=0),
              Frame("b", np.ones(900, np.uint8), Mcs(4, 490 / 1024), priority=1)]  # fmt: skip
    channel, link = make_channel("rayleigh_block"), "ofdm:antennas=1x2"
    drawn = make_phy(link).send(frames, channel, 6.0, range(150))
    table = make_phy(link, "table").send(frames, channel, 6.0, range(150))
    sets = make_phy(link, "expected").expected_delivery(frames, channel, 6.0)
    assert table.channel_uses.tolist() == drawn.channel_uses.tolist()
    for i, tag in enumerate("ab"):
        expected = sum(p for tags, p in sets.items() if tag in tags)
        assert table.delivered[:, i].mean() == pytest.approx(expected, abs=0.1)
        assert drawn.delivered[:, i].mean() == pytest.approx(expected, abs=0.1)
    assert sum(sets.values()) == pytest.approx(1)


def test_transmit_over_ofdm(tmp_path, capsys, monkeypatch):
    from scmc_comm.images import save_png

    monkeypatch.setattr("scmc_comm.metrics.measure", lambda img, img_hat: {"mse": 0.0})
    photo, report = tmp_path / "photo.png", tmp_path / "got.json"
    save_png(torch.linspace(0, 1, 128).expand(3, 128, 128).contiguous(), photo)
    command = ["transmit", str(photo), "--system", "jpeg", "--rho", "1/8", "--esno-db", "25",
               "-o", str(tmp_path / "got.png"), "--report", str(report),
               "--channel", "clarke"]  # fmt: skip
    main([*command, "--phy", "ofdm:antennas=1x2,csi=lmmse"])
    told = json.loads(report.read_text())
    assert told["phy"] == "ofdm:antennas=1x2,csi=lmmse" and told["ledger"]["uses_by_item"]["pilots"]
    assert "pilots" in capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_info:
        main([*command, "--phy", "wlan"])
    error = capsys.readouterr().err
    assert exit_info.value.code == 2 and error.count("\n") == 1 and "there are flat, ofdm" in error
