"""The report as a PDF by matplotlib: what was run, each figure at its own size, the tables."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from experiments.figures.style import paper_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE = (8.27, 11.69)  # A4, inches
_MARGIN = 0.7
_FONT = 7.0  # points
_LINE = 1.35 * _FONT / 72  # inches
_CHARACTER = 0.602 * _FONT / 72  # inches
WIDEST = 250
"""Characters of a line beyond which cells are wrapped; a page is as wide as its lines."""
_LONGEST = int((_PAGE[1] - 2 * _MARGIN) / _LINE)  # lines of a page


def _paged(blocks: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """Blocks of lines on pages; one that fits a page is not split."""
    page: list[str] = []
    for block in blocks:
        if page and len(page) + 2 + len(block) > _LONGEST:
            yield page
            page = []
        page = [*page, "", "", *block] if page else list(block)
        while len(page) > _LONGEST:
            yield page[:_LONGEST]
            page = page[_LONGEST:]
    if page:
        yield page


def text_pages(blocks: Iterable[Sequence[str]]) -> Iterator[Figure]:
    """Blocks of lines on pages of A4's height, wider where a table is: no cell is to be wrapped."""
    from matplotlib.figure import Figure

    for lines in _paged(blocks):
        width = max(_PAGE[0], 2 * _MARGIN + _CHARACTER * max(map(len, lines), default=0))
        page = Figure(figsize=(width, _PAGE[1]))
        page.text(
            _MARGIN / width, 1 - _MARGIN / _PAGE[1], "\n".join(lines), fontsize=_FONT,
            family="DejaVu Sans Mono", va="top", linespacing=1.16, parse_math=False,
        )  # fmt: skip
        yield page


def write_pdf(
    lead: Sequence[Sequence[str]],
    figures: Iterable[Figure],
    tables: Sequence[Sequence[str]],
    title: str,
) -> bytes:
    """The whole PDF.

    Args:
        lead: Blocks of lines before the figures.
        figures: A page each, of its own size.
        tables: Blocks of lines after them.
        title: For readers' title bars.
    """
    buffer = io.BytesIO()
    about = {"Title": title, "CreationDate": None, "ModDate": None}
    with paper_style():
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(buffer, metadata=about) as pages:
            for page in itertools.chain(text_pages(lead), figures, text_pages(tables)):
                pages.savefig(page)
    return buffer.getvalue()
