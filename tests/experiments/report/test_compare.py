"""Systems of one sweep, or of two, compared."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from fakes import PARTLY, TOY, TOYS, toy_image, toy_images

from experiments.commands.main import main
from experiments.report.compare import compare
from experiments.report.comparisons import comparison_table, others_of
from experiments.sweep import store, summary
from experiments.sweep.primary import Endpoint
from experiments.sweep.runner import run_sweep
from scmc_comm.errors import ScmcError


@pytest.fixture(scope="module")
def other(toy_spec, tmp_path_factory):
    """The toy sweep with other axes: fewer SNRs, falling, and one more image that was not there."""
    spec = dataclasses.replace(
        toy_spec, systems=("toy-flat", "toy"), esno_db=(15.0, 9.0, 3.0, -3.0), channels=("awgn",)
    )
    out = tmp_path_factory.mktemp("other") / "other"
    return run_sweep(spec, out, components=TOYS, use_cache=False, progress=False)


def test_systems_of_one_sweep_are_compared_as_the_report_does(toy_run):
    found = compare(toy_run, systems=("toy", "toy-flat"))
    ds = store.load(toy_run)
    table = comparison_table(ds.sel(system=["toy", "toy-flat"]), others_of(ds, []))
    said = [row[2:] for row in table.rows]
    assert len(said) == len(found.differences) == 2 * 2
    for row, (difference, *_, verdict) in zip(found.differences.itertuples(), said, strict=True):
        assert f"{row.difference:+.2f}" in difference or f"{row.difference:+.4f}" in difference
        assert (row.p_holm < 0.05) == (verdict != "not shown to differ")
        assert row.p_holm >= row.p
    means = summary.image_means(ds, "psnr_db").sel(channel="awgn").mean(("esno_db", "rho"))
    gap = (means.sel(system="toy") - means.sel(system="toy-flat")).mean("image")
    awgn = found.differences[found.differences.channel == "awgn"].iloc[0]
    assert awgn.difference == pytest.approx(float(gap))
    assert (awgn.low_esno_db, awgn.high_esno_db, awgn.num_images) == (-3, 15, 3)


def test_two_sweeps_of_the_same_differ_by_nothing(toy_run, other):
    found = compare(toy_run, other)
    assert list(found.differences.system) == ["toy (run)"] * 2 + ["toy-flat (run)"] * 2
    assert set(found.differences.channel) == {"awgn"}, "what both have"
    np.testing.assert_allclose(found.differences[["difference", "low", "high"]], 0, atol=1e-12)
    bd = found.deltas[found.deltas.reason == ""]
    assert len(bd) and set(bd.axis) == {"esno_db"}
    np.testing.assert_allclose(bd[["delta", "low", "high"]], 0, atol=1e-9)


def test_other_settings_are_told(toy_spec, toy_run, other, tmp_path):
    assert compare(toy_run, other).settings == ""
    spec = dataclasses.replace(toy_spec, estimator="table", seed=toy_spec.seed + 1)
    run_sweep(spec, tmp_path / "out", cache_dir=tmp_path, components=TOYS, progress=False)
    found = compare(toy_run, tmp_path / "out")
    told = f"estimator {toy_spec.estimator} and table; seed {spec.seed - 1} and {spec.seed}"
    assert found.settings == f"run and out were made by other settings: {told}"
    assert found.settings in found.text


def test_a_system_of_one_sweep_against_that_of_another(toy_run, other):
    across = compare(toy_run, other, ("toy", "toy-flat"))
    within = compare(toy_run, systems=("toy", "toy-flat"))
    awgn = within.differences[within.differences.channel == "awgn"]
    np.testing.assert_allclose(across.differences.difference, awgn.difference)
    assert "toy (run)" in across.text and "toy-flat (other)" in across.text


def test_differences_are_drawn_against_snr(toy_run, other):
    found = compare(toy_run, systems=("toy", "toy-flat"))
    charts = {chart.stem: chart for chart in found.charts}
    assert set(charts) == {"psnr_db_compared_rho1-24", "ms_ssim_compared_rho1-24"}
    panels = charts["psnr_db_compared_rho1-24"].rows[0]
    assert [panel.title for panel in panels] == ["AWGN", "Rayleigh block fading"]
    (curve,) = panels[0].curves
    shown = found.differences[found.differences.channel == "awgn"].iloc[0].difference
    assert curve.mean.mean() == pytest.approx(shown)
    assert curve.label == "toy minus toy-flat" and (curve.low <= curve.mean).all()
    across = compare(toy_run, other).charts[0]
    assert [c.label for c in across.rows[0][0].curves] == [
        "toy (run) minus toy (other)", "toy-flat (run) minus toy-flat (other)"
    ]  # fmt: skip
    assert across.draw().axes


def test_what_was_measured_at_some_points_is_compared_there(tmp_path):
    """A metric of the primary endpoints alone, which one picture has no value of."""
    spec = dataclasses.replace(
        TOY, systems=("toy", "toy-flat"), metrics=("psnr_db",), estimator="expected",
        primary=("psnr_db awgn 1/24 3:9",), primary_metrics=("ms_ssim",),
    )  # fmt: skip
    run_sweep(spec, tmp_path, components=PARTLY, use_cache=False, progress=False)
    found = compare(tmp_path)
    (row,) = found.differences[found.differences.metric == "ms_ssim"].itertuples()
    assert (row.channel, row.low_esno_db, row.high_esno_db, row.num_images) == ("awgn", 3, 9, 2)
    ds = store.load(tmp_path)
    (said,) = comparison_table(ds, [Endpoint("ms_ssim", "awgn", 1 / 24, 3, 9)]).rows
    assert f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]" == said[2]
    chart = next(chart for chart in found.charts if chart.stem.startswith("ms_ssim"))
    assert [panel.title for panel in chart.rows[0]] == ["AWGN"]
    assert chart.rows[0][0].curves[0].x.tolist() == [3, 9] and "over 2 paired" in chart.note


def test_two_pictures_of_one_name_are_never_paired(toy_spec, toy_run, tmp_path):
    def others(name, count):
        return {**toy_images(name, count), "img0": toy_image(20)}

    components = dataclasses.replace(TOYS, load_images=others)
    out = tmp_path / "out"
    run_sweep(toy_spec, out, cache_dir=tmp_path, components=components, progress=False)
    with pytest.raises(ScmcError, match="img0 is not the same picture in toy .run. and in toy"):
        compare(toy_run, out)


def test_pictures_that_one_sweep_lacks_are_told(toy_spec, toy_run, tmp_path):
    spec = dataclasses.replace(toy_spec, num_images=2, strip_images=0)
    out = run_sweep(
        spec, tmp_path / "two", cache_dir=tmp_path, components=TOYS, progress=False
    )  # fmt: skip
    text = compare(toy_run, out).text
    assert "pictures of both: 2; of run alone 1, of two alone 0, which are left out" in text


def test_a_system_named_twice_is_compared_once(toy_run):
    found = compare(toy_run, systems=("toy", "toy-flat", "toy-flat")).differences
    assert found.equals(compare(toy_run, systems=("toy", "toy-flat")).differences)


def test_folders_of_one_name_are_told_apart(toy_run, tmp_path):
    shutil.copytree(toy_run, again := tmp_path / toy_run.name)
    row = next(compare(toy_run, again).differences.itertuples())
    assert (row.system, row.against) == (f"toy ({toy_run})", f"toy ({again})")


def test_the_verb_writes_both_tables(toy_run, tmp_path, capsys):
    more = ["-o", str(tmp_path / "c.csv"), "--figures", str(tmp_path / "drawn")]
    main(["compare", str(toy_run), "--systems", "toy,toy-equal", *more])
    assert (tmp_path / "drawn" / "psnr_db_compared_rho1-24.pdf").is_file()
    said = capsys.readouterr().out
    assert "p (Holm)" in said and "BD-SNR by PSNR" in said
    assert len(pd.read_csv(tmp_path / "c.csv")) == 4
    assert list(pd.read_csv(tmp_path / "c_bd.csv").axis) == ["esno_db"] * 4


def test_mistakes_are_named(toy_run, other):
    with pytest.raises(ScmcError, match="did you mean toy-flat"):
        compare(toy_run, systems=("toy", "toy-fla"))
    with pytest.raises(ScmcError, match="one of each"):
        compare(toy_run, other, ("toy",))
    with pytest.raises(ScmcError, match="one system to compare"):
        compare(toy_run, systems=("toy",))
