"""Metrics of primary endpoints alone: absent elsewhere, which is not undefined."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes import MEASURED, TOY, TOYS

from experiments.figures.plots import plot_sweep
from experiments.report.comparisons import others_of, primary_of
from experiments.report.tables import delta, places
from experiments.sweep import store, summary, tables
from experiments.sweep.runner import run_sweep
from scmc_comm.errors import ScmcError

SPEC = dataclasses.replace(
    TOY, systems=("toy-tuned", "toy", "toy-flat"), metrics=("psnr_db",),
    primary=("psnr_db rayleigh_block 1/24 3:9",), primary_metrics=("ms_ssim", "ssim"),
    estimator="expected",
)  # fmt: skip


def run(folder, spec=SPEC, jobs=1):
    return run_sweep(
        spec, folder / "run", jobs, cache_dir=folder / "cache", components=TOYS, progress=False
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return run(tmp_path_factory.mktemp("asked"))


def test_it_is_measured_there_and_nowhere_else(out):
    ds = store.load(out)
    asked = store.asked(ds, "ms_ssim")
    assert asked.sel(channel="rayleigh_block").values.ravel().tolist() == [0, 1, 1, 0]
    assert not asked.sel(channel="awgn").any()
    means = summary.image_means(ds, "ms_ssim")
    assert (means.notnull() == asked).all()
    found = summary.quality(ds)
    assert (found.value_mean.sel(metric="ms_ssim").notnull() == asked).all()
    assert found.value_mean.sel(metric="psnr_db").notnull().all()
    assert (found.num_images == 3).all(), "what was not asked for is no picture left out"
    whole = store.load(run(out.parent / "whole", dataclasses.replace(
        SPEC, metrics=("psnr_db", "ms_ssim"), primary_metrics=()
    )))  # fmt: skip
    same = summary.quality(whole).value_mean.sel(metric="ms_ssim").where(asked)
    assert same.equals(found.value_mean.sel(metric="ms_ssim"))


def test_what_is_not_asked_is_not_computed(tmp_path):
    MEASURED.clear()
    run(tmp_path, dataclasses.replace(SPEC, systems=("toy-tuned",)))  # more layers at 15 dB
    partial, plain = MEASURED["ms_ssim"], MEASURED["psnr_db"]
    assert 0 < partial < plain


def test_tables_have_no_row_or_say_that_it_was_not_measured(out):
    plot_sweep(out, progress=False)
    rows = pd.read_csv(out / "figures" / "summary.csv")
    partial = rows[rows.metric == "ms_ssim"]
    assert "measured" not in rows
    assert set(partial.channel) == {"rayleigh_block"}
    assert set(partial.esno_db) == {3.0, 9.0}
    assert len(rows[rows.metric == "psnr_db"]) == 3 * 2 * 4
    points = pd.read_csv(out / "results.csv")
    assert (points.ms_ssim.notna() == points.ms_ssim_measured).all()


def test_single_trials_say_it_too(tmp_path):
    ds = store.load(run(tmp_path, dataclasses.replace(SPEC, estimator="table")))
    frame = tables.trial_rows(ds)
    assert (frame.ms_ssim.notna() == frame.ms_ssim_measured).all()
    found = summary.quality(ds)
    asked = store.asked(ds, "ms_ssim")
    for name in ("value_mean", "value_low", "difference_mean"):
        assert (found[name].sel(metric="ms_ssim").notnull() == asked).all()


def test_comparisons_are_made_where_it_was_measured(out):
    ds = store.load(out)
    others = [at for at in others_of(ds, primary_of(ds)) if at.metric == "ms_ssim"]
    assert [(at.channel, at.low_db, at.high_db) for at in others] == [("rayleigh_block", 3.0, 9.0)]
    found = delta(ds, places(ds, "esno_db")[1], "toy", "toy-tuned", "ms_ssim")
    assert "not measured at every point" in found.reason


def test_parts_of_a_cell_ask_together(tmp_path):
    """With two workers the SNRs of a design are tasks of their own, of which one asks for more."""
    spec = dataclasses.replace(SPEC, systems=("toy",), num_images=1)
    one = store.load(run(tmp_path / "one", spec))
    two = store.load(run(tmp_path / "two", spec, jobs=2))
    tables = [store.set_table(ds, "ms_ssim").values for ds in (one, two)]
    assert np.array_equal(*tables, equal_nan=True)


@pytest.mark.parametrize(
    "changes",
    [{"primary": ()}, {"metrics": ("psnr_db", "ssim")}, {"primary_metrics": ("ssim", "ssim")}],
)
def test_keys_that_contradict_each_other_are_refused(changes):
    with pytest.raises(ScmcError, match="primary_metrics"):
        dataclasses.replace(SPEC, **changes)
