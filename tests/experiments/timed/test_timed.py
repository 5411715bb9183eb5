"""Experiments on the timed link: the same fades for all, and captions that survive a full link."""

import dataclasses

import fakes
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import TOYS, files_below
from scipy import stats

from channels.timed import LinkConfig
from experiments.figures import timed as figures
from experiments.sweep import store
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import list_sweeps, load_sweep
from experiments.timed import results
from experiments.timed.forecast import forecast_timed
from experiments.timed.runner import make_jobs, open_library, run_timed
from experiments.timed.schemes import Scheme, layer_of
from experiments.timed.simulate import full_rate, run, seed_of
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError

EQUAL = "toy:priorities=equal,scheduling=round_robin"
SPEC = TimedSpec(
    "toy-congestion", "load", (0.3, 2.0), ("toy", EQUAL, "toy-flat"), num_images=2,
    metrics=("psnr_db",), bandwidth_hz=10e3, speed_mps=5.0, num_users=2, duration_s=3.0,
    num_replications=2, deadlines_s=(0.2, 0.3, 0.4),
)  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timed")
    out = run_timed(
        SPEC, folder / "out", cache_dir=folder / "cache", components=TOYS, progress=False
    )
    return folder, out


def test_priorities_keep_the_caption_where_equal_treatment_loses_it(ran):
    with results.reading(ran[1] / "results.nc") as ds:
        share = results.delivery(ds).mean("replication")
        assert float(share.sel(scheme="toy", value=2.0, unit="semantic")) > 0.98
        assert float(share.sel(scheme=EQUAL, value=2.0, unit="semantic")) < 0.6
        ordered = share.sel(scheme="toy", value=2.0, unit=["semantic", "structure", "signal"])
        assert bool((ordered.diff("unit") <= 0.01).all())
        quality = ds.psnr_db.mean("replication")
        assert bool((quality.sel(value=0.3) > quality.sel(value=2.0)).all())
        assert figures.turning_points(ds) == (2.0, 2.0)
        assert float(ds.utilisation.sel(scheme="toy", value=2.0).min()) > 0.9
        assert ds.attrs["kind"] == "timed" and "num_users: 2" in ds.attrs["spec_yaml"]


def test_its_cost_is_measured_and_what_is_left_counted(ran, tmp_path):
    assert forecast_timed(SPEC, False, tmp_path, TOYS) is None, "nothing was measured yet"
    before = forecast_timed(SPEC, True, tmp_path, TOYS)
    assert before.pictures == {"toy": (2, 2), "toy-flat": (2, 2)}
    assert before.runs == dict.fromkeys(SPEC.schemes, (4, 4))
    assert all(seconds > 0 for seconds in before.runs_s.values())
    assert forecast_timed(SPEC, False, tmp_path, TOYS) == before
    after = forecast_timed(SPEC, True, ran[0] / "cache", TOYS)
    assert after.pictures == {"toy": (0, 2), "toy-flat": (0, 2)}
    assert after.runs == dict.fromkeys(SPEC.schemes, (0, 4))
    *lines, total = after.text(2).splitlines()
    assert lines[0] == "toy: 0 of 2 pictures left to encode, 0 s of a core" and len(lines) == 2 + 3
    assert total.endswith("with 2 jobs for runs; metrics not counted")


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    fakes.CALLS.clear()
    with pytest.raises(ScmcError, match="cannot write to folder"):
        run_timed(SPEC, tmp_path / "file" / "x", cache_dir=tmp_path, components=TOYS)
    assert not fakes.CALLS


def test_bands_end_where_the_number_does(ran):
    with results.reading(ran[1] / "results.nc") as ds:
        wide = ds.assign(utilisation=ds.utilisation.copy(data=ds.utilisation * 0 + [0.2, 1.0]))
        charts = {chart.stem: chart for chart in figures.mean_charts(wide)}
    _, share = charts["energy"].rows[0]
    assert all(0 <= c.low.min() and c.high.max() <= 1 for c in share.curves)


def test_a_report_says_that_it_takes_sweeps_alone(ran):
    with pytest.raises(ScmcError, match="of kind 'timed'; expected that of a sweep"):
        store.load(ran[1])


def test_every_picture_and_unit_is_counted(ran):
    with results.reading(ran[1] / "results.nc") as ds:
        toy = ds.sel(scheme="toy")
        for unit in ("semantic", "structure", "signal"):
            assert (toy.offered.sel(unit=unit) == toy.num_pictures).all()
        assert (ds.num_pictures.sel(scheme="toy") == ds.num_pictures.sel(scheme=EQUAL)).all()
        total = toy.unit_energy_j.sum("unit") / toy.num_pictures
        np.testing.assert_allclose(total, toy.energy_per_picture_j)
        assert toy.picture_bits.values.tolist() == [64 + 160 + 240] * 2
        rows = results.to_frame(ds)
        assert len(rows) == 3 * 2 * 2 and {"load", "semantic_delivered"} <= set(rows)


def test_quality_is_the_mean_over_the_sets_that_arrived(ran):
    folder, out = ran
    library = open_library(SPEC, folder / "cache", TOYS)
    job = make_jobs(SPEC, library, "toy-1")[3]
    names = list(library.images)
    outcome = run(job)
    total = sum(
        n
        * library.seen("toy", names[i], frozenset(filter(None, tags.split("+")))).metrics["psnr_db"]
        for (i, tags), n in outcome.delivered.items()
    )
    with results.reading(out / "results.nc") as ds:
        stored = ds.psnr_db.sel(scheme="toy", value=job.value, replication=job.replication)
        assert float(stored) == pytest.approx(total / outcome.num_pictures)


def test_a_finished_run_is_read_again_and_is_the_same(ran):
    folder, out = ran
    again = run_timed(
        SPEC, folder / "again", cache_dir=folder / "cache", components=TOYS, progress=False
    )
    fresh = run_timed(
        dataclasses.replace(SPEC, values=(2.0,), schemes=("toy",)), folder / "fresh", cache_dir=folder / "other",
        components=TOYS, progress=False,
    )  # fmt: skip
    with (
        results.reading(out / "results.nc") as ds,
        results.reading(again / "results.nc") as same,
        results.reading(fresh / "results.nc") as part,
    ):
        xr.testing.assert_identical(ds.drop_attrs(), same.drop_attrs())
        xr.testing.assert_identical(
            ds.sel(value=[2.0], scheme=["toy"]).drop_attrs(), part.drop_attrs()
        )


def test_load_one_fills_the_link(ran):
    library = open_library(SPEC, ran[0] / "cache", TOYS)
    one = dataclasses.replace(SPEC, values=(1.0,), duration_s=30.0, deadlines_s=(1e4, 1e4, 1e4))
    rate = full_rate(one, library.sizes("toy"), library.tags("toy"))
    outcome = run(make_jobs(one, library, "x")[0])
    assert outcome.num_pictures == pytest.approx(rate * 2 * 30, rel=0.2)
    assert 0.75 < outcome.utilisation <= 1


def test_axes_change_what_they_name():
    assert SPEC.at(2.0).load == 2.0 and SPEC.at(2.0).num_users == 2
    users = dataclasses.replace(SPEC, axis="num_users", values=(2.0, 8.0))
    assert (users.at(8.0).num_users, users.at(8.0).load) == (8, pytest.approx(4 * users.load))
    late = dataclasses.replace(SPEC, axis="deadline_s", values=(0.1,))
    assert late.at(0.1).deadlines_s == (0.1, 0.1, 0.1)
    noisy = dataclasses.replace(SPEC, axis="esno_db", values=(-3.0,))
    assert noisy.at(-3.0).esno_db == -3.0


def test_fades_and_arrivals_depend_on_neither_scheme_nor_load():
    seeds = {seed_of(SPEC, r, u) for r in range(5) for u in range(5)}
    assert len(seeds) == 25
    assert seed_of(dataclasses.replace(SPEC, schemes=("toy-flat",)), 1, 1) == seed_of(SPEC, 1, 1)


def test_schemes():
    layered, equal = (
        Scheme.parse("toy").classes(("semantic", "signal", "signal.1"), (1, 2, 3)),
        (Scheme.parse("toy:priorities=equal,harq=none").classes(("semantic", "image"), (1, 2, 3))),
    )
    assert [k.priority for k in layered] == [0, 1, 2] and layered[0].margin_db == 3.0
    assert [k.deadline_s for k in layered] == [1, 3, 3]
    assert [k.priority for k in equal] == [0, 0] and equal[1].max_transmissions == 1
    assert isinstance(Scheme.parse("toy:harq=chase").link(1e4), LinkConfig)
    assert not Scheme.parse(EQUAL).link(1e4).preemption
    assert layer_of("signal.3") == 2


@pytest.mark.parametrize("text", ["scmc:,,,", "scmc:", "scmc:harq=none,", "scmc:,beams=1"])
def test_a_scheme_with_an_empty_item_is_refused(text):
    with pytest.raises(ScmcError, match="holds an empty item; expected key=value"):
        Scheme.parse(text)


def test_intervals_are_students_over_replications():
    rng = np.random.default_rng(0)
    runs = xr.DataArray(rng.normal(size=(5, 4000)), dims=("replication", "case"))
    found = results.over_runs(runs)
    assert ((found.low < 0) & (found.high > 0)).mean() == pytest.approx(0.95, abs=0.015)
    low, high = stats.t.interval(
        0.95, 4, runs.values.mean(0), runs.values.std(0, ddof=1) / np.sqrt(5)
    )
    np.testing.assert_allclose([found.low, found.high], [low, high])


def test_specs_round_trip_and_the_shipped_ones_load(tmp_path):
    for name in ("congestion", "latency", "users", "harq", "computing"):
        spec = load_sweep(name)
        assert isinstance(spec, TimedSpec) and spec.description
        path = tmp_path / "mine.yaml"
        path.write_text(spec.to_yaml())
        assert load_sweep(path) == spec
    assert isinstance(list_sweeps()["quick"], SweepSpec)
    changed = SPEC.override(["schemes=toy,toy:priorities=equal,harq=none,vvc", "rho=1/48"])
    assert changed.schemes == ("toy", "toy:priorities=equal,harq=none", "vvc")
    assert changed.rho == 1 / 48


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("axis=speed", "axis is 'speed'; expected one of load"),
        ("values=0", "load is 0"),
        ("values=nan", "load is nan"),
        ("num_users=0", "num_users is '0'; expected a whole number, 1 to 256"),
        ("num_replications=1", "expected a whole number, 2 to 10000"),
        ("deadlines_s=0.1", "expected three times above 0"),
        ("bandwidth_hz=0", "bandwidth_hz is '0'"),
        ("speed_mps=-1", "speed_mps is '-1'"),
        ("schemes=toy:harq=turbo", "harq is 'turbo'"),
        ("estimator=table", "no timed key 'estimator'"),
        ("num_users=two", "expected a whole number"),
        ("num_users", "expected key=value"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(change, wrong):
    with pytest.raises(ScmcError, match=wrong) as error:
        SPEC.override([change])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"schemes": ("toy:queue=x",)}, "keys of the link are priorities, scheduling, harq"),
        ({"schemes": ("nobody",)}, "there is no system 'nobody'"),
        ({"schemes": ("toy-too-big",)}, "nothing fits|raise rho"),
        ({"metrics": ("lpips",)}, "none of the metrics"),
        ({"deadlines_s": (1e-5, 0.3, 0.4)}, "less than a slot"),
    ],
)
def test_what_cannot_run_is_refused(change, wrong, tmp_path):
    from channels.errors import ChannelError

    with pytest.raises((ScmcError, ChannelError), match=wrong):
        run_timed(
            dataclasses.replace(SPEC, **change), tmp_path / "out", cache_dir=tmp_path / "cache",
            components=TOYS, progress=False,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_figures_are_drawn_from_the_store(ran):
    paths = figures.plot_timed(ran[1])
    stems = {path.stem for path in paths if path.suffix == ".png"}
    assert stems == {"quality", "delivery", "latency", "energy"}
    assert all(path.stat().st_size > 5000 for path in paths if path.suffix == ".png")
    table = pd.read_csv(next(path for path in paths if path.name == "summary.csv"))
    shares = table.filter(regex="delivered|utilisation")
    assert len(shares.columns) > 6 and ((shares >= 0) & (shares <= 1) | shares.isna()).all(
        axis=None
    )
    assert results.is_timed(ran[1]) and not results.is_timed(ran[0])
    assert not [name for name in files_below(ran[1]) if name.endswith(".tmp")]
