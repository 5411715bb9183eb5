"""How a page shows a kept table: as a table of its own, or as words with numbers in them."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from channels.errors import no_such
from experiments.statistics.means import LOWER_IS_BETTER
from experiments.statistics.tables import DIGITS, Table, number_text
from scmc_comm.errors import ScmcError

_SUMMARIES = ("min", "max", "mean", "first", "last", "sum", "count")


class Number(float):
    """A number that knows how its metric is written.

    Example:
        >>> f"{Number(0.12345, 'lpips')} {Number(20.0, 'psnr_db'):+} {Number(3.0):.1f}"
        '0.123 +20.00 3.0'
    """

    metric: str

    def __new__(cls, value: float, metric: str = "") -> Number:
        """A number of a metric."""
        made = super().__new__(cls, value)
        made.metric = metric
        return made

    def __format__(self, spec: str) -> str:
        if not math.isfinite(self):
            return number_text(float(self), 0)
        if spec in ("", "+") and self.metric in DIGITS:
            return number_text(float(self), DIGITS[self.metric], sign=bool(spec))
        return format(float(self), spec or "g")


@dataclass(frozen=True)
class View:
    """How a page shows a table.

    Attributes:
        table: Name of the kept table.
        where: Rows that are shown, as `pandas.DataFrame.query` takes it; empty for all.
        rows: Columns whose values name the rows.
        columns: Column whose values are the columns; empty where ``cells`` names them.
        cell: Text of a cell, as `str.format` takes it, of a row of the table; several rows of one
            cell are joined by `` / ``. Numbers without a format have the digits of their
            ``metric``.
        cells: Text of the cells of each column, by its header.
        header: Text of a header, of the column's value.
        corner: Headers of the rows' names.
        labels: For columns of the table the text of each value; others are not shown, and these in
            this order.
        mark: Metric's difference whose interval decides: ``NAME_low`` above 0 and ``NAME_high``
            below it are marked, better in bold and worse in italics.
        text: Words with ``{min}``, ``{max}``, ``{mean}``, ``{first}``, ``{last}``, ``{sum}`` or
            ``{count}`` of the values; then the view is no table.
        of: Their expression, as `pandas.DataFrame.eval` takes it.
    """

    table: str
    where: str = ""
    rows: tuple[str, ...] = ()
    columns: str = ""
    cell: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    header: str = "{}"
    corner: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    mark: str = ""
    text: str = ""
    of: str = ""

    @classmethod
    def read(cls, tree: Mapping[str, Any], tables: Sequence[str]) -> View:
        """A view of one of these tables, from its mapping; of the only one if it names none.

        Raises:
            ScmcError: A key or a table that there is not, or none.
        """
        known = [f.name for f in fields(cls)]
        for key in tree:
            if key not in known:
                raise ScmcError(no_such("key of a view", str(key), known))
        chosen = tree.get("table", tables[0] if len(tables) == 1 else "")
        if chosen not in tables:
            raise ScmcError(no_such("kept table", chosen, tables))
        lists = {key: texts(tree[key]) for key in ("rows", "corner") if key in tree}
        return cls(**{**tree, **lists, "table": chosen})

    @property
    def inline(self) -> bool:
        """Is it words rather than a table?"""
        return bool(self.text)

    def render(self, frame: pd.DataFrame) -> str:
        """The Markdown of the view.

        Args:
            frame: The kept table.

        Raises:
            ScmcError: The table has no such column or row.
        """
        try:
            chosen = frame.query(self.where) if self.where else frame
            if chosen.empty:
                raise ScmcError(f"no row of {self.table} is where {self.where!r}")
            return self._words(chosen) if self.inline else self._table(chosen)
        except (KeyError, IndexError, pd.errors.UndefinedVariableError) as error:
            raise ScmcError(f"a view of {self.table} names what it has not: {error}") from error

    def _words(self, frame: pd.DataFrame) -> str:
        values = pd.Series(frame.eval(self.of))
        found = {name: getattr(values, name)() for name in _SUMMARIES[:3]}
        found |= {"first": values.iloc[0], "last": values.iloc[-1], "sum": values.sum()}
        metrics = set(frame["metric"]) if "metric" in frame else set()
        metric = str(metrics.pop()) if len(metrics) == 1 else ""
        numbers = {name: Number(float(value), metric) for name, value in found.items()}
        return self.text.format(**numbers, count=len(values))

    def _table(self, frame: pd.DataFrame) -> str:
        names = [self._values(frame, column) for column in self.rows]
        columns = self._values(frame, self.columns) if self.columns else {}
        heads = [self.header.format(_named(text)) for text in columns.values()] or list(self.cells)
        lines: dict[tuple[str, ...], list[str]] = {}
        for values, row in frame.groupby(list(self.rows), sort=False):
            key = tuple(map(_key, values if isinstance(values, tuple) else (values,)))
            if any(value not in known for value, known in zip(key, names, strict=True)):
                continue
            lines[key] = self._line(row, list(columns))
        order = [list(known) for known in names]
        ranked = sorted(
            lines, key=lambda key: [o.index(k) for o, k in zip(order, key, strict=True)]
        )
        rows = [[*(names[n][k] for n, k in enumerate(key)), *lines[key]] for key in ranked]
        corner = [*self.corner, *self.rows[len(self.corner) :]]
        return Table([*corner, *heads], rows).markdown()

    def _line(self, rows: pd.DataFrame, columns: list[str]) -> list[str]:
        if not columns:
            return [self._cell(rows, text) for text in self.cells.values()]
        of = rows[self.columns].map(_key)
        return [self._cell(rows[of == value], self.cell) for value in columns]

    def _cell(self, rows: pd.DataFrame, text: str) -> str:
        return " / ".join(self._marked(row, text) for row in rows.to_dict("records"))

    def _marked(self, row: Mapping[Any, Any], text: str) -> str:
        metric = str(row.get("metric", ""))
        values = {
            str(k): Number(v, k if k in DIGITS else metric) if isinstance(v, int | float) else v
            for k, v in row.items()
        }
        wanted = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        if all(isinstance(values[name], float) and math.isnan(values[name]) for name in wanted):
            return "" if wanted else text
        shown = text.format(**values)
        if not self.mark:
            return shown
        low, high = (row[f"{self.mark}_{end}"] for end in ("low", "high"))
        above, below = low > 0, high < 0
        better, worse = (below, above) if metric in LOWER_IS_BETTER else (above, below)
        return f"**{shown}**" if better else f"*{shown}*" if worse else shown

    def _values(self, frame: pd.DataFrame, column: str) -> dict[str, str]:
        """The values of a column as text, those that are shown, with their labels."""
        found = {_key(value): _key(value) for value in frame[column]}
        if column not in self.labels:
            return found
        return {key: text for key, text in self.labels[column].items() if key in found}


def _key(value: Any) -> str:
    """A value as labels name it: numbers without needless digits."""
    return value if isinstance(value, str) else f"{value:g}"


def _named(text: str) -> Any:
    """A header's value: a number where it is one, so that a header may format it."""
    try:
        return Number(float(text))
    except ValueError:
        return text


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a YAML value: of a list, or one."""
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
