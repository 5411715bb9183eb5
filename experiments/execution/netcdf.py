"""NetCDF files of results: a checksum is put behind what is written, and checked before reading."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5netcdf
import xarray as xr

from scmc_comm.errors import ScmcError

_SEAL = b"SCMC-crc32 "  # then eight hexadecimal digits; HDF5 does not look behind its own end
_LENGTH = len(_SEAL) + 8
_PIECE = 1 << 20
_MOST_PER_BYTE = 1100  # deflate, the only compression that is written, reaches 1032
_FREE_BYTES = 1 << 24


def write_dataset(
    ds: xr.Dataset, path: Path, encoding: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Writes a dataset, first in memory: a disk that is full then ends no process.

    Args:
        ds: All of it lies in memory.
        path: The file to make.
        encoding: As `xarray.Dataset.to_netcdf` takes it.
    """
    made = io.BytesIO()
    with h5netcdf.File(made, "w") as file:
        ds.dump_to_store(xr.backends.H5NetCDFStore(file), encoding=encoding)
    path.write_bytes(made.getbuffer())


class Disk(io.FileIO):
    """A file for HDF5, which a write that fails would crash: it is kept, and raised later."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+")
        self._error: OSError | None = None

    def check(self) -> None:
        """Raises the first error of a write."""
        if self._error is not None:
            raise OSError(self._error.errno, self._error.strerror, str(self.name))

    def write(self, data: Any) -> int:
        """See `io.RawIOBase.write`; all of the data, or what fails is kept."""
        left = memoryview(data).cast("B")
        try:
            while self._error is None and left:
                left = left[super().write(left) :]
        except OSError as error:
            self._error = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        """See `io.IOBase.truncate`; what fails is kept."""
        try:
            return super().truncate(size) if self._error is None else size or 0
        except OSError as error:
            self._error = error
            return size or 0


@contextmanager
def changed_file(path: Path) -> Iterator[Disk]:
    """A file for h5py and h5netcdf to change; its ``check`` raises what could not be written.

    Raises:
        OSError: Something could not be written, as on a full disk.
    """
    with contextlib.closing(Disk(path)) as disk:
        yield disk
        disk.check()


def seal(path: Path) -> None:
    """Puts the CRC-32 of a finished file behind it; every NetCDF reader still reads it.

    HDF5 has no checksum of most of its data, and some damaged files stop it for good.
    """
    value = _crc(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(_SEAL + f"{value:08x}".encode())


def _crc(path: Path, size: int) -> int:
    value = 0
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(size, _PIECE))):
            value, size = zlib.crc32(piece, value), size - len(piece)
    return value


def _check_seal(path: Path) -> None:
    """Files without a checksum, as other programs write them, are left to HDF5's own checks."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _LENGTH, 0))
        end = file.read()
    if end.startswith(_SEAL) and end != _SEAL + f"{_crc(path, size - _LENGTH):08x}".encode():
        raise damaged(path, "its bytes do not fit their checksum")


@contextmanager
def opened(path: Path) -> Iterator[xr.Dataset]:
    """Opens a file; its values stay there until they are asked for.

    Raises:
        ScmcError: There is no such file, it cannot be read, or it declares arrays that so few
            bytes cannot hold.
    """
    if path.parent.is_file():
        raise ScmcError(f"{path.parent} is a file; give the folder of results that it lies in")
    if path.is_dir():
        raise ScmcError(f"{path} is a folder; expected the file that a sweep writes there")
    if not path.is_file():
        raise ScmcError(f"there is no {path}; run the sweep first, or give its output folder")
    try:
        _check_seal(path)
        ds = xr.open_dataset(path, engine="h5netcdf")
    except ScmcError:
        raise
    except Exception as error:  # HDF5 answers damage with a dozen kinds of exception
        raise damaged(path, error) from error
    with ds:
        most = max(_FREE_BYTES, _MOST_PER_BYTE * path.stat().st_size)
        for name, variable in ds.variables.items():
            if variable.nbytes > most:
                raise damaged(path, f"{name!r} declares {variable.nbytes} bytes, more than fit")
        yield ds


def load_values(ds: xr.Dataset, path: Path, skip: Iterable[str] = ()) -> None:
    """Loads the variables of a store but those that stay in the file.

    Raises:
        ScmcError: One cannot be read.
    """
    for name in set(ds.variables) - set(skip):
        try:
            ds[name].load()
        except Exception as error:  # as in `opened`
            raise damaged(path, f"{name!r}: {error}") from error


def damaged(path: Path, why: object) -> ScmcError:
    """The error of a file that cannot be what it should be."""
    reason = " ".join(str(why).split())[:200] or type(why).__name__
    table = path.with_name("results.csv")
    beside = f" ({table.name} beside it holds the table)" if table.is_file() else ""
    return ScmcError(f"{path} is not a readable result store: {reason}; run it again{beside}")


def require(
    ds: xr.Dataset, path: Path, variables: Mapping[str, Iterable[str]], attrs: Iterable[str]
) -> None:
    """Checks that a store has what its readers use.

    Args:
        ds: The store.
        path: Its file.
        variables: Names and their dimensions, in any order.
        attrs: Names of attributes.

    Raises:
        ScmcError: Something is missing, or has other dimensions: the file is damaged, or of
            another version.
    """
    lacks = [name for name in variables if name not in ds.variables]
    lacks += [f"attribute {name}" for name in attrs if name not in ds.attrs]
    if lacks:
        raise ScmcError(
            f"{path} was written by another version, or is damaged: it lacks {', '.join(lacks)}; "
            "run the sweep again"
        )
    for name, dims in variables.items():
        if set(ds[name].dims) != set(dims):
            raise damaged(path, f"{name!r} is over {ds[name].dims}; expected {tuple(dims)}")
