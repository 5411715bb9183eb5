"""Which reconstructions the strips show: columns of SNRs, and one outcome at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from experiments.sweep import store

MAX_COLUMNS = 6
_PIECE = 2**16  # trials looked up at once


def shown_columns(esno_db: Sequence[float], design_esno_db: float) -> tuple[int, ...]:
    """Indices of at most six SNRs, spread evenly, that nearest to the design among them.

    Args:
        esno_db: The sweep's SNRs in dB, in any order.
        design_esno_db: The sweep's design SNR in dB.

    Returns:
        Indices into ``esno_db``, by rising SNR.

    Example:
        >>> shown_columns((0.0, 10.0, 5.0), 10.0)
        (0, 2, 1)
    """
    order = np.argsort(np.asarray(esno_db), kind="stable")
    grid = np.asarray(esno_db)[order]
    if len(grid) <= MAX_COLUMNS:
        return tuple(order.tolist())
    chosen = set(np.round(np.linspace(0, len(grid) - 1, MAX_COLUMNS)).astype(int).tolist())
    nearest = int(np.argmin(np.abs(grid - design_esno_db)))
    if nearest not in chosen:
        inner = sorted(chosen)[1:-1]
        chosen.discard(min(inner, key=lambda place: abs(grid[place] - grid[nearest])))
        chosen.add(nearest)
    return tuple(int(order[place]) for place in sorted(chosen))


@dataclass(frozen=True)
class Shown:
    """What one strip shows.

    Attributes:
        columns: Indices of the SNRs, by rising SNR.
        sets: Index of the delivered set, [system, column].
        designs: Number of the design it was sent with, [system, column].
        what: Which outcome it is, in words.
    """

    columns: tuple[int, ...]
    sets: np.ndarray
    designs: np.ndarray
    what: str


def shown(ds: xr.Dataset, image: int, channel: int, rho: int) -> Shown:
    """What the strip of (image, channel, rho), given by their indices, shows of each system."""
    columns = shown_columns(ds.esno_db.values.tolist(), float(ds.attrs["design_esno_db"]))
    point = ds.isel(image=image, channel=channel, rho=rho, esno_db=list(columns))
    if store.is_exact(ds):
        sets = point.probability.transpose("system", "esno_db", "set").values.argmax(axis=-1)
        what = "the likeliest outcome"
    else:
        trial = typical_trial(ds, image, channel, rho)
        sets = point.delivered_set.isel(trial=trial).transpose("system", "esno_db").values
        what = f"channel draw {trial} (that of median PSNR)"
    designs = point.design_of.transpose("system", "esno_db").values
    return Shown(columns, sets, designs, what)


def typical_trial(ds: xr.Dataset, image: int, channel: int, rho: int) -> int:
    """The channel draw of median PSNR, averaged over all systems and SNRs.

    One draw for all systems, chosen by none of them, and neither a lucky nor a deep fade.
    """
    point = ds.isel(image=[image], channel=[channel], rho=[rho])
    pieces = []
    for start in range(0, ds.sizes["trial"], _PIECE):
        part = point.isel(trial=slice(start, start + _PIECE))
        psnr = store.expand(part, ["psnr_db"]).psnr_db
        pieces.append(psnr.mean(("system", "esno_db"), skipna=False).values.ravel())
    scores = np.concatenate(pieces)
    run = np.flatnonzero(~np.isnan(scores))
    if not len(run):  # stopped early somewhere: the first draw is always there
        return 0
    return int(run[np.argsort(scores[run], kind="stable")[(len(run) - 1) // 2]])
