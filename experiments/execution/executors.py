"""Run independent tasks here, in a pool of processes, or on a Dask cluster.

Which one, with how many workers and in which order they finish, never changes a result. Each
worker computes on one thread: a sum in torch depends on how many threads share it. Only the LDPC
decoder, which is exact in integers, takes the cores that the workers leave: cores / workers.
Workers run their networks on the device that the process that starts them has chosen.
"""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch
from joblib import cpu_count

from scmc_comm.device import choose_device, chosen_device, device_class
from scmc_comm.errors import ScmcError

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T], R]
WarmUp = Callable[[], object] | None

_AHEAD = 2  # tasks submitted for each worker; more would only hold their pictures in memory
_BUSY = threading.Lock()
_WORKERS_S = 60
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]+")


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch on one thread: sums do not then depend on the machine's number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def limit_threads(workers: int) -> None:
    """Gives this process, one of so many on the machine, one torch thread and its share of cores.

    Example:
        >>> import numba
        >>> before = numba.config.NUMBA_NUM_THREADS
        >>> limit_threads(workers=10**6)
        >>> numba.config.NUMBA_NUM_THREADS
        1
        >>> numba.config.NUMBA_NUM_THREADS = before
    """
    import numba

    torch.set_num_threads(1)
    setting: Any = numba.config
    setting.NUMBA_NUM_THREADS = max(1, cpu_count() // workers)


class Executor(ABC):
    """Runs independent tasks."""

    workers: int
    """How many tasks run at once."""

    @abstractmethod
    def run(
        self, function: Work[T, R], tasks: Sequence[T], warm_up: WarmUp = None
    ) -> Generator[R, None, None]:
        """Yields ``function(task)`` for each task, in whatever order they finish.

        Args:
            function: An importable function.
            tasks: Picklable arguments.
            warm_up: Loads what workers read and never write, to share it where they can.

        Raises:
            ScmcError: A worker died.
        """


@dataclass(frozen=True)
class InProcess(Executor):
    """One task after the other in this process."""

    workers: int = 1

    def run(
        self, function: Work[T, R], tasks: Sequence[T], warm_up: WarmUp = None
    ) -> Generator[R, None, None]:
        """See `Executor.run`."""
        with one_thread():
            if warm_up is not None:  # what is missing is then known before any work
                warm_up()
            for task in tasks:
                yield function(task)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _later_ctrl_c() -> Iterator[None]:
    """Ctrl-C comes after the body: while Python forks, it would be lost or end a worker alone."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(workers: int, device: str) -> None:
    # Without the watch, workers of a killed run would compute on, unseen.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # of what it starts itself
    limit_threads(workers)
    choose_device(device)


@dataclass(frozen=True)
class ProcessPool(Executor):
    """Processes of this machine.

    On Linux they are forked after the weights were loaded, and so share the memory these lie
    in; elsewhere, and where networks run on another device than the processor, each loads its own.
    """

    workers: int

    def run(
        self, function: Work[T, R], tasks: Sequence[T], warm_up: WarmUp = None
    ) -> Generator[R, None, None]:
        """See `Executor.run`."""
        on_processor = device_class() == "cpu" and not torch.cuda.is_initialized()
        fork = sys.platform == "linux" and on_processor
        if fork and warm_up is not None:
            with one_thread():
                warm_up()
        workers = max(1, min(self.workers, len(tasks)))
        pool = ProcessPoolExecutor(
            max_workers=workers,
            mp_context=multiprocessing.get_context("fork" if fork else "spawn"),
            initializer=_start_worker,
            initargs=(workers, str(chosen_device())),
        )
        waiting = iter(tasks)
        running: set[Future[R]] = set()
        try:
            while True:
                for task in islice(waiting, _AHEAD * workers - len(running)):
                    with _later_ctrl_c():
                        running.add(pool.submit(function, task))
                if not running:
                    return
                done, running = wait_for(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ScmcError(
                "a worker process died (killed, or out of memory); run again with fewer --jobs, "
                "finished work is kept in the cache"
            ) from error
        except (KeyboardInterrupt, GeneratorExit) as stop:  # nobody waits for what the workers do
            started: list[BaseProcess] = [*(pool._processes or {}).values()]
            if isinstance(stop, KeyboardInterrupt):  # one may not be in the pool's books yet
                started += multiprocessing.active_children()
            for process in started:
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _alone(function: Callable[[Any], R], task: bytes, workers: int, device: str) -> R:
    """Runs a task on a cluster's worker, one at a time even where the worker has more threads."""
    with _BUSY:
        limit_threads(workers)
        choose_device(device)
        return function(pickle.loads(task))


@dataclass(frozen=True)
class DaskCluster(Executor):
    """Workers of a Dask cluster.

    Attributes:
        client: A connected ``distributed.Client``.
        workers: How many workers there are when the run starts; others may join.
        per_host: The most of them on one machine, which share its cores.
    """

    client: Any
    workers: int
    per_host: int

    def run(
        self, function: Work[T, R], tasks: Sequence[T], warm_up: WarmUp = None
    ) -> Generator[R, None, None]:
        """See `Executor.run`."""
        import cloudpickle
        from distributed import as_completed
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        waiting, device = iter(tasks), str(chosen_device())

        def submit(count: int) -> list[Any]:
            return [  # Dask would hide why a task cannot be pickled
                self.client.submit(
                    _alone, function, cloudpickle.dumps(task), self.per_host, device, pure=False
                )
                for task in islice(waiting, count)
            ]

        running = as_completed(submit(_AHEAD * self.workers))
        try:
            for future in running:
                yield future.result()
                for another in submit(1):
                    running.add(another)
        except KilledWorker as error:
            raise ScmcError(
                "a Dask worker died (killed, or out of memory); give workers more memory and "
                "run again, finished work is kept in the cache"
            ) from error
        except FutureCancelledError as error:
            raise ScmcError(
                "the Dask scheduler is gone; start it and run again, finished work is kept in the "
                "cache"
            ) from error


@contextmanager
def _dask_client(address: str, workers: int) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    # It logs with a traceback what is raised all the same, and told in a line.
    logging.getLogger("distributed.utils").setLevel(logging.CRITICAL)
    if address == "local":
        local = LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None,
            silence_logs=logging.WARNING,
        )  # fmt: skip
        with local as cluster, Client(cluster) as client:
            yield client
        return
    try:
        # A default client outlives its failure to connect, and xarray would lock files through it.
        Client(address, timeout=20, set_as_default=False).close()
        client = Client(address, timeout=20)
    except (OSError, ValueError) as error:
        raise ScmcError(
            f"no Dask scheduler answers at {address!r} ({error}); expected 'local' or an address "
            "such as tcp://host:8786, which 'dask scheduler' prints"
        ) from error
    with client:
        yield client


@contextmanager
def executor(jobs: int, dask: str | None = None) -> Iterator[Executor]:
    """Opens the executor for so many processes, or for a Dask cluster.

    Args:
        jobs: Processes on this machine; 1 runs in this one.
        dask: A scheduler's address such as ``tcp://host:8786``, or ``local`` to start a cluster
            of ``jobs`` workers here; None for no cluster.

    Raises:
        ScmcError: ``jobs`` is below 1, Dask is not installed, or no scheduler answers.

    Example:
        >>> with executor(1) as here:
        ...     list(here.run(abs, [-1, 2]))
        [1, 2]
    """
    if jobs < 1:
        raise ScmcError(f"jobs is {jobs}; expected at least 1")
    if dask is not None and dask != "local" and not _ADDRESS.fullmatch(str(dask)):
        raise ScmcError(
            f"Dask is to run at {str(dask)!r}; expected 'local' or an address such as "
            "tcp://host:8786, which 'dask scheduler' prints"
        )
    if dask is None:
        yield InProcess() if jobs == 1 else ProcessPool(jobs)
        return
    if importlib.util.find_spec("distributed") is None:
        raise ScmcError("Dask is not installed; run: pip install 'scmc-comm[dask]'")
    with _dask_client(dask, jobs) as client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            raise ScmcError(
                f"the Dask scheduler at {dask} has had no worker for {_WORKERS_S} s; start some "
                f"with 'dask worker {dask}'"
            ) from error
        known = client.scheduler_info(n_workers=-1)["workers"].values()
        hosts = Counter(worker["host"] for worker in known)
        yield DaskCluster(client, hosts.total(), max(hosts.values()))
