"""A disk that is full is an error that can be raised, for HDF5 as well."""

import errno

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from experiments.execution.netcdf import Disk, changed_file, opened, seal, write_dataset


@pytest.fixture
def path(tmp_path):
    ds = xr.Dataset(
        {"a": ("x", np.arange(4.0)), "words": ("x", ["a", "", "ä", "d"])}, attrs={"n": 3}
    )
    write_dataset(ds, tmp_path / "a.nc", {"a": {"zlib": True}})
    return tmp_path / "a.nc"


def fill(path):
    with changed_file(path) as disk, h5netcdf.File(disk, "a") as file:
        file.dimensions["y"] = 100_000
        file.create_variable("more", ("y",), data=np.arange(100_000))


def test_what_is_written_and_added_is_read(path):
    fill(path)
    seal(path)
    with opened(path) as ds:
        assert ds.a.values.tolist() == [0, 1, 2, 3] and ds.words.values.tolist() == [
            "a",
            "",
            "ä",
            "d",
        ]
        assert ds.attrs["n"] == 3 and ds.a.encoding["zlib"] and int(ds.more[99_999]) == 99_999


def test_a_disk_that_fills_while_hdf5_writes_ends_no_process(path, monkeypatch):
    room = [20_000]

    class Full(Disk):
        def write(self, data):
            room[0] -= memoryview(data).nbytes
            if room[0] < 0 and self._error is None:
                self._error = OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr("experiments.execution.netcdf.Disk", Full)
    with pytest.raises(OSError, match="No space left") as caught:
        fill(path)
    assert caught.value.filename == str(path)
