"""One toy sweep, run once for all tests that only read it."""

import sys
from pathlib import Path

import pytest

from experiments.runner import run_sweep
from experiments.spec import SweepSpec

sys.path.insert(0, str(Path(__file__).parent))  # spawned workers must find the toys too

TOY = SweepSpec(
    "toy", ("toy", "toy-equal", "toy-flat", "toy-too-big"), ("awgn", "rayleigh_block"),
    (-3.0, 3.0, 9.0, 15.0), (1 / 24,), num_images=3, num_trials=12, seed=5,
)  # fmt: skip


@pytest.fixture(scope="session")
def toy_spec():
    return TOY


@pytest.fixture(scope="session")
def toy_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory, toy_cache):
    from fakes import TOYS

    out = tmp_path_factory.mktemp("toy") / "run"
    return run_sweep(TOY, out, 1, cache_dir=toy_cache, components=TOYS, progress=False)
