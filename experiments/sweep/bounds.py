"""Bounds of a sweep: image codecs put on its channels as if by an ideal code, read from the store.

Each is a mean over the images of the bound of each image.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from channels.bounds.outage import MAX_BLOCKS
from channels.fading.models import BlockFading, make_channel
from channels.units import rho_to_uses
from experiments.statistics.bounds import (
    RateQuality,
    at_capacity,
    at_normal_approximation,
    at_outage,
)
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.sweep.links import Link
from experiments.sweep.rate_points import AT, RatePoints

NORMAL_ERROR = 1e-3
KINDS = {
    "capacity": "capacity",
    "normal": "normal approximation",
    "outage": "outage",
}


@dataclass(frozen=True)
class BoundLine:
    """One codec with one kind of ideal code.

    Attributes:
        codec: Name of the image codec.
        kind: A key of `KINDS`.
        quality: Mean over the images, [esno_db, rho].
    """

    codec: str
    kind: str
    quality: xr.DataArray


def variables(
    rates: Sequence[RatePoints], sizes: Sequence[tuple[int, int]], rhos: Sequence[float]
) -> xr.Dataset:
    """The part of a store that holds the bounds' points.

    Args:
        rates: The points of each (codec, image), images in one order for all codecs.
        sizes: (H, W) of each image.
        rhos: The sweep's bandwidth ratios.

    Returns:
        ``bound_bits`` and ``bound_METRIC`` [codec, image, point], NaN after the last point of
        each; ``bound_failure_METRIC`` [image] of mid-grey; ``bound_uses`` [rho, image].
    """
    rates = [best_of_resolutions(points) for points in rates]
    codecs = list(dict.fromkeys(points.codec for points in rates))
    images = list(dict.fromkeys(points.image for points in rates))
    at = {(p.codec, p.image): (codecs.index(p.codec), images.index(p.image)) for p in rates}
    most = max(len(points.num_bits) for points in rates)
    shape, dims = (len(codecs), len(images), most), ("codec", "image", "point")
    bits = np.full(shape, np.nan)
    table = {metric: np.full(shape, np.nan) for metric in rates[0].metrics}
    failure = {metric: np.full(len(images), np.nan) for metric in rates[0].metrics}
    for points in rates:
        where = (*at[points.codec, points.image], slice(len(points.num_bits)))
        bits[where] = points.num_bits
        for metric, values in points.metrics.items():
            table[metric][where] = values
            failure[metric][where[1]] = points.failure[metric]
    uses = [[rho_to_uses(rho, size) for size in sizes] for rho in rhos]
    text = "of image codecs at rising quality; NaN after the last point"
    data: dict[str, object] = {
        "bound_bits": (dims, bits, {"units": "bit", "long_name": f"bits {text}"}),
        "bound_uses": (("rho", "image"), np.array(uses), {"long_name": "channel uses to spend"}),
    }
    for metric, scores in table.items():
        data[f"bound_{metric}"] = (dims, scores, {"long_name": f"{metric} {text}"})
        grey = {"long_name": f"{metric} of mid-grey"}
        data[f"bound_failure_{metric}"] = ("image", failure[metric], grey)
    return xr.Dataset(data, {"codec": codecs, "image": images, "rho": list(rhos)})


def best_of_resolutions(points: RatePoints) -> RatePoints:
    """One curve of what is best at each rate, where resolutions were measured each on its own.

    At the rate of every point each metric is the best of the resolutions' curves there, and so
    nowhere below any of them.
    """
    of_series: dict[str, list[int]] = {}
    for n, name in enumerate(points.points):
        of_series.setdefault(name.partition(AT)[2], []).append(n)
    if len(of_series) < 2:
        return points
    bits = np.unique(points.num_bits)
    best = {}
    for metric, values in points.metrics.items():
        up, failure = metric not in LOWER_IS_BETTER, points.failure[metric]
        if np.isnan(values).any():  # undefined for this picture
            best[metric] = (math.nan,) * len(bits)
            continue
        curves = [
            RateQuality(np.array(points.num_bits)[own], np.array(values)[own], failure, up)
            for own in of_series.values()
        ]
        known = [np.where(bits >= c.num_bits[0], c.at(bits), np.nan) for c in curves]
        best[metric] = tuple((np.nanmax if up else np.nanmin)(known, axis=0).tolist())
    return dataclasses.replace(points, num_bits=tuple(bits.tolist()), metrics=best, points=())


def has_bounds(ds: xr.Dataset) -> bool:
    """Does a store hold the points of any codec?"""
    return "bound_bits" in ds


def curve_of(ds: xr.Dataset, codec: str, image: str, metric: str) -> RateQuality:
    """The points of a codec and image that a store holds."""
    part = ds.sel(codec=codec, image=image)
    known = part.bound_bits.notnull().values
    return RateQuality(
        part.bound_bits.values[known],
        part[f"bound_{metric}"].values[known],
        float(part[f"bound_failure_{metric}"]),
        metric not in LOWER_IS_BETTER,
    )


def _ideal(channel: str, kind: str, curve: RateQuality, uses: int, esno: np.ndarray) -> np.ndarray:
    if kind == "capacity":
        return at_capacity(curve, uses, esno)
    if kind == "normal":
        return at_normal_approximation(curve, uses, esno, NORMAL_ERROR)
    model = make_channel(Link.parse(channel).channel)
    assert isinstance(model, BlockFading), channel  # by `kinds_of`
    return at_outage(curve, model, uses, esno)


def kinds_of(ds: xr.Dataset, channel: str) -> tuple[str, ...]:
    """Which ideal codes there are over an entry of a sweep's channels; none if no bound is known.

    The bounds are those of one antenna and symbols sent one after the other, so a link over OFDM
    has none. Neither has fading whose blocks are so short that a transmission sees more than
    `MAX_BLOCKS` of them.
    """
    link = Link.parse(channel, str(ds.attrs.get("phy", "flat")))
    if link.phy != "flat":
        return ()
    model = make_channel(link.channel)
    if not isinstance(model, BlockFading):
        return ()
    if not model.is_fading:
        return ("capacity", "normal")
    return ("outage",) if model.num_blocks(int(ds.bound_uses.max())) <= MAX_BLOCKS else ()


def bound_lines(ds: xr.Dataset, channel: str, metric: str) -> list[BoundLine]:
    """All bounds of a metric over a channel, codec by codec.

    Over AWGN each codec at capacity, and at the normal approximation with each image as one
    codeword of its own length, lost with probability `NORMAL_ERROR`. In block fading the rate is
    fixed from the mean SNR, the best one for it; a realisation that does not carry it shows
    mid-grey, and the mean over realisations is exact. Images for which the metric is undefined
    are left out.
    """
    if not has_bounds(ds) or f"bound_{metric}" not in ds:
        return []
    points = ds[f"bound_{metric}"].where(ds.bound_bits.notnull(), 0.0)
    ds = ds.isel(image=np.flatnonzero(points.notnull().all(("codec", "point")).values))
    if not ds.sizes["image"]:
        return []
    esno = ds.esno_db.values.astype(float)
    lines = []
    for codec in map(str, ds.codec.values):
        curves = [curve_of(ds, codec, image, metric) for image in map(str, ds.image.values)]
        uses = ds.bound_uses.transpose("image", "rho").values
        for kind in kinds_of(ds, channel):
            each = [
                [_ideal(channel, kind, curve, int(own), esno) for own in row]
                for curve, row in zip(curves, uses, strict=True)
            ]
            mean = xr.DataArray(
                np.mean(each, axis=0), {"rho": ds.rho, "esno_db": ds.esno_db}, ("rho", "esno_db")
            )
            lines.append(BoundLine(codec, kind, mean.transpose("esno_db", "rho")))
    return lines
