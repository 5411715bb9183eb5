"""Plug-ins from the command line to the stored results: seen by every verb, never stale."""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from channels import plugins
from experiments.commands.main import main
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.images import load_photo, save_png

PLUGIN = """
import numpy as np
import pandas as pd
import torch
from scmc_comm import register
from scmc_comm.plugins import FunctionCodec, Jscc, Metric

LEVELS = {levels}

def encode(img, num_symbols):
    return torch.view_as_complex((img.flatten()[: 2 * num_symbols] - 0.5).reshape(-1, 2))

def decode(symbols, no, size):
    img = torch.full((3 * size[0] * size[1],), {shade})
    img[: 2 * len(symbols)] = torch.view_as_real(symbols).flatten() / 4 + 0.5
    return img.reshape(3, *size)

def pack(img, quality):
    small = torch.nn.functional.avg_pool2d(img[None], int(64 / quality))[0]
    return (small * (LEVELS - 1)).round().byte().numpy().tobytes()

def unpack(data, size):
    small = torch.frombuffer(bytearray(data), dtype=torch.uint8).float() / (LEVELS - 1)
    side = int((len(data) / 3) ** 0.5)
    return torch.nn.functional.interpolate(small.reshape(1, 3, side, side), size)[0]

def two_gains(num_symbols, rng, low: float = 0.5):
    return np.full(num_symbols, rng.choice([low, (2 - low**2) ** 0.5]))

def worst(img, img_hat):
    return {scale} * (img - img_hat).abs().max()

register("system", "mine", Jscc(encode, decode))
register("image_codec", "blocks", FunctionCodec(pack, unpack, (1, 2, 4, 8)))
register("channel", "two_gains", two_gains)
register("metric", "worst", Metric(worst, better="lower"))
register("dataset", "ramps", lambda: {{"ramp": torch.linspace(0, 1, 64).expand(3, 64, 64)}})
"""


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    fresh = plugins._State({}, {}, None, "run", plugins._state.changes)
    monkeypatch.setattr(plugins, "_state", fresh)
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(path, levels=32, shade=0.5, scale=1.0):
    path.write_text(PLUGIN.format(levels=levels, shade=shade, scale=scale))
    return str(path)


def spec_of(file, **changes):
    settings = {
        "name": "demo", "systems": ("mine", "blocks:law=awgn,scale=1"), "channels": ("two_gains:low=0.4",),
        "esno_db": (10.0,), "rho": (1 / 24,), "images": "ramps", "metrics": ("psnr_db", "worst"),
        "num_trials": 4, "analog_trials": 4, "plugins": (file,),
    }  # fmt: skip
    return SweepSpec(**(settings | changes))


def run(spec, folder, jobs=1):
    run_sweep(spec, folder, jobs, cache_dir=folder.parent / "cache", progress=False)
    return xr.load_dataset(folder / "results.nc", engine="h5netcdf")


def worst_of(ds):
    return [float(np.nanmax(ds.worst_of_set.sel(system=name))) for name in ds.system.values]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_of_plugins_alone(tmp_path, jobs):
    spec = spec_of(write(tmp_path / "mine.py"))
    ds = run(SweepSpec.from_yaml(spec.to_yaml()), tmp_path / "out", jobs)
    analog, digital = (ds.psnr_db_of_set.sel(system=name).values for name in ds.system.values)
    assert np.isfinite(analog).any() and np.nanmax(digital) > 20
    assert ds.worst_of_set.attrs["better"] == "lower"


def test_results_are_never_stale_after_a_plugin_changed(tmp_path):
    file = tmp_path / "mine.py"
    first = worst_of(run(spec_of(write(file)), tmp_path / "1"))
    assert worst_of(run(spec_of(write(file)), tmp_path / "2")) == first
    other = worst_of(run(spec_of(write(file, shade=0.0)), tmp_path / "3"))
    assert other[0] > first[0] and other[1] == first[1]
    coarse = worst_of(run(spec_of(write(file, levels=3)), tmp_path / "4"))
    assert coarse[1] > first[1]
    twice = worst_of(run(spec_of(write(file, scale=2.0)), tmp_path / "5"))
    assert twice == pytest.approx([2 * value for value in first])


def test_every_verb_takes_a_plugin(tmp_path, capsys):
    file = write(tmp_path / "mine.py")
    for verb, name, words in (
        ("systems", "mine", "an analog network"), ("systems", "blocks", "blocks in one frame"),
        ("metrics", "worst", "lower is better"), ("codecs", "blocks", ""),
        ("channels", "two_gains", "low=0.5"), ("datasets", "ramps", ""),
    ):  # fmt: skip
        main([verb, "--plugin", file])
        out = capsys.readouterr().out
        assert name in out and words in out and "[plug-in " in out, verb
    save_png(load_photo("coffee", 64), tmp_path / "in.png")
    main([
        "transmit", str(tmp_path / "in.png"), "--plugin", file, "--system", "mine", "--channel",
        "two_gains", "--esno-db", "8", "--rho", "1/24", "-o", str(tmp_path / "out.png"),
    ])  # fmt: skip
    assert "shown from: signal" in capsys.readouterr().out


def test_a_plugin_of_the_command_line_stands_in_the_spec_of_the_results(tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    file, out = write(tmp_path / "mine.py"), tmp_path / "out"
    settings = [
        "systems=mine", "channels=awgn", "snr=10", "cbr=1/24", "num_trials=2", "metrics=psnr_db",
    ]  # fmt: skip
    sets = [part for text in settings for part in ("--set", text)]
    main(["sweep", "quick", "--out", str(out), "--images", "ramps", "--jobs", "1", *sets,
          "--plugin", file])  # fmt: skip
    assert SweepSpec.from_yaml((out / "spec.yaml").read_text()).plugins == (file,)


def test_a_plugin_that_cannot_be_loaded_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["info", "--plugin", str(tmp_path / "none.py")])
    assert capsys.readouterr().err == (
        f"scmc-comm: there is no plug-in file {tmp_path / 'none.py'}; expected FILE.py or "
        "module:function\n"
    )


def test_a_metric_takes_part_in_a_rate_distortion_run(tmp_path, monkeypatch, capsys):
    plugin = write(tmp_path / "mine.py")
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    args = ["rd", "--plugin", plugin, "--codecs", "jpeg,webp", "--images", "photos@64",
            "--limit", "2", "--out", str(tmp_path / "rd")]  # fmt: skip
    main([*args, "--metrics", "psnr_db,worst"])
    points = pd.read_csv(tmp_path / "rd" / "points.csv")
    assert points.worst.notna().all() and (tmp_path / "rd/figures/rd_worst.pdf").is_file()
    bd = pd.read_csv(tmp_path / "rd" / "bd.csv").set_index("metric").percent
    assert np.sign(bd.worst) == np.sign(bd.psnr_db), "less of it counts as better"
    assert "worst (lower is better)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*args, "--metrics", "wors"])
    assert "did you mean worst?" in capsys.readouterr().err


def test_a_metric_is_no_utility_and_the_error_says_why(tmp_path, capsys):
    plugin = write(tmp_path / "mine.py")
    with pytest.raises(SystemExit):
        main(["sweep", "quick", "--plugin", plugin, "--set", "utility=worst", "--out",
              str(tmp_path / "out")])  # fmt: skip
    assert "no plug-in's metric is" in capsys.readouterr().err


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="the extra 'dask' is not installed"
)
def test_plugins_run_on_a_dask_cluster(tmp_path):
    spec = spec_of(write(tmp_path / "mine.py"), num_trials=2, analog_trials=2)
    found = [
        run_sweep(spec, tmp_path / name, 2, dask=dask, use_cache=False, progress=False)
        for name, dask in (("here", None), ("there", "local"))
    ]
    here, there = (pd.read_csv(folder / "results.csv") for folder in found)
    assert here.worst.notna().all()
    pd.testing.assert_frame_equal(here, there)
