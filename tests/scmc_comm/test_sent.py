"""Pictures sent in one call: the same path, seeds and numbers as by hand."""

import math

import numpy as np
import pytest
import torch

from channels.fading.models import make_channel
from channels.phy.names import make_phy
from scmc_comm import sent as module
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.metrics import measure
from scmc_comm.pictures import as_image
from scmc_comm.registry import make_system
from scmc_comm.sent import transmit, transmit_each
from scmc_comm.setting import Setting
from scmc_comm.transmission import transmit as by_hand

IMG = load_photo("chelsea", 64)
FADING = {"channel": "rayleigh_block", "snr_db": 8, "cbr": "1/2"}


@pytest.fixture(scope="module")
def sent():
    return transmit(IMG, "jpeg:layers=2", **FADING, trials=60, seed=3)


def test_it_is_what_is_sent_by_hand(sent):
    system, budget = make_system("jpeg:layers=2"), Budget(1 / 2, 8.0)
    channel, phy = make_channel("rayleigh_block"), make_phy()
    same = by_hand(system, IMG, budget, channel, 8, sent.seeds, phy)
    assert sent.prepared == same.prepared and sent.delivered == same.delivered
    assert len(set(sent.delivered)) > 1, "some draws fail"
    worst = sent.delivered.index(min(sent.delivered, key=len))
    assert torch.equal(sent.reconstruction(worst).img_hat, same.reconstruction(worst).img_hat)


def test_one_draw_is_repeated_by_its_seed(sent):
    for trial in (0, 51):
        alone = transmit(IMG, "jpeg:layers=2", **FADING, seed=sent.seeds[trial])
        assert alone.delivered[0] == sent.delivered[trial]
        assert alone.fades_db[0] == pytest.approx(sent.fades_db[trial])
    assert sent.seeds[0] == 3


def test_more_draws_keep_the_first_ones_and_seeds_share_none():
    system = make_system("jpeg")

    def seeds(trials, seed, number=0):
        return Setting(system, "awgn", 0.0, 0.1, trials=trials, seed=seed).seeds(number)

    assert seeds(100, 5)[:10] == seeds(10, 5)
    every = [*seeds(100, 0), *seeds(100, 1), *seeds(100, 0, 1), *seeds(100, 1, 1)]
    assert len(set(every)) == 400


def test_delivery_and_means_are_over_the_draws_failures_included(sent):
    arrived = [sum(tag in tags for tags in sent.delivered) for tag in sent.prepared.tags]
    assert sent.delivery == {t: n / 60 for t, n in zip(sent.prepared.tags, arrived, strict=True)}
    each = [
        measure(IMG, sent.reconstruction(trial).img_hat, ["psnr_db"])["psnr_db"]
        for trial in range(60)
    ]
    assert sent.mean_metrics(["psnr_db"])["psnr_db"] == pytest.approx(np.mean(each))
    assert min(each) < 20 < max(each)


def test_each_delivered_set_is_measured_once(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "measure", lambda *a: calls.append(a[2]) or measure(*a))
    found = transmit(IMG, "jpeg:layers=2", **FADING, trials=60)
    found.mean_metrics(["psnr_db"])
    sets = {found.prepared.usable(tags) for tags in found.delivered}
    assert len(calls) == len(sets) < 5
    found.mean_metrics(["psnr_db", "mse"])
    assert calls[len(sets) :] == [["mse"]] * len(sets), "what is known is not measured again"


def test_the_fade_is_that_of_the_draw(sent):
    state = make_channel("rayleigh_block").draw(10, 8.0, list(sent.seeds))
    power = state.h.abs().square().mean(dim=1)
    assert sent.fades_db == pytest.approx([10 * math.log10(p) for p in power], abs=1e-4)
    assert transmit(IMG, "jpeg", snr_db=8, cbr="1/2").fades_db == (0.0,)
    assert transmit(IMG, "jpeg", snr_db=8, cbr="1/2", phy="ofdm").fades_db is None


@pytest.mark.parametrize(
    ("system", "design", "assumed"),
    [("scmc", 10.0, ("awgn", 10.0)), ("scmc", None, ("awgn", 8.0)),
     ("jpeg:mcs=adaptive", 10.0, ("rayleigh_block", 8.0))],
)  # fmt: skip
def test_a_sender_assumes_what_it_knows(system, design, assumed):
    setting = Setting(
        make_system(system), "rayleigh_block", 8.0, 1 / 16, design_esno_db=design
    )  # fmt: skip
    budget = setting.budget()
    assert (budget.channel, budget.design_esno_db) == assumed


def test_an_analog_system_shows_each_draw_its_own(monkeypatch):
    found = transmit(IMG, "deepjscc", **FADING, trials=3)
    values = [found.metrics(trial, ["psnr_db"])["psnr_db"] for trial in range(3)]
    assert len(set(values)) == 3 and found.delivery == {"symbols": 1.0}
    assert found.mean_metrics(["psnr_db"])["psnr_db"] == pytest.approx(np.mean(values))


def test_nothing_that_fits_is_shown_as_a_failure():
    found = transmit(IMG, "jpeg", snr_db=0, cbr=1e-4)
    assert found.prepared.infeasible and found.fades_db is None and found.delivery == {}
    assert found.reconstruction().level is None and found.metrics(names=["mse"])["mse"] > 0


def test_each_picture_has_draws_of_its_own():
    two = list(transmit_each([IMG, IMG], "jpeg", **FADING, trials=5))
    assert not set(two[0].seeds) & set(two[1].seeds)
    assert two[0].seeds == transmit(IMG, "jpeg", **FADING, trials=5).seeds
    assert [sent.name for sent in two] == ["0", "1"]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"trials": 0}, "trials is 0"), ({"seed": -1}, "seed is -1"), ({"cbr": "wide"}, "cbr is"),
     ({"cbr": "1/0"}, "cbr is"), ({"snr_db": math.nan}, "snr_db is nan"),
     ({"channel": "sea"}, "rayleigh_block"), ({"phy": "none"}, "flat")],
)  # fmt: skip
def test_wrong_settings_get_one_line(wrong, word):
    with pytest.raises(Exception, match=word) as error:
        transmit(IMG, "jpeg", **(FADING | wrong))
    assert type(error.value).__name__ in ("ScmcError", "ChannelError")


def test_numbers_have_the_names_of_the_command_line_too():
    told = transmit(IMG, "jpeg", snr_db=8, cbr="1/2", design_snr_db=6)
    same = transmit(IMG, "jpeg", esno_db=8, rho="1/2", design_esno_db=6)
    assert told.setting == same.setting and told.delivered == same.delivered
    (each,) = transmit_each([IMG], "jpeg", esno_db=8, cbr="1/2")
    assert each.setting.esno_db == 8


@pytest.mark.parametrize(
    ("given", "word"),
    [({"snr_db": 8, "esno_db": 8, "rho": 1 / 2}, "snr_db and esno_db are both given"),
     ({"snr_db": 8, "rho": 1 / 2, "cbr": 1 / 2}, "cbr and rho are both given"),
     ({"cbr": 1 / 2}, "snr_db is missing; give it, or esno_db"),
     ({"esno_db": 8}, "cbr is missing; give it, or rho"),
     ({"esno_db": "8", "rho": 1 / 2}, "esno_db is '8'; expected"),
     ({"esno_db": 8, "rho": "wide"}, "rho is 'wide'; expected"),
     ({"esno_db": 8, "rho": 1 / 2, "design_esno_db": 1e5}, "design_esno_db is 100000"),
     ({"esno_db": 8, "rho": 1 / 2, "design_esno_db": 1, "design_snr_db": 1}, "both given")],
)  # fmt: skip
@pytest.mark.parametrize("call", [transmit, transmit_each])
def test_of_two_names_just_one_is_given(call, given, word):
    with pytest.raises(ScmcError, match=word):
        call(IMG, "jpeg", **given)


@pytest.mark.parametrize("nothing", [[], (), {}, np.zeros((0, 3, 64, 64), np.uint8)], ids=repr)
def test_no_picture_at_all_is_told(nothing):
    with pytest.raises(ScmcError, match="is an empty"):
        transmit_each(nothing, "jpeg", **FADING)


def test_a_result_is_a_line_and_cannot_be_changed(sent):
    assert "\n" not in repr(sent) and len(repr(sent)) < 600
    with pytest.raises(AttributeError):
        sent.seeds = ()
    with pytest.raises(ScmcError, match="batch"):
        transmit(np.zeros((2, 64, 64, 3), np.uint8), "jpeg", **FADING)


def test_small_mistakes_with_what_was_sent_are_told(sent):
    for names in (1, "mse"):
        with pytest.raises(ScmcError, match="expected a list such as"):
            sent.metrics(0, names)
    with pytest.raises(ScmcError, match="trial is slice"):
        sent.reconstruction(slice(None, 1))
    assert sent.mean_metrics(name for name in ["mse"]) == sent.mean_metrics(["mse"])
    assert sent == sent and len({sent, sent}) == 1
    with pytest.raises(ScmcError, match="the name of the images is empty"):
        next(transmit_each("", "jpeg", **FADING))
    with pytest.raises(ScmcError, match="there is no channel 'rayleigh'"):
        transmit(IMG, "jpeg", **(FADING | {"channel": "rayleigh"}))
    assert as_image(np.matrix(np.zeros((40, 36), np.uint8))).shape == (3, 40, 36)
