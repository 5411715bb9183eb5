"""The store holds raw trials and gives back what figures show."""

import json

import fakes
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from experiments import store, summary
from experiments.spec import SweepSpec
from scmc_comm.errors import ScmcError


@pytest.fixture(scope="module")
def ds(toy_run):
    return store.load(toy_run)


def test_round_trip_is_exact(ds, toy_spec, tmp_path):
    store.save(ds, toy_spec, tmp_path)
    assert store.load(tmp_path).identical(ds)
    assert not list(tmp_path.glob("*.tmp")) and not list(tmp_path.glob(".*"))


def test_layout_units_and_provenance(ds, toy_spec):
    assert ds.delivered_set.dims == ("system", "channel", "esno_db", "rho", "image", "trial")
    assert ds.delivered_set.dtype == np.uint8
    assert ds.psnr_db.dims == ("system", "rho", "image", "set")
    assert ds.psnr_db.attrs["units"] == "dB" and ds.esno_db.attrs["units"] == "dB"
    assert SweepSpec.from_yaml(ds.attrs["spec_yaml"]) == toy_spec
    assert {"torch", "numpy", "python"} <= set(json.loads(ds.attrs["versions"]))
    assert ds.attrs["seed"] == 5 and ds.attrs["git_revision"]
    assert next(iter(ds.set.values)) == ""


def test_expand_looks_the_quality_of_each_trial_up(ds):
    trials = store.expand(ds)
    rng = np.random.default_rng(0)
    for _ in range(50):
        at = {dim: int(rng.integers(ds.sizes[dim])) for dim in ds.delivered_set.dims}
        index = int(ds.delivered_set[at])
        own = {k: v for k, v in at.items() if k in ds.psnr_db.dims}
        assert float(trials.psnr_db[at]) == float(ds.psnr_db[own].isel(set=index))


def test_quality_exists_exactly_where_a_set_occurred(ds):
    occurred = xr.concat([(ds.delivered_set == k).any(("channel", "esno_db", "trial"))
                          for k in range(ds.sizes["set"])], "set")  # fmt: skip
    assert bool((ds.psnr_db.notnull() == occurred).all())
    assert bool(((ds.level != -2) == occurred).all())


def test_the_csv_recomputes_the_figures(ds, toy_run):
    frame = pd.read_csv(toy_run / "results.csv", keep_default_na=False, na_values=[""])
    wanted = ["system", "channel", "esno_db", "rho", "image", "trial", "delivered_semantic",
              "delivered_structure", "delivered_signal", "psnr_db", "ms_ssim", "bpp",
              "channel_uses"]  # fmt: skip
    assert set(wanted) <= set(frame)
    assert len(frame) == ds.delivered_set.size
    keys = ["system", "channel", "esno_db", "rho"]
    drawn, arrivals = summary.quality(ds, num_resamples=20), summary.delivery(ds)
    for key, group in frame.groupby(keys):
        at = dict(zip(keys, key, strict=True))
        for metric in ("psnr_db", "ms_ssim", "mse"):
            shown = float(drawn.value_mean.sel(metric=metric, **at))
            assert group.groupby("image")[metric].mean().mean() == pytest.approx(shown, rel=1e-12)
        chance = float(arrivals.probability.sel(unit="signal", **at))
        if at["system"] == "toy-too-big":
            assert np.isnan(chance)
        else:
            assert group.delivered_signal.mean() == pytest.approx(chance, rel=1e-12)


def test_the_csv_has_the_fields_of_the_ledger(ds, toy_run):
    frame = pd.read_csv(toy_run / "results.csv")
    img = next(iter(fakes.toy_images("toys", 1).values()))
    from scmc_comm.system import Budget

    done = fakes.ToySystem("toy").prepare(img, Budget(1 / 24, 10.0))
    rows = frame[frame.system == "toy"]
    assert set(rows.channel_uses) == {done.ledger.used}
    assert set(rows.bpp) == {done.bpp}
    assert not frame[frame.system == "toy-too-big"].feasible.any()


def test_large_sweeps_get_a_counted_csv(ds, monkeypatch):
    full = store.to_frame(ds)
    monkeypatch.setattr(store, "MAX_CSV_ROWS", 10)
    short = store.to_frame(ds)
    assert short.num_trials.sum() == len(full) > len(short)
    mean = (short.psnr_db * short.num_trials).sum() / short.num_trials.sum()
    assert mean == pytest.approx(full.psnr_db.mean())


def test_delivery_intervals_hold_the_estimate_and_never_collapse(ds):
    found = summary.delivery(ds).stack(point=("unit", "system", "channel", "esno_db", "rho"))
    found = found.where(found.probability.notnull(), drop=True)
    assert bool((found.low <= found.probability).all() & (found.probability <= found.high).all())
    assert bool((found.high - found.low > 0).all())


def test_paired_difference_to_itself_is_zero(ds):
    found = summary.quality(ds, num_resamples=50)
    reference = found.isel(system=0)
    assert float(abs(reference.difference_high).max()) == 0
    expected = found.value_mean - found.value_mean.isel(system=0)
    xr.testing.assert_allclose(found.difference_mean, expected.drop_vars("system", errors="ignore")
                               .assign_coords(system=found.system))  # fmt: skip


def test_unreadable_results_are_a_one_line_error(tmp_path):
    with pytest.raises(ScmcError, match="run the sweep"):
        store.load(tmp_path)
    (tmp_path / "results.nc").write_bytes(b"not netCDF")
    with pytest.raises(ScmcError) as caught:
        store.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_set_text_is_in_decoding_order():
    for text in ("", "semantic", "semantic+structure+signal", "semantic+signal+extra"):
        assert store.set_text(store.set_tags(text)) == text
