"""One toy sweep, run once for all tests that only read it."""

import shutil

import pytest
from fakes import TOY, TOYS

from experiments.execution.fingerprint import ROOT
from experiments.sweep.runner import run_sweep


@pytest.fixture(scope="session")
def toy_spec():
    return TOY


@pytest.fixture(scope="session")
def toy_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory, toy_cache):
    out = tmp_path_factory.mktemp("toy") / "run"
    return run_sweep(TOY, out, 1, cache_dir=toy_cache, components=TOYS, progress=False)


@pytest.fixture
def source_tree(tmp_path):
    """A copy of the packages' sources, free to change."""
    for package in ("channels", "scmc_comm", "experiments"):
        skip = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skip)
    return tmp_path
