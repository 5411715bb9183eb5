"""Builds the report of finished sweeps: the page, the PDF, and the figures' files beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from experiments.execution.cache import write_atomic
from experiments.execution.output import check_ending, check_folder
from experiments.execution.side_files import read_table
from experiments.rd import capacity
from experiments.rd.tables import cost_cells
from experiments.report.chapter import Chapter
from experiments.report.checks import MISTAKES, states
from experiments.report.explorer import explorer_page
from experiments.report.markup import Section, page, paragraph
from experiments.report.parts import steps
from experiments.report.pdf import WIDEST, write_pdf
from experiments.report.tables import reference_of
from experiments.statistics.tables import Table
from experiments.sweep import store
from experiments.sweep.pictures import Pictures
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ReportSpec:
    """What a report holds.

    Attributes:
        folders: Output folders of sweeps.
        out: The page, ``NAME.html``; beside it come ``NAME.pdf`` and the folder ``NAME_files``.
        run_checks: Run the tests that keep the known mistakes out.
        reference: System that deltas are against; None takes VVC, or each sweep's first.
        threshold_psnr_db: PSNR that must hold; None takes the middle between failure and best.
        rd: Output folder of a rate-distortion run, for times and parameters; or None.
        anchors: Output folder of the anchors' run; or None.
        explorer: Of how many images of each sweep the explorer shows the pictures; 0 for none.
    """

    folders: tuple[Path, ...]
    out: Path
    run_checks: bool = False
    reference: str | None = None
    threshold_psnr_db: float | None = None
    rd: Path | None = None
    anchors: Path | None = None
    explorer: int = 0

    def __post_init__(self) -> None:
        check_ending(self.out, ".html", ".htm")
        if self.out.is_dir():
            raise ScmcError(f"{self.out} is a folder; give the name of a file in it")
        if not self.folders:
            raise ScmcError("no sweep was named; give the output folder of at least one")
        if self.explorer < 0:
            raise ScmcError(f"the explorer is to show {self.explorer} images; expected 1 or more")

    @property
    def files(self) -> Path:
        """Folder of the figures' files."""
        return self.out.with_name(f"{self.out.stem}_files")


def write_report(
    spec: ReportSpec, progress: bool = True, pictures: Callable[..., Pictures] = Pictures
) -> list[Path]:
    """Writes the report; each file is there whole or not at all, the page last.

    Args:
        spec: What it holds.
        progress: Show a progress bar.
        pictures: Opens the pictures of a sweep by its store and its folder.

    Returns:
        The page, the PDF and the folder of files.

    Raises:
        ScmcError: A folder holds no results, or a name does not exist.
    """
    check_folder(spec.files)
    extra = [*_anchors(spec.anchors), *_costs(spec.rd)]
    with ExitStack() as opened:
        chapters = []
        for number, folder in enumerate(spec.folders):
            ds = opened.enter_context(store.reading(folder / "results.nc"))
            reference_of(ds, spec.reference)
            name = re.sub(r"[^\w.-]+", "_", f"{number + 1}_{ds.attrs['title']}")
            chapters.append(Chapter(
                ds, folder, spec.files / name, f"{spec.files.name}/{name}", f"s{number + 1}",
                spec.reference, spec.threshold_psnr_db,
                partial(explorer_page, pictures(ds, folder), spec.explorer, progress=progress)
                if spec.explorer else None,
            ))  # fmt: skip
        todo = [step for chapter in chapters for step in steps(chapter)]
        for step in tqdm(todo, desc="report", unit="part", disable=not progress):
            step()
        checks = _checks(spec.run_checks)
        extra.append(checks)
        title = f"Report: {', '.join(str(c.ds.attrs['title']) for c in chapters)}"
        pdf = spec.out.with_suffix(".pdf")
        lead, tables = _blocks(chapters, extra)
        write_atomic(pdf, write_pdf(lead, _figures(chapters), tables, title))
        sections = [chapter.section for chapter in chapters] + [part for part, _ in extra]
        write_atomic(spec.out, page(title, _lead(spec), sections).encode())
    return [spec.out, pdf, spec.files]


Extra = tuple[Section, list[tuple[str, Table]]]
"""A part of the page that belongs to no sweep, and its tables."""


def _lead(spec: ReportSpec) -> list[str]:
    pdf, files = spec.out.with_suffix(".pdf").name, spec.files.name
    return [paragraph(
        f"Everything on this page is drawn from the sweeps' stores. Beside it lie {pdf} (drawn by "
        f"matplotlib) and {files}: every figure as PDF and SVG at 3.5 in and 7.16 in, its numbers "
        "as CSV, pgfplots source that draws them, and the tables as LaTeX.", "soft",
    )]  # fmt: skip


def _figures(chapters: Sequence[Chapter]) -> Iterator[Figure]:
    for chapter in chapters:
        for draw in chapter.figures:
            yield draw()


def _blocks(
    chapters: Sequence[Chapter], extra: Sequence[Extra]
) -> tuple[list[list[str]], list[list[str]]]:
    """Lines of the PDF before and after its figures."""
    lead, after = [], []
    for chapter in chapters:
        attrs = chapter.ds.attrs
        lead.append(_lines(*chapter.blocks[0]))
        lead.append(["Spec", "", *str(attrs["spec_yaml"]).split("\n")])
        named = ((f"{attrs['title']}: {title}", cells) for title, cells in chapter.blocks[1:])
        after += [_lines(title, cells) for title, cells in named]
    after += [_lines(title, cells) for _, tables in extra for title, cells in tables]
    return lead, after


def _lines(title: str, cells: Table) -> list[str]:
    return [title, "", *cells.text(WIDEST).split("\n")]


def _checks(run: bool) -> Extra:
    rows = [
        [mistake.what, mistake.effect, mistake.rule, state]
        for mistake, state in zip(MISTAKES, states(run), strict=True)
    ]
    cells = Table(["mistake", "effect", "what holds here", "state"], rows)
    title = "Known mistakes, and what keeps them out"
    said = (
        "The tests were run for this report." if run
        else "The tests were not run for this report; --run-checks runs them."
    )  # fmt: skip
    body = [paragraph(said, "note"), cells.html(prose=True)]
    return Section("checks", title, body), [(title, cells)]


def _anchors(folder: Path | None) -> list[Extra]:
    if folder is None:
        return []
    numbers = ("rho", "esno_db", "bpp", "published", "mean_curve", "per_image", "difference")
    words = ("codec", "tolerance", "result")
    found = read_table(folder / "anchors.csv", "scmc-comm anchors", words, numbers)
    cells, title = capacity.cells(found), "Anchors: codec + capacity on Kodak"
    note = (
        "PSNR in dB at bpp = 3 ρ log2(1 + snr), beside the values of the published curves. The "
        "mean curve is read as the published ones are, linear in the logarithm of the rate, and "
        "decides; per image each picture's own curve is read at that rate, as bounds are."
    )
    return [(Section("anchors", title, [paragraph(note, "note"), cells.html()]), [(title, cells)])]


def _costs(folder: Path | None) -> list[Extra]:
    title = "Compute time and parameters"
    if folder is None:
        said = (
            "Not known to a sweep: its results do not depend on the machine. 'scmc-comm rd' "
            "measures encoder and decoder times and counts parameters; --rd DIR shows them here."
        )
        return [(Section("cost", title, [paragraph(said, "note")]), [])]
    numbers = ("encode_s", "decode_s", "parameters")
    cells = cost_cells(read_table(folder / "cost.csv", "scmc-comm rd", ("codec",), numbers))
    return [(Section("cost", title, [cells.html()]), [(title, cells)])]
