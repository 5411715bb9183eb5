"""The cache by kind: what a sweep and a rate-distortion run keep is told apart, and deleted so."""

import os
from pathlib import Path

import numpy as np
import pytest
from fakes import TOYS

from experiments.commands.main import main
from experiments.execution.cache import Cache, digest
from experiments.execution.inventory import KINDS, clear, entries
from experiments.rd.measure import measure_points
from experiments.sweep.originals import originals
from experiments.sweep.runner import run_sweep
from scmc_comm.datasets.image_sets import LazyImages


def counts(folder):
    found = dict.fromkeys(KINDS, 0)
    for entry in entries(folder):
        found[entry.kind] += 1
        assert entry.size == entry.path.stat().st_size
    return found


@pytest.fixture
def folder(toy_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    run_sweep(
        toy_spec, tmp_path / "out", cache_dir=tmp_path / "cache", components=TOYS, progress=False
    )
    measure_points(
        ["jpeg"],
        originals(LazyImages("photos@64", 1)),
        ("psnr_db",),
        1,
        tmp_path / "cache" / "rd",
        False,
    )
    Cache(tmp_path / "cache").put_json(digest("cost"), {"s": 1.0})
    (tmp_path / "cache" / "notes.txt").write_text("mine")
    return tmp_path / "cache"


def test_all_kinds_are_told_apart(folder):
    found = counts(folder)
    assert all(found.values()) and found["costs"] == 1
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert sum(found.values()) == len(files) - 1


@pytest.mark.parametrize("body", [b"0.25", b"NaN", b"31.7", b"1e-05", b"2.5e-07", b"-0.5"])
def test_a_lone_number_is_a_score(tmp_path, body):
    Cache(tmp_path).put(digest(body.decode()), body)
    assert counts(tmp_path)["scores"] == 1


def test_masks_of_trials_are_no_numbers(tmp_path):
    Cache(tmp_path).put(digest("masks"), np.full(20, 7, np.uint8).tobytes())
    assert counts(tmp_path)["trials"] == 1


def test_one_kind_is_deleted_and_nothing_else(folder):
    before = counts(folder)
    assert clear(folder, ["scores"])[0] == before["scores"]
    assert counts(folder) == before | {"scores": 0}
    clear(folder)
    assert not any(counts(folder).values()) and (folder / "notes.txt").read_text() == "mine"


def test_what_a_killed_run_left_goes_too(tmp_path, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(os, "replace", lambda *paths: None)
        killed.setattr(Path, "unlink", lambda *paths, **how: None)
        Cache(tmp_path).put(digest("x"), b"half")
    (left,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert left.suffix == ".tmp"
    clear(tmp_path)
    assert not left.exists()


def test_the_verb_asks_before_it_deletes_all(folder, capsys):
    main(["cache", "info"])
    told = capsys.readouterr().out
    assert str(folder) in told and all(kind in told for kind in KINDS) and "MB" in told
    with pytest.raises(SystemExit):
        main(["cache", "clear"])
    assert "--yes" in capsys.readouterr().err and any(counts(folder).values())
    with pytest.raises(SystemExit):
        main(["cache", "clear", "score"])
    assert "did you mean scores?" in capsys.readouterr().err
    main(["cache", "clear", "costs"])
    assert "deleted 1 entries" in capsys.readouterr().out
    main(["cache", "clear", "--yes"])
    assert not any(counts(folder).values())
