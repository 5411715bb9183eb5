"""Whatever pictures, systems and labels are called, every writer writes it, and nothing else."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from verbs import fails, run

from experiments.execution.output import file_name
from experiments.figures.chart import Chart
from experiments.figures.exports import figure_table, pgfplots
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import Style, file_stem, in_figure, rendered
from experiments.report.explorer import _json
from experiments.report.markup import pairs, paragraph
from experiments.statistics.tables import Table, latex_text
from experiments.sweep import store
from scmc_comm.datasets.named_sets import NamedImage, check_name
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo, save_png

HOSTILE = (
    "$", "$x", "$\\frac{$", "a$b_^%\\c$", "\\end{axis}", "{", "}", "%", "~#&", "</script><b>'\"",
    "../../x", "..", "/", "a:b", "a_b", "x" * 250, "漢" * 90, "é", "e\u0301", " ", "Es/N0 ρ", "a,b=c",
)  # fmt: skip
UNPRINTABLE = ("", "a\nb", "a\x00", "\u200fabc", "\u202egnp", "caf\udce9", "\x1b[31m", 7, None)
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=300),
    st.lists(st.sampled_from(["$", "\\", "_", "^", "{", "}", "%", "a", " "]), min_size=1).map(
        "".join
    ),
)


def panel(name):
    x = np.arange(3.0)
    curve = Curve(x, x + 1, x, x + 2, Style("#0072B2", "o"), name, "all", name, notes={1: name})
    axis = Axis(name, "snr", ticks={0.0: name, 1.0: "b"})
    return Panel(axis, Axis(name, "psnr_db"), [curve], name, {1.0: name})


@settings(max_examples=12, deadline=None)
@given(names)
def test_a_figure_shows_it_as_it_is(name):
    chart = Chart("s", name, [[panel(name)]], keys=[(name, Style("#000000"))], note=name)
    assert rendered(chart.draw(), "svg")["svg"]


@settings(max_examples=300, deadline=None)
@given(names)
def test_text_of_a_figure_is_no_mathematics(name):
    from matplotlib.cbook import is_math_text

    plain = name.replace("ρ", "").replace("Es/N0", "")
    assert not is_math_text(in_figure(plain))
    text = Figure().text(0, 0, in_figure(plain))
    assert text._preprocess_math(text.get_text()) == (plain, False)


def balanced(text):
    depth = 0
    for sign in re.sub(r"\\.", "", text):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    return depth == 0


@settings(max_examples=200, deadline=None)
@given(names)
def test_latex_and_html_are_of_the_text_alone(name):
    plain = name.replace("ρ", "").replace("Es/N0", "").replace("∞", "").replace("−", "")
    text = latex_text(plain)
    assert not re.search(r"(?<!\\)[%#&$_^~]", text) and balanced(text)
    tex = pgfplots(panel(plain), "fig.dat")
    assert balanced(tex) and tex.count(r"\end{axis}") == 1
    assert (
        list(figure_table(panel(plain)))[1:]
        == re.findall(r"y=([^,]*), col", tex)[-1:] + re.findall(r"y=([^,]*), col", tex)[:-1]
    )
    for html in (paragraph(plain), pairs([(plain, plain)]), Table([plain], [[plain]]).html()):
        assert "<b>" not in html and "<script" not in html and "</script" not in html
    assert "<" not in _json({"name": name}) and json.loads(_json([name])) == [name]


@settings(max_examples=200, deadline=None)
@given(st.lists(names, min_size=2, max_size=6, unique=True))
def test_files_have_names_of_their_own_that_file_systems_take(tmp_path_factory, some):
    folder = tmp_path_factory.getbasetemp() / "names"
    (folder / "reconstructions").mkdir(parents=True, exist_ok=True)
    made = [
        [folder / file_name(name, ".png") for name in some],
        [store.original_path(folder, name) for name in some],
        [store.picture_path(folder, name, f"scmc:captioner={name}", 0, 0, 0) for name in some],
    ]
    for paths in made:
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert path.parent in (folder, folder / "reconstructions")
            path.write_bytes(b"")  # the file system takes it
            path.unlink()
    assert all(len(file_stem(name).encode()) <= 200 and "/" not in file_stem(name) for name in some)


@settings(max_examples=25, deadline=None)
@given(st.lists(names, min_size=1, max_size=4, unique=True))
def test_a_store_and_a_table_give_it_back(tmp_path_factory, some):
    path = tmp_path_factory.getbasetemp() / "names.nc"
    xr.Dataset(coords={"image": some}).to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        assert ds.image.values.tolist() == some
    table = path.with_suffix(".csv")
    pd.DataFrame({"image": some, "psnr_db": 30.0}).to_csv(table, index=False)
    assert pd.read_csv(table, keep_default_na=False, dtype=str).image.tolist() == some


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_what_cannot_be_shown_is_refused(name):
    with pytest.raises(ScmcError, match="not printable"):
        check_name(name)
    with pytest.raises(ScmcError, match="not printable"):
        NamedImage(name, load_photo("coffee", 32))


FILES = (
    "x" * 240 + ".png",
    "$a$b_^%\\{.png",
    "a:b.png",
    "a_b.png",
    "a.png",
    "a.ppm",
    "漢 é <b>.png",
)


def test_a_sweep_of_such_pictures_is_run_drawn_and_reported(tmp_path, capsys):
    folder = tmp_path / "pics"
    folder.mkdir()
    for number, name in enumerate(FILES):
        save_png(load_photo("coffee", 33 + number), folder / name)
    (folder / "link.png").symlink_to(folder / "a.png")
    changes = (f"images={folder}", "systems=jpeg,webp", "channels=awgn", "esno_db=14", "rho=1/3",
               "num_images=8", "num_trials=2", "metrics=psnr_db", "strip_images=8")  # fmt: skip
    out = tmp_path / "out"
    run(
        capsys,
        "sweep",
        "quick",
        "--out",
        out,
        "--jobs",
        "1",
        *(w for c in changes for w in ("--set", c)),
    )
    shown = pd.read_csv(out / "results.csv")
    assert set(shown.image) == {*FILES, "link.png"}
    assert len(list((out / "figures").glob("strip_*.png"))) == len(FILES) + 1
    run(capsys, "plot", out, "--label", "jpeg=$\\alpha_{$", "-o", tmp_path / "100%_$.pdf")
    assert (tmp_path / "100___.tex").is_file()
    run(capsys, "report", out, "--out", tmp_path / "r.html", "--explorer", "8")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "&lt;b&gt;" in page and "é <b>" not in page
    got = run(
        capsys,
        "transmit",
        folder,
        "--snr",
        "14",
        "--cbr",
        "1/3",
        "--system",
        "jpeg",
        "-o",
        tmp_path / "got",
    )
    assert "8 pictures" in got and len(list((tmp_path / "got").iterdir())) == 8
    (folder / "\u202egnp.png").symlink_to(folder / "a.png")
    for verb in (
        ("rd", "--codecs", "jpeg", "--images"),
        ("transmit", "--snr", "1", "--cbr", "1", "-o", "x"),
    ):
        rest = ("--out", tmp_path / "rd") if verb[0] == "rd" else ()
        assert "is not printable UTF-8" in fails(capsys, *verb, folder, *rest)
