"""The report: one page that needs nothing else, numbers that give the curves back, honest checks."""

import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pandas as pd
import pytest
from fakes import TOYS

from experiments.commands.main import main
from experiments.figures.views import views
from experiments.report import build, tables
from experiments.report.build import ReportSpec, write_report
from experiments.report.markup import inline_svg
from experiments.report.panels import groups, panels, render_panel
from experiments.report.parts import _what_was_run as what_was_run
from experiments.report.pdf import _LONGEST, _paged
from experiments.sweep import summary
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.runner import run_sweep
from scmc_comm.errors import ScmcError

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Collects what a page holds and checks that its tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        for name in ("href", "xlink:href", "src"):
            if name in found:
                self.links.append(found[name])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(report):
    return Page(report.read_text())


def test_the_page_needs_nothing_but_itself(report, page):
    assert not re.search(r"(?:href|src)=.(?:https?:|//)|url\((?!#)|@import", report.read_text())
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    for link in page.links:
        assert link.startswith(("#", "data:image/png;base64,", "page_files/")), link
        if link.startswith("page_files/"):
            assert (report.parent / link).is_file()


def test_every_id_is_there_once_and_every_link_leads_somewhere(page):
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link[0] == "#"} <= set(page.ids)
    headings = [found["id"] for tag, found in page.tags if tag in ("h2", "h3", "h4") and found]
    assert set(headings) <= {link[1:] for link in page.links if link[0] == "#"}


def test_pictures_and_drawings_say_what_they_show(page):
    pictures = [found for tag, found in page.tags if tag == "img"]
    assert pictures and all(found["alt"] for found in pictures)
    drawings = [found for tag, found in page.tags if tag == "svg"]
    assert len(drawings) == 2 + 1  # PSNR and loss, both channels in each; the ledger
    assert all(found["role"] == "img" and found["aria-label"] for found in drawings)


def test_the_page_says_what_was_run(report, ds):
    text = report.read_text()
    for value in ("mid-grey and stays in every mean", "num_trials: 8", ds.attrs["git_revision"],
                  "Caption sent: “a toy picture”", "torch", "+ outage", "not run for this report",
                  "infeasible"):  # fmt: skip
        assert value in text


def test_files_are_of_the_sizes_of_print(report):
    files = report.parent / "page_files" / "1_toy"
    for stem, inches in (("psnr_db_rho1-24_awgn", 3.5), ("psnr_db_rho1-24", 7.16)):
        width = re.search(r'<svg[^>]* width="([\d.]+)pt"', (files / f"{stem}.svg").read_text())
        assert float(width[1]) == pytest.approx(72 * inches, abs=0.1)
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", (files / f"{stem}.pdf").read_bytes())
        assert float(box[1]) == pytest.approx(72 * inches, abs=0.1)
    assert report.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-"
    assert not list(report.parent.rglob("*.tmp"))


def test_the_latex_reads_columns_that_the_csv_has(report):
    files = report.parent / "page_files" / "1_toy"
    for source in files.glob("*_awgn.tex"):
        text = source.read_text()
        names = set(re.findall(r"\by=([\w-]+)", text)) | set(re.findall(r"\[x=([\w-]+)", text))
        columns = set(pd.read_csv(source.with_suffix(".csv")).columns)
        assert names and names <= columns
        assert text.count("{") == text.count("}") and source.with_suffix(".csv").name in text


def _has_latex():
    if not shutil.which("pdflatex") or not shutil.which("kpsewhich"):
        return False
    needed = ("standalone.cls", "pgfplots.sty", "tikzlibraryfillbetween.code.tex")
    found = [subprocess.run(["kpsewhich", n], capture_output=True).stdout for n in needed[:2]]
    return all(found)


@pytest.mark.skipif(not _has_latex(), reason="needs pdflatex with pgfplots and standalone")
@pytest.mark.parametrize("stem", ["psnr_db_rho1-24_awgn", "ledger_rho1-24"])
def test_the_latex_compiles(report, tmp_path, stem):
    files = report.parent / "page_files" / "1_toy"
    for kind in ("csv", "tex"):
        shutil.copy(files / f"{stem}.{kind}", tmp_path)
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", f"{stem}.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (tmp_path / f"{stem}.log").read_text()[-1500:]


def test_equal_figures_are_equal_files(report, ds):
    (view,) = views(ds, summary.quality(ds), delivery_probabilities(ds))
    files = report.parent / "page_files" / "1_toy"
    for kind, data in render_panel(panels(view)[0], (0,)).items():
        assert data == (files / f"psnr_db_rho1-24_awgn.{kind}").read_bytes()


def test_channels_stand_alone_and_side_by_side():
    assert groups(["a"]) == [(0,)]
    assert groups(["a", "b"]) == [(0,), (1,), (0, 1)]
    assert groups(list("abcde")) == [(n,) for n in range(5)]


def test_drawings_do_not_share_ids():
    svg = b'<?xml?><svg width="3pt" xmlns="u"><g id="a"/><use xlink:href="#a" style="f:url(#a)"/></svg>'
    drawn = inline_svg(svg, "x1", 'a "curve"')
    assert 'id="x1-a"' in drawn and 'href="#x1-a"' in drawn and "url(#x1-a)" in drawn
    assert "width" not in drawn and "&quot;curve&quot;" in drawn


def test_pages_hold_every_line_and_no_more_than_fit():
    blocks = [[f"{n} {i}" for i in range(size)] for n, size in enumerate((5, 300, 70, 1))]
    made = list(_paged(blocks))
    assert max(map(len, made)) <= _LONGEST
    assert [line for page in made for line in page if line] == [x for b in blocks for x in b]


def test_a_report_that_fails_leaves_the_one_before(sweep, tmp_path, monkeypatch):
    out = tmp_path / "page.html"
    out.write_text("before")

    def broken(*_):
        raise ScmcError("no room")

    monkeypatch.setattr(build, "steps", lambda chapter: [lambda: what_was_run(chapter)])
    monkeypatch.setattr(build, "write_pdf", broken)
    with pytest.raises(ScmcError, match="no room"):
        write_report(ReportSpec((sweep,), out), progress=False)
    assert out.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "page.pdf"], "is to end in .html"),
        (["--out", "page.html", "--reference", "bpg"], "reference 'bpg' is not in the sweep"),
        (["--out", "page.html", "--rd", "nowhere"], "scmc-comm rd"),
        (["--out", "page.html", "--anchors", "nowhere"], "scmc-comm anchors"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(sweep, tmp_path, capsys, options, message):
    options = [str(tmp_path / o) if o.startswith(("page", "nowhere")) else o for o in options]
    with pytest.raises(SystemExit) as stop:
        main(["report", str(sweep), *options])
    said = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and message in said[-1]
    assert not list(tmp_path.iterdir())


def test_snrs_that_fall_are_reported_as_if_they_rose(toy_spec, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESAMPLES", 20)
    made = {}
    for name, snrs in (("rising", toy_spec.esno_db), ("falling", toy_spec.esno_db[::-1])):
        spec = dataclasses.replace(
            toy_spec, systems=("toy", "toy-flat"), esno_db=snrs, metrics=("psnr_db",), num_images=2,
            num_trials=8,
        )  # fmt: skip
        out = run_sweep(spec, tmp_path / name, components=TOYS, use_cache=False, progress=False)
        _, _, files = write_report(ReportSpec((out,), out / "page.html"), progress=False)
        made[name] = {path.name: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    assert made["rising"] == made["falling"] and len(made["rising"]) > 10


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(ScmcError, match="run the sweep first"):
        write_report(ReportSpec((tmp_path,), tmp_path / "page.html"), progress=False)
