"""Other people's code that writes into what it is given, or fails: no number of others moves."""

import numpy as np
import pytest
import torch

import scmc_comm as sc
from channels import plugins
from experiments.sweep import store
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import measure
from scmc_comm.metrics.added import Metric
from scmc_comm.plugins import FunctionCodec, Jscc


def dims(img, num_symbols):
    """A network that normalises in place."""
    img *= 0.5
    return torch.view_as_complex((img.flatten()[: 2 * num_symbols] - 0.25).reshape(-1, 2))


def grey(symbols, no, size):
    return torch.full((3, *size), 0.25)


def packs(img, quality):
    img.fill_(0.0)
    return b"x"


def blank(data, size):
    return np.zeros((*size, 3), np.uint8)


def presses(img, img_hat):
    img_hat.clamp_(0.4, 0.6)
    return (img - img_hat).abs().mean()


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    fresh = plugins._State({}, {}, None, "run", plugins._state.changes)
    monkeypatch.setattr(plugins, "_state", fresh)
    sc.register("system", "dims", Jscc(dims, grey))
    sc.register(
        "image_codec",
        "packs",
        FunctionCodec(packs, blank, (1,)),
    )
    sc.register("metric", "presses", Metric(presses, better="lower"))


def sweep(folder, systems, metrics):
    spec = SweepSpec(
        name="manners", systems=systems, channels=("awgn",), esno_db=(20.0,), rho=(1 / 6,),
        images="photos@64", num_images=1, num_trials=2, metrics=metrics, bounds=(),
    )  # fmt: skip
    out = run_sweep(spec, folder / "out", cache_dir=folder / "cache", progress=False)
    return store.load(out)


def test_what_a_system_writes_into_its_picture_reaches_no_score(tmp_path):
    alone = sweep(tmp_path / "alone", ("jpeg:law=awgn",), ("psnr_db",))
    beside = sweep(tmp_path / "both", ("dims", "packs:law=awgn", "jpeg:law=awgn"), ("psnr_db",))
    jpeg = beside.sel(system="jpeg:law=awgn").psnr_db
    assert float(jpeg.mean()) == float(alone.psnr_db.mean())
    img = load_photo("astronaut", 64)
    right = measure(img, torch.full_like(img, 0.25), ("psnr_db",))["psnr_db"]
    assert float(beside.sel(system="dims").psnr_db.mean()) == pytest.approx(right, abs=1e-4)


def test_what_a_metric_writes_into_its_pictures_reaches_no_other_metric(tmp_path):
    with_it = sweep(tmp_path / "a", ("jpeg:law=awgn",), ("presses", "psnr_db", "ssim"))
    without = sweep(tmp_path / "b", ("jpeg:law=awgn",), ("psnr_db", "ssim"))
    for name in ("psnr_db", "ssim"):
        assert float(with_it[name].mean()) == float(without[name].mean())


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (lambda a, b: (a - b).abs(), "Tensor [3, 8, 8]"),
        (lambda a, b: "3.5", "'3.5'"),
        (lambda a, b: None, "None"),
        (lambda a, b: float("inf"), "inf"),
        (lambda a, b: True, "True"),
        (lambda a, b: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_a_metric_that_gives_no_number_is_named_in_one_line(gives, says):
    img = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ScmcError) as error:
        Metric(gives, better="lower").values(img, img)
    assert "metric" in str(error.value) and says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "value", [3, 3.5, np.float32(3), torch.tensor(3.0), torch.ones(1), np.ones(1)]
)
def test_a_metric_may_give_any_one_number(value):
    img = torch.zeros(1, 3, 8, 8)
    found = Metric(lambda a, b: value, better="lower").values(img, img)
    assert found.tolist() == [float(np.asarray(value).item())]
    undefined = Metric(lambda a, b: float("nan"), better="lower").values(img, img)
    assert undefined.isnan().all()


def test_what_is_no_metric_is_refused_before_the_work(tmp_path):
    sc.register("metric", "bare", presses)
    with pytest.raises(plugins.PluginError, match="metric 'bare' .* expected Metric"):
        sweep(tmp_path, ("jpeg:law=awgn",), ("bare",))
    assert not list(tmp_path.rglob("*.*")) and not (tmp_path / "cache").exists()


def test_a_codec_that_fails_says_where(tmp_path):
    def fails(img, quality):
        raise RuntimeError("no licence")

    codec = FunctionCodec(fails, lambda data: None, (1,))
    with pytest.raises(
        ScmcError, match=r"encode raised RuntimeError: no licence \(test_plugin_manners"
    ):
        codec.encode(torch.zeros(3, 32, 32), 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"snr_db": "12"}, "snr_db is '12'"), ({"snr_db": [1, 2]}, "snr_db is [1, 2]"),
        ({"snr_db": 1e5}, "snr_db is 100000"), ({"trials": 2.5}, "trials is 2.5"),
        ({"trials": True}, "trials is True"), ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"), ({"cbr": True}, "cbr is True"),
        ({"cbr": 5}, "cbr is 5"), ({"phy": None}, "phy is None"), ({"system": None}, "system is None"),
        ({"design_snr_db": "10"}, "design_snr_db is '10'"),
    ],
)  # fmt: skip
def test_arguments_of_another_kind_are_refused_by_their_names(changes, says):
    given = {"system": "jpeg", "snr_db": 10, "cbr": 1 / 2} | changes
    with pytest.raises(ScmcError) as error:
        sc.transmit(torch.zeros(3, 64, 64), **given)
    assert says in str(error.value)
