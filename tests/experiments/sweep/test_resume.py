"""Killed at any moment and run again, a sweep gives the bytes of an undisturbed run."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import TOY, TOYS, files_below

from experiments.sweep import points
from experiments.sweep.runner import run_sweep

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SMALL = dataclasses.replace(
    TOY, systems=("toy", "toy-flat"), esno_db=(3.0, 9.0), num_images=1, num_trials=60, min_trials=10
)
SPECS = {
    "all trials": SMALL,
    "stopped on width": dataclasses.replace(SMALL, stop_half_width=0.2),
    "stopped on errors": dataclasses.replace(SMALL, stop_errors=4),
    "expected": dataclasses.replace(SMALL, estimator="expected"),
}


def run(spec, out, **options):
    return run_sweep(spec, out, components=TOYS, progress=False, **options)


@pytest.mark.parametrize("name", SPECS)
def test_killed_at_every_kind_of_write_it_ends_with_the_same_bytes(name, tmp_path):
    def drive(run_name, step):
        out, cache = tmp_path / run_name, tmp_path / f"{run_name}-cache"
        command = [sys.executable, str(HERE / "resume_driver.py"), str(out), str(cache)]
        command += [SPECS[name].to_yaml(), str(step)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return int(done.stdout), files_below(out)

    kills, resumed = drive("resumed", 3)
    assert kills >= 4  # in the trials, the pictures, the tables and the store itself
    assert (0, resumed) == drive("whole", 0)


WITH_WORKERS = """
import sys; sys.path[:0] = [sys.argv[1], sys.argv[2]]
import dataclasses, fakes
from pathlib import Path
from fakes import TOY
from experiments.sweep.runner import run_sweep
if __name__ == "__main__":
    slow = dataclasses.replace(fakes.TOYS, make_phy=fakes.SlowPhy)
    run_sweep(TOY, sys.argv[3], 2, cache_dir=Path(sys.argv[4]), components=slow, progress=False)
"""


def test_a_killed_run_leaves_no_workers_and_resumes_to_the_same_bytes(toy_run, toy_spec, tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        WITH_WORKERS,
        str(ROOT),
        str(HERE.parent),
        str(out),
        str(cache),
    ]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(cache.rglob("*"))) > 20:
            break
        time.sleep(0.02)
    assert process.poll() is None, "the run ended before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("workers of a killed run live on")
    known = {p for p in cache.rglob("*") if p.is_file() and p.suffix != ".tmp"}
    done = run(toy_spec, out, cache_dir=cache)
    assert known <= {p for p in cache.rglob("*") if p.is_file()}
    assert files_below(done) == files_below(toy_run)


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_how_trials_are_split_changes_nothing(chunk, tmp_path, monkeypatch):
    spec = dataclasses.replace(SMALL, stop_half_width=0.15, num_trials=50)
    whole = run(spec, tmp_path / "whole", use_cache=False)
    monkeypatch.setattr(points, "CHUNK", chunk)
    split = run(spec, tmp_path / "split", use_cache=False)
    assert files_below(split) == files_below(whole)


def test_a_cache_of_which_every_entry_is_damaged_is_made_anew(toy_run, toy_spec, tmp_path):
    cache = tmp_path / "cache"
    run(toy_spec, tmp_path / "first", cache_dir=cache)
    for entry in [path for path in cache.rglob("*") if path.is_file()]:
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    done = run(toy_spec, tmp_path / "second", cache_dir=cache)
    assert files_below(done) == files_below(toy_run)
    for entry in [path for path in cache.rglob("*") if path.is_file()][::2]:
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    done = run(toy_spec, tmp_path / "third", cache_dir=cache)
    assert files_below(done) == files_below(toy_run)
