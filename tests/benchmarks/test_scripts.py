"""The scripts of ``benchmarks`` start: their imports exist, and none hides a package by its name."""

import importlib.util
import runpy
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_starts_and_hides_no_package(path, monkeypatch, capsys):
    assert importlib.util.find_spec(path.stem) is None, "run as a script it would be imported"
    monkeypatch.setattr("sys.argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(path), run_name="__main__")
    assert stop.value.code == 0 and "usage" in capsys.readouterr().out
