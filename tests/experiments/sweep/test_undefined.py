"""A metric that is undefined for some pictures is left out and counted, from spec to report."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes import ANNOTATED, PARTLY, TOY, toy_annotations

from experiments.figures.plots import plot_sweep
from experiments.report import tables
from experiments.report.build import ReportSpec, write_report
from experiments.report.comparisons import comparison_table
from experiments.sweep import store, summary
from experiments.sweep.bounds import bound_lines
from experiments.sweep.primary import Endpoint
from experiments.sweep.runner import run_sweep

SPEC = dataclasses.replace(
    TOY, systems=("toy", "toy-flat"), metrics=("psnr_db", "ms_ssim"), bounds=("toy-codec",),
    estimator="expected",
)  # fmt: skip


@pytest.fixture(scope="module", params=["expected", "monte-carlo"])
def folder(request, tmp_path_factory):
    spec = dataclasses.replace(SPEC, estimator=request.param)
    out = tmp_path_factory.mktemp("undefined")
    return run_sweep(spec, out, components=PARTLY, use_cache=False, progress=False)


@pytest.fixture(scope="module")
def ds(folder):
    return store.load(folder)


def alone(ds):
    """The same store of those images alone that have a value."""
    return ds.sel(image=list(ANNOTATED))


def test_means_are_those_of_the_images_that_have_a_value(ds):
    found, want = (summary.quality(part, num_resamples=50) for part in (ds, alone(ds)))
    for name in ("value_mean", "difference_mean", "given_delivery"):
        ours, theirs = (part[name].sel(metric="ms_ssim").values for part in (found, want))
        assert np.isfinite(ours).any() and np.allclose(ours, theirs, equal_nan=True)
    assert found.num_images.values.tolist() == [3, 2, 3]  # PSNR, MS-SSIM, MSE


def test_a_point_of_the_csv_counts_them(folder, ds):
    if not store.is_exact(ds):
        frame = pd.read_csv(folder / "results.csv")
        undefined = frame.ms_ssim.isna()
        assert set(frame.image[undefined]) == {"img0"} and not frame.psnr_db.isna().any()
        return
    frame = pd.read_csv(folder / "results.csv")
    assert (frame.ms_ssim_num_images == 2).all() and (frame.psnr_db_num_images == 3).all()
    want = summary.quality(alone(ds)).sel(metric="ms_ssim").value_mean
    for row in frame.itertuples():
        at = {dim: getattr(row, dim) for dim in summary.POINT}
        assert row.ms_ssim == pytest.approx(float(want.sel(at)), rel=1e-12)


def test_deltas_falls_and_comparisons_leave_them_out(ds):
    place = tables.places(ds, "esno_db")[0]
    first, second = map(str, ds.system.values[:2])
    for metric in ("psnr_db", "ms_ssim"):
        ours, theirs = (tables.samples(part, place, first, metric) for part in (ds, alone(ds)))
        assert ours.shape[1] == (2 if metric == "ms_ssim" else 3)
        assert np.array_equal(ours[:, -2:], theirs)
    found, want = (tables.delta(part, place, second, first, "ms_ssim") for part in (ds, alone(ds)))
    assert (found.reason, found.value) == (want.reason, pytest.approx(want.value, nan_ok=True))
    assert found.reason != "not measured at every point"
    assert tables.failure_quality(ds, "ms_ssim") == tables.failure_quality(alone(ds), "ms_ssim")
    low, high = float(ds.esno_db.min()), float(ds.esno_db.max())
    endpoint = Endpoint("ms_ssim", str(ds.channel.values[0]), float(ds.rho.values[0]), low, high)
    assert comparison_table(ds, [endpoint]).rows == comparison_table(alone(ds), [endpoint]).rows


def test_bounds_are_those_of_the_images_that_have_a_value(ds):
    ours, theirs = (bound_lines(part, "awgn", "ms_ssim") for part in (ds, alone(ds)))
    assert ours
    for a, b in zip(ours, theirs, strict=True):
        assert np.isfinite(a.quality).all() and np.allclose(a.quality, b.quality)


def test_figures_and_the_report_say_so(folder, tmp_path):
    assert plot_sweep(folder, progress=False)
    page = tmp_path / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "RESAMPLES", 20)
        write_report(ReportSpec((folder,), page), progress=False)
    assert "MS-SSIM is defined for 2 of 3 images" in page.read_text()


def test_without_any_annotation_there_is_no_value_and_no_zero(tmp_path):
    nothing = dataclasses.replace(PARTLY, annotations=toy_annotations)
    out = run_sweep(SPEC, tmp_path, components=nothing, use_cache=False, progress=False)
    ds = store.load(out)
    found = summary.quality(ds)
    assert found.value_mean.sel(metric="ms_ssim").isnull().all()
    assert int(found.num_images.sel(metric="ms_ssim")) == 0
    assert bound_lines(ds, "awgn", "ms_ssim") == []
    assert not any("ms_ssim" in path.name for path in plot_sweep(out, progress=False))
