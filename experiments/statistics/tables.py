"""How a number, an interval and a table are written: as text, Markdown, LaTeX and HTML."""

from __future__ import annotations

import html
import math
import textwrap
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from experiments.statistics.bjontegaard import BdDelta
from experiments.statistics.means import Interval

DIGITS = {"psnr_db": 2, "ms_ssim": 4, "lpips": 3, "lpips_vgg": 3, "dists": 3}
"""Digits behind the point of a metric."""

_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "ρ": r"$\rho$", "∞": r"$\infty$", "−": "$-$", **{sign: "\\" + sign for sign in "%_&#${}"},
}  # fmt: skip
_STATES = {
    "pass": "good", "passed": "good", "better": "good",
    "FAIL": "bad", "FAILED": "bad", "worse": "bad",
}  # fmt: skip
_COLUMNS = (60, 40, 32, 26, 22, 18, 15, 12, 10, 8)  # characters of the widest column, as it must be


def number_text(value: float, digits: int, sign: bool = False) -> str:
    """A number with so many digits behind the point, ``-`` for NaN.

    Example:
        >>> number_text(1.236, 2), number_text(1.2, 1, sign=True), number_text(math.nan, 1)
        ('1.24', '+1.2', '-')
        >>> number_text(-math.inf, 1)
        '−∞'
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def time_text(seconds: float) -> str:
    """A time for people.

    Example:
        >>> time_text(42.4), time_text(600.0), time_text(9000.0)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def interval_text(found: Interval, digits: int, unit: str = "", sign: bool = False) -> str:
    """A value with its limits, which are left out where there are none.

    Example:
        >>> interval_text(Interval(*np.array([-1.25, -1.5, np.inf])), 2, "dB")
        '-1.25 dB [-1.50, ∞]'
        >>> interval_text(Interval(*np.array([3.0, np.nan, np.nan])), 1, "%", sign=True)
        '+3.0 %'
    """
    value, low, high = (float(part) for part in (found.mean, found.low, found.high))
    text = f"{number_text(value, digits, sign)} {unit}".rstrip()
    if math.isnan(value) or math.isnan(low):
        return text
    return f"{text} [{number_text(low, digits, sign)}, {number_text(high, digits, sign)}]"


def delta_text(found: BdDelta, unit: str) -> str:
    """A Bjontegaard delta in dB or %, with the share of the curves that it speaks of.

    Example:
        >>> delta_text(BdDelta(-1.25, -1.5, -1.0, overlap=0.9), "dB")
        '-1.25 dB [-1.50, -1.00], over 90 %'
        >>> delta_text(BdDelta(math.nan, reason="no overlap"), "dB")
        'no overlap'
    """
    if found.reason:
        return found.reason
    digits = 2 if unit == "dB" else 1
    limits = Interval(*np.array([found.value, found.low, found.high]))
    text = interval_text(limits, digits, unit, sign=True)
    return f"{text}, over {100 * found.overlap:.0f} %"


def crossing_text(found: Interval, esno_db: ArrayLike) -> str:
    """A crossing of a curve with its limits; what lies outside the swept range is said so.

    Args:
        found: A crossing without further axes, of `experiments.statistics.cliff`.
        esno_db: The SNRs swept.

    Example:
        >>> inf = np.array(np.inf)
        >>> crossing_text(Interval(np.array(3.0), -inf, np.array(4.0)), [0, 10])
        '3.0 dB (below 0 to 4.0)'
        >>> crossing_text(Interval(inf, inf, inf), [0, 10])
        'not reached up to 10 dB'
        >>> crossing_text(Interval(-inf, -inf, -inf), [0, 10])
        'held down to 0 dB'
        >>> crossing_text(Interval(np.array(3.0), np.nan * inf, np.nan * inf), [0, 10])
        '3.0 dB'
    """
    first, last = (float(x) for x in np.asarray(esno_db, dtype=float)[[0, -1]])

    def text(value: float) -> str:
        if math.isinf(value):
            return f"above {last:g}" if value > 0 else f"below {first:g}"
        return f"{value:.1f}"

    value, low, high = (float(part) for part in (found.mean, found.low, found.high))
    limits = "" if math.isnan(low) else f" ({text(low)} to {text(high)})"
    if not math.isinf(value):
        return f"{value:.1f} dB{limits}"
    head = f"not reached up to {last:g} dB" if value > 0 else f"held down to {first:g} dB"
    return head if low == high else f"{head}{limits}"


def latex_text(text: str) -> str:
    r"""Text for LaTeX.

    Example:
        >>> print(latex_text("5 % of a_b & c, ρ = 1/24"))
        5 \% of a\_b \& c, $\rho$ = 1/24
    """
    return "".join(_LATEX.get(sign, sign) for sign in text).replace("Es/N0", "$E_s/N_0$")


def html_text(value: object) -> str:
    """Text for HTML, quotes included.

    Example:
        >>> html_text('a < b & "c"')
        'a &lt; b &amp; &quot;c&quot;'
    """
    return html.escape(str(value), quote=True)


class Table(NamedTuple):
    r"""A table of texts.

    Attributes:
        header: Names of the columns.
        rows: Cells of each row.

    Example:
        >>> table = Table(["a", "b"], [["1 %", "22"]])
        >>> print(table.markdown())
        | a | b |
        |---|---|
        | 1 % | 22 |
        >>> print(table.latex())
        \begin{tabular}{lr}
        \toprule
        a & b \\
        \midrule
        1 \% & 22 \\
        \bottomrule
        \end{tabular}
        >>> print(table.text())
        a    b
        ---  --
        1 %  22
    """

    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """The table in Markdown."""
        head, *body = ("| " + " | ".join(line) + " |" for line in (self.header, *self.rows))
        return "\n".join([head, "|" + "---|" * len(self.header), *body])

    def latex(self) -> str:
        """The table in LaTeX (package booktabs)."""
        head, *body = (
            " & ".join(map(latex_text, row)) + r" \\" for row in (self.header, *self.rows)
        )
        spec = "l" + "r" * (len(self.header) - 1)
        start, end = rf"\begin{{tabular}}{{{spec}}}", r"\end{tabular}"
        return "\n".join([start, r"\toprule", head, r"\midrule", *body, r"\bottomrule", end])

    def text(self, widest: int = 100) -> str:
        """The table in columns, wide ones wrapped so that lines hold so many characters."""
        for most in _COLUMNS:
            rows = [
                [textwrap.wrap(cell, most) or [""] for cell in row]
                for row in (self.header, *self.rows)
            ]
            columns = zip(*rows, strict=True)
            widths = [max(len(line) for cell in column for line in cell) for column in columns]
            if sum(widths) + 2 * len(widths) <= widest:
                break
        lines = []
        for row in rows:
            for n in range(max(map(len, row))):
                parts = (cell[n] if n < len(cell) else "" for cell in row)
                line = "  ".join(p.ljust(width) for p, width in zip(parts, widths, strict=True))
                lines.append(line.rstrip())
            if row is rows[0]:
                lines.append("  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def html(self, caption: str = "", prose: bool = False) -> str:
        """The table in HTML; it scrolls sideways where the page is narrow.

        Args:
            caption: Above it.
            prose: Its cells hold sentences, which may be wrapped.
        """
        head = "".join(f'<th scope="col">{html_text(name)}</th>' for name in self.header)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        said = f"<caption>{html_text(caption)}</caption>" if caption else ""
        kind = ' class="prose"' if prose else ""
        return (
            f'<div class="scroll"><table{kind}>{said}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )


def _html_cell(value: str) -> str:
    first = value.partition(" ")[0].strip(",;()")
    css = f' class="{_STATES[first]}"' if first in _STATES else ""
    return f"<td{css}>{html_text(value)}</td>"
