"""KID and FID of a sweep: features in the store, mixtures over what is delivered."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from fakes import TOY, TOYS, toy_image

from experiments.figures.plots import plot_sweep
from experiments.sweep import distribution, store, summary
from experiments.sweep.components import Components
from experiments.sweep.runner import run_sweep
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.distribution import Shown, pair_sums


def features(img: torch.Tensor) -> torch.Tensor:
    """Means of eight fields."""
    return torch.nn.functional.adaptive_avg_pool2d(img, (2, 4)).mean(0).flatten()


def available(names):
    return names


PARTS = dataclasses.replace(TOYS, features=features, available_metrics=available)
SPEC = dataclasses.replace(
    TOY, systems=("toy", "toy-flat"), metrics=("psnr_db", "kid_vgg16", "fid_vgg16"), num_images=5,
)  # fmt: skip


@pytest.fixture(scope="module", params=["expected", "monte-carlo"])
def folder(request, tmp_path_factory):
    spec = dataclasses.replace(SPEC, estimator=request.param)
    out = tmp_path_factory.mktemp("sets")
    return run_sweep(spec, out, components=PARTS, use_cache=False, progress=False)


@pytest.fixture(scope="module")
def ds(folder):
    return store.load(folder)


def test_features_are_those_of_the_pictures(ds):
    want = np.stack([features(toy_image(n)).numpy() for n in range(5)])
    assert np.allclose(ds.original_features, want)
    came = store.weights(ds).any(("channel", "esno_db")) > 0
    known = (ds.features_of >= 0).any("design")
    assert bool((known == came).all())


def test_kid_is_that_of_the_mixture_over_delivered_sets(ds):
    found = summary.quality(ds)
    at = {"system": "toy", "channel": "rayleigh_block", "esno_db": 9.0, "rho": ds.rho.values[0]}
    weights = store.weights(ds).sel(at).transpose("image", "set").values
    rows = store.at_points(ds, "features_of").sel(at).transpose("image", "set").values
    shown = ds.picture_features.values[rows].astype(float)
    pictures = Shown(ds.original_features.values.astype(float), shown, weights)
    part = found.sel(at, method=None).sel(metric="kid_vgg16")
    assert float(part.value_mean) == pytest.approx(float(pair_sums(pictures).kid()), rel=1e-9)
    assert float(part.value_low) < float(part.value_mean) < float(part.value_high)
    given = Shown(pictures.real, shown, weights * (ds.set.values != ""))
    assert float(part.given_delivery) == pytest.approx(float(pair_sums(given).kid()), rel=1e-9)


def test_differences_are_to_the_first_system(ds):
    found = summary.quality(ds).sel(metric="kid_vgg16")
    difference = found.value_mean - found.value_mean.isel(system=0)
    assert np.allclose(found.difference_mean, difference)
    assert (found.difference_low.isel(system=0) == 0).all()
    assert (found.difference_low <= found.difference_mean + 1e-12).all()


def test_fid_of_few_pictures_is_undefined_and_counted(ds):
    found = summary.quality(ds)
    assert found.num_images.sel(metric=["psnr_db", "kid_vgg16", "fid_vgg16"]).values.tolist() == [
        5, 5, 0,
    ]  # fmt: skip
    assert found.value_mean.sel(metric="fid_vgg16").isnull().all()


def test_other_metrics_are_as_without_it(ds, tmp_path):
    estimator = "expected" if store.is_exact(ds) else "monte-carlo"
    spec = dataclasses.replace(SPEC, metrics=("psnr_db",), estimator=estimator)
    out = run_sweep(spec, tmp_path, components=PARTS, use_cache=False, progress=False)
    plain = store.load(out)
    assert distribution.names(plain) == [] and "picture_features" not in plain
    want, found = (summary.quality(x).sel(metric="psnr_db") for x in (plain, ds))
    assert want.drop_vars("metric").equals(found.drop_vars("metric"))


def test_figures_and_the_table_show_it(folder, ds):
    names = {path.name for path in plot_sweep(folder, progress=False)}
    assert "kid_vgg16_rho1-24.png" in names and "fid_vgg16_rho1-24.png" not in names
    if store.is_exact(ds):
        frame = pd.read_csv(folder / "results.csv")
        assert frame.kid_vgg16.notna().all() and frame.fid_vgg16.isna().all()


def test_where_it_has_no_meaning_it_is_refused():
    spec = dataclasses.replace(
        SPEC, systems=("scmc",), primary=(f"kid_vgg16 awgn {SPEC.rho[0]} 0:9",), images="photos"
    )  # fmt: skip
    with pytest.raises(ScmcError, match="set of pictures"):
        Components().check_names(spec)
    with pytest.raises(ScmcError, match="expected some of psnr_db"):
        Components().check_names(dataclasses.replace(spec, primary=(), utility="kid_vgg16"))
