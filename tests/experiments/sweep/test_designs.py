"""What a sender knows of a point: one preparation a design, as if each point were swept alone."""

import dataclasses

import fakes
import numpy as np
import pytest
import xarray as xr
from fakes import TOY, TOYS, files_below

from experiments.figures.strips import strips
from experiments.sweep import store, summary
from experiments.sweep.designs import designs_of
from experiments.sweep.originals import originals
from experiments.sweep.runner import make_tasks, run_sweep
from experiments.sweep.shown import MAX_COLUMNS, shown, shown_columns
from experiments.sweep.tasks import run_task
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import SIDE_INFORMATION, Design

TUNED = dataclasses.replace(
    TOY, name="tuned", systems=("toy", "toy-tuned", "toy-law"), num_images=2,
    esno_db=(-9.0, -3.0, 3.0, 9.0, 15.0, 21.0, 27.0), num_trials=12,
)  # fmt: skip


def run(spec, out, jobs=1, **options):
    return run_sweep(spec, out, jobs, components=TOYS, progress=False, **options)


@pytest.fixture(scope="module")
def tuned_run(tmp_path_factory):
    fakes.CALLS.clear()
    return run(TUNED, tmp_path_factory.mktemp("tuned") / "run", use_cache=False)


@pytest.fixture(scope="module")
def ds(tuned_run):
    return store.load(tuned_run)


def test_there_is_a_design_for_each_distinct_thing_known():
    fixed, law = designs_of(TUNED, frozenset()), designs_of(TUNED, {"channel"})
    snr, both = designs_of(TUNED, {"esno_db"}), designs_of(TUNED, SIDE_INFORMATION)
    assert fixed.each == (Design("awgn", 10.0),)
    assert law.each == (Design("awgn", 10.0), Design("rayleigh_block", 10.0))
    assert [d.esno_db for d in snr.each] == list(TUNED.esno_db)
    assert len(both.each) == 14 and sorted(both.of.values()) == list(range(14))
    for found in (fixed, law, snr, both):
        assert set(found.of) == {(c, e) for c in range(2) for e in range(7)}
    assert all(both.each[both.of[c, e]] == Design(TUNED.channels[c], TUNED.esno_db[e])
               for c, e in both.of)  # fmt: skip


def test_the_store_says_which_design_a_point_used(ds):
    assert ds.sizes["design"] == 14
    assert not ds.design_of.sel(system="toy").any()
    for point in ds.design_of.sel(system="toy-tuned").stack(at=("channel", "esno_db")):
        design = ds.sel(system="toy-tuned").isel(design=int(point))
        assert float(design.designed_esno_db) == float(point.esno_db)
        assert str(design.designed_channel.values) == str(point.channel.values)
    assert ds.design_of.sel(system="toy-law").values.tolist() == [[0] * 7, [1] * 7]
    assert ds.psnr_db_of_set.sel(system="toy").isel(design=slice(1, None)).isnull().all()


def test_sets_are_not_multiplied_by_designs(ds):
    everything = {"", "semantic", "structure", "signal"}
    for text in map(str, ds.set.values):
        assert set(text.split("+")) <= everything


@pytest.mark.parametrize("estimator", ["monte-carlo", "expected"])
def test_a_tuned_system_equals_fixed_ones_designed_for_each_point(estimator, tmp_path):
    spec = dataclasses.replace(
        TUNED, estimator=estimator, systems=("toy-tuned",), channels=("awgn",)
    )
    swept = store.load(run(spec, tmp_path / "swept", use_cache=False))
    means, sent = summary.quality(swept, num_resamples=20), store.weights(swept)
    for esno_db in (-9.0, 3.0, 15.0):
        alone = dataclasses.replace(
            spec, systems=("toy-fixed",), esno_db=(esno_db,), design_esno_db=esno_db
        )
        one = store.load(run(alone, tmp_path / f"{esno_db}", use_cache=False))
        found = summary.quality(one, num_resamples=20).isel(system=0, esno_db=0)
        xr.testing.assert_equal(
            found.drop_vars("system"),
            means.sel(esno_db=esno_db).isel(system=0).drop_vars("system"),
        )
        for name in ("bpp", "channel_uses", "frames"):
            here = store.at_points(swept, name).sel(esno_db=esno_db)
            assert (
                here.values.tolist() == store.at_points(one, name).isel(esno_db=0).values.tolist()
            )
        weights = store.weights(one).isel(system=0, esno_db=0)
        here = sent.sel(esno_db=esno_db).isel(system=0).sel(set=weights.set)
        np.testing.assert_array_equal(here, weights)


def test_the_law_reaches_the_sender(ds, tmp_path):
    frames = store.at_points(ds, "frames").isel(rho=0, image=0).sel(esno_db=9.0)
    assert frames.sel(system="toy-tuned", channel="awgn") == "semantic+structure+signal"
    assert frames.sel(system="toy-tuned", channel="rayleigh_block") == "semantic+structure"
    assert frames.sel(system="toy-law", channel="awgn") == "semantic+structure+signal"
    assert frames.sel(system="toy-law", channel="rayleigh_block") == "semantic+structure"
    nothing = store.infeasible(ds).isel(rho=0).sel(system="toy-tuned", esno_db=-9.0)
    assert nothing.values.all() and not store.infeasible(ds).sel(esno_db=21.0).any()


def test_expected_and_drawn_agree(tmp_path):
    spec = dataclasses.replace(TUNED, systems=("toy-tuned",), num_trials=500)
    drawn = store.load(run(spec, tmp_path / "drawn", use_cache=False))
    exact = store.load(
        run(dataclasses.replace(spec, estimator="expected"), tmp_path / "exact", use_cache=False)
    )
    means, truth = (summary.image_means(d, "psnr_db") for d in (drawn, exact))
    spread = store.expand(drawn, ["psnr_db"]).psnr_db.std("trial").transpose(*means.dims)
    z = (means - truth) / np.maximum(spread / np.sqrt(500), 1e-2)
    assert float(abs(z).max()) < 4.5 and float((abs(z) < 2).mean()) > 0.9


def test_processes_and_interrupted_runs_change_no_byte(tuned_run, tmp_path):
    assert files_below(run(TUNED, tmp_path / "two", jobs=2, use_cache=False)) == files_below(
        tuned_run
    )
    cache, images = tmp_path / "cache", originals(TOYS.load_images("toys", 2))
    tasks = make_tasks(TUNED, images, ("psnr_db", "ms_ssim", "mse"), cache, TOYS, workers=4)
    for task in tasks[::3]:
        run_task(task)
    resumed = run(TUNED, tmp_path / "resumed", cache_dir=cache)
    assert files_below(resumed) == files_below(tuned_run)
    fakes.CALLS.clear()
    again = run(TUNED, tmp_path / "again", cache_dir=cache)
    assert fakes.CALLS == {} and files_below(again) == files_below(tuned_run)


def test_tasks_are_split_over_designs_and_hold_each_point_once(tmp_path):
    images = originals(TOYS.load_images("toys", 1))
    for workers in (1, 2, 6):
        tasks = make_tasks(TUNED, images, ("mse",), tmp_path, TOYS, workers)
        for system in TUNED.systems:
            own = [task for task in tasks if task.system == system]
            points = [at for task in own for at in task.points]
            assert sorted(points) == [(c, e) for c in range(2) for e in range(7)]
        tuned = [task for task in tasks if task.system == "toy-tuned"]
        assert all(len(task.points) <= 8 for task in tuned) and len(tuned) >= 2


def test_each_design_is_coded_once_an_image(tmp_path):
    fakes.CALLS.clear()
    run(TUNED, tmp_path, use_cache=False)
    own = {name: fakes.CALLS[name] for name in ("toy-tuned", "toy-law")}
    assert own == {"toy-tuned": 2 * 14, "toy-law": 2 * 2}


def test_sets_that_look_the_same_are_measured_once(tmp_path):
    spec = dataclasses.replace(
        TUNED, systems=("toy-fixed",), channels=("awgn",), esno_db=(9.0,), num_images=1,
        estimator="expected",
    )  # fmt: skip
    fakes.CALLS.clear()
    exact = store.load(run(spec, tmp_path / "out", cache_dir=tmp_path / "cache"))
    quality = exact.psnr_db_of_set.isel(system=0, rho=0, image=0, design=0)
    seen = {str(t) for t in quality.set.values[quality.notnull().values]}
    usable = {store.set_tags(t) - ({"signal"} if "structure" not in t else set()) for t in seen}
    looks = {float(quality.sel(set=text)) for text in seen}  # two usable sets may look the same
    assert fakes.CALLS["measure"] == len(looks) < len(usable) < len(seen)
    assert float(quality.sel(set="semantic")) == float(quality.sel(set="semantic+signal"))
    fakes.CALLS.clear()  # of other designs and bandwidths, other metrics or fewer
    for n, changes in enumerate((
        {"metrics": ("psnr_db",)}, {"design_esno_db": 9.5}, {"rho": (1 / 12, 1 / 6)},
    )):  # fmt: skip
        changed = dataclasses.replace(spec, **changes)
        run(changed, tmp_path / f"{n}", cache_dir=tmp_path / "cache")
    assert "measure" not in fakes.CALLS
    fakes.MEASURED.clear()
    more = dataclasses.replace(spec, metrics=(*spec.metrics, "ssim"))
    run(more, tmp_path / "more", cache_dir=tmp_path / "cache")
    assert fakes.MEASURED == {"ssim": len(looks)}


def test_the_utility_reaches_the_sender_and_the_cache_key(tmp_path):
    spec = dataclasses.replace(TUNED, systems=("toy-tuned",), num_images=1, estimator="expected")
    for utility, sends in (("psnr_db", True), ("ms_ssim", False)):
        out = run(
            dataclasses.replace(spec, utility=utility), tmp_path / utility,
            cache_dir=tmp_path / "cache",
        )  # fmt: skip
        assert ("signal" in store.unit_tags(store.load(out))) is sends
        assert store.load(out).attrs["utility"] == utility


def test_a_fixed_system_shares_its_preparation_with_other_channels_and_snrs(tmp_path):
    spec = dataclasses.replace(TUNED, systems=("toy-fixed",), num_images=1, estimator="expected")
    run(spec, tmp_path / "a", cache_dir=tmp_path / "cache")
    fakes.CALLS.clear()
    other = dataclasses.replace(spec, channels=("rician_block",), esno_db=(9.0,))
    run(dataclasses.replace(other, seed=9), tmp_path / "b", cache_dir=tmp_path / "cache")
    assert "toy-fixed" not in fakes.CALLS  # its reconstruction needs no encoder


def test_only_pictures_that_strips_show_are_written(ds, tuned_run):
    wanted = {store.original_path(tuned_run, "img0")}
    for c in range(2):
        strip = shown(ds, 0, c, 0)
        assert strip.sets.shape == (3, MAX_COLUMNS)
        for (s, column), k in np.ndenumerate(strip.sets):
            design, system = int(strip.designs[s, column]), str(ds.system.values[s])
            wanted.add(store.picture_path(tuned_run, "img0", system, 0, design, int(k)))
    assert set((tuned_run / "reconstructions").iterdir()) == wanted
    stems = [found.stem for found in strips(ds, tuned_run) if found.draw().axes]
    assert stems == [f"strip_img0_{name}_rho1-24" for name in TUNED.channels]


def test_columns_hold_the_design_and_the_ends():
    grid = tuple(float(e) for e in range(-6, 22))
    columns = shown_columns(grid, 10.0)
    assert len(columns) == MAX_COLUMNS and {0, 16, 27} <= set(columns)
    assert shown_columns(grid[::-1], 10.0) == tuple(27 - at for at in columns)


def test_control_bits_are_part_of_the_budget():
    spec = TUNED.override(["control_bits=22"])
    assert Design("awgn", 3.0).budget(1 / 24, control_bits=spec.control_bits).control_bits == 22
    with pytest.raises(ScmcError, match="whole number, 0 to 256"):
        TUNED.override(["control_bits=999"])
