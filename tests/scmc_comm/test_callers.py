"""The same results whatever the calling program has set in torch, and from several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import scmc_comm as sc
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.device import single_precision
from scmc_comm.images import load_photo

HOW = {"snr_db": 9, "cbr": "1/4", "channel": "rayleigh_block", "trials": 3}


def sent(system="jpeg", name="coffee"):
    found = sc.transmit(load_photo(name, 64), system, **HOW)
    return found.delivered, found.mean_metrics(["psnr_db"]), found.reconstruction().img_hat


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def same(a, b):
    return a[:2] == b[:2] and torch.equal(a[2], b[2]) and a[2].dtype == torch.float32


@pytest.fixture(scope="module")
def usual():
    stream = LayeredCodec().encode(load_photo("coffee", 64), 20)
    shown = LayeredCodec().decode(stream.layers, stream.size, stream.seed).img_hat
    return {name: sent(name) for name in ("jpeg", "deepjscc")}, stream.to_bytes(), shown


def test_the_default_type_of_torch_changes_nothing(usual, double):
    systems, data, shown = usual
    for name, found in systems.items():
        assert same(sent(name), found)
    stream = LayeredCodec().encode(load_photo("coffee", 64).float(), 20)
    assert stream.to_bytes() == data
    assert torch.equal(
        LayeredCodec().decode(stream.layers, stream.size, stream.seed).img_hat, shown
    )
    assert torch.get_default_dtype() == torch.float64


@pytest.mark.parametrize(
    "around", [lambda: torch.autocast("cpu", dtype=torch.bfloat16), lambda: torch.device("meta")],
    ids=["autocast", "default device"],
)  # fmt: skip
def test_an_autocast_or_default_device_of_the_caller_changes_nothing(usual, around):
    systems, data, shown = usual
    img = load_photo("coffee", 64)
    with around():
        for name, found in systems.items():
            assert same(sent(name), found)
        stream = LayeredCodec().encode(img, 20)
        assert stream.to_bytes() == data
        assert torch.equal(
            LayeredCodec().decode(stream.layers, stream.size, stream.seed).img_hat, shown
        )


def test_what_a_caller_writes_into_a_picture_reaches_no_score(usual):
    found = sc.transmit(load_photo("coffee", 64), "jpeg", snr_db=15, cbr="1/4", trials=3)
    found.reconstruction(0).img_hat.zero_()
    assert found.reconstruction(1).img_hat.mean() > 0.1
    fresh = sc.transmit(load_photo("coffee", 64), "jpeg", snr_db=15, cbr="1/4", trials=3)
    assert found.mean_metrics(["psnr_db"]) == fresh.mean_metrics(["psnr_db"])


def test_the_type_comes_back_when_the_last_thread_is_through(double):
    inside, leave = threading.Event(), threading.Event()

    def first():
        with single_precision():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with single_precision():
        pass
    assert torch.get_default_dtype() == torch.float32
    leave.set()
    thread.join()
    assert torch.get_default_dtype() == torch.float64


def test_two_threads_at_once_get_what_each_gets_alone():
    names = ("coffee", "chelsea", "rocket", "china")
    alone = [sent(name=name) for name in names]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda name: sent(name=name), names))
    assert all(map(same, both, alone))
