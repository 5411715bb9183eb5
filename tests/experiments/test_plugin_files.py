"""Plug-ins from the command line to the stored results: seen by every verb, never stale."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from channels import plugins
from channels.plugins import register
from experiments.commands.main import main
from experiments.report.compare import compare
from experiments.sweep import store
from experiments.sweep.plugins_used import read_used, used_plugins
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo, save_png
from scmc_comm.link.protection import unequal_plan
from scmc_comm.plugins import Metric
from scmc_comm.registry import make_system

pytestmark = pytest.mark.usefixtures("nothing_registered")

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
    out = capsys.readouterr().out
    assert "delivered: symbols\n" in out and "shown from" not in out


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
    for name in ("scmc:protection=optimised", "scmc:protection=range", "vvc:mcs=adaptive",
                 "jpeg:layers=2,protection=optimised"):  # fmt: skip
        with pytest.raises(ScmcError, match="no plug-in's metric is"):  # before any work
            make_system(f"{name},utility=worst")


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


def test_results_say_which_plugins_made_them(tmp_path, caplog):
    (tmp_path / "elsewhere").mkdir()
    first, same = write(tmp_path / "mine.py"), write(tmp_path / "elsewhere" / "mine.py")
    run(spec_of(first), tmp_path / "first")
    plugins.new_run()
    plugins._forget(first)
    run(spec_of(same), tmp_path / "same")
    used = [read_used(store.load(tmp_path / name).attrs) for name in ("first", "same")]
    kinds = [(plugin.kind, plugin.name) for plugin in used[0]]
    assert kinds == [
        ("channel", "two_gains"), ("dataset", "ramps"), ("image_codec", "blocks"),
        ("metric", "worst"), ("system", "mine"),
    ]  # fmt: skip
    assert all(len(plugin.identity) == 16 for plugin in used[0])
    assert used[0][0].origin == f"plug-in {first}"
    assert [p.identity for p in used[0]] == [p.identity for p in used[1]], "wherever it lies"
    assert compare(tmp_path / "first", tmp_path / "same").components == ""

    plugins._forget(same)
    run(spec_of(write(tmp_path / "mine.py", scale=2.0)), tmp_path / "other")
    found = compare(tmp_path / "first", tmp_path / "other")
    assert found.text.startswith("made by different components: ")
    ours = next(p.identity for p in used[0] if p.name == "worst")
    assert f"metric worst ({ours} in first, " in found.components
    caplog.clear()
    run(spec_of(first), tmp_path / "first")
    assert "of this spec by other components, which are replaced" in caplog.text
    assert f"metric worst ({ours} in the folder, " in caplog.text
    caplog.clear()
    run(spec_of(first), tmp_path / "first")
    assert "replaced" not in caplog.text


def test_a_store_from_before_says_nothing_and_a_wrong_one_is_refused(tmp_path):
    run(spec_of(write(tmp_path / "mine.py")), tmp_path / "new")
    run(spec_of(write(tmp_path / "mine.py")), tmp_path / "old")
    path = tmp_path / "old" / "results.nc"
    ds = xr.load_dataset(path, engine="h5netcdf")
    del ds.attrs["plugins"]
    ds.to_netcdf(path, engine="h5netcdf")
    assert "metric worst (not stated in old, " in compare(tmp_path / "old", tmp_path / "new").text
    for wrong in ("{", "{}", '[{"kind": "metric"}]', "[1]"):
        ds.attrs["plugins"] = wrong
        ds.to_netcdf(path, engine="h5netcdf")
        with pytest.raises(ScmcError, match="attribute plugins"):
            store.load(tmp_path / "old")


def test_what_cannot_tell_its_content_is_recorded_as_that(tmp_path):
    kept = {}  # a function of no module
    exec("def typed(img, img_hat): return (img - img_hat).abs().max()", kept)
    register("metric", "typed", Metric(kept["typed"], better="lower"))
    spec = spec_of(write(tmp_path / "mine.py"), metrics=("psnr_db", "typed"))
    for name in ("first", "again"):
        run(spec, tmp_path / name)
    used = {plugin.name: plugin for plugin in read_used(store.load(tmp_path / "first").attrs)}
    assert used["typed"].identity is None and used["ramps"].identity
    told = "metric typed (of unknown content in first, of unknown content in again)"
    assert compare(tmp_path / "first", tmp_path / "again").components.endswith(f": {told}")


def test_a_plan_in_a_file_is_recorded_by_its_content(tmp_path):
    plan = tmp_path / "plan.yaml"
    hashes = set()
    for rate in ("50/1024", "100/1024"):
        plan.write_text(f"semantic: {{modulation: QPSK, coderate: {rate}}}")
        (file,) = used_plugins({"system": [f"scmc:plan={plan}"]})
        assert (file.kind, file.name) == ("file", str(plan))
        hashes.add(file.identity)
    assert len(hashes) == 2


def test_the_planner_of_a_system_is_recorded():
    register("planner", "careful", unequal_plan)
    used = used_plugins({"system": ["scmc:protection=careful"]})
    assert [(plugin.kind, plugin.name) for plugin in used] == [("planner", "careful")]
