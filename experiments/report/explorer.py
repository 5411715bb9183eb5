"""The explorer: one page that shows what each system delivers as image, channel and SNR change."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from importlib.resources import files
from typing import Any

from PIL import Image
from tqdm import tqdm

from experiments.report.explorer_data import explorer_data, places
from experiments.report.markup import PALETTE
from experiments.statistics.tables import html_text
from experiments.sweep.pictures import Pictures, Place

WIDEST = 512  # pixels; wider pictures are reduced to that
MOST_BYTES = 48 * 2**20  # of all pictures on a page


def explorer_page(
    pictures: Pictures, num_images: int, most_bytes: int = MOST_BYTES, progress: bool = True
) -> str:
    """The page as HTML; it refers to nothing outside itself and runs no script but its own.

    Pictures are lossless WebP. Where all of them would make the page too large, it holds the
    likeliest and says of the others that they were left out.

    Args:
        pictures: Those of a finished sweep.
        num_images: Of how many of its images, the first ones.
        most_bytes: Size of all pictures on the page.
        progress: Show a progress bar.

    Raises:
        ScmcError: A picture that was not kept cannot be made again.
    """
    ds = pictures.ds
    num_images = min(num_images, ds.sizes["image"])
    shelf = _Shelf(most_bytes)
    originals = [shelf.add(pictures.original(i)) for i in range(num_images)]
    shown = places(ds, num_images)
    numbers: dict[Place, int] = {}
    likeliest = sorted(shown, key=lambda place: -shown[place])
    for place in tqdm(likeliest, desc="explorer", unit="picture", disable=not progress):
        if shelf.is_full:
            break
        numbers[place] = shelf.add(pictures.shown(place))
    data = explorer_data(ds, shown, numbers, num_images)
    data["originals"] = [{"picture": n, "size": shelf.sizes[n]} for n in originals]
    return _page(data, shelf, len(shown) - len(numbers), ds.sizes["image"])


class _Shelf:
    """The pictures of a page, each once."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.urls: list[str] = []
        self.sizes: list[tuple[int, int]] = []  # width and height as sent
        self._known: dict[bytes, int] = {}

    @property
    def is_full(self) -> bool:
        return sum(map(len, self.urls)) >= self.most_bytes

    def add(self, png: bytes) -> int:
        """Number of a picture."""
        key = hashlib.sha256(png).digest()
        if key not in self._known:
            self._known[key] = len(self.urls)
            with Image.open(io.BytesIO(png)) as opened:
                img = opened.convert("RGB")
            self.sizes.append(img.size)
            if img.width > WIDEST:
                height = max(1, round(img.height * WIDEST / img.width))
                img = img.resize((WIDEST, height), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            img.save(buffer, format="WEBP", lossless=True)
            code = base64.b64encode(buffer.getvalue()).decode()
            self.urls.append(f"data:image/webp;base64,{code}")
        return self._known[key]


def _page(data: dict[str, Any], shelf: _Shelf, left_out: int, num_images: int) -> str:
    here = files("experiments.report")
    script = here.joinpath("explorer.js").read_text(encoding="utf-8")
    style = PALETTE + here.joinpath("explorer.css").read_text(encoding="utf-8")
    code = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{code}'; base-uri 'none'; form-action 'none'"
    )
    body = here.joinpath("explorer.html").read_text(encoding="utf-8")
    fields = {
        "POLICY": policy, "TITLE": html_text(f"Explorer: {data['title']}"), "STYLE": style,
        "NOTES": html_text(_notes(len(data["images"]), num_images, shelf, left_out)),
        "DATA": _json(data), "PICTURES": _json(shelf.urls), "SCRIPT": script,
    }  # fmt: skip
    parts = body.split("%%")  # text, name of a field, text, ...
    return "".join(fields[part] if n % 2 else part for n, part in enumerate(parts))


def _notes(shown: int, num_images: int, shelf: _Shelf, left_out: int) -> str:
    said = [f"Pictures of {shown} of the sweep's {num_images} images, stored without loss."]
    if any(width > WIDEST for width, _ in shelf.sizes):
        said.append(f"Those wider than {WIDEST} pixels are reduced to that width.")
    if left_out:
        said.append(
            f"To keep this file small the {left_out} least likely pictures are left out; "
            "their numbers are here."
        )
    said.append("All numbers are those of the sweep's store; ↓: lower is better.")
    return " ".join(said)


def _json(value: Any) -> str:
    """JSON that ends no element, whatever its texts say."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
