"""Measuring rate and quality of codecs, a learned one with the user's own weights among them."""

import json

import made_up_sets as made
import pytest
import torch

from channels import plugins
from experiments.training import codec_curves
from scmc_comm.baselines import compressai_zoo
from scmc_comm.baselines.codec_curves import FILE, METRICS, find_curves, load_curves, weights_of
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Measures a codec on two pictures into the folder of fetched weights; scores are made up."""
    splits = ("train", "val", "val", "test")
    data = made.table(tmp_path / "roses", len(splits), splits)
    monkeypatch.setenv("SCMC_WEIGHTS", str(tmp_path / "fetched"))
    monkeypatch.setattr(
        codec_curves, "rounded_scores",
        lambda imgs, shown, metrics: [[20.0 + i] * len(METRICS) for i in range(len(imgs))],
    )  # fmt: skip

    def measure(codec):
        arguments = ["--data", data, "--out", tmp_path / "fetched", "--cache", tmp_path / "cache"]
        arguments += ["--codecs", codec, "--count", 2, "--qualities", 2]
        codec_curves.main([str(each) for each in arguments])
        return json.loads((tmp_path / "fetched" / FILE).read_text())["codecs"]

    return measure


def save_networks(folder, seed=0):
    from compressai.zoo.image import model_architectures

    folder.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    net = model_architectures[compressai_zoo.ARCHITECTURES["factorized"]](8, 12)
    for quality in (1, 2):
        with torch.no_grad():
            net.g_a[6].weight.mul_(20.0)
        torch.save(net.state_dict(), folder / f"factorized-{quality}.pth.tar")
    return f"factorized:weights={folder}"


def test_a_learned_codec_goes_over_the_link_with_curves_of_its_weights(measured, tmp_path):
    name = save_networks(tmp_path / "networks")
    with pytest.raises(ScmcError, match=rf"codec_curves .* --codecs {name}; or design"):
        load_curves(name)
    assert list(measured(name)) == ["factorized"]
    assert find_curves(name).bpp.shape == (2, 2) == load_curves(f"{name},headers=file").bpp.shape
    assert (load_curves(f"{name},headers=file").header_bits >= 8 * 20).all()
    system = make_system(f"{name},mcs=adaptive,scale=1")
    prepared = system.prepare(torch.rand(3, 64, 64), Budget(1 / 2, 10.0))
    assert prepared.frames or prepared.infeasible
    load_curves("jpeg")  # those that ship are still there


def test_curves_of_other_weights_are_not_used(measured, tmp_path):
    name = save_networks(tmp_path / "networks")
    first = measured(name)["factorized"]
    assert first["weights"] == weights_of(name)
    save_networks(tmp_path / "networks", seed=1)
    assert find_curves(name) is None
    with pytest.raises(ScmcError, match="no validation curves of these weights"):
        make_system(f"{name},mcs=adaptive")
    again = measured(name)["factorized"]  # measured anew, not kept
    assert again["weights"] == weights_of(name) != first["weights"]
    assert find_curves(name) is not None
    assert find_curves("factorized") is None  # the zoo's own weights are others


PLUGIN = """
from channels.plugins import register
from scmc_comm.baselines.function_codec import FunctionCodec
from scmc_comm.images import to_uint8
import numpy as np
def encode(img, quality):
    return bytes([int(quality)]) + to_uint8(img)[::8, ::8].tobytes()[: int(quality)]
def decode(data, size):
    return np.full((*size, 3), {grey}, np.uint8)
register("image_codec", "mine", FunctionCodec(encode, decode, (1, 2, 4)))
"""


def test_a_plugin_goes_over_the_link_with_curves_of_its_own_content(
    measured, tmp_path, monkeypatch
):
    monkeypatch.setattr(plugins, "_state", plugins._State({}, {}, None, "run", plugins.changes()))
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.format(grey=128))
    plugins.load(str(file))
    with pytest.raises(
        ScmcError, match=r"train --plugin FILE.py codec_curves .* --codecs mine; or"
    ):
        load_curves("mine")
    assert measured("mine")["mine"]["weights"] == weights_of("mine")
    prepared = make_system("mine:mcs=adaptive").prepare(torch.rand(3, 64, 64), Budget(1 / 8, 10.0))
    assert prepared.frames
    file.write_text(PLUGIN.format(grey=100))
    plugins.load(str(file))
    assert find_curves("mine") is None  # they are of another codec


def test_shipped_curves_of_the_enhancement_network_are_of_the_shipped_one():
    assert find_curves("vvc:enhance=perceptual") is not None


def test_an_enhanced_codec_is_measured_where_the_plain_one_was():
    imgs = torch.rand(1, 3, 32, 32)
    plain = {"scales": [{"divisor": d, "qualities": [10.0, 20.0]} for d in (1, 2, 4)]}
    found = codec_curves.measure_codec("webp", imgs, 9, plain)
    assert [row["qualities"] for row in found["scales"]] == [[10.0, 20.0]] * 3
