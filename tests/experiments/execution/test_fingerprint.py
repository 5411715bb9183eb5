"""A key changes with what a number depends on, and with nothing else."""

import ast
import importlib.metadata
import shutil
import subprocess
import sys
import time

import pytest

from experiments.execution import fingerprint as module
from experiments.execution.fingerprint import (
    COMPUTING,
    NUMERIC,
    ROOT,
    code_fingerprint,
    fingerprint,
    package_versions,
)
from scmc_comm.zoo.sources import kept_path

CODE = '''
"""A module."""

LIMIT = 3


class Law:
    """A law."""

    seed: int = 1
    """Of the draws."""

    def draw(self):
        """Draws."""
        return {0.5, "one"} & set(range(LIMIT))
'''
# Imported by what computes, and of no effect on a number.
HARMLESS = {
    "cachetools", "platformdirs", "tqdm", "pyyaml", "safetensors", "huggingface-hub", "pandas",
    "xarray",
}  # fmt: skip


def of(folder):
    return fingerprint([folder], folder)


@pytest.fixture
def package(tmp_path):
    (tmp_path / "law.py").write_text(CODE)
    (tmp_path / "law.safetensors").write_bytes(b"one")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another."""\n# and a comment\n'),
        ('"""Draws."""', '"""Draws\n\n        often.\n        """'),
        ('"""Of the draws."""', '"""Of all draws."""'),
        ("set(range(LIMIT))", "set(\n            range(LIMIT)\n        )"),
    ],
)
def test_documentation_and_layout_keep_the_key(package, old, new):
    before = of(package)
    (package / "law.py").write_text(CODE.replace(old, new))
    assert of(package) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("LIMIT = 3", "LIMIT = 4"), ("0.5", "-0.5"), ("seed: int = 1", "seed: int = 2"), ("&", "|"),
     ("LIMIT = 3", "LIMIT = 3.0"), ('"one"', '"two"'), ("def draw(", "def drawn(")],
)  # fmt: skip
def test_code_and_constants_change_the_key(package, old, new):
    before = of(package)
    (package / "law.py").write_text(CODE.replace(old, new))
    assert of(package) != before


def test_weights_count_and_cards_logs_and_bytecode_do_not(package):
    before = of(package)
    for name in ("card.md", "part.tmp", "__pycache__/law.cpython-311.pyc", "__pycache__/law.1.nbc"):
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_bytes(b"any")
    assert of(package) == before
    (package / "law.safetensors").write_bytes(b"two")
    changed = of(package)
    assert changed != before
    (package / "law.safetensors").rename(package / "other.safetensors")
    assert of(package) not in (before, changed)


def test_the_folder_s_place_and_the_process_s_hash_seed_do_not_count(package, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(package, copy)
    ask = f"from experiments.execution.fingerprint import *; print(fingerprint([Path({str(copy)!r})], Path({str(copy)!r})))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", ask], env={"PYTHONHASHSEED": seed}, cwd=ROOT, text=True,
            capture_output=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert seen == {of(package)}


def test_a_package_version_counts(package, monkeypatch):
    before = of(package)
    monkeypatch.setattr(module, "package_versions", lambda names: {"pytorch-msssim": "9"})
    assert of(package) != before


def test_each_folder_that_computes_counts(source_tree, monkeypatch):
    monkeypatch.setattr(module, "ROOT", source_tree)
    for name in ("channels/units.py", "scmc_comm/wire.py", "experiments/sweep/points.py",
                 "experiments/timed/simulate.py"):  # fmt: skip
        before = code_fingerprint()
        with (source_tree / name).open("a") as file:
            file.write("\nANOTHER = 1\n")
        assert code_fingerprint() != before, name
    before = code_fingerprint()
    for name in ("experiments/sweep/writer.py", "experiments/figures/style.py"):
        with (source_tree / name).open("a") as file:
            file.write("\nANOTHER = 1\n")
    assert code_fingerprint() == before, "what describes and draws does not count"


def test_files_outside_the_packages_count(tmp_path, monkeypatch):
    encoder, models = tmp_path / "ffmpeg", tmp_path / "models" / "signal.safetensors"
    models.parent.mkdir()
    monkeypatch.setenv("SCMC_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(encoder))
    monkeypatch.setenv("SCMC_MODELS", str(models.parent))
    for path in (kept_path("alexnet"), kept_path("vgg16"), encoder, models):
        for content in (b"one", b"two"):
            before = code_fingerprint()
            path.write_bytes(content)
            assert code_fingerprint() != before, path


def third_party_imports():
    """Distributions that the computing code imports, at any place in it."""
    distributions = importlib.metadata.packages_distributions()
    own = {"channels", "scmc_comm", "experiments"}
    for folder in COMPUTING:
        for path in (ROOT / folder).rglob("*.py"):
            if path.relative_to(ROOT).as_posix() in module._PRESENTING:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                for name in {name.partition(".")[0] for name in names}:
                    if name not in sys.stdlib_module_names and name not in own:
                        yield (
                            path,
                            {d.lower().replace("_", "-") for d in distributions.get(name, [])},
                        )


def test_every_package_that_computing_code_imports_is_counted_or_known_to_be_harmless():
    for path, found in third_party_imports():
        assert not found or found & {*NUMERIC, *HARMLESS}, f"{path} imports {found}"


def test_all_that_is_left_out_is_there():
    assert all((ROOT / name).is_file() for name in module._PRESENTING)


def test_the_fingerprint_of_the_tree_is_quick_and_knows_its_packages():
    start = time.process_time()
    code_fingerprint()
    assert time.process_time() - start < 2, "half a second on an idle machine"
    assert {"numpy", "simpy", "pytorch-msssim", "dists-pytorch"} <= package_versions(NUMERIC).keys()
