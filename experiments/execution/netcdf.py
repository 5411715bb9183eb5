"""NetCDF files of results: a checksum is put behind what is written, and checked before reading."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from scmc_comm.errors import ScmcError

_SEAL = b"SCMC-crc32 "  # then eight hexadecimal digits; HDF5 does not look behind its own end
_LENGTH = len(_SEAL) + 8
_PIECE = 1 << 20
_MOST_PER_BYTE = 1100  # deflate, the only compression that is written, reaches 1032
_FREE_BYTES = 1 << 24


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
