"""A small repository of one page and one result, made by a command of milliseconds."""

import json

import pytest

from experiments.reproduce import pages, provenance, run, spec

SPEC = """
title: Squares
run: python -c 'import sys; open(sys.argv[1], "w").write("metric,n,square\\npsnr_db,1,1.0\\npsnr_db,2,4.0\\n")' {out}/a.csv
keep:
  squares: {file: a.csv}
weights: "one*"
code: []
views:
  table: {rows: n, cells: {square: "{square}"}, corner: number}
  range: {text: "{min} to {max:.0f} of {count}", of: square}
"""
PAGE = """# A page

Squares are <!-- result: squares range -->nothing<!-- end -->:

<!-- result: squares table --><!-- end -->
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "docs" / "results"
    folder.mkdir(parents=True)
    (folder / "squares.yaml").write_text(SPEC)
    (tmp_path / "README.md").write_text(PAGE)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "one.npz").write_bytes(b"1")
    (tmp_path / "weights" / "two.npz").write_bytes(b"2")
    for module in (pages, provenance, run):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(spec, "FOLDER", folder)
    monkeypatch.setattr(provenance, "WEIGHTS", ("weights",))
    provenance.shipped.cache_clear()
    yield tmp_path
    provenance.shipped.cache_clear()


@pytest.fixture
def squares(repository):
    """The result, made."""
    found = spec.list_results()["squares"]
    run.make(found, repository / "work", None, 1)
    assert json.loads((found.folder / "result.json").read_text())["spec"] == found.digest()
    return found
