"""Outputs that cannot be written are noticed before the work; JSON is what every reader takes."""

import json
import math
import os
from pathlib import Path

import pytest

from experiments.execution.cache import default_cache_dir
from experiments.execution.output import (
    as_json,
    check_ending,
    check_files,
    check_folder,
    check_picture,
    check_results,
    write_json,
)
from scmc_comm.errors import ScmcError


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "a" / "b", tmp_path / "there"):
        assert check_folder(folder) == folder
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert not list((tmp_path / "there").iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for path, said in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "x", "cannot write to folder"),
        (Path("/proc/nope/x"), "cannot write to folder"),
    ):
        with pytest.raises(ScmcError, match=said):
            check_folder(path)


def test_files_are_checked_before_they_are_written(tmp_path):
    check_files(tmp_path / "a.json", None, tmp_path / "b.json")
    for paths, said in (
        ((tmp_path / "no" / "a",), "create it first"),
        ((tmp_path,), "is a folder"),
        ((tmp_path / "a", tmp_path / "x" / ".." / "a"), "no folder|written twice"),
        ((tmp_path / "a", tmp_path / "a"), "written twice"),
        ((Path("/proc/a.png"),), "cannot write to folder"),
    ):
        with pytest.raises(ScmcError, match=said):
            check_files(*paths)
    check_picture(tmp_path / "a.PNG", None)
    with pytest.raises(ScmcError, match=r"name it a\.png"):
        check_picture(tmp_path / "a.jpg")


def test_links_that_lead_to_each_other_are_one_line(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(ScmcError, match=r"a\.png is a link that leads to itself"):
        check_files(tmp_path / "a.png")


def test_a_link_into_no_folder_makes_none(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere" / "b.png")
    with pytest.raises(ScmcError, match="no folder .*nowhere for a.png; create it first"):
        check_files(tmp_path / "a.png")
    assert not (tmp_path / "nowhere").exists()


def test_a_name_is_of_the_format_that_is_written(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (None, Path("a.CSV"), Path("a.json"), Path("/dev/null"), tmp_path / "pipe.jpg"):
        check_ending(path, ".csv", ".json")
    for name in ("a.png", "a", "a.", ".csv", "a.csv.gz"):
        with pytest.raises(ScmcError, match=r"is to end in .csv or .json.*; name it .*\.csv or"):
            check_ending(tmp_path / name, ".csv", ".json")


def test_results_of_another_spec_or_command_are_kept(tmp_path):
    check_results(tmp_path, "spec.yaml", lambda text: False, False)
    (tmp_path / "spec.yaml").write_text("a: 1", encoding="utf-8")
    check_results(tmp_path, "spec.yaml", lambda text: text == "a: 1", False)
    check_results(tmp_path, "spec.yaml", lambda text: False, True)
    with pytest.raises(ScmcError, match="another spec.*--overwrite"):
        check_results(tmp_path, "spec.yaml", lambda text: False, False)
    for overwrite in (False, True):
        with pytest.raises(ScmcError, match="results of 'scmc-comm sweep'; give another folder"):
            check_results(tmp_path, "run.json", lambda text: True, overwrite)


def test_what_cannot_be_told_is_not_called_another_spec(tmp_path):
    (tmp_path / "run.json").touch()
    with pytest.raises(
        ScmcError, match=r"it is empty, .*run\.json; give another folder, or --over"
    ):
        check_results(tmp_path, "run.json", lambda text: False, False)


@pytest.mark.parametrize("name", ["results.nc", "spec.yaml", "results.csv"])
def test_a_folder_where_a_result_is_to_go_is_said_before_the_work(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ScmcError, match=f"{name} is a folder where a file is to go"):
        check_results(tmp_path, "spec.yaml", lambda text: True, True)


def test_json_is_strict_and_says_null_for_what_it_has_no_word_for(tmp_path):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    write_json(tmp_path / "a.json", {"a": math.nan, "b": [1.5, (math.inf, 2)], "c": "é"})
    read = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert read == as_json({"a": math.inf, "b": [1.5, [math.nan, 2]], "c": "é"})
    assert read == {"a": None, "b": [1.5, [None, 2]], "c": "é"}


@pytest.mark.parametrize(
    ("mark", "name"), [("results.nc", "results.csv"), ("results.nc", "spec.yaml"),
                       ("run.json", "points.csv"), ("run.json", "run.json")],
)  # fmt: skip
def test_no_other_command_replaces_a_file_of_results(tmp_path, mark, name):
    for file in {mark, name}:
        (tmp_path / file).write_text("kept")
    with pytest.raises(ScmcError, match="is a file of the results in"):
        check_files(tmp_path / name)
    check_files(tmp_path / "other.csv")
    if name != mark:
        (tmp_path / mark).unlink()
        check_files(tmp_path / name)  # of that name, but of no results


def test_the_cache_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "new"))
    assert default_cache_dir() == tmp_path / "new"
    (tmp_path / "new").write_text("")
    with pytest.raises(ScmcError, match="SCMC_COMM_CACHE"):
        default_cache_dir()
