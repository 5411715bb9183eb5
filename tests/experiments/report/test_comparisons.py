"""Tables of paired differences, recomputed by hand from the store."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from experiments.report.comparisons import comparison_table, others_of
from experiments.report.tables import reference_of
from experiments.statistics.paired import holm
from experiments.sweep import store, summary
from experiments.sweep.primary import Endpoint


@pytest.fixture(scope="module")
def ds(toy_run):
    return store.load(toy_run)


def test_rows_are_the_paired_tests_of_images_means(ds):
    endpoint = Endpoint("psnr_db", "rayleigh_block", 1 / 24, 0.0, 9.0)
    table = comparison_table(ds, [endpoint])
    means = summary.image_means(ds, "psnr_db").sel(channel="rayleigh_block", esno_db=[3.0, 9.0])
    means = means.isel(rho=0).mean("esno_db")
    rivals = ["toy-equal", "toy-flat", "toy-too-big"]
    tests = [stats.ttest_rel(means.sel(system="toy"), means.sel(system=rival)) for rival in rivals]
    for row, found, p in zip(table.rows, tests, holm([t.pvalue for t in tests]), strict=True):
        mean = (
            found.statistic
            * (found.confidence_interval(0.95).high - found.confidence_interval(0.95).low)
            / (2 * stats.t.ppf(0.975, 2))
        )
        assert row[2].startswith(f"{mean:+.2f} dB [")
        assert row[3] == f"{p:.4f}"
        assert row[4] == ("not shown to differ" if p >= 0.05 else "better" if mean > 0 else "worse")


def test_losses_are_marked_like_wins(ds):
    """The same images with the systems in the other order."""
    sharp = ds.copy()
    noise = np.linspace(0, 0.01, ds.sizes["image"])
    rise = xr.DataArray([0.0, 5.0, -5.0, 0.0], dims="system", coords={"system": ds.system})
    flat = xr.zeros_like(ds.psnr_db_of_set.fillna(0.0)) + 20 + xr.DataArray(noise, dims="image")
    sharp["psnr_db_of_set"] = flat + rise * (1 + xr.DataArray(noise, dims="image"))
    endpoint = Endpoint("psnr_db", "awgn", 1 / 24, -3.0, 15.0)
    verdicts = [row[4] for row in comparison_table(sharp, [endpoint]).rows]
    assert verdicts == ["worse", "better", "not shown to differ"]
    assert '<td class="bad">worse</td>' in comparison_table(sharp, [endpoint]).html()
    sharp["lpips_of_set"] = sharp.psnr_db_of_set  # lower is better
    (row, *_) = comparison_table(sharp, [Endpoint("lpips", "awgn", 1 / 24, -3.0, 15.0)]).rows
    assert row[4] == "better"


def test_one_image_is_not_tested(ds):
    table = comparison_table(ds.isel(image=[0]), others_of(ds, [])[:1])
    assert {row[3] for row in table.rows} == {"one image"}
    assert {row[4] for row in table.rows} == {"not shown to differ"}


def test_the_others_are_all_but_the_primary(ds):
    every = others_of(ds, [])
    assert len(every) == 2 * 2  # metrics but mse, channels
    assert len(others_of(ds, every[:1])) == 3


@pytest.mark.parametrize(
    ("systems", "reference"),
    [
        (("scmc", "vvc", "jpeg:mcs=adaptive", "vvc:mcs=adaptive"), "vvc:mcs=adaptive"),
        (("scmc", "vvc", "jpeg:mcs=adaptive"), "jpeg:mcs=adaptive"),
        (("scmc", "jpeg", "vvc:headers=file"), "vvc:headers=file"),
        (("scmc", "jpeg"), "scmc"),
    ],
)
def test_deltas_are_against_the_strongest_digital_baseline(systems, reference):
    ds = xr.Dataset(coords={"system": list(systems)})
    assert reference_of(ds, None) == reference
    assert reference_of(ds, "scmc") == "scmc"
