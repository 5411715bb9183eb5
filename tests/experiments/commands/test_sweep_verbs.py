"""A small real sweep on the command line: run, drawn, drawn again otherwise."""

import re

import numpy as np
import pandas as pd
import pytest
from verbs import fails

from experiments.api import plot
from experiments.commands.main import main
from scmc_comm.errors import ScmcError

SMALL = (
    "images=photos@64", "num_images=1", "systems=jpeg,webp", "channels=awgn", "esno_db=14:2:-4",
    "rho=1/3", "num_trials=4", "metrics=psnr_db",
)  # fmt: skip


def sweep(out, *more):
    changes = [word for change in SMALL for word in ("--set", change)]
    main(["sweep", "quick", "--out", str(out), "--jobs", "1", *changes, *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("verbs") / "small"
    sweep(out)
    return out


def test_results_alone_are_written_and_no_figure_of_others_stays(folder, tmp_path, capsys):
    sweep(tmp_path, "--no-figures")
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.nc", "results.csv", "spec.yaml", "reconstructions",
    }  # fmt: skip
    assert "figures" not in capsys.readouterr().out
    main(["plot", str(tmp_path)])
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {path.name for path in (folder / "figures").iterdir()}
    sweep(tmp_path, "--no-figures")
    assert not list((tmp_path / "figures").iterdir())


@pytest.mark.parametrize("options", [(), ("--column", "double")])
def test_a_figure_for_a_paper_has_the_width_of_a_column_and_its_numbers(folder, tmp_path, options):
    out = tmp_path / "fig.pdf"
    label = ("--label", "jpeg=Proposed")
    main(["plot", str(folder), "--systems", "webp,jpeg", *label, *options, "-o", str(out)])
    assert {p.name for p in tmp_path.iterdir()} == {
        "fig.pdf", "fig.csv", "fig.dat", "fig.tex", "fig_table.tex",
    }  # fmt: skip
    pdf = out.read_bytes()
    width = float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf).group(1))
    assert width / 72 == pytest.approx(7.16 if options else 3.5, abs=0.01)
    assert b"/Type /Font" in pdf and b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    csv = pd.read_csv(tmp_path / "fig.csv")
    dat = pd.read_csv(tmp_path / "fig.dat", sep=" ")
    pd.testing.assert_frame_equal(csv, dat)
    assert list(csv)[:2] == ["esno_db", "webp_mean"] and list(csv.esno_db) == sorted(csv.esno_db)
    shown = pd.read_csv(folder / "figures" / "summary.csv")
    own = shown[(shown.metric == "psnr_db") & (shown.system == "jpeg")].sort_values("esno_db")
    np.testing.assert_allclose(csv.jpeg_mean, own.value_mean)
    tex = (tmp_path / "fig.tex").read_text()
    assert "Proposed" in tex and "{fig.dat}" in tex and "col sep=space" in tex
    table = (tmp_path / "fig_table.tex").read_text()
    (row,) = (line for line in table.splitlines() if line.startswith("Proposed"))
    means = [float(cell.split("[")[0]) for cell in row.rstrip("\\ ").split("&")[1:]]
    assert means == pytest.approx(list(csv.jpeg_mean), abs=0.006), table


def test_a_figure_for_a_notebook(folder, tmp_path):
    style = tmp_path / "mine.mplstyle"
    style.write_text("lines.linewidth: 3\naxes.labelsize: 11\n")
    figure = plot(folder, systems=("jpeg",), delivery=False, style=style)
    (ax,) = figure.axes
    assert ax.yaxis.label.get_size() == 11 and ax.lines[0].get_linewidth() == 3
    assert {text.get_size() for text in ax.get_xticklabels()} == {8.0}
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert len(plot(folder).axes) == 2
    style.write_text("axes.labelsze: 11\n")
    with pytest.raises(ScmcError, match="sets axes.labelsze, which"):
        plot(folder, style=style)


def test_a_run_whose_folder_is_not_given_or_anothers_does_no_work(folder, tmp_path, capsys):
    said = fails(capsys, "sweep", "quick")
    assert "--out is missing" in said
    before = (folder / "results.nc").read_bytes()
    assert "another spec" in fails(capsys, "sweep", "quick", "--out", folder)
    assert "results of 'scmc-comm sweep'" in fails(
        capsys, "rd", "--codecs", "jpeg", "--images", "photos", "--out", folder
    )
    assert (folder / "results.nc").read_bytes() == before
    sweep(folder)  # the same spec goes on
    assert pd.read_csv(folder / "results.csv").shape[0] == 2 * 4 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--systems", "jpg", "-o", "f.pdf"), "did you mean jpeg?"),
        (("--metric", "psnr", "-o", "f.pdf"), "did you mean psnr_db?"),
        (("--channels", "rayleigh_block", "-o", "f.pdf"), "awgn"),
        (("--rho", "1/7", "-o", "f.pdf"), "it has 1/3"),
        (("--label", "jpeg", "-o", "f.pdf"), "expected SYSTEM=LABEL"),
        (("--label", "jpeg=A", "--label", "webp=A", "-o", "f.pdf"), "not all different"),
        (("--label", "jpeg=WebP", "-o", "f.pdf"), "not all different"),
        (("--style", "none.mplstyle", "-o", "f.pdf"), "no style file"),
        (("--metric", "lpips"), "name it with -o"),
        (("-o", "f.doc"), "name it f.pdf"),
        (("-o", "none/f.pdf"), "create it first"),
    ],
)
def test_mistakes_in_a_figure_are_one_line(folder, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["plot", str(folder), *options])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line and not list(tmp_path.iterdir())
