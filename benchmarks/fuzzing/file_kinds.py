"""Readers of files that people have: tables, descriptions and result stores."""

from __future__ import annotations

import contextlib
import itertools
import os
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fuzzing.campaign import Kind
from channels.bler.table import BlerTable, default_table
from channels.fading.trace import read_trace
from channels.npz import read_npz
from experiments.computing.times import read_times
from experiments.execution.netcdf import seal
from experiments.execution.side_files import read_json, read_table
from experiments.figures.rd import rd_charts, read_points
from experiments.rd.anchors import load_anchors
from experiments.rd.run import RdSpec, run_rd
from experiments.reproduce.spec import FOLDER, read_result
from experiments.sweep import store, tables
from experiments.sweep.components import Components
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import list_sweeps, read_sweep
from experiments.timed import results as timed_results
from experiments.timed.runner import run_timed
from experiments.timed.spec import TimedSpec
from scmc_comm.datasets import table
from scmc_comm.images import load_photo, save_png
from scmc_comm.link.plan_file import load_plan

Reader = Callable[[Path], object]

SWEEP = """
name: demo
systems: [jpeg, "jpeg:mcs=adaptive"]
channels: [awgn, "rician_block:k_factor_db=6"]
esno_db: [0, 12]
rho: [1/4, 1/2]
metrics: [psnr_db, ms_ssim]
num_trials: 6
seed: 3
"""
TIMED = """
kind: timed
name: demo
axis: load
values: [0.5, 1]
schemes: [jpeg, "jpeg:priorities=equal"]
rho: 1/4
metrics: [psnr_db]
duration_s: 2
num_replications: 2
"""
PLAN = """
semantic:  {modulation: QPSK, coderate: 30/1024, power_db: 3}
structure: {modulation: QPSK, coderate: 193/1024}
signal:    {modulation: 16-QAM, coderate: 434/1024}
signal.2:  {modulation: 64-QAM, coderate: 438/1024, repetition: 1}
"""
ANCHORS = b'{"dataset": "d", "curves": {"jpeg": {"bpp": [0.2, 0.5, 1], "psnr_db": [25, 29, 32.5]}}}'
CAPTIONS = b'file,split,caption,class_name\na.png,train,"a, red, rose",rose\nb.png,test,b,\n'
TRACE = b"time_s,esno_db\n0,10\n1,0.5\n2.5,-3\n3,10\n"
RD = "scmc-comm rd"
HDF5_MIB = 4096
"""Under a checksum that was put right, HDF5 allocates what a damaged file declares."""
_ENTRY = b"PK\1\2"


def description_kinds(folder: Path) -> list[Kind]:
    """YAML of sweeps, plans and results.

    Args:
        folder: Of files that exist while one is read.
    """
    sweeps = [spec.to_yaml() for spec in list_sweeps().values()]
    results = tuple(
        path.read_bytes() for path in sorted(FOLDER.glob("*.yaml")) if "sweep" not in path.stem
    )
    texts = tuple(text.encode() for text in (SWEEP, TIMED, *sweeps[:4]))
    return [
        Kind("sweep YAML", texts, _sweep, 10, text=True),
        Kind("plan YAML", (PLAN.encode(),), _file(folder, "plan.yaml", load_plan), 6, text=True),
        Kind("result YAML", results, _file(folder, "result.yaml", read_result), 4, text=True),
    ]


def _sweep(data: bytes) -> None:
    """Parses, and looks every name up."""
    spec = read_sweep(data.decode("utf-8", "replace"))
    if isinstance(spec, SweepSpec):
        Components().check_names(spec)


def store_kinds(folder: Path, inputs: Path) -> list[Kind]:
    """Result stores, read as figures and tables read them.

    Args:
        folder: Of files that exist while one is read.
        inputs: Where small results are made, of pictures that are put there.
    """
    images = _images(inputs)
    sweep = SweepSpec.from_yaml(f"{SWEEP}images: {images}")
    timed = TimedSpec.from_yaml(f"{TIMED}images: {images}")
    made = run_sweep(sweep, inputs / "sweep", use_cache=False, progress=False)
    expected = sweep.override(["estimator=expected", "channels=awgn"])
    exact = run_sweep(expected, inputs / "exact", use_cache=False, progress=False)
    run_timed(timed, inputs / "timed", cache_dir=inputs / "cache", progress=False)
    resealed = partial(_resealed, folder)

    def sweeps(path: Path) -> None:
        tables.to_frame(store.load(path.parent)).to_csv(index=False)

    def timed_ones(path: Path) -> None:
        with timed_results.reading(path) as ds:
            ds.load()

    stores = tuple((place / "results.nc").read_bytes() for place in (made, exact))
    of_time = ((inputs / "timed" / "results.nc").read_bytes(),)
    return [
        Kind(name, seeds, _file(folder, "results.nc", reader), share, repair=resealed,
             limit_mib=HDF5_MIB)
        for name, seeds, reader, share in (
            ("results.nc", stores, sweeps, 4), ("timed results.nc", of_time, timed_ones, 2),
        )
    ]  # fmt: skip


def table_kinds(folder: Path, inputs: Path) -> list[Kind]:
    """Tables and JSON that commands leave or take; arguments as of `store_kinds`."""
    out = inputs / "rd"
    run_rd(RdSpec(("jpeg", "webp"), str(_images(inputs)), metrics=("psnr_db",)), out,
           progress=False)  # fmt: skip
    of_times = (FOLDER / "computing-times.json").read_bytes()
    shipped = default_table()
    small = dict(itertools.islice(shipped.curves.items(), 3))
    BlerTable(small, shipped.provenance).save(inputs / "packed.npz")
    np.savez(inputs / "table.npz", **read_npz(inputs / "packed.npz"))
    bler = tuple((inputs / name).read_bytes() for name in ("packed.npz", "table.npz"))

    def taken(name: str, reader: Reader, share: float, *seeds: bytes) -> Kind:
        return Kind(name, seeds, _file(folder, name, reader), share, text=True)

    return [
        taken("run.json", partial(read_json, command=RD, mappings=("spec",)), 4,
              (out / "run.json").read_bytes()),
        taken("points.csv", partial(read_points, column="image"), 4,
              (out / "points.csv").read_bytes()),
        taken("captions.csv", _pictures, 4, CAPTIONS),
        taken("curves.csv", partial(_charts, (out / "bd.csv")), 1.5,
              (out / "curves.csv").read_bytes()),
        taken("times.json", read_times, 3, of_times),
        taken("anchors.json", load_anchors, 6, ANCHORS),
        taken("trace.csv", read_trace, 6, TRACE),
        Kind("table.npz", bler, _file(folder, "t.npz", BlerTable.load), 4, repair=with_zip_crcs),
    ]  # fmt: skip


def _charts(bd: Path, path: Path) -> None:
    """The charts of a run, made and not drawn."""
    curves = read_points(path, "point")
    differences: pd.DataFrame = read_table(bd, RD, ("metric", "reference", "codec"))
    rd_charts(curves, differences, None, "made up")


def _pictures(path: Path) -> None:
    (path.parent / "images").mkdir(exist_ok=True)
    table.read(path.parent)


def _images(inputs: Path) -> Path:
    folder = inputs / "images"
    folder.mkdir(exist_ok=True)
    for name in ("chelsea", "coffee"):
        save_png(load_photo(name, 64), folder / f"{name}.png")
    return folder


def _file(folder: Path, name: str, reader: Reader) -> Callable[[bytes], object]:
    """Reads bytes as a file of a name, in a folder of this process."""

    def read(data: bytes) -> None:
        path = folder / str(os.getpid()) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        reader(path)

    return read


def with_zip_crcs(data: bytes) -> bytes:
    """A zip whose directory states the checksums of what it holds, as far as it can be followed."""
    out, at = bytearray(data), data.find(_ENTRY)
    while 0 <= at <= len(data) - 46:
        size, start = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (20, 42))
        name, extra = (int.from_bytes(data[start + i : start + i + 2], "little") for i in (26, 28))
        held = data[start + 30 + name + extra :][:size]
        with contextlib.suppress(zlib.error):
            if data[at + 10] == zipfile.ZIP_DEFLATED:
                held = zlib.decompressobj(-15).decompress(held, 1 << 24)
            out[at + 16 : at + 20] = zlib.crc32(held).to_bytes(4, "little")
        at = data.find(_ENTRY, at + 4)
    return bytes(out)


def _resealed(folder: Path, data: bytes) -> bytes:
    """A store under a checksum that is right: the old one stays before it."""
    path = folder / f"{os.getpid()}.sealed"
    path.write_bytes(data)
    seal(path)
    return path.read_bytes()
