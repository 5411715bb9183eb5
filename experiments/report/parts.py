"""The parts of a sweep's chapter in the order of the page: what was run, figures, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial

import xarray as xr

from experiments.figures.chart import WIDER, Chart
from experiments.figures.exports import figure_table, pgfplots
from experiments.figures.strips import strips as strips_of
from experiments.figures.style import file_stem, rendered
from experiments.figures.views import views
from experiments.report import numbers, strips
from experiments.report.chapter import Chapter
from experiments.report.ledger import ledger_panels
from experiments.report.markup import Section, pairs, paragraph, plot
from experiments.report.panels import groups, panels, paper_figure, render_panel
from experiments.report.systems import links_table, systems_table
from experiments.statistics.means import FEW_IMAGES
from experiments.statistics.tables import Table, html_text
from experiments.sweep import store
from experiments.sweep.bounds import NORMAL_ERROR, has_bounds
from experiments.sweep.labels import channel_label, metric_label, system_label
from experiments.sweep.plugins_used import read_used, used_text
from experiments.sweep.spec import SweepSpec

Step = Callable[[], None]


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
        yield lambda: numbers.comparisons(chapter)
        yield lambda: numbers.deltas(chapter)
    if chapter.ds.sizes["esno_db"] > 1:
        yield lambda: numbers.falls(chapter)
    yield lambda: numbers.averages(chapter)


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
        ("plug-ins and files", used_text(read_used(attrs))),
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
            said += f"; {WIDER}" if panel.column(*chosen).crops else ""
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
    if chapter.explorer is not None:
        chapter.write("explorer.html", chapter.explorer().encode())
        link = f"{html_text(chapter.link)}/explorer.html"
        part.body.append(
            f'<p><a href="{link}">Explorer</a>: what each system delivers, image by image, with a '
            "slider for the SNR.</p>"
        )
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
