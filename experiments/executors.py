"""Run independent tasks in this process or in several; which one never changes a result."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TypeVar

import torch

from scmc_comm.errors import ScmcError

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch on one thread: sums do not then depend on the machine's number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    # Without the watch, workers of a killed run would compute on, unseen.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    torch.set_num_threads(1)


def run_tasks(function: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    """Yields ``function(task)`` for each task, in whatever order they finish.

    Args:
        function: An importable function (workers are spawned).
        tasks: Picklable arguments.
        jobs: Number of processes; 1 runs here.

    Raises:
        ScmcError: ``jobs`` is below 1, or a worker died (killed, out of memory).
    """
    if jobs < 1:
        raise ScmcError(f"jobs is {jobs}; expected at least 1")
    if jobs == 1 or len(tasks) < 2:
        with one_thread():
            for task in tasks:
                yield function(task)
        return
    pool = ProcessPoolExecutor(
        max_workers=min(jobs, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )
    try:
        for future in as_completed([pool.submit(function, task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise ScmcError(
            "a worker process died (killed, or out of memory); run again with fewer --jobs, "
            "finished work is kept in the cache"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
