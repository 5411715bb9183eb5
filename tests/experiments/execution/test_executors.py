"""The same results in this process, in a pool and on Dask; and threads that fit the cores."""

import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from fakes import TOYS, files_below
from joblib import cpu_count

from experiments.execution import executors
from experiments.execution.executors import (
    InProcess,
    ProcessPool,
    executor,
    limit_threads,
)
from experiments.execution.fingerprint import ROOT
from experiments.sweep import made, runner
from experiments.sweep.originals import originals
from experiments.sweep.runner import make_tasks, run_sweep
from scmc_comm.errors import ScmcError

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="the extra 'dask' is not installed"
)


def run(spec, out, jobs=1, **options):
    return run_sweep(spec, out, jobs, components=TOYS, progress=False, **options)


def threads_here(_):
    import numba

    return torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS


def die(_):
    os._exit(1)


def sleep_then_name(seconds):
    time.sleep(seconds)
    return seconds


def test_a_pool_yields_what_is_ready_first():
    found = list(ProcessPool(2).run(sleep_then_name, [0.5, 0.0, 0.1]))
    assert sorted(found) == [0.0, 0.1, 0.5] and found[-1] == 0.5


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_take_no_more_threads_than_cores(workers):
    found = set(ProcessPool(workers).run(threads_here, [*range(6)]))
    assert found == {(1, max(1, cpu_count() // workers))}


def test_in_one_process_torch_stays_on_one_thread_and_gets_its_threads_back():
    before = torch.get_num_threads()
    assert [torch_threads for torch_threads, _ in InProcess().run(threads_here, [0])] == [1]
    assert torch.get_num_threads() == before


def test_a_worker_that_dies_is_one_clear_line():
    with pytest.raises(ScmcError, match="worker process died") as caught:
        list(ProcessPool(2).run(die, [1, 2]))
    assert "\n" not in str(caught.value)


def test_weights_are_loaded_once_before_the_workers_start(toy_spec, tmp_path):
    loaded = tmp_path / "loaded"

    def warm_up():
        loaded.write_text(str(os.getpid()))

    list(ProcessPool(2).run(threads_here, [1, 2], warm_up))
    assert loaded.read_text() == str(os.getpid())


def test_few_images_are_split_over_their_points(toy_spec, tmp_path):
    images = originals(TOYS.load_images("toys", 1))
    few = dataclasses.replace(toy_spec, systems=("toy",))
    tasks = make_tasks(few, images, ("mse",), tmp_path, TOYS, workers=2)
    assert len(tasks) == 8
    points = [at for task in tasks for at in task.points]
    assert sorted(points) == [(c, e) for c in range(2) for e in range(4)]
    assert len(make_tasks(few, images, ("mse",), tmp_path, TOYS)) == 1


def test_the_order_of_tasks_changes_nothing(toy_run, toy_spec, tmp_path, monkeypatch):
    def backwards(*args):
        return make_tasks(*args[:5], 2, *args[6:])[::-1]

    monkeypatch.setattr(runner, "make_tasks", backwards)
    other = run(toy_spec, tmp_path / "other", use_cache=False)
    assert files_below(other) == files_below(toy_run)


@pytest.fixture
def same_threads():
    """Puts the thread counts back, for tests in which this process is itself a worker."""
    import numba

    before = torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS
    yield
    torch.set_num_threads(before[0])
    numba.config.NUMBA_NUM_THREADS = before[1]


@pytest.mark.slow
@needs_dask
def test_a_local_dask_cluster_gives_what_one_process_gives(toy_run, toy_spec, tmp_path):
    local = run(toy_spec, tmp_path / "local", 2, dask="local", use_cache=False)
    assert files_below(local) == files_below(toy_run)


@needs_dask
def test_a_dask_scheduler_gives_what_one_process_gives(toy_run, toy_spec, tmp_path, same_threads):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=3, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tcp://")
        there = run(toy_spec, tmp_path / "there", dask=address, use_cache=False)
    assert files_below(there) == files_below(toy_run)


@needs_dask
def test_no_scheduler_is_one_clear_line():
    with pytest.raises(ScmcError, match="tcp://host:8786"), executor(1, "nowhere://x"):
        pass


@pytest.mark.parametrize("address", ["LOCAL", "x", "", "tcp://", 1, "nan"])
def test_what_is_no_address_is_told_at_once(address):
    with pytest.raises(ScmcError, match="expected 'local' or an address"), executor(1, address):
        pass


@needs_dask
def test_a_scheduler_without_workers_is_one_line(monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(executors, "_WORKERS_S", 1)
    with (
        LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None) as own,
        pytest.raises(ScmcError, match="no worker for 1 s; start some with 'dask worker tcp://"),
        executor(1, own.scheduler_address),
    ):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ScmcError, match=r"scmc-comm\[dask\]"), executor(1, "local"):
        pass


def test_other_code_on_a_worker_is_an_error(toy_spec, tmp_path):
    answers = iter(["one", "two"])
    components = dataclasses.replace(TOYS, fingerprint=lambda: next(answers))
    task = make_tasks(
        toy_spec, originals(TOYS.load_images("t", 1)), ("mse",), tmp_path, components
    )[0]
    from experiments.sweep.tasks import run_task

    made._fingerprint_on.cache_clear()
    with pytest.raises(ScmcError, match="same version"):
        run_task(task)


def test_cores_are_never_shared_down_to_nothing(same_threads):
    import numba

    limit_threads(10 * cpu_count())
    assert numba.config.NUMBA_NUM_THREADS == torch.get_num_threads() == 1


BUSY = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs behind
sys.path.insert(0, sys.argv[1])
from experiments.execution.executors import ProcessPool
def work(folder):
    pathlib.Path(folder, "begun").touch()
    time.sleep(60)
if __name__ == "__main__":
    try:
        list(ProcessPool(2).run(work, [sys.argv[2]] * 4))
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
def test_after_ctrl_c_nobody_waits_for_workers_and_they_say_nothing(tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "busy.py"), str(ROOT), str(tmp_path)], start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30) == ("stopped\n", "")  # they would work for 60 s
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
