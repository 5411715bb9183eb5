"""Cores that a process may use: its affinity and its control groups' quotas."""

import os

import pytest

from experiments.execution.cores import num_cores


def _write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("max 100000", 64),
     ("junk", 64), ("9900000 100000", 64)],
)  # fmt: skip
def test_the_quota_of_a_control_group_counts(tmp_path, many, quota, cores):
    own = tmp_path / "own"
    own.write_text("0::/\n")
    _write(tmp_path / "groups", cpu__max=quota)
    assert num_cores(tmp_path / "groups", own) == cores


def test_a_group_around_the_own_one_counts(tmp_path, many):
    own = tmp_path / "own"
    own.write_text("0::/jobs/mine\n")
    _write(tmp_path / "groups" / "jobs", cpu__max="300000 100000")
    _write(tmp_path / "groups" / "jobs" / "mine", cpu__max="max 100000")
    assert num_cores(tmp_path / "groups", own) == 3


def test_version_one_of_control_groups(tmp_path, many):
    own = tmp_path / "own"
    own.write_text("4:cpu,cpuacct:/box\n3:memory:/box\n")
    folder = tmp_path / "groups" / "cpu" / "box"
    _write(folder, cpu__cfs_quota_us="400000\n", cpu__cfs_period_us="100000\n")
    assert num_cores(tmp_path / "groups", own) == 4
    _write(folder, cpu__cfs_quota_us="-1\n")
    assert num_cores(tmp_path / "groups", own) == 64


def test_affinity_counts_and_nothing_there_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3}, raising=False)
    assert num_cores(tmp_path / "none", tmp_path / "none") == 2
