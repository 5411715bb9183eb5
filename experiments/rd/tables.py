"""Tables of a rate-distortion run, as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from experiments.statistics.bjontegaard import Floats, Window, bd_rate, num_dominated
from experiments.statistics.bjontegaard_intervals import bd_of_images
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.sweep.labels import metric_label, metric_name

Table = tuple[list[str], list[list[str]]]
Points = dict[tuple[str, str], tuple[Floats, Floats]]
"""By codec and metric, rates in bpp and qualities, each [images, points]."""

_UNITS = {"psnr_db": 2, "ms_ssim": 4, "lpips": 3, "lpips_vgg": 3, "dists": 3}


def metric_columns(frame: pd.DataFrame) -> list[str]:
    """Metrics of a run that have any value."""
    return [name for name in _UNITS if name in frame and frame[name].notna().any()]


def gather_points(frame: pd.DataFrame) -> Points:
    """By codec and metric, what was measured of every image at every point."""
    found = {}
    for codec, part in frame.groupby("codec", sort=False):
        shape = (part["image"].nunique(), part["point"].nunique())
        # Rows come image by image, points in order.
        bpp = part["bpp"].to_numpy(float).reshape(shape)
        for metric in metric_columns(frame):
            quality = part[metric].to_numpy(float).reshape(shape)
            if np.isfinite(quality).all():
                found[str(codec), metric] = bpp, quality
    return found


def bd_table(
    points: Points, references: Sequence[str], window_bpp: Window, seed: int = 1
) -> pd.DataFrame:
    """BD-rate of every codec against every reference by every metric, intervals over images.

    Returns:
        Rows ``metric, reference, codec, percent, low, high, from_value, to_value, overlap,
        left_out, note``; the range of values is that over which both curves were compared,
        ``left_out`` the number of points of the codec's mean curve that a cheaper one equals.
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
            rows.append([metric, reference, codec, *numbers, left_out, found.reason])
    columns = ["metric", "reference", "codec", "percent", "low", "high", "from_value", "to_value"]
    return pd.DataFrame(rows, columns=[*columns, "overlap", "left_out", "note"])


def curve_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over the images at each point of each codec."""
    keys = ["codec", "point"]
    columns = ["bytes", "bpp", *metric_columns(frame), "encode_s", "decode_s"]
    return frame.groupby(keys, sort=False)[columns].mean().reset_index()


def cost_table(frame: pd.DataFrame, parameters: dict[str, int]) -> pd.DataFrame:
    """Mean times over images and points, and the number of learned parameters."""
    found = frame.groupby("codec", sort=False)[["encode_s", "decode_s"]].mean().reset_index()
    found["parameters"] = [parameters[name] for name in found["codec"]]
    return found


def bd_cells(bd: pd.DataFrame, reference: str) -> Table:
    """Header and rows of the BD-rates against one reference, a column a metric."""
    part = bd[bd["reference"] == reference]
    metrics = list(part["metric"].unique())
    header = ["codec", *(metric_name(m) for m in metrics)]
    rows = []
    for codec in part["codec"].unique():
        mine = part[part["codec"] == codec].set_index("metric")
        rows.append([codec, *(_cell(mine.loc[m]) if m in mine.index else "-" for m in metrics)])
    return header, rows


def _cell(row: pd.Series) -> str:
    if row["note"]:
        return str(row["note"])
    interval = f" [{row['low']:+.1f}, {row['high']:+.1f}]" if np.isfinite(row["low"]) else ""
    gap = f", {row['left_out']} points left out" if row["left_out"] else ""
    return f"{row['percent']:+.1f} %{interval} over {100 * row['overlap']:.0f} %{gap}"


def curve_cells(curves: pd.DataFrame) -> Table:
    """Header and rows of the mean curves."""
    metrics = [name for name in _UNITS if name in curves]
    header = ["codec", "point", "bytes", "bpp", *map(metric_label, metrics)]
    rows = [
        [row["codec"], row["point"], f"{row['bytes']:.0f}", f"{row['bpp']:.4f}",
         *(f"{row[m]:.{_UNITS[m]}f}" for m in metrics)]
        for _, row in curves.iterrows()
    ]  # fmt: skip
    return header, rows


def cost_cells(cost: pd.DataFrame) -> Table:
    """Header and rows of times and sizes."""
    rows = [
        [row["codec"], f"{row['encode_s']:.3f}", f"{row['decode_s']:.3f}",
         f"{row['parameters'] / 1e6:.2f}" if row["parameters"] else "0"]
        for _, row in cost.iterrows()
    ]  # fmt: skip
    return ["codec", "encode (s)", "decode (s)", "parameters (10^6)"], rows


def anchor_cells(anchors: pd.DataFrame) -> Table:
    """Header and rows of the distances from published curves."""
    rows = []
    for _, row in anchors.iterrows():
        number = np.isfinite(row["bd_rate_percent"])
        rate = f"{row['bd_rate_percent']:+.1f} %" if number else "no overlap"
        gap = f"{row['difference']:+.{_UNITS[row['metric']]}f}" if number else "-"
        label = metric_label(row["metric"])
        rows.append([row["codec"], row["published"], label, rate, gap])
    return ["codec", "published", "metric", "BD-rate", "difference at equal rate"], rows


def markdown(table: Table) -> str:
    """A table in Markdown.

    Example:
        >>> print(markdown((["a", "b"], [["1", "2"]])))
        | a | b |
        |---|---|
        | 1 | 2 |
    """
    header, rows = table
    lines = [header, *rows]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(header), *text[1:]])


def latex(table: Table) -> str:
    r"""A table in LaTeX (package booktabs).

    Example:
        >>> print(latex((["a", "b"], [["1 %", "2"]])))
        \begin{tabular}{lr}
        \toprule
        a & b \\
        \midrule
        1 \% & 2 \\
        \bottomrule
        \end{tabular}
    """
    header, rows = table
    lines = [" & ".join(map(_escape, row)) + r" \\" for row in (header, *rows)]
    body = [lines[0], r"\midrule", *lines[1:]]
    spec = "l" + "r" * (len(header) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{spec}}}", r"\toprule", *body, r"\bottomrule",
                      r"\end{tabular}"])  # fmt: skip


def _escape(text: str) -> str:
    for sign in "%_&#":
        text = text.replace(sign, "\\" + sign)
    return text.replace("10^6", "$10^6$")
