"""What ``scmc-comm transmit`` reports of pictures that were sent: text, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from channels.bler.table import wilson_interval
from experiments.sweep.tables import NOTHING
from scmc_comm.sent import Sent

Entry = dict[str, Any]


def entry_of(sent: Sent) -> Entry:
    """One picture, for JSON: its draws, the means over them, and the ledger with units.

    Of a single draw what arrived stands at the top as well.
    """
    prepared, draws = sent.prepared, [_draw(sent, trial) for trial in range(len(sent.seeds))]
    single = len(draws) == 1
    shown = sent.reconstruction() if single else None
    return {
        "image": sent.name,
        "size": list(prepared.size),
        "bpp": prepared.bpp,
        "papr_db": None if prepared.infeasible else prepared.papr_db,
        "infeasible": prepared.infeasible,
        "left_out": dict(prepared.left_out),
        **({} if shown is None else {
            "fade_db": draws[0]["fade_db"], "delivered": draws[0]["delivered"],
            "level": None if shown.level is None else shown.level.tag, "caption": shown.caption,
        }),
        "delivery": delivery_of(sent),
        "metrics": sent.mean_metrics(),
        "draws": draws,
        "ledger": sent.ledger.to_dict(),
    }  # fmt: skip


def _draw(sent: Sent, trial: int) -> Entry:
    return {
        "seed": sent.seeds[trial],
        "fade_db": None if sent.fades_db is None else sent.fades_db[trial],
        "delivered": [tag for tag in sent.prepared.tags if tag in sent.delivered[trial]],
        "metrics": sent.metrics(trial),
    }


def delivery_of(sent: Sent) -> dict[str, dict[str, float]]:
    """Delivery probability of each unit over the draws, with Wilson's 95 % interval."""
    found, trials = {}, len(sent.seeds)
    for tag, share in sent.delivery.items():
        low, high = wilson_interval(np.array(round(share * trials)), np.array(trials))
        found[tag] = {"probability": share, "low": float(low), "high": float(high)}
    return found


def mean_fade_db(sent: Sent) -> float:
    """Mean power of the fades over the draws in dB; NaN where they are not known."""
    if sent.fades_db is None:
        return math.nan
    return 10 * math.log10(np.mean([10 ** (fade_db / 10) for fade_db in sent.fades_db]))


def row_of(sent: Sent, system: str) -> Entry:
    """One picture, for CSV: a cell each, means over its draws."""
    setting, ledger = sent.setting, sent.ledger
    row: Entry = {
        "image": sent.name, "height": sent.prepared.size[0], "width": sent.prepared.size[1],
        "system": system, "channel": setting.channel, "phy": setting.phy,
        "esno_db": setting.esno_db, "rho": setting.rho, "seed": setting.seed,
        "trials": setting.trials, "bpp": sent.prepared.bpp, "channel_uses": ledger.used,
        "budget_uses": ledger.budget_uses, "feasible": sent.prepared.infeasible is None,
        "fade_db": mean_fade_db(sent),
    }  # fmt: skip
    if setting.trials == 1:
        arrived = [tag for tag in sent.prepared.tags if tag in sent.delivered[0]]
        row["delivered"] = "+".join(arrived) or NOTHING
    for tag, found in delivery_of(sent).items():
        ends = {f"delivered_{tag}_{end}": found[end] for end in ("low", "high")}
        row |= {f"delivered_{tag}": found["probability"]} | ends
    return row | sent.mean_metrics()


def columns_of(rows: Sequence[Entry]) -> list[str]:
    """All columns of rows that need not have the same ones, each behind the one it follows.

    Example:
        >>> columns_of([{"a": 1, "z": 1}, {"a": 1, "b": 1, "z": 1}])
        ['a', 'b', 'z']
    """
    columns: list[str] = []
    for row in rows:
        place = 0
        for name in row:
            if name not in columns:
                columns.insert(place, name)
            place = columns.index(name) + 1
    return columns


def lines_of(sent: Sent) -> Sequence[str]:
    """One picture, for people: where the channel uses go, what arrived, how it looks."""
    prepared, trials = sent.prepared, len(sent.seeds)
    lines = [] if prepared.infeasible is None else [f"infeasible: {prepared.infeasible}"]
    lines += ["where the channel uses go:", sent.ledger.to_text()]
    if prepared.infeasible is None:
        lines.append(f"PAPR of the waveform: {prepared.papr_db:.2f} dB")
    if trials == 1:
        lines += _of_one_draw(sent)
    else:
        lines += [
            f"delivery probability of {tag}: {found['probability']:.4g}, 95 % interval "
            f"{found['low']:.4g} to {found['high']:.4g}, {trials} draws"
            for tag, found in delivery_of(sent).items()
        ]
        lines.append(f"means over {trials} draws, failures included:")
    return [*lines, metrics_line(sent)]


def _of_one_draw(sent: Sent) -> list[str]:
    shown, lines = sent.reconstruction(), []
    if sent.fades_db is not None:
        (fade_db,), esno_db = sent.fades_db, sent.setting.esno_db
        lines.append(f"fade of this draw: {fade_db:+.2f} dB, so Es/N0 {esno_db + fade_db:.2f} dB")
    arrived = [tag for tag in sent.prepared.tags if tag in shown.delivered]
    lines.append(f"delivered: {', '.join(arrived) or 'nothing'}")
    if shown.level is None:
        lines.append("shown from: none, mid-grey")
    elif shown.level.tag in arrived:  # not of systems whose frames are no layers of this codec
        lines.append(f"shown from: {shown.level.tag}")
    return lines + ([] if shown.caption is None else [f"caption: {shown.caption}"])


def times_line(times: Entry) -> str:
    """Times of both codecs, for people."""
    parts = (
        f"{name} {times[f'{name}_s']:.3g} s (CPU {times[f'{name}_cpu_s']:.3g} s)"
        for name in ("encode", "decode")
    )
    return f"{', '.join(parts)}: medians of {times['num_repetitions']}"


def metrics_line(sent: Sent) -> str:
    """The means over the draws, side by side."""
    return "  ".join(f"{name} {value:.4g}" for name, value in sent.mean_metrics().items())
