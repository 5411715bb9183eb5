"""A number of a page is that of its file, and what was made with other weights says so."""

import pandas as pd
import pytest

from experiments.commands.main import main
from experiments.reproduce import pages, provenance
from experiments.reproduce.run import make
from experiments.reproduce.spec import list_results
from experiments.reproduce.views import View
from scmc_comm.errors import ScmcError

SHOWN = """# A page

Squares are <!-- result: squares range -->1.00 to 4 of 2<!-- end -->:

<!-- result: squares table -->
| number | square |
|---|---|
| 1 | 1.00 |
| 2 | 4.00 |
<!-- end -->
"""


def test_a_page_shows_what_the_file_says(repository, squares):
    (page,) = pages.write_pages({"squares": squares})
    assert page.read_text() == SHOWN
    assert not pages.differing_pages({"squares": squares})
    page.write_text(SHOWN.replace("4.00", "4.01"))
    assert pages.differing_pages({"squares": squares}) == [page]


def test_the_command_makes_and_checks(repository, capsys):
    main(["reproduce", "--list"])
    assert "missing" in capsys.readouterr().out
    main(["reproduce", "--out", str(repository / "work")])
    assert (repository / "README.md").read_text() == SHOWN
    main(["reproduce", "--check"])
    csv = repository / "docs" / "results" / "squares" / "squares.csv"
    csv.write_text(csv.read_text().replace("4", "5"))
    with pytest.raises(SystemExit, match=r"README\.md"):
        main(["reproduce", "--check"])


def test_other_weights_make_a_page_differ_until_it_says_so(repository, squares, capsys):
    specs = {"squares": squares}
    pages.write_pages(specs)
    (repository / "weights" / "two.npz").write_bytes(b"other")  # the result takes no notice of it
    provenance.shipped.cache_clear()
    assert provenance.state_of(squares).word == "up to date"
    (repository / "weights" / "one.npz").write_bytes(b"other")
    provenance.shipped.cache_clear()
    assert provenance.state_of(squares).reasons == ("other weights: one.npz",)
    (page,) = pages.write_pages(specs)
    assert "4 of 2 (with earlier weights)<!--" in page.read_text()
    assert f"\n*{provenance.NOTE}: one.npz.*\n<!-- end -->" in page.read_text()
    main(["reproduce", "--stale"])
    assert capsys.readouterr().out == "squares: other weights: one.npz\n"
    make(squares, repository / "work", None, 1)
    pages.write_pages(specs)
    assert page.read_text() == SHOWN


def test_other_commands_make_a_result_stale_and_other_views_do_not(repository, squares):
    path = repository / "docs" / "results" / "squares.yaml"
    path.write_text(path.read_text().replace("number", "n"))
    assert provenance.state_of(list_results()["squares"]).word == "up to date"
    path.write_text(path.read_text().replace("4.0", "4.1"))
    assert provenance.state_of(list_results()["squares"]).word == "stale"


def test_what_was_never_made_is_no_number(repository):
    specs = list_results()
    with pytest.raises(ScmcError, match="never made"):
        pages.differing_pages(specs)
    page = repository / "README.md"
    page.write_text("<!-- result: squares table --><!-- end -->")
    pages.write_pages(specs)
    assert "Not measured yet; `scmc-comm reproduce squares` does." in page.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [("<!-- result: square table --><!-- end -->", "squares"),
     ("<!-- result: squares tabel --><!-- end -->", "table"),
     ("<!-- result: squares table -->", "no pair"), ("<!-- end -->", "no pair")],
)  # fmt: skip
def test_marks_that_are_wrong_are_refused(repository, squares, text, said):
    (repository / "README.md").write_text(text)
    with pytest.raises(ScmcError, match=said):
        pages.differing_pages({"squares": squares})


def test_a_failed_command_keeps_nothing_and_its_time_counts(repository):
    path = repository / "docs" / "results" / "squares.yaml"
    path.write_text(path.read_text().replace("import sys;", "import sys; sys.exit(3);"))
    spec = list_results()["squares"]
    with pytest.raises(ScmcError, match="exit status 3"):
        make(spec, repository / "work", None, 1)
    assert not spec.folder.exists()
    assert (repository / "work" / "spent.json").is_file()


def test_data_sets_that_are_lacking_are_named(repository, tmp_path):
    path = repository / "docs" / "results" / "squares.yaml"
    path.write_text(path.read_text() + "data: kodak\n")
    spec = list_results()["squares"]
    with pytest.raises(ScmcError, match="needs kodak"):
        make(spec, repository / "work", tmp_path, 1)


@pytest.mark.parametrize(
    ("key", "said"),
    [("vews: {}", "views"), ("views: {a: {tabel: squares}}", "table"),
     ("views: {a: {table: cubes}}", "squares"), ("views: [a]", "squares.yaml: "),
     ("views: {a: 3}", "squares.yaml: "), ("minutes: soon", "squares.yaml: "),
     ("views: \udcff", "squares.yaml: .*utf-8"), ("views: [", "squares.yaml: .*not valid YAML")],
)  # fmt: skip
def test_specs_that_are_wrong_are_refused(repository, key, said):
    path = repository / "docs" / "results" / "squares.yaml"
    text = path.read_text().partition("views:")[0] + key
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(ScmcError, match=said):
        list_results()


FRAME = pd.DataFrame([
    ("psnr_db", 0.0, "a", 20.0, 0.5, 1.0), ("psnr_db", 5.0, "a", 21.0, -2.0, -1.0),
    ("lpips", 0.0, "a", 0.5, 0.1, 0.2), ("lpips", 5.0, "a", 0.25, -0.1, 0.1),
    ("lpips", 5.0, "b", 0.125, -0.2, -0.1),
], columns=["metric", "esno_db", "system", "value", "gap_low", "gap_high"])  # fmt: skip


def test_a_pivot_joins_metrics_and_leaves_a_gap_where_nothing_is():
    labels = {"system": {"b": "B", "a": "A"}}
    view = View("t", rows=("system",), columns="esno_db", cell="{value}", header="{:g} dB",
                labels=labels)  # fmt: skip
    assert view.render(FRAME).splitlines() == [
        "| system | 0 dB | 5 dB |", "|---|---|---|", "| B |  | 0.125 |",
        "| A | 20.00 / 0.500 | 21.00 / 0.250 |",
    ]  # fmt: skip


def test_marks_follow_the_direction_of_the_metric():
    view = View("t", rows=("metric",), columns="esno_db", cell="{value}", mark="gap",
                where="system == 'a'")  # fmt: skip
    assert view.render(FRAME).splitlines()[2:] == [
        "| psnr_db | **20.00** | *21.00* |", "| lpips | *0.500* | 0.250 |",
    ]  # fmt: skip


def test_a_view_of_no_rows_is_an_error():
    with pytest.raises(ScmcError, match="no row"):
        View("t", where="esno_db > 9", text="{min}", of="value").render(FRAME)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"core_s": "a", "wall_s": 1}'])
def test_times_that_cannot_be_read_are_told_before_the_work(repository, squares, text):
    out = repository / "work"
    (out / "a.csv").unlink()
    (out / "spent.json").write_text(text)
    with pytest.raises(ScmcError, match=r"spent\.json"):
        make(squares, out, None, 1)
    assert [path.name for path in out.iterdir()] == ["spent.json"]


@pytest.mark.parametrize("text", ["[]", "{}", '"x"', '{"core_s": "x"}', '{"core_s": null}', "{"])
def test_a_damaged_record_is_one_line(repository, squares, text):
    (squares.folder / "result.json").write_text(text)
    with pytest.raises(ScmcError, match="result.json is not what .* writes: .*; run it again"):
        provenance.read_record(squares)
