"""One toy sweep, run once for all tests that only read it."""

import pytest
from fakes import TOY, TOYS

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
