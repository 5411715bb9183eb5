"""A result store as one table: a row a trial where these are few, else a row a point."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from experiments.sweep import store, summary
from experiments.sweep.delivery import delivery_probabilities

MAX_TRIAL_ROWS = 200_000
NOTHING = "none"
"""Delivered set of a trial that delivered nothing: a word, as pandas reads an empty cell as NaN and
`groupby` then leaves its rows, the failures, out of every mean."""


def to_frame(ds: xr.Dataset) -> pd.DataFrame:
    """The table that ``results.csv`` holds.

    Up to `MAX_TRIAL_ROWS` trials it has a row each. Beyond, and where expectations are exact, a
    row is a point over all images: means, 95 % intervals and the number of trials.
    """
    if store.is_exact(ds) or ds.delivered_set.size > MAX_TRIAL_ROWS:
        return point_rows(ds)
    return trial_rows(ds)


def trial_rows(ds: xr.Dataset) -> pd.DataFrame:
    """One row a trial that was run; ``delivered`` is `NOTHING` where all was lost."""
    table = store.expand(ds)
    for tag in dict.fromkeys((*store.LAYER_TAGS, *store.unit_tags(ds))):
        table[f"delivered_{tag}"] = store.delivered(ds, tag)
    for metric in store.partial_metrics(ds):
        table[f"{metric}_measured"] = store.asked(ds, metric)
    table["run"] = store.was_run(ds)
    table["delivered"] = store.gather(ds, xr.where(ds.set == "", NOTHING, ds.set), "")
    frame = table.to_dataframe(dim_order=[*store.POINT, "trial"]).reset_index()
    frame = frame[frame.pop("run")]
    prepared = {name: store.at_points(ds, name) for name in ("bpp", "channel_uses")}
    once = xr.Dataset({**prepared, "feasible": ~store.infeasible(ds)})
    frame = frame.merge(once.to_dataframe().reset_index(), on=list(store.POINT), how="left")
    flags = [c for c in frame if str(c).startswith("delivered")]
    last = ["bpp", "channel_uses", "feasible", *(c for c in frame if str(c).endswith("_measured"))]
    return frame[[*store.POINT, "trial", *flags, *store.metric_names(ds), *last]]


def point_rows(ds: xr.Dataset) -> pd.DataFrame:
    """One row a (system, channel, Es/N0, rho): what the figures show of it.

    ``X_low`` and ``X_high`` limit the 95 % interval of ``X``; ``X_num_images`` counts the images
    for which a metric is defined, which its means are over. ``num_trials`` counts the trials of
    all images; it is 0 where expectations are exact.
    """
    quality, delivery = summary.quality(ds), delivery_probabilities(ds)
    columns = {}
    for unit in map(str, delivery.unit.values):
        part = delivery.sel(unit=unit, drop=True)
        columns[f"delivered_{unit}"] = part.probability
        columns |= {f"delivered_{unit}_{end}": part[end] for end in ("low", "high")}
    for metric in map(str, quality.metric.values):
        part = quality.sel(metric=metric, drop=True)
        columns[metric] = part.value_mean
        columns |= {f"{metric}_{end}": part[f"value_{end}"] for end in ("low", "high")}
        columns[f"{metric}_given_delivery"] = part.given_delivery
        columns[f"{metric}_num_images"] = part.num_images
        if metric in store.partial_metrics(ds):
            columns[f"{metric}_measured"] = store.asked(ds, metric)
    columns["num_trials"] = store.num_trials(ds).sum("image")
    columns["bpp"] = store.at_points(ds, "bpp").mean("image")
    columns["channel_uses"] = store.at_points(ds, "channel_uses").mean("image")
    columns["infeasible_images"] = store.infeasible(ds).sum("image")
    frame = xr.Dataset(columns).to_dataframe(dim_order=list(summary.POINT)).reset_index()
    frame.insert(len(summary.POINT), "num_images", ds.sizes["image"])
    return frame
