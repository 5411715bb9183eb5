"""What the explorer page holds of a sweep: the numbers of its store, as plain lists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from experiments.figures.strips import set_text
from experiments.report.systems import headers, receiver_csi, side_information
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.statistics.tables import DIGITS
from experiments.sweep import store
from experiments.sweep.labels import channel_label, metric_name, ratio_label, system_label
from experiments.sweep.links import Link
from experiments.sweep.pictures import Place

_OF_SET = ("system", "rho", "image", "design", "set")
_OF_CELL = _OF_SET[:-1]


def places(ds: xr.Dataset, num_images: int) -> dict[Place, float]:
    """Delivered sets of the first images that the explorer shows, by the highest probability.

    Of an analog system, each of whose draws is a set of its own, those are the draws of worst,
    median and best PSNR at each point.

    Args:
        ds: A result store.
        num_images: Of how many images.

    Returns:
        The highest probability (or share of trials) that a set has at any point.
    """
    weights, analog = store.weights(ds), store.is_analog(ds)
    design_of = ds.design_of.transpose("system", "channel", "esno_db").values
    found: dict[Place, float] = {}
    for s, c, e, r in np.ndindex(weights.shape[:4]):
        for i in range(min(num_images, ds.sizes["image"])):
            at = (s, r, i, int(design_of[s, c, e]))
            drawn = weights.values[s, c, e, r, i]
            came = np.flatnonzero(drawn > 0)
            if bool(analog[s]) and len(came) > 1:
                psnr = store.set_table(ds, "psnr_db").transpose(*_OF_SET).values[at][came]
                came = came[np.argsort(psnr, kind="stable")]
                came = came[[0, (len(came) - 1) // 2, -1]]
            for k in came.tolist():
                place = Place(*at, k)
                found[place] = max(found.get(place, 0.0), float(drawn[k]))
    return found


def explorer_data(
    ds: xr.Dataset, shown: Mapping[Place, float], pictures: Mapping[Place, int], num_images: int
) -> dict[str, Any]:
    """The page's data, but for the pictures themselves; every number as the store has it.

    Args:
        ds: A result store.
        shown: `places` of it.
        pictures: Number of the picture of each place that has one on the page.
        num_images: Of how many images.

    Returns:
        JSON-able; numbers that do not exist are None.
    """
    metrics = [name for name in store.metric_names(ds) if name != "mse"]
    images = list(map(str, ds.image.values))[:num_images]
    cells = _cells(ds, shown, pictures, metrics)
    links = [Link.parse(str(name), str(ds.attrs.get("phy", "flat"))) for name in ds.channel.values]
    return {
        "title": str(ds.attrs["title"]), "exact": store.is_exact(ds), "images": images,
        "channels": [
            {"name": str(name), "label": channel_label(link.channel), "phy": link.phy,
             "csi": receiver_csi(link)}
            for name, link in zip(ds.channel.values, links, strict=True)
        ],
        "rho": [{"value": float(v), "label": ratio_label(float(v))} for v in ds.rho.values],
        "esno_db": list(map(float, ds.esno_db.values)),
        "start": {
            "rho": (ds.sizes["rho"] - 1) // 2,
            "snr": int(np.abs(ds.esno_db.values - ds.attrs["design_esno_db"]).argmin()),
        },
        "systems": [
            {"label": system_label(name), "analog": bool(store.is_analog(ds).sel(system=name)),
             "headers": headers(ds, name), "side": side_information(ds, name)}
            for name in map(str, ds.system.values)
        ],
        "metrics": [{"label": _metric(m), "digits": DIGITS.get(m, 3)} for m in metrics],
        "items": list(map(str, ds.item.values)) if "ledger_uses" in ds else [],
        "cells": cells,
        "points": _points(ds, shown, cells, metrics, len(images)),
    }  # fmt: skip


def _metric(name: str) -> str:
    """Label of a metric, with an arrow down where lower is better."""
    return metric_name(name) + (" ↓" if name in LOWER_IS_BETTER else "")


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _cells(
    ds: xr.Dataset, shown: Mapping[Place, float], pictures: Mapping[Place, int], metrics: list[str]
) -> dict[str, Any]:
    """What is sent, and each delivered set, by ``system.rho.image.design``."""
    values = {
        name: ds[name].transpose(*_OF_CELL, ...).values
        for name in ("frames", "infeasible", "bpp", "channel_uses", "pilot_uses")
    }
    ledger = ds.ledger_uses.transpose(*_OF_CELL, "item").values if "ledger_uses" in ds else None
    tables = [store.set_table(ds, metric).transpose(*_OF_SET).values for metric in metrics]
    captions = ds.caption.transpose(*_OF_SET).values
    levels = ds.level.transpose(*_OF_SET).values
    analog = store.is_analog(ds).values
    cells: dict[str, Any] = {}
    for place in shown:
        at = (place.system, place.rho, place.image, place.design)
        frames, k = str(values["frames"][at]), place.delivered
        design = {"system": place.system, "design": place.design}
        cell = cells.setdefault(".".join(map(str, at)), {
            "sent": "" if analog[place.system] else set_text(frames, frames),
            "infeasible": str(values["infeasible"][at]), "bpp": _number(values["bpp"][at]),
            "uses": int(values["channel_uses"][at]), "pilots": int(values["pilot_uses"][at]),
            "ledger": [] if ledger is None else list(map(_number, ledger[at])),
            "design": f"{channel_label(str(ds.designed_channel.isel(design).values))}, "
                      f"{float(ds.designed_esno_db.isel(design)):g} dB",
            "sets": {},
        })  # fmt: skip
        cell["sets"][k] = {
            "arrived": _arrived(str(ds.set.values[k]), frames, int(levels[*at, k])),
            "picture": pictures.get(place),
            "caption": str(captions[*at, k]),
            "metrics": [_number(float(table[*at, k])) for table in tables],
        }
    return cells


def _arrived(text: str, frames: str, level: int) -> str:
    """What arrived, in words; of an analog system which draw it is."""
    if store.is_draw(text):
        return f"analog symbols, draw {text.rpartition('.')[2]}"
    return set_text(text, frames, level)


def _points(
    ds: xr.Dataset,
    shown: Mapping[Place, float],
    cells: Mapping[str, Any],
    metrics: list[str],
    num_images: int,
) -> dict[str, Any]:
    """Design, outcomes and means, by ``system.channel.snr.rho.image``."""
    weights, trials = store.weights(ds).values, store.num_trials(ds).values
    means = [store.trial_means(ds, name).transpose(*store.POINT).values for name in metrics]
    asked = [
        store.asked(ds, name).transpose("channel", "esno_db", "rho").values for name in metrics
    ]
    design_of = ds.design_of.transpose("system", "channel", "esno_db").values
    analog = store.is_analog(ds).values
    points = {}
    for s, c, e, r, i in np.ndindex(*weights.shape[:4], num_images):
        drawn, design = weights[s, c, e, r, i], int(design_of[s, c, e])
        sets = cells[f"{s}.{r}.{i}.{design}"]["sets"]
        outcomes = _outcomes({k: float(drawn[k]) for k in sets if drawn[k] > 0}, sets)
        points[f"{s}.{c}.{e}.{r}.{i}"] = {
            "design": design, "trials": int(trials[s, c, e, r, i]),
            "sets": list(map(list, outcomes.items())),
            "usual": list(outcomes)[(len(outcomes) - 1) // 2] if analog[s]
            else _likeliest(outcomes, sets),
            "means": [_number(float(mean[s, c, e, r, i])) for mean in means],
            "asked": [bool(flags[c, e, r]) for flags in asked],
        }  # fmt: skip
    return points


def _outcomes(came: Mapping[int, float], sets: Mapping[int, Any]) -> dict[int, float]:
    """Probability of each set that came, those of which a receiver can make the same as one."""
    groups: dict[tuple[str, int | None], list[int]] = {}
    for k in came:
        groups.setdefault((sets[k]["arrived"], sets[k]["picture"]), []).append(k)
    return {max(same, key=came.__getitem__): sum(came[k] for k in same) for same in groups.values()}


def _likeliest(outcomes: Mapping[int, float], sets: Mapping[int, Any]) -> int:
    """The likeliest outcome of those that show the likeliest picture, which several may show."""

    def same(k: int, other: int) -> bool:
        number = sets[k]["picture"]
        return k == other or (number is not None and number == sets[other]["picture"])

    def rank(k: int) -> tuple[float, float]:
        return sum(share for other, share in outcomes.items() if same(k, other)), outcomes[k]

    return max(outcomes, key=rank)
