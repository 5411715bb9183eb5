"""The ledger as stacked bars: which share of the budget each system spends on what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from experiments.figures.exports import pgfplots_document
from experiments.figures.style import COLOURS, SINGLE, in_figure, paper_style
from experiments.statistics.tables import latex_text
from experiments.sweep.labels import ratio_label, system_label
from scmc_comm.link.ledger import CONTROL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oo", "--", "")
_FILLS = (*COLOURS[:7], "#999999", "#FFFFFF")
_PATTERNS = (
    "", "north east lines", "dots", "crosshatch",
    "north west lines", "grid", "horizontal lines", "vertical lines", "",
)  # fmt: skip


@dataclass(frozen=True)
class LedgerPanel:
    """The ledgers of all systems at one bandwidth.

    Attributes:
        stem: Start of its file names.
        title: What it shows.
        systems: Names.
        items: What channel uses go to, the unused ones last.
        share: Share of the budget, mean over the images, [system, item].
    """

    stem: str
    title: str
    systems: tuple[str, ...]
    items: tuple[str, ...]
    share: NDArray[np.float64]

    def frame(self) -> pd.DataFrame:
        """A row for each system, a column for each item."""
        rows = pd.DataFrame(self.share, columns=list(self.items))
        rows.insert(0, "system", list(self.systems))
        return rows

    def _look(self, item: int) -> int:
        """Place of an item's colour and pattern; what is unused, the last, is white."""
        return item if item < len(self.items) - 1 else -1

    def draw(self) -> Figure:
        """Bars, a row for each system."""
        count = len(self.systems)
        with paper_style(replace(SINGLE, rc={**SINGLE.rc, "hatch.linewidth": 0.5})):
            from matplotlib.figure import Figure as NewFigure

            figure = NewFigure(
                figsize=(SINGLE.width_of(1), 0.27 * count + 1.05), layout="constrained"
            )
            ax = figure.subplots()
            left = np.zeros(count)
            for item, name in enumerate(self.items):
                width, look = 100 * self.share[:, item], self._look(item)
                ax.barh(
                    np.arange(count), width, left=left, label=name, color=_FILLS[look],
                    hatch=_HATCHES[look], edgecolor="#333333", linewidth=0.5, height=0.66,
                )  # fmt: skip
                left += width
            ax.set_yticks(np.arange(count), [in_figure(system_label(n)) for n in self.systems])
            ax.invert_yaxis()
            ax.grid(False, axis="y")
            ax.set_xlim(0, 100)
            ax.set_xlabel("channel uses (%)")  # short, as the axis is beside long names
            figure.legend(
                loc="outside lower center", ncols=4, frameon=False, handlelength=1.3,
                columnspacing=1.0,
            )  # fmt: skip
        return figure

    def pgfplots(self, csv: str) -> str:
        """A LaTeX file that draws the bars from the CSV beside it."""
        ticks = ", ".join(f"{{{latex_text(system_label(name))}}}" for name in self.systems)
        plots = []
        for n, item in enumerate(self.items):
            source = f"table [y expr=\\coordindex, x={item}, col sep=comma] {{{csv}}};"
            look = self._look(n) % len(_FILLS)
            pattern = _PATTERNS[look]
            lines = rf", postaction={{pattern={pattern}}}" if pattern else ""
            plots += [rf"\addplot [fill=c{look}{lines}] {source}", rf"\addlegendentry{{{item}}}"]
        options = [
            "xbar stacked", "width=3.5in", "height=2.6in", "xmin=0", "xmax=1", "y dir=reverse",
            f"ytick={{0,...,{len(self.systems) - 1}}}", f"yticklabels={{{ticks}}}",
            "xlabel={share of the channel uses}", "legend columns=4",
            r"legend style={font=\tiny, at={(0.5,-0.25)}, anchor=north, draw=none}",
        ]  # fmt: skip
        return pgfplots_document(r"\usetikzlibrary{patterns}", _FILLS, options, plots)


def _at_design(ds: xr.Dataset) -> xr.DataArray:
    """Ledgers [system, rho, image, item] of what was sent nearest to the design SNR."""
    esno_db = int(np.abs(ds.esno_db.values - ds.attrs["design_esno_db"]).argmin())
    systems = xr.DataArray(np.arange(ds.sizes["system"]), dims="system")
    chosen = ds.design_of.isel(channel=0, esno_db=esno_db)
    found = ds.ledger_uses.isel(system=systems, design=chosen)
    return found.transpose("system", "rho", "image", "item")


def ledger_panels(ds: xr.Dataset) -> list[LedgerPanel]:
    """A panel for each bandwidth; none if the store has no ledgers."""
    if "ledger_uses" not in ds:
        return []
    uses = _at_design(ds)
    used = (uses["item"].values != CONTROL) | (uses.sum(("system", "rho", "image")).values > 0)
    uses = uses.isel(item=np.flatnonzero(used))
    share = (uses / uses.sum("item")).mean("image")
    items = tuple(map(str, uses["item"].values))
    return [
        LedgerPanel(
            "ledger_rho" + ratio_label(float(rho)).replace("/", "-"),
            f"Channel uses by purpose at ρ = {ratio_label(float(rho))}, "
            "mean over the images, as sent nearest to the design SNR.",
            tuple(map(str, ds.system.values)), items, share.sel(rho=rho).values,
        )
        for rho in ds.rho.values
    ]  # fmt: skip
