"""How numbers and tables are written, whatever stands in them."""

import pytest

from experiments.statistics.tables import Table, latex_text


def test_what_comes_from_a_store_is_escaped():
    table = Table(["<b>"], [["<b>&"]])
    assert "<b>" not in table.html() and "<caption>a &lt; b</caption>" in table.html("a < b")
    assert latex_text(r"a_b 5 % #1 ~ 2^3 \x") == (
        r"a\_b 5 \% \#1 \textasciitilde{} 2\textasciicircum{}3 \textbackslash{}x"
    )


def test_outcomes_are_coloured():
    table = Table(["state"], [["passed (2 tests)"], ["FAILED"], ["not run, passed before"]])
    assert table.html().count('class="good"') == table.html().count('class="bad"') == 1


@pytest.mark.parametrize("columns", [2, 9])
def test_wide_tables_are_wrapped(columns):
    words = "some words that are too many for a narrow column of a table"
    text = Table([f"head {n}" for n in range(columns)], [[words] * columns] * 3).text(118)
    assert max(map(len, text.split("\n"))) <= 118
    assert text.count("words") == 3 * columns
