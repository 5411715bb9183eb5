"""One toy sweep and its report, for all tests that only read them."""

import dataclasses

import pytest
from fakes import TOYS

from experiments.report import tables
from experiments.report.build import ReportSpec, write_report
from experiments.sweep import store
from experiments.sweep.runner import run_sweep


@pytest.fixture(scope="session")
def sweep(toy_spec, tmp_path_factory):
    spec = dataclasses.replace(
        toy_spec, systems=("toy", "toy-flat", "toy-too-big"), metrics=("psnr_db",), bounds=("toy-codec",), num_images=2,
        num_trials=8,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("sweep") / "run"
    return run_sweep(spec, out, components=TOYS, use_cache=False, progress=False)


@pytest.fixture(scope="session")
def ds(sweep):
    return store.load(sweep)


@pytest.fixture(scope="session")
def report(sweep, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "RESAMPLES", 20)
        write_report(ReportSpec((sweep,), out), progress=False)
    return out
