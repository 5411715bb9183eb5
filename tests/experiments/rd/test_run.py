"""Rate-distortion runs: tables, published curves, figures and the command."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments.commands.main import main
from experiments.figures.rd import rd_charts
from experiments.figures.style import styles
from experiments.rd.anchors import Anchors, compare, load_anchors
from experiments.rd.codecs import make_rd_codec
from experiments.rd.run import RdSpec, forecast_rd
from experiments.rd.tables import bd_cells, bd_table, curve_table, gather_points
from scmc_comm.baselines.image_codecs import IMAGE_CODECS
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo, save_png

RATES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])


def synthetic(codecs=("jpeg", "scmc", "vvc:headers=file"), images=3):
    rows = []
    for c, codec in enumerate(codecs):
        for i in range(images):
            for p, bpp in enumerate(RATES):
                rate = bpp * (1.0, 0.5, 1.5)[c]
                rows.append(
                    {"codec": codec, "image": f"i{i}", "point": f"{p}", "height": 64, "width": 64,
                         "bytes": rate * 512, "bpp": rate, "encode_s": 0.1, "decode_s": 0.2,
                         "psnr_db": 30 + 6 * np.log2(bpp) + i, "ms_ssim": np.nan,
                         "lpips": 0.5 * np.exp(-2 * bpp) + 0.01 * i}
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_tables_hold_the_known_deltas_and_leave_out_what_was_not_measured():
    frame = synthetic()
    points = gather_points(frame)
    assert {metric for _, metric in points} == {"psnr_db", "lpips"}  # MS-SSIM is all NaN
    bd = bd_table(points, ["jpeg"], (0.0, np.inf)).set_index(["codec", "metric"])
    for metric in ("psnr_db", "lpips"):
        assert bd.loc[("scmc", metric), "percent"] == pytest.approx(-50)
        assert bd.loc[("vvc:headers=file", metric), "percent"] == pytest.approx(50)
    header, rows = bd_cells(bd.reset_index(), "jpeg")
    assert header == ["codec", "PSNR (dB)", "LPIPS"]
    assert rows[0][:2] == ["scmc", "-50.0 % [-50.0, -50.0], over 100 %"]


def test_every_metric_and_reference_has_a_figure_and_codecs_are_told_apart():
    frame = synthetic()
    bd = bd_table(gather_points(frame), ["jpeg"], (0.0, np.inf))
    charts = {c.stem: c for c in rd_charts(curve_table(frame), bd, None, "three images")}
    assert set(charts) == {"rd", "rd_psnr_db", "rd_lpips", "bd_jpeg"}
    jpeg = charts["rd_psnr_db"].rows[0][0].curves[0]
    assert jpeg.label == "JPEG" and len(jpeg.x) == len(RATES)
    assert len(charts["rd"].draw().axes) == 2
    looks = styles([*IMAGE_CODECS, "scmc"])
    assert len(set(looks.values())) == len(looks)


def test_ms_ssim_is_drawn_by_what_is_missing_to_1():
    frame = synthetic()
    frame["ms_ssim"] = 1 - 0.1 * np.exp(-2 * frame.bpp)
    bd = bd_table(gather_points(frame), ["jpeg"], (0.0, np.inf))
    charts = {c.stem: c for c in rd_charts(curve_table(frame), bd, None, "three images")}
    (ax,) = charts["rd_ms_ssim"].draw().axes
    assert ax.get_yscale() == "function"
    assert sum(ax.get_visible() for ax in charts["rd"].draw().axes) == 3


ANCHORS = {"dataset": "toy", "curves": {"jpeg": {
    "bpp": list(RATES[::-1]), "ms_ssim": None, "psnr_db": list((30 + 6 * np.log2(RATES) + 1)[::-1])}}}  # fmt: skip


def test_published_curves_are_compared_in_any_order(tmp_path):
    path = tmp_path / "curves.json"
    path.write_text(json.dumps(ANCHORS))
    found = compare(gather_points(synthetic()), load_anchors(path))
    assert sorted(found[["codec", "published"]].values.tolist()) == [
        ["jpeg", "jpeg"], ["scmc", "jpeg"],
    ]  # fmt: skip
    rows = found.set_index("codec")
    assert rows.bd_rate_percent["jpeg"] == pytest.approx(0, abs=1e-6)
    assert rows.difference["jpeg"] == pytest.approx(0, abs=1e-9)
    assert rows.bd_rate_percent["scmc"] == pytest.approx(-50, abs=1e-6)


def test_published_curves_are_compared_in_the_window():
    """A line 1 dB below the measured one up to 0.2 bpp, and 5 dB below from 0.4 on."""
    quality = 30 + 6 * np.log2(RATES)
    measured = {("jpeg", "psnr_db"): (RATES[None], quality[None])}
    gaps = np.where(RATES <= 0.2, 1.0, 5.0)
    anchors = Anchors("toy", {"jpeg": {"bpp": RATES, "psnr_db": quality - gaps}})
    low, high = (
        compare(measured, anchors, window).difference[0] for window in ((0.05, 0.2), (0.4, 1.6))
    )
    assert low == pytest.approx(1, abs=1e-6) and high == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"curves": {"jpeg": {"bpp": [1, 2], "psnr_db": [3]}}}', '{"curves": {"a": {}}}',
     '{"curves": {"jpeg": {"bpp": [0, 2], "psnr_db": [3, 4]}}}', "[" * 100_000,
     '{"curves": {"jpeg": {"bpp": [1' + "0" * 400 + '], "psnr_db": [3]}}}'],
)  # fmt: skip
def test_wrong_anchor_files(tmp_path, content):
    path = tmp_path / "curves.json"
    path.write_text(content)
    with pytest.raises(ScmcError, match="no published curves"):
        load_anchors(path)
    with pytest.raises(ScmcError, match="no file"):
        load_anchors(tmp_path / "none.json")


def test_the_whole_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("experiments.rd.run.default_metrics", lambda: ("psnr_db", "ms_ssim"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("coffee", "chelsea"):
        save_png(load_photo(name, 64), pictures / f"{name}.png")
    (tmp_path / "curves.json").write_text(json.dumps(ANCHORS))
    out = tmp_path / "out"
    main([
        "rd", "--codecs", "jpeg, jpeg:headers=file,jpeg2000", "--images", str(pictures), "--out", str(out),
        "--anchors", str(tmp_path / "curves.json"),
    ])  # fmt: skip
    printed = capsys.readouterr().out
    assert "BD-rate against jpeg" in printed and "Against published curves (toy)" in printed
    points = pd.read_csv(out / "points.csv")
    assert set(points.codec) == {"jpeg", "jpeg:headers=file", "jpeg2000"} and len(points) == 2 * 29
    # A figure's CSV recomputes it.
    means = points.groupby(["codec", "point"]).bpp.mean()
    curves = pd.read_csv(out / "curves.csv").set_index(["codec", "point"])
    assert np.allclose(means, curves.bpp.reindex(means.index))
    bd = pd.read_csv(out / "bd.csv").set_index("codec")
    assert (
        bd.loc["jpeg:headers=file", "percent"] > 3
        and bd.loc["jpeg:headers=file", "metric"] == "psnr_db"
    )
    assert (out / "bd_jpeg.tex").read_text().startswith("\\begin{tabular}")
    assert json.loads((out / "run.json").read_text())["spec"]["codecs"][1] == "jpeg:headers=file"
    assert (out / "figures" / "rd.png").is_file() and (out / "figures" / "bd_jpeg.pdf").is_file()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--codecs", "gif"], "there is no codec 'gif'; there are scmc, jpeg"),
        (["--codecs", "scmc,vcc"], "there is no codec 'vcc'; did you mean vvc?"),
        (["--codecs", "jpeg,jpeg"], "each once"),
        (["--codecs", "bpg,hevc"], "codecs bpg and hevc are the same"),
        (["--codecs", "scmc,scmc:beams=3"], "codecs scmc and scmc:beams=3 are the same"),
        (["--codecs", ","], "none"),
        (["--codecs", "jpeg", "--reference", "vvc"], "not among"),
        (["--codecs", "jpeg", "--bpp", "0.5:0.1"], "LOW:HIGH"),
        (["--codecs", "jpeg", "--anchors", "none.json"], "no file none.json"),
        (["--codecs", "jpeg", "--images", "nowhere"], "nowhere"),
        (["--codecs", "jpeg", "--metrics", "psnr"], "did you mean psnr_db?"),
        (["--codecs", "jpeg", "--metrics", ","], "names none"),
        (["--codecs", "scmc:realism=2"], "expected realism as a number, 0 to 1"),
        (["--codecs", "hyperprior:weights=nowhere"], "no checkpoint or folder nowhere"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(tmp_path, capsys, args, message):
    with pytest.raises(SystemExit) as stop:
        images = [] if "--images" in args else ["--images", "photos"]
        main(["rd", *images, "--limit", "1", "--out", str(tmp_path / "out"), *args])
    error = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and message in error and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_the_metrics_are_those_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    picture = tmp_path / "coffee.png"
    save_png(load_photo("coffee", 64), picture)
    out = tmp_path / "out"
    main([
        "rd", "--codecs", "webp", "--images", str(tmp_path), "--out", str(out),
        "--metrics", "psnr_db",
    ])  # fmt: skip
    points = pd.read_csv(out / "points.csv")
    assert "psnr_db" in points and not {"ms_ssim", "lpips", "dists"} & set(points)


def test_the_cost_is_said_before_a_run_and_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    for name in ("coffee", "chelsea"):
        save_png(load_photo(name, 64), tmp_path / f"{name}.png")
    command = ["rd", "--codecs", "jpeg,webp", "--images", str(tmp_path), "--metrics", "psnr_db"]
    spec = RdSpec(("jpeg", "webp"), str(tmp_path), metrics=("psnr_db",))
    assert forecast_rd(spec, calibrate=False) is None, "nothing was measured yet"
    main([*command, "--estimate", "--jobs", "2"])
    first, second, total = capsys.readouterr().out.splitlines()
    jpeg, webp = (len(make_rd_codec(name).points) for name in ("jpeg", "webp"))
    assert first.startswith(f"jpeg: {2 * jpeg} of {2 * jpeg} points left, ")
    assert second.startswith(f"webp: {2 * webp} of {2 * webp} points left, ")
    assert " of a core in all, about " in total and total.endswith(" with 2 jobs")
    assert not (tmp_path / "out").exists()
    main([*command, "--out", str(tmp_path / "out"), "--limit", "1"])
    assert f"jpeg: {jpeg} of {jpeg} points left, " in capsys.readouterr().out
    found = forecast_rd(spec, calibrate=False)
    assert found.points == {"jpeg": (jpeg, 2 * jpeg), "webp": (webp, 2 * webp)}
    with pytest.raises(SystemExit):
        main(command)
    assert "--out is missing" in capsys.readouterr().err


def test_references_are_jpeg_and_vvc_where_compared():
    assert RdSpec(("scmc", "vvc", "jpeg"), "photos").bd_references == ("jpeg", "vvc")
    assert RdSpec(("scmc", "webp"), "photos").bd_references == ("scmc",)
    assert RdSpec(("scmc", "vvc"), "photos", references=("scmc",)).bd_references == ("scmc",)


def test_no_table_of_another_spec_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path / "cache"))
    save_png(load_photo("coffee", 64), tmp_path / "coffee.png")
    out = tmp_path / "out"
    command = ["rd", "--images", str(tmp_path / "coffee.png"), "--out", str(out), "--metrics"]
    main([*command, "psnr_db", "--codecs", "jpeg,webp", "--reference", "jpeg,webp"])
    assert (out / "bd_webp.tex").is_file()
    main([*command, "psnr_db", "--codecs", "jpeg,webp", "--reference", "jpeg", "--overwrite"])
    assert {path.name for path in out.glob("bd_*.tex")} == {"bd_jpeg.tex"}
    assert (out / "run.json").is_file() and not list(out.glob("published.*"))
