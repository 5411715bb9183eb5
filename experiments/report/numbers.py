"""The parts of a chapter that are tables of numbers: comparisons, deltas, falls, averages."""

from __future__ import annotations

from experiments.report import tables
from experiments.report.chapter import Chapter
from experiments.report.comparisons import comparison_table, others_of, primary_of
from experiments.report.markup import paragraph
from experiments.sweep.labels import channel_label, metric_label, ratio_label, system_label


def comparisons(chapter: Chapter) -> None:
    """The first system against each rival, at the primary endpoints and elsewhere."""
    ds = chapter.ds
    first = system_label(str(ds.system.values[0]))
    part = chapter.part("comparisons", f"{first} against each rival")
    part.body.append(paragraph(
        f"Differences are {first} minus the rival, verdicts on {first}: images' means, averaged "
        "over the SNRs, with 95 % intervals (Student's t, paired by image). p-values are "
        "two-sided and corrected by Holm for the number of rows of their table.", "note",
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


def deltas(chapter: Chapter) -> None:
    """Bjontegaard deltas against the reference."""
    ds, reference = chapter.ds, tables.reference_of(chapter.ds, chapter.reference)
    rival = system_label(reference)
    part = chapter.part("bd", f"Bjontegaard deltas against {rival}")
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
            title = f"{name} against {rival} by {metric_label(metric)}, in {unit}"
            chapter.add_table(part, title, cells, f"{name.lower()}_{metric}")
            if notes:
                part.body.append(paragraph(f"No delta: {notes}.", "note"))


def falls(chapter: Chapter) -> None:
    """Where quality falls as the SNR does, unless less than 1 dB was swept."""
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


def averages(chapter: Chapter) -> None:
    """Both averages, deliveries and failures at some SNRs."""
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
