"""Reconstructions on the page: what each receiver shows, system by system, as the SNR falls."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from experiments.figures.strips import caption_of, set_text
from experiments.report.markup import png_image
from experiments.statistics.tables import html_text as text
from experiments.sweep import store
from experiments.sweep.labels import channel_label, ratio_label, system_label
from experiments.sweep.shown import Shown, shown

_WIDEST = 256  # pixels of a picture on the page
_MOST_STRIPS = 6


def picture(path: Path, label: str) -> str:
    """A picture for the page, reduced if it is wider than the page shows it."""
    with Image.open(path) as opened:
        img = opened.convert("RGB")
    if img.width > _WIDEST:
        height = max(1, round(img.height * _WIDEST / img.width))
        img = img.resize((_WIDEST, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    img.save(buffer, format="PNG", optimize=True)
    return png_image(buffer.getvalue(), label)


def _tile(
    ds: xr.Dataset, folder: Path, at: dict[str, int], delivered: int, known: dict[Path, str]
) -> str:
    point = ds.isel({name: value for name, value in at.items() if name in ds.dims})
    system, image = str(point.system.values), str(point.image.values)
    seen = point.isel(set=delivered)
    arrived = set_text(str(seen.set.values), str(point.frames.values))
    path = store.picture_path(folder, image, system, at["rho"], at["design"], delivered)
    words = f"{float(seen.psnr_db):.1f} dB, {arrived}"
    label = f"{image} as {system_label(system)} shows it: {words}"
    if path not in known:
        known[path] = picture(path, label)
    return f"<td>{known[path]}{text(words)}</td>"


def _rows(
    ds: xr.Dataset, folder: Path, found: Shown, image: int, rho: int, known: dict[Path, str]
) -> str:
    rows = ""
    for s, system in enumerate(map(str, ds.system.values)):
        tiles = ""
        for c in range(len(found.columns)):
            at = {"system": s, "rho": rho, "image": image, "design": int(found.designs[s, c])}
            tiles += _tile(ds, folder, at, int(found.sets[s, c]), known)
        rows += f'<tr><th scope="row">{text(system_label(system))}</th>{tiles}</tr>'
    return rows


def strip(ds: xr.Dataset, folder: Path, image: int, channel: int, rho: int) -> str:
    """A strip of one image over one channel: rows systems, columns SNR."""
    found = shown(ds, image, channel, rho)
    name = str(ds.image.values[image])
    snrs = ds.esno_db.values[list(found.columns)]
    head = "".join(f'<th scope="col">{e:g} dB</th>' for e in snrs)
    original = picture(store.original_path(folder, name), f"{name}, the original")
    sent = caption_of(ds, image, rho)
    said = f"<br>Caption sent: “{text(sent)}”" if sent else ""
    cell = f'<td colspan="{len(snrs)}">{original}{said}</td>'
    first = f'<tr><th scope="row">original</th>{cell}</tr>'
    over, ratio = str(ds.channel.values[channel]), float(ds.rho.values[rho])
    where = f"{channel_label(over)}, ρ = {ratio_label(ratio)}"
    caption = f"{name}, {where}, {found.what}: what each receiver shows at each Es/N0."
    return (
        f'<figure><div class="scroll"><table class="strip"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{first}{_rows(ds, folder, found, image, rho, {})}</tbody></table></div>"
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def strips(ds: xr.Dataset, folder: Path) -> list[str]:
    """The strips of a sweep: of each kept image over each channel, at the middle bandwidth.

    At most six; the sweep's own ``figures`` folder has all of them.
    """
    rho = int(np.argsort(ds.rho.values)[(ds.sizes["rho"] - 1) // 2])
    kept = [
        i for i, name in enumerate(map(str, ds.image.values))
        if store.original_path(folder, name).is_file()
    ]  # fmt: skip
    places = [(image, channel) for image in kept for channel in range(ds.sizes["channel"])]
    return [strip(ds, folder, image, channel, rho) for image, channel in places[:_MOST_STRIPS]]
