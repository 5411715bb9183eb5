"""The chapter of one sweep: what was run, its figures, its tables, its reconstructions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from experiments.execution.cache import write_atomic
from experiments.figures.chart import Chart
from experiments.figures.exports import figure_table, pgfplots
from experiments.figures.strips import strips as strips_of
from experiments.figures.style import file_stem, rendered
from experiments.figures.views import views
from experiments.report import strips, tables
from experiments.report.comparisons import comparison_table, others_of, primary_of
from experiments.report.ledger import ledger_panels
from experiments.report.markup import Section, pairs, paragraph, plot
from experiments.report.panels import groups, panels, paper_figure, render_panel
from experiments.report.systems import links_table, systems_table
from experiments.statistics.means import FEW_IMAGES
from experiments.statistics.tables import Table, html_text
from experiments.sweep import store, summary
from experiments.sweep.bounds import NORMAL_ERROR, has_bounds
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.labels import (
    channel_label,
    metric_label,
    ratio_label,
    system_label,
)
from experiments.sweep.spec import SweepSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Step = Callable[[], None]


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


def steps(chapter: Chapter) -> Iterator[Step]:
    """What makes a chapter, in the order of the page."""
    yield lambda: _what_was_run(chapter)
    yield lambda: _systems(chapter)
    part = Section(f"{chapter.prefix}-figures", "Figures")
    made = views(chapter.ds, chapter.quality, chapter.delivery)
    found = [panel for view in made for panel in panels(view)]
    if found:
        yield lambda: _open_figures(chapter, part)
    for number, panel in enumerate(found):
        yield partial(_figure, chapter, part, panel, number)
    yield lambda: _strips(chapter)
    yield lambda: _ledger(chapter)
    if chapter.ds.sizes["system"] > 1:
        yield lambda: _comparisons(chapter)
        yield lambda: _deltas(chapter)
    if chapter.ds.sizes["esno_db"] > 1:
        yield lambda: _falls(chapter)
    yield lambda: _averages(chapter)


def _what_was_run(chapter: Chapter) -> None:
    attrs, ds = chapter.ds.attrs, chapter.ds
    part = chapter.part("run", "What was run")
    versions = json.loads(attrs["versions"])
    trials = f"none: {store.expectation_note(ds)}" if store.is_exact(ds) else str(ds.sizes["trial"])
    sent = "every bit is sent" if attrs["estimator"] == "monte-carlo" else "block error tables"
    facts = [
        ("sweep", str(attrs["title"])),
        ("git revision", str(attrs["git_revision"])),
        ("seed", str(attrs["seed"])),
        ("estimator", f"{attrs['estimator']} ({sent})"),
        ("images", f"{ds.sizes['image']}: {', '.join(map(str, ds.image.values))}"),
        ("channel draws an image", trials),
        ("failure policy", str(attrs["failure_policy"])),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
    ]
    part.body += [pairs(facts), f"<pre>{html_text(attrs['spec_yaml'])}</pre>"]
    cells = Table(["what", "value"], [list(fact) for fact in facts])
    chapter.blocks.append((f"Sweep {attrs['title']}", cells))


def _systems(chapter: Chapter) -> None:
    ds = chapter.ds
    bits = SweepSpec.from_yaml(ds.attrs["spec_yaml"]).control_bits
    paid = f"{bits} bits a frame are charged for that" if bits else "out of band, for all alike"
    known = chapter.part("systems", "Systems, and what both ends know")
    known.body.append(paragraph(
        "Both ends of every system know the model weights or constant headers, the size class of "
        f"the picture, and which frame is which, its length and its modulation and coding: {paid}. "
        "Transmitter side information is what the sender's design follows from point to point of "
        "this sweep.", "note",
    ))  # fmt: skip
    chapter.add_table(known, "Channels", links_table(ds), "links")
    chapter.add_table(known, "Systems", systems_table(ds), "systems")


def _open_figures(chapter: Chapter, part: Section) -> None:
    chapter.section.parts.append(part)
    part.body.append(paragraph(_reading(chapter.ds) + _undefined(chapter), "note"))


def _reading(ds: xr.Dataset) -> str:
    words = ["Bands are 95 % intervals: "]
    over = "images" if store.is_exact(ds) else "images and channel draws"
    few = 1 < ds.sizes["image"] < FEW_IMAGES
    words.append("Student's t on images' means." if few else f"bootstrap over {over}.")
    if ds.sizes["image"] == 1:
        words[:] = ["One image: bands, if any, are 95 % intervals over channel draws alone."]
    words.append(
        " Failures are scored as mid-grey and stay in every mean. Below each curve is the "
        "delivery probability of each layer."
    )
    if has_bounds(ds):
        codecs = " and ".join(system_label(str(name)) for name in ds.codec.values)
        words.append(
            f" Thin lines are bounds: {codecs} over an ideal code. Capacity and the normal "
            f"approximation (one codeword an image, lost with probability {NORMAL_ERROR:g}) belong "
            "to AWGN; in block fading the rate is the best one fixed for the mean SNR, and what "
            "does not carry it shows mid-grey. Bounds are means over the images of each image's."
        )
    else:
        words.append(" This sweep measured no bounds: run it with --set bounds=jpeg,vvc.")
    return "".join(words)


def _undefined(chapter: Chapter) -> str:
    """Where a metric was not measured and of how many images it has no value; or empty."""
    partial = [metric_label(name) for name in store.partial_metrics(chapter.ds)]
    where = f" {', '.join(partial)}: measured at the primary endpoints alone." if partial else ""
    total, found = chapter.ds.sizes["image"], chapter.quality.num_images
    short = [(str(name), int(n)) for name, n in zip(found.metric.values, found.values, strict=True)]
    return where + "".join(
        f" {metric_label(name)} is defined for {n} of {total} images; the rest are left out of its "
        "means."
        for name, n in short
        if n < total
    )


def _figure(chapter: Chapter, part: Section, panel: Chart, number: int) -> None:
    """A panel over each channel on the page; the same and all side by side as files."""
    drawings, alone = [], ""
    channels = list(map(str, chapter.ds.channel.values))
    widest = groups(channels)[len(channels) :] or groups(channels)
    for chosen in groups(channels):
        channel = channels[chosen[0]]
        stem = file_stem(f"{panel.stem}_{channel}" if len(chosen) == 1 else panel.stem)
        kinds, files = render_panel(panel, chosen), ["pdf", "svg"]
        for kind in files:
            chapter.write(f"{stem}.{kind}", kinds[kind])
        if len(chosen) == 1:
            top, files = panel.whole(chosen[0]), [*files, "csv", "tex"]
            chapter.write(f"{stem}.csv", figure_table(top).to_csv(index=False).encode())
            chapter.write(f"{stem}.tex", pgfplots(top, f"{stem}.csv").encode())
            alone += f"{html_text(channel_label(channel))}{chapter.links(stem, *files)} "
        if chosen in widest:
            prefix = f"{chapter.prefix}-f{number}-{chosen[0]}"
            said = panel.title if len(chosen) > 1 else f"{panel.title}, {channel_label(channel)}"
            links = chapter.links(stem, *files)
            drawings.append(plot(kinds["svg"], prefix, f"{said}.", links, len(chosen) > 1))
    below = Section(f"{part.anchor}-{number}", panel.title)
    below.body.append(f'<div class="figures">{"".join(drawings)}</div>')
    if len(widest[0]) > 1:
        below.body.append(f'<p class="note">Each channel alone, 3.5 in wide: {alone}</p>')
    part.parts.append(below)
    chapter.figures += [partial(paper_figure, panel, chosen) for chosen in widest]


def _strips(chapter: Chapter) -> None:
    found = strips.strips(chapter.ds, chapter.folder)
    part = chapter.part("strips", "Reconstructions")
    part.body += found or [paragraph("This sweep kept no reconstructions.", "note")]
    if found:
        chapter.figures += [found.draw for found in strips_of(chapter.ds, chapter.folder)]


def _ledger(chapter: Chapter) -> None:
    part = chapter.part("ledger", "Where the channel uses go")
    found = ledger_panels(chapter.ds)
    if not found:
        part.body.append(paragraph("This store holds no ledger; run the sweep again.", "note"))
        return
    drawings = []
    for number, panel in enumerate(found):
        kinds = rendered(panel.draw(), "svg", "pdf")
        for kind in ("pdf", "svg"):
            chapter.write(f"{panel.stem}.{kind}", kinds[kind])
        chapter.write(f"{panel.stem}.csv", panel.frame().to_csv(index=False).encode())
        chapter.write(f"{panel.stem}.tex", panel.pgfplots(f"{panel.stem}.csv").encode())
        links = chapter.links(panel.stem, "pdf", "svg", "csv", "tex")
        drawings.append(plot(kinds["svg"], f"{chapter.prefix}-l{number}", panel.title, links))
        chapter.figures.append(panel.draw)
    part.body.append(f'<div class="figures">{"".join(drawings)}</div>')


def _comparisons(chapter: Chapter) -> None:
    ds = chapter.ds
    first = system_label(str(ds.system.values[0]))
    part = chapter.part("comparisons", f"{first} against each rival")
    part.body.append(paragraph(
        "Differences of images' means, averaged over the SNRs, with 95 % intervals (Student's t, "
        "paired by image). p-values are two-sided and corrected by Holm for the number of rows of "
        "their table.", "note",
    ))  # fmt: skip
    primary = primary_of(ds)
    if not primary:
        part.body.append(paragraph(
            "This sweep states no primary endpoints (key primary): all rows are exploratory.",
            "note",
        ))  # fmt: skip
    for title, name, endpoints in (
        ("Primary endpoints, stated before the run", "primary", primary),
        ("All other comparisons", "others", others_of(ds, primary)),
    ):
        if endpoints:
            chapter.add_table(part, title, comparison_table(ds, endpoints), f"comparisons_{name}")


def _deltas(chapter: Chapter) -> None:
    ds, reference = chapter.ds, tables.reference_of(chapter.ds, chapter.reference)
    part = chapter.part("bd", f"Bjontegaard deltas against {reference}")
    part.body.append(paragraph(
        "Mean difference of SNR (dB), or of bandwidth (%), at equal quality; negative needs less. "
        "In brackets 95 % intervals: Student's t with fewer than ten images, else "
        f"{tables.RESAMPLES} bootstrap resamples of images and channel draws, the same for both "
        "systems. 'Over' is the share of the range of quality that both "
        "reach; resamples without a delta widen the interval.", "note",
    ))  # fmt: skip
    for x, name, unit in (("esno_db", "BD-SNR", "dB"), ("rho", "BD-rho", "%")):
        if ds.sizes[x] < 2:
            continue
        for metric in tables.metrics_of(ds):
            cells, notes = tables.delta_table(ds, x, metric, reference)
            title = f"{name} against {reference} by {metric_label(metric)}, in {unit}"
            chapter.add_table(part, title, cells, f"{name.lower()}_{metric}")
            if notes:
                part.body.append(paragraph(f"No delta: {notes}.", "note"))


def _falls(chapter: Chapter) -> None:
    ds = chapter.ds
    span = float(ds.esno_db.max() - ds.esno_db.min())
    if span < 1:
        return
    part = chapter.part("falls", "Where and how systems fall")
    metric = "psnr_db"
    chosen = chapter.threshold
    threshold = tables.threshold_of(ds, metric) if chosen is None else chosen
    why = " (half way between mid-grey and the best mean)" if chosen is None else ""
    part.body.append(paragraph(
        f"Threshold: {threshold:.2f} dB{why}. A fall runs from 90 % to 10 % of the way between "
        "mid-grey and the quality at the highest SNR. Outage is the loss of the caption, or of "
        "the whole file where a system sends one. Curves are linear between the SNRs swept.",
        "note",
    ))  # fmt: skip
    for n, place in enumerate(tables.places(ds, "esno_db")):
        cells = tables.cliff_table(ds, chapter.delivery, place, metric, threshold)
        chapter.add_table(part, f"Falls, {place.text}", cells, f"falls_{n}")


def _averages(chapter: Chapter) -> None:
    ds = chapter.ds
    part = chapter.part("averages", "Averages, deliveries and failures")
    part.body.append(paragraph(
        "The mean of the images' PSNR in dB and the PSNR of the mean squared error are two "
        "averages; failures are in both. The mean given delivery leaves them out; images weigh by "
        "how often anything is delivered. In brackets 95 % intervals.", "note",
    ))  # fmt: skip
    snrs = tables.chosen_snrs(ds)
    for c, channel in enumerate(map(str, ds.channel.values)):
        for r, rho in enumerate(map(float, ds.rho.values)):
            cells = tables.averages_table(ds, chapter.quality, channel, rho, snrs)
            title = f"Averages, {channel_label(channel)}, ρ = {ratio_label(rho)}"
            chapter.add_table(part, title, cells, f"averages_{c}_{r}")
