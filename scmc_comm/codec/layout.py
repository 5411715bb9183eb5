"""The layout sentence: a coarse colour picture of the image in plain English.

A caption is a content sentence and a layout sentence. The layout sentence names the mean colour
of every cell of a 5 x 5 grid in words from a palette of 48 named colours, row by row::

    From top to bottom: two black, dark green, two olive; five black; ...

Rows are separated by semicolons, cells by commas, and a number word in front of a colour repeats
it. People may edit it: common other colour words are understood, and any grid from 1 x 1 to 8 x 8
is accepted and resampled. The palette was fitted by k-means in CIELAB to the cell means of some
9,000 natural photographs; a cell takes the palette colour nearest in sRGB, which keeps the mean
squared error of the picture low (about 0.3 dB better than the nearest in CIELAB).
"""

from __future__ import annotations

import difflib
import re
from functools import cache

import torch
import torch.nn.functional as F

from scmc_comm.errors import ScmcError

GRID = 5
MAX_GRID = 8
LAYOUT_START = "From top to bottom:"

# Ordered from dark to light; sRGB.
PALETTE: dict[str, str] = {
    "black": "161513",
    "blackish green": "232818",
    "dark brown": "472c1f",
    "deep green": "303b1c",
    "dark violet": "3c3457",
    "charcoal": "3a3a38",
    "maroon": "7d2d2c",
    "dark green": "3e501f",
    "dark mauve": "6e444c",
    "dark grey green": "465540",
    "olive brown": "605131",
    "dark grey": "5c5752",
    "dark red": "a43023",
    "plum": "8b4374",
    "slate blue": "535d6f",
    "brown": "88512d",
    "purple": "744cb2",
    "green": "4f712b",
    "olive": "6f6a26",
    "moss green": "616f45",
    "red": "d32e1e",
    "olive grey": "727360",
    "blue": "646eaa",
    "dusty brown": "8d6d63",
    "rose red": "d14553",
    "grey": "767879",
    "deep pink": "ce4a81",
    "mauve": "90738a",
    "golden brown": "a37427",
    "magenta": "cb52b3",
    "dusty pink": "bd6c7f",
    "orange": "cd6b1f",
    "tan": "9b8460",
    "sage green": "839358",
    "mustard": "9e9026",
    "grey green": "879578",
    "clay": "c78163",
    "grass green": "7b9e3c",
    "lilac": "ba80bb",
    "light grey": "98948f",
    "light blue": "819bba",
    "gold": "d39918",
    "pale pink": "c59fb2",
    "silver": "b4b6b6",
    "khaki": "c3b76e",
    "beige": "c1b79a",
    "yellow": "d2c028",
    "white": "dedfde",
}
NAMES: tuple[str, ...] = tuple(PALETTE)

# Words people write that are not in the palette, and the palette colour each stands for.
ALIASES: dict[str, str] = {
    "amber": "gold",
    "bright red": "red",
    "crimson": "dark red",
    "cream": "beige",
    "dark blue": "dark violet",
    "dark olive": "deep green",
    "dark pink": "deep pink",
    "dark purple": "dark violet",
    "fuchsia": "magenta",
    "golden": "gold",
    "hot pink": "deep pink",
    "indigo": "dark violet",
    "lavender": "lilac",
    "light brown": "tan",
    "light green": "sage green",
    "light pink": "pale pink",
    "light purple": "lilac",
    "light yellow": "khaki",
    "navy": "dark violet",
    "off white": "white",
    "pale blue": "light blue",
    "pale green": "grey green",
    "pale yellow": "khaki",
    "peach": "clay",
    "pink": "dusty pink",
    "sky blue": "light blue",
    "teal": "slate blue",
    "turquoise": "light blue",
    "violet": "purple",
    "wine red": "maroon",
}

_NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight")
_SENTENCE = re.compile(r"from\s+top\s+to\s+bottom\s*:([^.]*)\.?", re.IGNORECASE)


@cache
def palette_rgb() -> torch.Tensor:
    """The palette as sRGB, float32 [48, 3] in [0, 1], in the order of ``NAMES``."""
    rows = [[int(rgb[i : i + 2], 16) for i in (0, 2, 4)] for rgb in PALETTE.values()]
    return torch.tensor(rows, dtype=torch.float32) / 255


def layout_grid(img: torch.Tensor, grid: int = GRID) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantise a batch of images to grids of palette colours.

    Args:
        img: float32 [b, 3, H, W] in [0, 1].
        grid: Cells along each side.

    Returns:
        The quantised colours, float32 [b, 3, grid, grid] sRGB in [0, 1], and the palette indices,
        int64 [b, grid, grid].

    Example:
        >>> rgb, idx = layout_grid(torch.zeros(2, 3, 64, 64))
        >>> tuple(rgb.shape), NAMES[int(idx[0, 0, 0])]
        ((2, 3, 5, 5), 'black')
    """
    if img.ndim != 4 or img.shape[1] != 3:
        raise ScmcError(f"layout_grid got a tensor of shape {tuple(img.shape)}; give [b, 3, H, W]")
    cells = F.adaptive_avg_pool2d(img.float(), grid).permute(0, 2, 3, 1)
    table = palette_rgb().to(img.device)
    idx = (cells[..., None, :] - table).square().sum(-1).argmin(-1)
    return table[idx].permute(0, 3, 1, 2).contiguous(), idx


def layout_from_indices(idx: torch.Tensor) -> str:
    """Write palette indices, int [rows, columns], as a layout sentence."""
    rows = []
    for row in idx.tolist():
        runs: list[list[int]] = []
        for i in row:
            if runs and runs[-1][0] == i:
                runs[-1][1] += 1
            else:
                runs.append([i, 1])
        words = (f"{_NUMBERS[n]} {NAMES[i]}" if n > 1 else NAMES[i] for i, n in runs)
        rows.append(", ".join(words))
    return f"{LAYOUT_START} {'; '.join(rows)}."


def describe_layout(img: torch.Tensor) -> str:
    """Describe where the colours of an image are, as one English sentence.

    Args:
        img: float32 [3, H, W] in [0, 1].

    Returns:
        The layout sentence of a 5 x 5 grid; ``parse_layout`` reads it.

    Example:
        >>> describe_layout(torch.ones(3, 32, 32))[:43]
        'From top to bottom: five white; five white;'
    """
    if img.ndim != 3 or img.shape[0] != 3:
        raise ScmcError(f"describe_layout got shape {tuple(img.shape)}; give one image [3, H, W]")
    return layout_from_indices(layout_grid(img[None])[1][0])


def _colour_index(word: str) -> int:
    name = " ".join(word.lower().replace("-", " ").replace("gray", "grey").split())
    name = ALIASES.get(name, name)
    if name in PALETTE:
        return NAMES.index(name)
    known = [*NAMES, *ALIASES]
    near = difflib.get_close_matches(name[:40], known, n=3, cutoff=0.4)
    last = name.split()[-1] if name.split() else ""
    near += [n for n in known if n.endswith(last) and n not in near] if last in known else []
    hint = ", ".join(near[:4] or ["black", "grey", "white", "green"])
    raise ScmcError(f"unknown colour {word.strip()[:40]!r} in the layout; nearest known: {hint}")


def _parse_run(text: str) -> list[int]:
    """One comma-separated item, such as 'three dark green', as a list of palette indices."""
    words = text.split()
    if words and words[0].lower() == "and":
        words = words[1:]
    count = 1
    if len(words) > 1 and words[0].lower() in _NUMBERS:
        count, words = _NUMBERS.index(words[0].lower()), words[1:]
    elif len(words) > 1 and re.fullmatch("[1-8]", words[0]):
        count, words = int(words[0]), words[1:]
    return [_colour_index(" ".join(words))] * count


def parse_indices(text: str) -> torch.Tensor | None:
    """Palette indices named by the layout sentence in a text, at the size that it is written in.

    Args:
        text: Any text; the first layout sentence in it counts.

    Returns:
        int64 [rows, columns] (each 1 to 8), or None if there is no layout sentence.

    Raises:
        ScmcError: A colour is unknown, rows differ in length or the grid is too large.
    """
    found = _SENTENCE.search(text)
    lines = [] if found is None else found.group(1).split(";")
    lines = [line for line in lines if line.replace(",", "").strip()]
    if not lines:
        return None
    if len(lines) > MAX_GRID:
        raise ScmcError(f"the layout has {len(lines)} rows; write at most {MAX_GRID}")
    rows = []
    for number, line in enumerate(lines, 1):
        items = [item for item in line.split(",") if item.strip()]
        row = [i for item in items[: MAX_GRID + 1] for i in _parse_run(item)]
        if len(row) > MAX_GRID:
            raise ScmcError(f"row {number} of the layout has over {MAX_GRID} cells; shorten it")
        rows.append(row)
        if len(row) != len(rows[0]):
            raise ScmcError(
                f"row {number} of the layout has {len(row)} cells but row 1 has {len(rows[0])}; "
                "give every row as many colours ('two red, blue' are three)"
            )
    return torch.tensor(rows)


def parse_layout(text: str) -> torch.Tensor | None:
    """Read the layout sentence of a caption.

    Args:
        text: A caption or a layout sentence, perhaps edited by a person.

    Returns:
        float32 [3, 5, 5] sRGB in [0, 1], or None if the text has no layout sentence. Grids of other
        sizes are resampled bilinearly.

    Raises:
        ScmcError: The sentence names an unknown colour or is no rectangle.

    Example:
        >>> grid = parse_layout("From top to bottom: blue; green")
        >>> tuple(grid.shape), parse_layout("a red rose") is None
        ((3, 5, 5), True)
    """
    idx = parse_indices(text)
    if idx is None:
        return None
    rgb = palette_rgb()[idx].permute(2, 0, 1)
    if idx.shape == (GRID, GRID):
        return rgb.contiguous()
    return F.interpolate(rgb[None], size=(GRID, GRID), mode="bilinear", align_corners=False)[0]


def split_caption(text: str) -> tuple[str, str | None]:
    """Split a caption into its content and its layout sentence (None if it has none)."""
    found = _SENTENCE.search(text)
    if found is None:
        return text.strip(), None
    parts = (text[: found.start()].strip(), text[found.end() :].strip())
    return " ".join(part for part in parts if part), found.group(0).strip()


def join_caption(content: str, layout: str | None) -> str:
    """Join a content sentence and a layout sentence to one caption.

    Example:
        >>> join_caption("a red rose", "From top to bottom: red.")
        'a red rose. From top to bottom: red.'
    """
    content = content.strip()
    if not layout:
        return content
    if content and content[-1] not in ".!?":
        content += "."
    return f"{content} {layout.strip()}".strip()
