"""A result store that is damaged or of another version is refused in one line, or read right."""

import shutil

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr

from experiments.sweep import store
from scmc_comm.errors import ScmcError


@pytest.fixture
def copy(toy_run, tmp_path):
    shutil.copy(toy_run / "results.nc", tmp_path)
    return tmp_path


def changed(folder, change):
    with h5py.File(folder / "results.nc", "r+") as file:
        change(file)
    return folder


def test_a_flipped_bit_is_refused_or_moves_no_number(toy_run, copy):
    right, data = store.load(toy_run), (toy_run / "results.nc").read_bytes()
    rng, refused = np.random.default_rng(3), 0
    for _ in range(30):
        hurt = bytearray(data)
        hurt[rng.integers(len(data))] ^= 1 << rng.integers(8)
        (copy / "results.nc").write_bytes(hurt)
        try:
            found = store.load(copy)
        except ScmcError as error:
            assert "do not fit their checksum" in str(error)
            assert len(str(error).splitlines()) == 1
            refused += 1
            continue
        for name in found.variables:
            xr.testing.assert_equal(found[name].variable, right[name].variable)
    assert refused > 25


@pytest.mark.parametrize("cut", [0, 1, 100, 0.5, 0.99])
def test_a_store_that_is_cut_short_is_refused(copy, cut):
    path = copy / "results.nc"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut) if cut < 1 else cut])
    with pytest.raises(ScmcError, match="is not a readable result store"):
        store.load(copy)


@pytest.mark.parametrize(
    "name", ["design_of", "frames", "count", "set", "channel", "esno_db", "delivered_set", "bpp"]
)
def test_a_variable_that_is_missing_is_named(toy_run, tmp_path, name):
    store.load(toy_run).drop_vars(name).to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    with pytest.raises(ScmcError, match=f"another version, or is damaged: it lacks .*{name}"):
        store.load(tmp_path)


@pytest.mark.parametrize("name", ["title", "spec_yaml", "versions", "design_esno_db", "estimator"])
def test_an_attribute_that_is_missing_is_named(copy, name):
    with pytest.raises(ScmcError, match=f"it lacks attribute {name}"):
        store.load(changed(copy, lambda file: file.attrs.__delitem__(name)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda ds: ds.design_of.values.fill(7), "'design_of' holds 7 to 7; expected 0 to 0"),
        (lambda ds: ds.delivered_set.values.fill(99), "'delivered_set' holds 99 to 99"),
        (lambda ds: ds["count"].values.fill(-1), "a weight of a delivered set that is negative"),
        (lambda ds: ds.attrs.update(versions="{"), "attribute versions"),
        (lambda ds: ds.attrs.update(design_esno_db="x"), "design_esno_db is 'x'"),
    ],
)
def test_a_value_out_of_range_is_refused(toy_run, tmp_path, change, why):
    ds = store.load(toy_run)
    change(ds)
    ds.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    with pytest.raises(ScmcError, match=why):
        store.load(tmp_path)


def test_a_huge_declared_array_is_refused_before_it_is_read(tmp_path):
    with h5netcdf.File(tmp_path / "results.nc", "w") as file:
        file.dimensions = {"trial": 1 << 30, "image": 26}
        file.create_variable("delivered_set", ("trial", "image"), "u1", chunks=(1 << 20, 1))
    with pytest.raises(ScmcError, match="'delivered_set' declares 27917287424 bytes"):
        store.load(tmp_path)
