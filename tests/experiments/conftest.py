"""One toy sweep, run once for all tests that only read it, and files as users have them."""

import shutil

import pytest
from fakes import TOY, TOYS
from PIL import Image

from experiments.commands.main import main
from experiments.execution.fingerprint import ROOT
from experiments.sweep.runner import run_sweep
from scmc_comm.images import load_photo, save_png


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli")
    save_png(load_photo("chelsea", 128), path / "cat.png")
    (path / "notes.png").write_text("not a picture")
    (path / "bad.yaml").write_text("name: x\nsystems: [scmc\nseed: 1")
    (path / "empty.scmc").write_bytes(b"")
    (path / "noise.scmc").write_bytes(bytes(range(7, 90)))
    Image.new("RGB", (1, 1)).save(path / "dot.png")
    main(["encode", str(path / "cat.png"), "-o", str(path / "cat.scmc"), "--quality", "30"])
    return path
