"""The contract that third parties test holds for what is built in, and fails where it is broken."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from channels import plugins
from channels.fading.models import CHANNELS, make_channel
from channels.phy.bit_true import BitTruePhy
from channels.phy.names import make_phy, pilot_uses
from channels.plugins import register
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.plugins import FunctionCodec, Jscc, Metric
from scmc_comm.registry import make_system
from scmc_comm.testing import checks
from scmc_comm.transmission import prepare, transmit

ROOT = Path(__file__).parents[3]
SYSTEM_CHECKS = (
    checks.check_system_sends, checks.check_system_shows, checks.check_system_on_links,
    checks.check_system_identity,
)  # fmt: skip
CHEAP = [name for name in CHANNELS if name not in ("trace", "ray_traced", "tdl", "cdl")]


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    fresh = plugins._State({}, {}, None, "run", plugins.changes())
    monkeypatch.setattr(plugins, "_state", fresh)


@pytest.mark.parametrize("check", SYSTEM_CHECKS)
@pytest.mark.parametrize("name", ["jpeg", "scmc", "deepjscc", "webp:layers=2"])
def test_built_in_systems_keep_the_contract(name, check):
    check(name)


@pytest.mark.parametrize("name", CHEAP)
def test_built_in_channels_keep_the_contract(name):
    checks.check_channel(name)


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_built_in_codecs_keep_the_contract(name):
    checks.check_image_codec(name)


@pytest.mark.parametrize("name", ["psnr_db", "ms_ssim", "mse"])
def test_built_in_metrics_keep_the_contract(name):
    checks.check_metric(name)


def test_the_built_in_links_and_sets_keep_the_contract():
    checks.check_phy("flat")
    checks.check_phy("ofdm")
    checks.check_dataset("photos")


CALLS = [0]


def symbols_of(img, num_symbols):
    return torch.ones(num_symbols) + 0j


def noisy_symbols(img, num_symbols):
    CALLS[0] += 1
    return torch.ones(num_symbols) * (1 + 0j) ** CALLS[0] + CALLS[0]


def mean_of(symbols, no, size):
    return torch.full((3, *size), 0.25)


def drifting(symbols, no, size):
    CALLS[0] += 1
    return torch.full((3, *size), (CALLS[0] % 97) / 97)


@pytest.mark.parametrize(
    ("jscc", "check", "match"),
    [
        (Jscc(lambda img, n: torch.rand(n) + 0j, mean_of), SYSTEM_CHECKS[0], "sent otherwise again"),
        (Jscc(symbols_of, drifting), SYSTEM_CHECKS[2], "shown otherwise again"),
    ],
)  # fmt: skip
def test_a_network_that_breaks_the_contract_is_told(jscc, check, match):
    register("system", "theirs", jscc)
    with pytest.raises(AssertionError, match=match):
        check("theirs")


@pytest.mark.parametrize(
    ("jscc", "match"),
    [
        (
            Jscc(lambda img, n: torch.ones(n + 1) + 0j, mean_of),
            r"expected 1 to \d+ complex symbols",
        ),
        (Jscc(lambda img, n: torch.ones(n), mean_of), "torch.view_as_complex"),
        (Jscc(lambda img, n: torch.zeros(n) + 0j, mean_of), "mean power 0"),
        (Jscc(symbols_of, lambda x, no, size: torch.zeros(3, 8, 8)), "expected an image"),
        (Jscc(symbols_of, lambda x, no, size: torch.full((3, *size), 200.0)), r"expected \[0, 1\]"),
    ],
)
def test_what_a_network_may_not_give_is_refused(jscc, match):
    register("system", "theirs", jscc)
    with pytest.raises(ValueError, match=match):
        checks.check_system_on_links("theirs")


def test_what_noise_leads_outside_of_the_picture_is_clipped():
    register("system", "theirs", Jscc(symbols_of, lambda x, no, size: x.real[0].expand(3, *size)))
    system, img = make_system("theirs"), checks.picture((64, 64))
    sent = transmit(
        system,
        img,
        Budget(1 / 6, 0.0),
        make_channel("rayleigh_block"),
        -20.0,
        range(20),
        make_phy(),
    )
    for trial in range(20):
        checks.check_image(sent.reconstruction(trial).img_hat, (64, 64), "what was shown")


def test_a_channel_whose_short_draws_are_others_is_told():
    register("channel", "theirs", lambda n, rng: rng.permutation(np.exp(2j * np.arange(n))))
    with pytest.raises(AssertionError, match="same fades"):
        checks.check_channel("theirs")


def test_a_metric_in_the_other_direction_is_told():
    register("metric", "theirs", Metric(lambda a, b: (a - b).abs().max(), better="higher"))
    with pytest.raises(AssertionError, match="other direction"):
        checks.check_metric("theirs")


def test_a_codec_that_remembers_what_it_did_not_send_is_told():
    held = []

    def encode(img, quality):
        held[:] = [img]
        return b"x" * int(quality)

    register("image_codec", "theirs", FunctionCodec(encode, lambda data: held[0], (1, 2)))
    with pytest.raises(AssertionError, match="the same bytes are shown otherwise"):
        checks.check_image_codec("theirs")


class Piloted(BitTruePhy):
    """A pilot before every 16 symbols, which it reports unless it is told not to."""

    reports = True

    def pilots(self, num_symbols):
        return -(-num_symbols // 16)

    def send(self, frames, channel, esno_db, seeds):
        report = super().send(frames, channel, esno_db, seeds)
        pilots = np.array(pilot_uses("theirs", frames)) * self.reports
        return dataclasses.replace(report, channel_uses=report.channel_uses + pilots)

    def send_symbols(self, symbols, channel, esno_db, seeds):
        *got, uses = super().send_symbols(symbols, channel, esno_db, seeds)
        return *got, uses + self.pilots(uses) * self.reports


def test_pilots_of_a_phy_are_declared_and_charged():
    register("phy", "theirs", Piloted)
    checks.check_phy("theirs")
    sent = prepare(make_system("jpeg"), checks.picture((64, 64)), Budget(1 / 4, 10.0, phy="theirs"))
    assert sent.ledger.pilots == (-(-sent.ledger.entries[0].channel_uses // 16),)
    assert sent.ledger.used <= sent.ledger.budget_uses

    register("phy", "theirs", type("Silent", (Piloted,), {"reports": False}))
    with pytest.raises(ScmcError, match="the ledger has"):
        checks.check_phy("theirs")
    fewer = {"pilots": lambda self, number: 100 * (number > 0) - number // 64}
    register("phy", "theirs", type("Fewer", (Piloted,), fewer))
    with pytest.raises(AssertionError, match="more symbols have fewer pilots"):
        checks.check_phy("theirs")


def test_third_parties_run_it_by_pytest(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom scmc_comm.plugins import Jscc, register\n"
        "register('system', 'theirs', Jscc(\n"
        "    lambda img, n: torch.ones(n) + 0j, lambda x, no, size: torch.zeros(3, *size)))\n"
        "register('channel', 'loud', lambda n, rng: 2 * torch.ones(n).numpy() + 0j)\n"
    )
    command = [
        sys.executable, "-m", "pytest", "--pyargs", "scmc_comm.testing", "-q", "--plugin",
        "mine.py", "-p", "no:scmc_comm", "-p", "scmc_comm.testing.options",
    ]  # fmt: skip
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment
    )
    assert "4 passed" in done.stdout and "1 failed" in done.stdout, done.stdout + done.stderr
    assert "gains of mean power 4; expected 1" in done.stdout
