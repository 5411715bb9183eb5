"""The chapter of one sweep: its store, its place on the page, and the files beside the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from experiments.execution.cache import write_atomic
from experiments.report.markup import Section
from experiments.statistics.tables import Table, html_text
from experiments.sweep import summary
from experiments.sweep.delivery import delivery_probabilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass
class Chapter:
    """A sweep on its way into the report.

    Attributes:
        ds: The result store.
        folder: The sweep's folder.
        files: Folder that its figures go to, and its path from the page's folder.
        link: That path.
        prefix: Start of the ids of this chapter.
        reference: System that deltas are against, or None.
        threshold: PSNR in dB that must hold, or None to choose it.
        explorer: Makes the page of the explorer; None for none.
        section: What stands on the page.
        blocks: Tables for the PDF: title, cells.
        figures: Functions that draw the PDF's figures.
    """

    ds: xr.Dataset
    folder: Path
    files: Path
    link: str
    prefix: str
    reference: str | None = None
    threshold: float | None = None
    explorer: Callable[[], str] | None = None
    section: Section = field(init=False)
    blocks: list[tuple[str, Table]] = field(default_factory=list)
    figures: list[Callable[[], Figure]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.section = Section(self.prefix, f"Sweep {self.ds.attrs['title']}")

    @cached_property
    def quality(self) -> xr.Dataset:
        """Means with intervals, resampled once."""
        return summary.table(self.ds, summary.quality(self.ds))

    @cached_property
    def delivery(self) -> xr.Dataset:
        """Delivery probabilities with intervals."""
        return delivery_probabilities(self.ds)

    def part(self, name: str, title: str) -> Section:
        """Opens a part of the chapter."""
        made = Section(f"{self.prefix}-{name}", title)
        self.section.parts.append(made)
        return made

    def write(self, name: str, data: bytes) -> None:
        """Writes a file beside the page, whole or not at all."""
        write_atomic(self.files / name, data)

    def links(self, stem: str, *kinds: str) -> str:
        """Links to files beside the page, as HTML."""
        anchors = (f'<a href="{html_text(self.link)}/{html_text(stem)}.{k}">{k}</a>' for k in kinds)
        return f" <span>[{', '.join(anchors)}]</span>"

    def add_table(self, part: Section, title: str, cells: Table, name: str) -> None:
        """A table on the page, in the PDF, and as LaTeX beside them."""
        part.body.append(cells.html(title))
        self.blocks.append((title, cells))
        self.write(f"{name}.tex", (cells.latex() + "\n").encode())
