"""The choice of a device, and what must not depend on it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from experiments.commands.main import main
from experiments.execution.executors import ProcessPool, _alone
from experiments.execution.fingerprint import on_this_device
from experiments.rd.measure import codec_fingerprint
from scmc_comm import device
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.device import chosen_device, device_class, find_device, on_device, using_device
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo, save_png


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with no choice, and leaves none."""
    monkeypatch.setattr(device, "_chosen", None)
    monkeypatch.delenv(device.DEVICE_ENV, raising=False)
    for flag in ("allow_tf32", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, flag, getattr(torch.backends.cudnn, flag))


def _with(monkeypatch: pytest.MonkeyPatch, num_cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(device, "_num_cuda", lambda: num_cuda)
    monkeypatch.setattr(device, "_has_mps", lambda: mps)


def test_the_processor_unless_asked_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, num_cuda=1)
    assert chosen_device().type == "cpu"
    with using_device("cuda"):
        assert device_class() == "cuda"
    assert device_class() == "cpu"


def test_the_environment_is_asked_where_nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, num_cuda=2)
    monkeypatch.setenv(device.DEVICE_ENV, "cuda:1")
    assert chosen_device() == torch.device("cuda:1")
    with using_device("cpu"):
        assert device_class() == "cpu"


@pytest.mark.parametrize(
    ("num_cuda", "mps", "found"), [(0, False, "cpu"), (1, True, "cuda"), (0, True, "mps")]
)
def test_auto(monkeypatch: pytest.MonkeyPatch, num_cuda: int, mps: bool, found: str) -> None:
    _with(monkeypatch, num_cuda, mps)
    assert find_device("auto").type == found


@pytest.mark.parametrize(
    "name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "CUDA", "cuda:1", "mps"]
)
def test_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _with(monkeypatch, num_cuda=1)
    with pytest.raises(ScmcError, match="device is"):
        find_device(name)


def test_convolutions_on_cuda_are_whole_float32_in_one_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _with(monkeypatch, num_cuda=1)
    device.choose_device("cuda")
    assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic


@pytest.mark.parametrize(
    "verb",
    [
        ["encode", "x.png", "-o", "x.scmc"],
        ["decode", "x.scmc", "-o", "x.png"],
        ["transmit", "x.png", "--esno-db", "4", "--rho", "1/16", "-o", "got.png"],
        ["plan", "--rho", "1/24", "--esno-db", "6"],
        ["sweep", "quick", "--out", "out"],
        ["rd", "--images", "photos", "--out", "out"],
        ["anchors", "--images", "kodak", "--out", "out"],
        ["stream", "photos", "--out", "x.gif"],
        ["weights", "verify"],
    ],
    ids=lambda verb: verb[0],
)
def test_a_machine_without_cuda_says_so_in_one_line(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with(monkeypatch)
    with pytest.raises(SystemExit) as exit_:
        main([*verb, "--device", "cuda"])
    said = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2
    assert len(said) == 1
    assert "0 CUDA devices here" in said[0]


def test_networks_stay_and_tensors_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = nn.Linear(3, 2), torch.rand(5, 3)
    expected = net(x)
    result, named = on_device(lambda n, v: [n(v["x"]), "text"], net, {"x": x})
    assert torch.equal(result, expected)
    assert named == "text"
    monkeypatch.setattr(device, "_chosen", torch.device("meta"))
    with pytest.raises(NotImplementedError, match="meta"):  # comes back from a device of no numbers
        on_device(net, x)
    assert net.weight.device.type == "meta"


def test_the_bits_are_made_and_read_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device nothing has numbers: what ran there could not give the same bytes."""
    img = load_photo("chelsea")[:, :64, :96].contiguous()
    expected = LayeredCodec().encode(img, quality=20, level=1)
    codec = LayeredCodec()
    monkeypatch.setattr(device, "_chosen", torch.device("meta"))
    stream = codec.encode(img, quality=20, level=1)
    assert stream.to_bytes() == expected.to_bytes()
    structure, signal = stream.layers[1:]
    colours = codec._colours(structure.payload, stream.size)
    latent = codec.signal.latent(signal.parts, stream.size, colours)
    assert latent.device.type == "cpu"
    with pytest.raises(NotImplementedError, match="meta"):  # what is shown does run there
        codec.decode(stream.layers, stream.size)


def test_results_of_another_class_of_device_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_this_device("code") == "code"
    here = codec_fingerprint("jpeg")
    _with(monkeypatch, num_cuda=2)
    with using_device("cuda"):
        one, other = on_this_device("code"), codec_fingerprint("jpeg")
    with using_device("cuda:1"):
        assert on_this_device("code") == one != "code"
    assert other != here


def _device_of(_: object) -> str:
    return str(chosen_device())


def test_workers_run_on_the_device_of_who_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.DEVICE_ENV, "no such device")  # a worker may not ask it
    with using_device("cpu"):
        assert list(ProcessPool(2).run(_device_of, [0])) == ["cpu"]
        assert _alone(_device_of, pickle.dumps(0), 1, "cpu") == "cpu"
    with pytest.raises(ScmcError, match="no such device"):
        device.choose_device(None)


def test_info_names_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    main(["info"])
    assert "networks run on cpu" in capsys.readouterr().out


def test_a_command_takes_the_device_by_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_png(load_photo("chelsea")[:, :64, :64], tmp_path / "x.png")
    files = [str(tmp_path / name) for name in ("x.png", "x.scmc")]
    main(["encode", files[0], "-o", files[1], "--quality", "0", "--device", "auto"])
    assert "bytes" in capsys.readouterr().out
