"""The store holds raw trials and gives back what figures show."""

import json

import fakes
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from experiments.statistics.means import bootstrap_interval
from experiments.sweep import store, summary, tables, writer
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.designs import Design
from experiments.sweep.results import CellResult, SetQuality
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError


@pytest.fixture(scope="module")
def ds(toy_run):
    return store.load(toy_run)


def test_single_trials_are_read_when_they_are_asked_for(ds, toy_run):
    with store.reading(toy_run / "results.nc") as opened:
        assert not opened.delivered_set.variable._in_memory
        assert opened["count"].variable._in_memory and opened.psnr_db_of_set.variable._in_memory
        assert opened.delivered_set.isel(trial=0).equals(ds.delivered_set.isel(trial=0))


def test_counts_are_those_of_the_trials(ds):
    for k in range(ds.sizes["set"]):
        xr.testing.assert_equal(
            ds["count"].isel(set=k, drop=True), (ds.delivered_set == k).sum("trial")
        )
    assert (store.num_trials(ds) == ds.sizes["trial"]).all()
    np.testing.assert_allclose(store.weights(ds).sum("set"), 1)


def test_layout_units_and_provenance(ds, toy_spec):
    assert ds.delivered_set.dims == ("system", "channel", "esno_db", "rho", "image", "trial")
    assert ds.delivered_set.dtype == np.uint8
    assert ds.psnr_db_of_set.dims == ("system", "rho", "image", "design", "set")
    assert ds.sizes["design"] == 1 and not ds.design_of.any()
    assert (ds.designed_esno_db == toy_spec.design_esno_db).all()
    assert ds.psnr_db_of_set.attrs["units"] == "dB" and ds.esno_db.attrs["units"] == "dB"
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
        own = {k: v for k, v in at.items() if k in ds.psnr_db_of_set.dims}
        assert float(trials.psnr_db[at]) == float(ds.psnr_db_of_set[own].isel(set=index, design=0))


def test_quality_exists_exactly_where_a_set_occurred(ds):
    occurred = xr.concat([(ds.delivered_set == k).any(("channel", "esno_db", "trial"))
                          for k in range(ds.sizes["set"])], "set")  # fmt: skip
    assert bool((ds.psnr_db_of_set.notnull().isel(design=0) == occurred).all())
    assert bool(((ds.level != -2).isel(design=0) == occurred).all())


def test_the_csv_recomputes_the_figures(ds, toy_run):
    frame = pd.read_csv(toy_run / "results.csv", keep_default_na=False, na_values=[""])
    wanted = ["system", "channel", "esno_db", "rho", "image", "trial", "delivered_semantic",
              "delivered_structure", "delivered_signal", "psnr_db", "ms_ssim", "bpp",
              "channel_uses"]  # fmt: skip
    assert set(wanted) <= set(frame)
    assert len(frame) == ds.delivered_set.size
    keys = ["system", "channel", "esno_db", "rho"]
    drawn, arrivals = summary.quality(ds, num_resamples=20), delivery_probabilities(ds)
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
    from scmc_comm.link.budget import Budget

    done = fakes.ToySystem("toy").prepare(img, Budget(1 / 24, 10.0))
    rows = frame[frame.system == "toy"]
    assert set(rows.channel_uses) == {done.ledger.used}
    assert set(rows.bpp) == {done.bpp}
    assert not frame[frame.system == "toy-too-big"].feasible.any()


def test_a_metric_s_own_name_is_its_mean_over_trials_not_over_sets(ds, toy_run):
    trials = store.expand(ds)
    with xr.open_dataset(toy_run / "results.nc") as stored:
        for metric in ("psnr_db", "ms_ssim", "mse"):
            each = trials[metric].mean("trial", skipna=False).transpose(*stored[metric].dims)
            np.testing.assert_allclose(stored[metric].sel(esno_db=ds.esno_db), each)
            assert float(stored[metric].mean()) == pytest.approx(float(each.mean()))
        assert stored.psnr_db.attrs["units"] == "dB"
        over_sets = float(stored.psnr_db_of_set.mean())
        assert over_sets != pytest.approx(float(stored.psnr_db.mean()), abs=0.1)


def test_pandas_keeps_every_failure_in_the_means(ds, toy_run):
    frame = pd.read_csv(toy_run / "results.csv")
    nothing = frame[frame.delivered == "none"]
    assert 0 < len(nothing) < len(frame) and not frame.delivered.isnull().any()
    flags = [f"delivered_{tag}" for tag in store.LAYER_TAGS]
    assert not nothing[flags].any(axis=None)
    assert set(frame[~frame.feasible].delivered) == {"none"}
    each = frame.groupby("delivered").psnr_db
    assert each.size().sum() == len(frame) == ds.delivered_set.size
    assert (each.mean() * each.size()).sum() / len(frame) == pytest.approx(frame.psnr_db.mean())
    shown = frame.groupby(["system", "channel", "esno_db"]).psnr_db.mean()
    found = summary.quality(ds, num_resamples=20).value_mean.sel(metric="psnr_db")
    for (system, channel, esno_db), mean in shown.items():
        here = found.sel(system=system, channel=channel, esno_db=esno_db)
        assert mean == pytest.approx(float(here.item()))


def test_large_sweeps_get_a_row_a_point(ds, monkeypatch):
    assert len(tables.to_frame(ds)) == ds.delivered_set.size
    monkeypatch.setattr(tables, "MAX_TRIAL_ROWS", ds.delivered_set.size - 1)
    frame = tables.to_frame(ds)
    assert len(frame) == np.prod([ds.sizes[dim] for dim in summary.POINT])
    found, arrivals = summary.quality(ds), delivery_probabilities(ds)
    for row in frame.itertuples():
        at = {dim: getattr(row, dim) for dim in summary.POINT}
        shown = found.sel(metric="psnr_db", **at)
        assert (row.psnr_db_low, row.psnr_db, row.psnr_db_high) == (
            float(shown.value_low), float(shown.value_mean), float(shown.value_high)
        )  # fmt: skip
        assert row.num_trials == 3 * 12 and row.num_images == 3
        chance = arrivals.probability.sel(unit="signal", **at)
        np.testing.assert_equal(row.delivered_signal, float(chance))


def test_more_sets_than_a_byte_numbers_are_an_error():
    quality = {mask: SetQuality({}, -1, "") for mask in range(256)}
    tags = tuple("abcdefgh")
    design = Design("awgn", 10.0)
    cell = CellResult("s", "i", 0, 0, design, tags, "", 0.0, 0, {}, quality)
    with pytest.raises(ScmcError, match="256 different sets"):
        writer.occurring_sets([cell])
    quality.popitem()
    assert len(writer.occurring_sets([cell])) == 255


def test_paired_differences_pair_the_trials(ds):
    trials = store.expand(ds, ["psnr_db"]).psnr_db.transpose(*summary.POINT, "image", "trial")
    found = summary.quality(ds, num_resamples=5).sel(metric="psnr_db")
    differences = trials.values - trials.values[:1]
    pairs = bootstrap_interval(differences, np.random.default_rng(0), 5)
    np.testing.assert_allclose(found.difference_mean, pairs.mean, atol=1e-12)
    alike = (trials == trials.isel(system=0)).all(("image", "trial"))
    assert bool((found.difference_high - found.difference_low).where(alike, 0).max() == 0)


def test_means_given_delivery_leave_only_the_trials_without_any_out(ds):
    trials = store.expand(ds, ["psnr_db"]).psnr_db
    found = summary.quality(ds, num_resamples=50).sel(metric="psnr_db")
    given = trials.where(ds.delivered_set != list(ds.set.values).index(""))
    expected = given.mean(("image", "trial")).transpose(*summary.POINT)
    np.testing.assert_allclose(found.given_delivery, expected, rtol=1e-12)
    low, high = found.given_delivery_low, found.given_delivery_high
    assert bool(((low <= expected + 1e-9) & (expected <= high + 1e-9) | low.isnull()).all())
    # Where nothing ever arrived it has neither value nor limits.
    assert bool((low.isnull() & high.isnull()).where(expected.isnull(), True).all())


def test_the_psnr_of_the_mean_mse_weighs_failures_fully(ds):
    found = summary.quality(ds, num_resamples=50)
    mse = store.expand(ds, ["mse"]).mse.mean(("image", "trial")).transpose(*summary.POINT)
    np.testing.assert_allclose(found.psnr_of_mean_mse_db, -10 * np.log10(mse), rtol=1e-12)
    assert bool((found.psnr_of_mean_mse_db_low <= found.psnr_of_mean_mse_db).all())
    assert bool((found.psnr_of_mean_mse_db <= found.psnr_of_mean_mse_db_high).all())
    assert bool((found.psnr_of_mean_mse_db <= found.value_mean.sel(metric="psnr_db") + 1e-9).all())


def test_pictures_without_a_metric_are_left_out_of_its_means_and_counted(ds):
    undefined = ds.copy()
    undefined["ms_ssim_of_set"] = ds.ms_ssim_of_set.where(ds.image != ds.image[0])
    found = summary.quality(undefined, num_resamples=20)
    assert found.num_images.sel(metric=["ms_ssim", "psnr_db"]).values.tolist() == [2, 3]
    rest = summary.quality(ds.isel(image=slice(1, None)), num_resamples=20)
    whole = summary.quality(ds, num_resamples=20)
    for name in ("value_mean", "value_low", "difference_mean", "given_delivery"):
        for metric, expected in (("ms_ssim", rest), ("psnr_db", whole)):
            xr.testing.assert_allclose(
                found[name].sel(metric=metric), expected[name].sel(metric=metric)
            )
    undefined["ms_ssim_of_set"] = ds.ms_ssim_of_set * np.nan
    nowhere = summary.quality(undefined, num_resamples=20)
    assert int(nowhere.num_images.sel(metric="ms_ssim")) == 0
    assert bool(nowhere.value_mean.sel(metric="ms_ssim").isnull().all())


def test_few_images_have_student_t_and_one_image_and_fade_none(ds):
    means = summary.image_means(ds, "psnr_db").values
    half = stats.t.ppf(0.975, 2) * means.std(axis=-1, ddof=1) / np.sqrt(3)
    found = summary.quality(ds).sel(metric="psnr_db")
    np.testing.assert_allclose(found.value_high - found.value_mean, half, rtol=1e-9)
    paired = means - means[:1]
    half = stats.t.ppf(0.975, 2) * paired.std(axis=-1, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(found.difference_mean - found.difference_low, half, atol=1e-9)
    alone = ds.isel(image=[0], trial=[0]).copy()
    alone["count"] = xr.zeros_like(alone["count"])
    for point in np.ndindex(*alone.delivered_set.shape[:5]):
        at = dict(zip(alone.delivered_set.dims[:5], point, strict=True))
        alone["count"][at | {"set": int(alone.delivered_set[at].values[0])}] = 1
    found = summary.quality(alone).sel(metric="psnr_db")
    assert bool(found.value_mean.notnull().all()) and bool(found.value_low.isnull().all())
    assert bool(delivery_probabilities(alone).low.isnull().all())


def test_what_is_not_sent_is_not_lost(ds):
    """An image whose budget the signal did not fit says nothing on how often it arrives."""
    frames = ds.frames.copy()
    at = {"system": 0, "image": 0}
    frames[at] = np.vectorize(lambda text: text.replace("+signal", ""))(frames[at].values)
    found = delivery_probabilities(ds.assign(frames=frames)).sel(system="toy", unit="signal")
    rest = delivery_probabilities(ds.isel(image=slice(1, None))).sel(system="toy", unit="signal")
    xr.testing.assert_allclose(found.probability, rest.probability)
    xr.testing.assert_allclose(found.high, rest.high)
    assert (found.num_images == 2).all() and (found.num_trials == 24).all()
    none = delivery_probabilities(ds).sel(system="toy-flat", unit="semantic")
    assert bool(none.probability.isnull().all()) and (none.num_images == 0).all()


def test_delivery_intervals_hold_the_estimate_and_never_collapse(ds):
    found = delivery_probabilities(ds).stack(point=("unit", "system", "channel", "esno_db", "rho"))
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
