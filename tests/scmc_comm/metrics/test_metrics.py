"""Metrics against closed forms, published behaviour and golden values."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm import metrics
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import (
    default_metrics,
    measure,
    measure_many,
    perceptual,
    unavailable,
)
from scmc_comm.metrics import distortion as d


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def uniform_noise_picture():
    return rand(1, 3, 256, 256)


# --- closed forms ---------------------------------------------------------------------------


def test_mid_grey_against_a_uniform_picture_is_10_79_db():
    # E(u - 1/2)^2 = 1/12 for u uniform on [0, 1].
    x = uniform_noise_picture()
    grey = torch.full_like(x, 0.5)
    assert d.mse(x, grey).item() == pytest.approx(1 / 12, rel=0.01)
    assert d.psnr_db(x, grey).item() == pytest.approx(10 * math.log10(12), abs=0.05)


def test_failure_floor_of_photographs_is_about_12_db_not_6():
    values = [
        measure(x, torch.full_like(x, 0.5), ["psnr_db"])["psnr_db"]
        for x in (load_photo(name) for name in ("chelsea", "coffee", "flower", "grace_hopper"))
    ]
    assert 10 < np.mean(values) < 15


def test_psnr_of_a_constant_offset():
    x = torch.full((2, 3, 40, 40), 0.25)
    y = x + torch.tensor([0.1, 0.01])[:, None, None, None]
    assert d.psnr_db(x, y).tolist() == pytest.approx([20, 40], abs=1e-4)


def test_identical_images_reach_the_documented_cap():
    x = load_photo("coffee")
    got = measure(x, x, ["mse", "psnr_db", "ssim", "ms_ssim"])
    assert got["mse"] == 0
    assert got["psnr_db"] == d.PSNR_CAP_DB == 100
    assert got["ssim"] == pytest.approx(1, abs=1e-5)
    assert got["ms_ssim"] == pytest.approx(1, abs=1e-5)


def test_ssim_of_constant_pictures_is_the_luminance_term():
    # No structure: SSIM = (2 a b + C1) / (a^2 + b^2 + C1), C1 = 0.01^2.
    a, b = 0.3, 0.7
    x, y = torch.full((1, 3, 32, 32), a), torch.full((1, 3, 32, 32), b)
    want = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert d.ssim(x, y).item() == pytest.approx(want, abs=1e-4)


def test_ssim_agrees_with_scikit_image():
    from skimage.metrics import structural_similarity

    x = load_photo("astronaut")
    y = (x + 0.05 * (rand(3, 256, 256) - 0.5)).clamp(0, 1)
    _, full = structural_similarity(
        x.double().numpy(),
        y.double().numpy(),
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    want = full[:, 5:-5, 5:-5].mean()  # only windows inside the picture
    assert measure(x, y, ["ssim"])["ssim"] == pytest.approx(want, abs=1e-4)


def test_ms_ssim_is_nan_below_161_pixels_and_a_number_from_there():
    small, large = rand(1, 3, 160, 300), rand(1, 3, 161, 300)
    assert math.isnan(d.ms_ssim(small, small).item())
    assert d.ms_ssim(large, large).item() == pytest.approx(1, abs=1e-5)
    assert "ms_ssim" in measure(small[0], small[0], ("mse", "psnr_db", "ssim", "ms_ssim"))


def test_ms_ssim_of_constant_pictures_is_the_luminance_term_at_the_coarsest_scale():
    # Wang et al. 2003: luminance counts at the fifth scale alone, with the exponent 0.1333.
    a, b = 0.2, 0.6
    x, y = torch.full((1, 3, 176, 176), a), torch.full((1, 3, 176, 176), b)
    luminance = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert d.ms_ssim(x, y).item() == pytest.approx(luminance**0.1333, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 0.5), st.integers(32, 48), st.integers(32, 48))
def test_distortion_properties(seed, strength, height, width):
    x = rand(1, 3, height, width, seed=seed)
    y = (x + strength * (rand(1, 3, height, width, seed=seed + 1) - 0.5)).clamp(0, 1)
    assert d.mse(x, y).item() == d.mse(y, x).item() >= 0
    assert d.ssim(x, y).item() == pytest.approx(d.ssim(y, x).item(), abs=1e-5)
    assert d.ssim(x, y).item() <= 1 + 1e-5
    numpy_mse = np.mean((x.numpy().astype(float) - y.numpy()) ** 2)
    assert d.mse(x, y).item() == pytest.approx(numpy_mse, rel=1e-9, abs=1e-15)
    assert d.psnr_db(x, y).item() <= 100


# --- wrong input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        torch.full((3, 64, 64), 128, dtype=torch.uint8),  # the dtype mix-up
        torch.full((3, 64, 64), 128.0),  # bytes as floats
        torch.full((3, 64, 64), -0.5),  # the networks' [-1, 1]
        torch.full((3, 64, 64), math.nan),
        torch.full((3, 64, 63), 0.5),
        torch.full((1, 64, 64), 0.5),
    ],
    ids=["uint8", "0..255", "-1..1", "nan", "size", "grey"],
)
def test_pictures_that_cannot_be_compared_are_refused(bad):
    good = torch.full((3, 64, 64), 0.5)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(ScmcError, match=r"\S"):
            measure(*pair, ["mse"])


def test_unknown_metrics_and_unequal_counts_are_refused():
    x = torch.full((3, 64, 64), 0.5)
    with pytest.raises(ScmcError, match="lpips"):
        measure(x, x, ["niqe"])
    with pytest.raises(ScmcError, match="2 images but 1"):
        measure_many([x, x], [x], ["mse"])
    with pytest.raises(ScmcError):
        perceptual.load_lpips("squeeze")


# --- batches --------------------------------------------------------------------------------


def test_measure_many_equals_measure_one_by_one_whatever_the_sizes():
    shapes = [(3, 40, 40)] * 18 + [(3, 32, 50), (3, 40, 40)]
    imgs = [rand(*s, seed=i) for i, s in enumerate(shapes)]
    hats = [rand(*s, seed=100 + i) for i, s in enumerate(shapes)]
    names = ["psnr_db", "ssim"]
    many = measure_many(imgs, hats, names)
    for got, x, y in zip(many, imgs, hats, strict=True):
        assert list(got) == names
        assert got == pytest.approx(measure(x, y, names), abs=1e-5)
    assert measure_many(torch.stack(imgs[:3]), torch.stack(hats[:3]), names) == many[:3]
    assert measure_many([], [], names) == []


# --- what is reachable ----------------------------------------------------------------------


def test_without_weights_measure_leaves_the_learned_metrics_out(monkeypatch):
    def missing(name):
        raise ScmcError("no weights; fetch them")

    monkeypatch.setattr("scmc_comm.metrics.perceptual_metric", missing)
    default_metrics.cache_clear()
    try:
        x = torch.full((3, 64, 64), 0.5)
        assert list(measure(x, x)) == ["mse", "psnr_db", "ssim", "ms_ssim"]
        with pytest.raises(ScmcError, match="fetch them"):
            measure(x, x, ["lpips"])
    finally:
        default_metrics.cache_clear()


def test_unavailable_metrics_say_why(monkeypatch):
    def missing(name):
        raise ScmcError("no weights; fetch them")

    monkeypatch.setattr("scmc_comm.metrics.perceptual_metric", missing)
    monkeypatch.setattr("scmc_comm.zoo.sentence.PACKAGE", "no_such_package")
    got = unavailable(["psnr_db", "lpips_vgg", "caption_f1", "sentence_similarity"])
    assert list(got) == ["lpips_vgg", "sentence_similarity"]
    assert "scmc-comm[semantic]" in got["sentence_similarity"]


def test_batches_are_limited_by_pixels(monkeypatch):
    monkeypatch.setattr("scmc_comm.metrics._BATCH_PIXELS", 2 * 64 * 64)
    seen = []
    monkeypatch.setitem(
        metrics._DISTORTION, "mse", lambda a, b: seen.append(len(a)) or torch.zeros(len(a))
    )
    pictures = torch.full((5, 3, 64, 64), 0.5)
    assert len(measure_many(pictures, pictures, ["mse"])) == 5
    large = torch.full((2, 3, 128, 128), 0.5)
    measure_many(large, large, ["mse"])
    assert seen == [2, 2, 1, 1, 1]


def test_default_metrics_with_weights(weights):
    default_metrics.cache_clear()
    assert default_metrics() == ("mse", "psnr_db", "ssim", "ms_ssim", "lpips", "dists")
