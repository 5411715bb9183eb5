"""Measuring a whole table: processes side by side, every finished curve kept at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from channels.bler.measure import Stopping, measure_curve
from channels.bler.table import BlerCurve, BlerTable, CurveKey
from channels.coding.transport_block import check_decoder
from channels.errors import ChannelError

_SAVE_EVERY_S = 5.0
_PACKAGES = ("numpy", "numba", "sionna-no-rt")


def run(
    keys: Sequence[CurveKey],
    stopping: Stopping,
    path: Path,
    seed: int = 0,
    decoder: str = "fast",
    num_jobs: int = 1,
) -> BlerTable:
    """Measures the curves that the file does not hold yet, and keeps it up to date.

    The file is a valid table at any moment, so a run that was stopped goes on where it was. The
    counts do not depend on the number of processes.

    Args:
        keys: The curves.
        stopping: When a point and a curve are done.
        path: The table, made or added to.
        seed: Of payloads and noise.
        decoder: "fast" or "sionna".
        num_jobs: Processes.

    Raises:
        ChannelError: The file was measured by other settings.
    """
    if num_jobs < 1:
        raise ChannelError(f"num_jobs is {num_jobs}; expected at least 1")
    provenance = {
        "decoder": check_decoder(decoder), "seed": seed, "stopping": asdict(stopping),
        "channel": "AWGN, bit-true, random payloads and noise at every point",
        "packages": {name: version(name) for name in _PACKAGES},
    }  # fmt: skip
    curves: dict[CurveKey, BlerCurve] = {}
    if path.exists():
        known = BlerTable.load(path)
        if dict(known.provenance) != provenance:
            raise ChannelError(
                f"{path} was measured otherwise ({dict(known.provenance)}, not {provenance}); "
                "choose another file or the same settings"
            )
        curves = dict(known.curves)
    missing = [key for key in keys if key not in curves]
    # The longest first, so that processes end together.
    missing.sort(key=lambda key: -key.block_bits / key.coderate)
    measure = partial(measure_curve, stopping=stopping, seed=seed, decoder=decoder)
    saved = time.monotonic()
    with tqdm(total=len(missing), unit="curve", disable=len(missing) < 2) as bar:
        for key, curve in _measured(measure, missing, num_jobs):
            curves[key] = curve
            bar.update()
            if time.monotonic() - saved > _SAVE_EVERY_S:
                BlerTable(curves, provenance).save(path)
                saved = time.monotonic()
    table = BlerTable(curves, provenance)
    if missing:
        table.save(path)
    return table


def _measured(
    measure: partial[BlerCurve], keys: Sequence[CurveKey], num_jobs: int
) -> Iterator[tuple[CurveKey, BlerCurve]]:
    if num_jobs == 1 or len(keys) < 2:
        for key in keys:
            yield key, measure(key)
        return
    pool = ProcessPoolExecutor(min(num_jobs, len(keys)), mp_context=get_context("spawn"))
    try:
        futures = {pool.submit(measure, key): key for key in keys}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
