"""Strips of reconstructions on the page, with their captions as text."""

from __future__ import annotations

import io
from pathlib import Path

import xarray as xr
from PIL import Image

from experiments.figures.strips import Strip
from experiments.figures.strips import strips as strips_of
from experiments.report.markup import png_image
from experiments.statistics.tables import html_text as text

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


def strip(found: Strip) -> str:
    """A strip of one image over one channel: rows systems, columns SNR."""
    head = "".join(f'<th scope="col">{e:g} dB</th>' for e in found.esno_db)
    original = picture(found.original, f"{found.image}, the original")
    said = f"<br>Caption sent: “{text(found.caption)}”" if found.caption else ""
    cell = f'<td colspan="{len(found.esno_db)}">{original}{said}</td>'
    rows = f'<tr><th scope="row">original</th>{cell}</tr>'
    known: dict[Path, str] = {}
    for system, tiles in found.rows:
        cells = ""
        for path, seen in tiles:
            if path not in known:
                words = seen.replace("\n", ", ")
                label = f"{found.image} as {system} shows it: {words}"
                known[path] = picture(path, label)
            cells += f"<td>{known[path]}{text(seen).replace(chr(10), '<br>')}</td>"
        name = text(system).replace(", ", ",<br>")
        rows += f'<tr><th scope="row">{name}</th>{cells}</tr>'
    caption = f"{found.image}, {found.where}: what each receiver shows at each Es/N0."
    return (
        f'<figure><div class="scroll"><table class="strip"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div><figcaption>{text(caption)}</figcaption></figure>"
    )


def strips(ds: xr.Dataset, folder: Path) -> list[str]:
    """The strips of a sweep: of each kept image over each channel, at the middle bandwidth.

    At most six; the sweep's own ``figures`` folder has all of them.
    """
    return [strip(found) for found in strips_of(ds, folder, _MOST_STRIPS)]
