"""The report as a PDF by matplotlib: what was run, each figure at its own size, the tables."""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.report.markup import Table

_PAGE = (8.27, 11.69)  # A4, inches
_MARGIN = 0.7
_FONT = 7.0  # points
_LINE = 1.35 * _FONT / 72  # inches
_WIDEST = int((_PAGE[0] - 2 * _MARGIN) / (0.602 * _FONT / 72))  # characters of a line
_LONGEST = int((_PAGE[1] - 2 * _MARGIN) / _LINE)  # lines of a page
_COLUMNS = (40, 32, 26, 22, 18, 15, 12, 10, 8)  # characters of the widest column, as it must be


def _wrapped(cells: Table, most: int) -> list[list[list[str]]]:
    header, rows = cells
    return [[textwrap.wrap(cell, most) or [""] for cell in row] for row in (header, *rows)]


def _widths(rows: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    return [max(len(line) for row in rows for line in row[c]) for c in range(len(rows[0]))]


def table_lines(title: str, cells: Table) -> list[str]:
    r"""A table as lines of text that fit the page, its wide columns wrapped.

    Example:
        >>> print("\n".join(table_lines("T", (["a", "b"], [["1", "22"]]))))
        T
        <BLANKLINE>
        a  b
        -  --
        1  22
    """
    for most in _COLUMNS:
        rows = _wrapped(cells, most)
        widths = _widths(rows)
        if sum(widths) + 2 * len(widths) <= _WIDEST:
            break
    lines = [title, ""]
    for number, row in enumerate(rows):
        for n in range(max(map(len, row))):
            parts = (cell[n] if n < len(cell) else "" for cell in row)
            line = "  ".join(p.ljust(width) for p, width in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return lines


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
    """Blocks of lines on A4 pages."""
    from matplotlib.figure import Figure

    for lines in _paged(blocks):
        page = Figure(figsize=_PAGE)
        page.text(
            _MARGIN / _PAGE[0], 1 - _MARGIN / _PAGE[1], "\n".join(lines), fontsize=_FONT,
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
    from matplotlib.backends.backend_pdf import PdfPages

    from experiments.figures.style import paper_style

    buffer = io.BytesIO()
    about = {"Title": title, "CreationDate": None, "ModDate": None}
    with paper_style(), PdfPages(buffer, metadata=about) as pages:
        for page in itertools.chain(text_pages(lead), figures, text_pages(tables)):
            pages.savefig(page)
    return buffer.getvalue()
