"""Adaptive MCS: the best scheme of the grid on average over validation pictures, then frozen."""

import json

import numpy as np
import pytest
import torch
from test_separation import ToyCodec

from channels.coding.transport_block import max_payload_bits
from channels.fading.models import make_channel
from channels.phy.table import TablePhy
from channels.units import lin_to_db
from experiments.training.codec_curves import spread_qualities
from scmc_comm.baselines.codec_curves import FILE, METRICS, CodecCurves, load_curves
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import SIDE_INFORMATION, Budget
from scmc_comm.link.delivery import make_link
from scmc_comm.link.mcs import MCS_GRID, choose_mcs
from scmc_comm.link.utility import Utility
from scmc_comm.models import MODELS_ENV
from scmc_comm.registry import make_system
from scmc_comm.systems.adaptive import (
    delivery_probability,
    design_link,
    expected_utility,
    ranking,
)
from scmc_comm.systems.separate import Separate

SIZE = (256, 256)
RHO = 1 / 24
PSNR = Utility.parse("psnr_db")


def toy_curves(least_bits=80, most_bits=160_000):
    """Two pictures whose PSNR rises by 3 dB, and LPIPS falls by 0.1, with each doubling."""
    bits = np.geomspace(least_bits, most_bits, 12)
    psnr = 15 + 3 * np.log2(bits / least_bits) / 2 + np.array([[0.0], [2.0]])
    scores = np.stack([psnr, psnr / 60, 0.9 - psnr / 60, 0.5 - psnr / 200], axis=2)
    grey = np.array([[12.0, 0.1, 1.0, 0.8]] * 2)
    bpp = np.tile(bits / (SIZE[0] * SIZE[1]), (2, 1))
    return CodecCurves(bpp, np.zeros_like(bpp), scores, grey)


def toy(utility=None, **options):
    curves = toy_curves(**options)
    return Separate(ToyCodec(), mcs="adaptive", scale="1", utility=utility, curves=curves)


def value(system, mcs, budget):
    return expected_utility(system.curves, mcs, SIZE, budget, design_link(budget, SIZE))


@pytest.mark.parametrize("channel", ["awgn", "rayleigh_block", "rician_block:k_factor_db=6"])
@pytest.mark.parametrize("esno_db", [-6.0, 4.0, 12.0])
def test_no_scheme_of_the_grid_is_better_on_the_validation_set(channel, esno_db):
    system, budget = toy(), Budget(RHO, esno_db, channel)
    chosen = value(system, ranking(system.curves, SIZE, budget)[0], budget)
    every = [value(system, mcs, budget) for mcs in MCS_GRID]
    assert chosen >= np.nanmax(every) - 1e-8
    for design in (0.0, 10.0, 20.0):  # any fixed design among them
        assert chosen >= value(system, choose_mcs(design), budget) - 1e-8


def test_on_awgn_more_snr_never_slows_it_down_and_it_fills_the_budget():
    system, rates = toy(), []
    for esno_db in np.arange(-12.0, 27.0, 3.0):
        prepared = system.prepare(torch.zeros(3, *SIZE), Budget(RHO, float(esno_db)))
        (frame,) = prepared.frames
        rates.append(frame.mcs.bits_per_use)
        p = TablePhy().expected_delivery(prepared.frames, make_channel("awgn"), float(esno_db))
        if esno_db > -9:
            assert p[frozenset({"image"})] > 0.9
        coded = frame.bits.size // 80  # of the toy's qualities, ten bytes each
        assert coded == min(max_payload_bits(prepared.ledger.budget_uses, frame.mcs) // 80, 999)
    assert rates == sorted(rates) and rates[-1] > 5


def test_at_very_low_snr_it_repeats():
    system = toy()
    mcs = ranking(system.curves, SIZE, Budget(RHO, -8.0))[0]
    assert mcs.repetition >= 4 and mcs.coderate / mcs.repetition < 1 / 5
    assert delivery_probability(mcs, 800, make_link("awgn", 800, (-8.0,))) > 0.9


def test_in_fading_it_is_more_careful_than_on_awgn():
    system = toy()
    for esno_db in (6.0, 12.0, 18.0):
        awgn, fading = (ranking(system.curves, SIZE, Budget(RHO, esno_db, law))[0]
                        for law in ("awgn", "rayleigh_block"))  # fmt: skip
        assert fading.bits_per_use < awgn.bits_per_use


def test_expected_quality_is_delivery_times_quality():
    system, budget, mcs = toy(), Budget(RHO, 7.0, "rayleigh_block"), MCS_GRID[12]
    bits = max_payload_bits(budget.uses(SIZE), mcs) // 8 * 8
    p = delivery_probability(mcs, bits, design_link(budget, SIZE))
    assert 0.1 < p < 0.999
    shown = 15 + 1.5 * np.log2(bits / 80) + np.array([0.0, 2.0])
    assert value(system, mcs, budget) == pytest.approx((p * shown + (1 - p) * 12).mean(), rel=1e-9)


def test_repetition_is_worth_its_energy():
    six, two = (m for m in MCS_GRID if m.coderate == 240 / 1024)
    assert (six.repetition, two.repetition) == (6, 2)
    for esno_db in (-9.5, -9.0):
        p = delivery_probability(six, 800, make_link("awgn", 800, (esno_db,)))
        higher = make_link("awgn", 800, (esno_db + float(lin_to_db(3)),))
        shifted = delivery_probability(two, 800, higher)
        assert 0 < p == pytest.approx(shifted, abs=1e-3)


@pytest.mark.parametrize("utility", [*METRICS, "psnr_db-20*lpips"])
def test_each_utility_is_made_better_not_worse(utility):
    system, budget = toy(), Budget(RHO, 9.0, "rayleigh_block", utility)
    ranked = ranking(system.curves, SIZE, budget)
    values = [value(system, mcs, budget) for mcs in ranked]
    assert values == sorted(values, reverse=True) and values[0] > values[-1]
    img, other = torch.zeros(3, *SIZE), Budget(RHO, 9.0, "rayleigh_block")
    assert toy(utility).prepare(img, other).frames[0].mcs == ranked[0]  # whatever the budget says


def test_an_unknown_utility_is_one_clear_line():
    with pytest.raises(ScmcError, match="'beauty'; expected"):
        toy().prepare(torch.zeros(3, *SIZE), Budget(RHO, 9.0, utility="beauty"))
    with pytest.raises(ScmcError, match="'beauty'; expected"):
        toy("beauty")


def test_a_budget_for_nothing_is_infeasible_and_an_odd_image_goes_down_the_ranking():
    system = toy(least_bits=50_000)
    nothing = system.prepare(torch.zeros(3, *SIZE), Budget(1 / 3000, 0.0))
    assert not nothing.frames and "no validation picture fits" in nothing.infeasible
    assert float(system.reconstruct(nothing, frozenset()).img_hat.mean()) == 0.5

    class Heavy(ToyCodec):
        qualities = tuple(range(100, 1000))  # at least a thousand bytes

    system = Separate(Heavy(), mcs="adaptive", scale="1", curves=toy_curves())
    budget = Budget(RHO, -6.0)
    best = ranking(system.curves, SIZE, budget)[0]
    sent = system.prepare(torch.zeros(3, *SIZE), budget)
    assert max_payload_bits(budget.uses(SIZE), best) < 8000 <= sent.frames[0].bits.size


def test_the_choice_depends_on_the_size_through_bits_per_pixel():
    curves = toy_curves()
    small, large = curves.at(1000, SIZE, PSNR), curves.at(4000, (512, 512), PSNR)
    np.testing.assert_allclose(small, large)
    assert np.isnan(curves.at(79, SIZE, PSNR)).all()
    np.testing.assert_allclose(curves.at(1e9, SIZE, PSNR), curves.scores[:, -1, 0])


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """Writes curves of one codec where a user's own would lie."""

    def write(tree):
        (tmp_path / FILE).write_text(tree if isinstance(tree, str) else json.dumps(tree))
        monkeypatch.setenv(MODELS_ENV, str(tmp_path))
        return tmp_path / FILE

    return write


def test_curves_of_a_user_replace_the_shipped_ones(own_file):
    scores = [[[float(q)] * 4] for q in (1, 2, 3)]
    row = {
        "divisor": 1,
        "bytes": [[10], [20], [40]],
        "file_bytes": [[15], [25], [45]],
        "scores": scores,
    }
    entry = {"scales": [row]}
    head = {"format": 2, "metrics": METRICS, "size": [64, 64], "grey": [[0.5] * 4]}
    own_file(head | {"codecs": {"jpeg": entry}})
    slim, whole = load_curves("jpeg"), load_curves("jpeg:headers=file")
    assert slim.at(160, (64, 64), PSNR) == [2.0]
    assert np.isnan(whole.at(119, (64, 64), PSNR)) and whole.at(120, (64, 64), PSNR) == 1
    assert whole.at(4 * 160 + 40, (128, 128), PSNR) == [2.0]  # the header stays as it is


HEAD = '{"format": 2, "metrics": ["psnr_db", "ms_ssim", "lpips", "dists"], "size": [9, 9], '


@pytest.mark.parametrize(
    "text", ["", "[]", "{", HEAD + '"codecs": {}}', HEAD + '"grey": [], "codecs": {"jpeg": {}}}']
)
def test_damaged_curves_are_one_clear_line(own_file, text):
    own_file(text)
    with pytest.raises(ScmcError, match="measure") as caught:
        load_curves("jpeg")
    assert "\n" not in str(caught.value)


def test_a_codec_without_curves_names_the_command():
    with pytest.raises(ScmcError, match=r"train codec_curves .*--codecs cheng2020-attn"):
        load_curves("cheng2020-attn")


@pytest.mark.parametrize(
    ("name", "known"),
    [("jpeg:mcs=adaptive", SIDE_INFORMATION), ("vvc:headers=file,mcs=adaptive", SIDE_INFORMATION),
     ("webp:mcs=adaptive,utility=lpips", SIDE_INFORMATION), ("jpeg", {"channel"}), ("scmc", set()),
     ("vvc:mcs=range", {"channel"}), ("vvc:law=awgn", set()),
     ("scmc:protection=equal", set()), ("scmc:protection=optimised", SIDE_INFORMATION),
     ("scmc:protection=range", {"channel"}), ("deepjscc", {"esno_db"}),
     ("deepjscc:fixed=true", set())],
)  # fmt: skip
def test_a_system_declares_its_side_information(name, known):
    assert make_system(name).side_information == known


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000", "webp", "avif", "hevc", "vvc"])
def test_shipped_curves_are_those_of_a_codec(codec):
    slim, whole = load_curves(codec), load_curves(f"{codec}:headers=file")
    assert slim.bpp.shape[0] >= 12 and slim.bpp.shape[1] >= 10
    assert (np.diff(slim.bpp.mean(0)) > 0).all()
    assert (np.diff(slim.scores[..., 0].mean(0)) > 0).all()
    assert (whole.header_bits.mean(0) > 0).all()
    assert slim.bpp.mean(0)[0] < 0.25 and slim.bpp.mean(0)[-1] > 2.5
    for form in (slim, whole):
        budget = Budget(RHO, 6.0)
        link = design_link(budget, SIZE)
        worth = [expected_utility(form, mcs, SIZE, budget, link) for mcs in MCS_GRID]
        assert 18 < np.nanmax(worth) < 32


class Picky(ToyCodec):
    """Bright pictures cannot have the finest qualities."""

    def encode(self, img, quality):
        if quality > 800 and float(img.mean()) > 0.5:
            raise ScmcError("too much")
        return super().encode(img, quality)


def test_qualities_to_measure_lie_evenly_and_every_picture_can_have_them():
    imgs = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    found = spread_qualities(Picky(), imgs, 8)
    assert len(found) == 8 and found[0] == 1 and found[-1] == 800
    steps = np.diff(np.log(found))
    assert steps.min() > 0 and steps.max() < 2.8 * np.log(800) / 7
    assert len(spread_qualities(Picky(), imgs, 5000)) == 800  # there are no more
