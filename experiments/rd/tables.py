"""Tables of a rate-distortion run: numbers as data frames, and the same as cells for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from experiments.statistics.bjontegaard import BdDelta, Floats, Window, bd_rate, num_dominated
from experiments.statistics.bjontegaard_intervals import bd_of_images
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.statistics.tables import DIGITS, Table, delta_text, number_text
from experiments.sweep.labels import metric_label, metric_name

Points = dict[tuple[str, str], tuple[Floats, Floats]]
"""By codec and metric, rates in bpp and qualities, each [images, points]."""
_KEYS = ("codec", "image", "point", "height", "width", "bytes", "bpp", "encode_s", "decode_s")
_OF_METRIC = ("bpp_", "num_images_")


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """Metrics of a run that have any value; those of plug-ins stand last."""
    others = [c for c in frame if c not in _KEYS and not str(c).startswith(_OF_METRIC)]
    names = dict.fromkeys([*(name for name in DIGITS if name in frame), *map(str, others)])
    return [name for name in names if frame[name].notna().any()]


def defined_rows(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of images for which a metric is defined at every point of every codec."""
    undefined = frame.loc[frame[metric].isna(), "image"]
    return frame[~frame["image"].isin(undefined)]


def gather_points(frame: pd.DataFrame) -> Points:
    """By codec and metric, what was measured of every image at every point.

    Images for which a metric is undefined are left out of it.
    """
    found = {}
    for metric in metric_columns(frame):
        for codec, part in defined_rows(frame, metric).groupby("codec", sort=False):
            shape = (part["image"].nunique(), part["point"].nunique())
            # Rows come image by image, points in order.
            bpp, quality = (part[key].to_numpy(float).reshape(shape) for key in ("bpp", metric))
            found[str(codec), metric] = bpp, quality
    return found


def bd_table(
    points: Points, references: Sequence[str], window_bpp: Window, seed: int = 1
) -> pd.DataFrame:
    """BD-rate of every codec against every reference by every metric, intervals over images.

    Returns:
        Rows ``metric, reference, codec, percent, low, high, from_value, to_value, overlap,
        left_out, note, num_images``; the range of values is that over which both curves were
        compared, ``left_out`` the number of points of the codec's mean curve that a cheaper one
        equals, ``num_images`` that of the images for which the metric is defined.
    """
    rows = []
    delta = partial(bd_rate, window=window_bpp)
    for (codec, metric), (bpp, quality) in points.items():
        for reference in references:
            if codec == reference or (reference, metric) not in points:
                continue
            rng = np.random.default_rng(seed)  # the same resampled images for every pair
            up = metric not in LOWER_IS_BETTER
            found = bd_of_images(delta, points[reference, metric], (bpp, quality), rng, up)
            dominated = num_dominated(bpp.mean(axis=0), quality.mean(axis=0), up)
            numbers = (found.value, found.low, found.high, *found.common, found.overlap)
            left_out = 0 if found.reason else dominated
            rows.append([metric, reference, codec, *numbers, left_out, found.reason, len(bpp)])
    columns = ["metric", "reference", "codec", "percent", "low", "high", "from_value", "to_value"]
    return pd.DataFrame(rows, columns=[*columns, "overlap", "left_out", "note", "num_images"])


def curve_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over the images at each point of each codec.

    Of a metric that is undefined for some images the mean is that of the others; ``bpp_METRIC``
    then is their mean rate and ``num_images_METRIC`` their number.
    """
    keys = ["codec", "point"]
    columns = ["bytes", "bpp", "encode_s", "decode_s"]
    found = frame.groupby(keys, sort=False)[columns].mean()
    for place, metric in enumerate(metric_columns(frame), 2):
        rows = defined_rows(frame, metric)
        own = rows.groupby(keys, sort=False)[["bpp", metric]].mean()
        found.insert(place, metric, own[metric])
        if len(rows) < len(frame):
            found[f"bpp_{metric}"] = own["bpp"]
            found[f"num_images_{metric}"] = rows["image"].nunique()
    return found.reset_index()


def cost_table(frame: pd.DataFrame, parameters: dict[str, int]) -> pd.DataFrame:
    """Mean times over images and points, and the number of learned parameters."""
    found = frame.groupby("codec", sort=False)[["encode_s", "decode_s"]].mean().reset_index()
    found["parameters"] = [parameters[name] for name in found["codec"]]
    return found


def bd_cells(bd: pd.DataFrame, reference: str) -> Table:
    """The BD-rates against one reference, a column a metric; says of how many images if not all."""
    part = bd[bd["reference"] == reference]
    counts, most = part.groupby("metric")["num_images"].max(), part["num_images"].max()
    metrics = list(part["metric"].unique())
    rows = []
    for codec in part["codec"].unique():
        mine = part[part["codec"] == codec].set_index("metric")
        rows.append([codec, *(_cell(mine.loc[m]) if m in mine.index else "-" for m in metrics)])
    names = [
        metric_name(m) + (f" ({counts[m]} of {most} images)" if counts[m] < most else "")
        for m in metrics
    ]
    return Table(["codec", *names], rows)


def _cell(row: pd.Series) -> str:
    limits = (row["percent"], row["low"], row["high"])
    text = delta_text(BdDelta(*limits, overlap=row["overlap"], reason=row["note"]), "%")
    return text + (f", {row['left_out']} points left out" if row["left_out"] else "")


def curve_cells(curves: pd.DataFrame) -> Table:
    """The mean curves."""
    metrics = metric_columns(curves)
    rows = [
        [row["codec"], row["point"], f"{row['bytes']:.0f}", f"{row['bpp']:.4f}",
         *(number_text(row[m], DIGITS.get(m, 4)) for m in metrics)]
        for _, row in curves.iterrows()
    ]  # fmt: skip
    return Table(["codec", "point", "bytes", "bpp", *map(metric_label, metrics)], rows)


def cost_cells(cost: pd.DataFrame) -> Table:
    """Times and sizes."""
    rows = [
        [row["codec"], f"{row['encode_s']:.3f}", f"{row['decode_s']:.3f}",
         f"{row['parameters'] / 1e6:.2f}" if row["parameters"] else "0"]
        for _, row in cost.iterrows()
    ]  # fmt: skip
    return Table(["codec", "encode (s)", "decode (s)", "parameters (millions)"], rows)


def anchor_cells(anchors: pd.DataFrame) -> Table:
    """The distances from published curves."""
    rows = []
    for _, row in anchors.iterrows():
        rate, gap = row["bd_rate_percent"], row["difference"]
        rows.append([
            row["codec"], row["published"], metric_label(row["metric"]),
            "no overlap" if np.isnan(rate) else f"{number_text(rate, 1, sign=True)} %",
            number_text(gap, DIGITS[row["metric"]], sign=True),
        ])  # fmt: skip
    return Table(["codec", "published", "metric", "BD-rate", "difference at equal rate"], rows)
