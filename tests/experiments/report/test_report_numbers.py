"""The numbers of the report are those of the store."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes import TOYS

from experiments.report import tables
from experiments.report.ledger import ledger_panels
from experiments.report.systems import links_table, systems_table
from experiments.sweep import store, summary
from experiments.sweep.bounds import bound_lines
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.runner import run_sweep


def test_a_table_says_what_each_system_sends_and_what_its_sender_knows(report, ds):
    cells = systems_table(ds)
    assert [row[1:] for row in cells.rows] == [
        ["caption + structure + signal", "out of band", "designed for AWGN; designed for 10 dB"],
        ["signal", "out of band", "designed for AWGN; designed for 10 dB"],
        ["nothing fits", "out of band", "designed for AWGN; designed for 10 dB"],
    ]  # fmt: skip
    assert links_table(ds).rows[1] == ["Rayleigh block fading", "flat", "perfect"]
    assert "caption + structure + signal" in report.read_text()


def test_side_information_is_what_designs_follow(toy_spec, tmp_path):
    names = ("toy", "toy-law", "toy-tuned")
    spec = dataclasses.replace(toy_spec, systems=names, metrics=("psnr_db",), num_trials=2)
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    known = [row[-1] for row in systems_table(store.load(out)).rows]
    assert known == [
        "designed for AWGN; designed for 10 dB", "channel law; designed for 10 dB",
        "channel law; mean Es/N0 of the point",
    ]  # fmt: skip


def test_the_csv_gives_the_curve_back(report, ds):
    files = report.parent / "page_files" / "1_toy"
    frame = pd.read_csv(files / "psnr_db_rho1-24_rayleigh_block.csv")
    found = summary.quality(ds).sel(metric="psnr_db", channel="rayleigh_block").isel(rho=0)
    assert frame.esno_db.tolist() == ds.esno_db.values.tolist()
    for system in ds.system.values:
        for end in ("mean", "low", "high"):
            wanted = found[f"value_{end}"].sel(system=system).values
            np.testing.assert_allclose(frame[f"{system}_{end}"], wanted)
    (line,) = bound_lines(ds, "rayleigh_block", "psnr_db")
    np.testing.assert_allclose(frame["toy-codec_outage"], line.quality.isel(rho=0))


def test_a_system_against_itself_differs_by_nothing(ds, monkeypatch):
    monkeypatch.setattr(tables, "RESAMPLES", 20)
    place = tables.places(ds, "esno_db")[1]
    found = tables.delta(ds, place, "toy", "toy", "psnr_db")
    assert (found.value, found.low, found.high) == (0, 0, 0)
    none = tables.delta(ds, place, "toy-too-big", "toy", "psnr_db")
    assert np.isnan(none.value) and none.reason


def test_samples_are_the_trials(ds):
    place = next(p for p in tables.places(ds, "esno_db") if p.channel == "rayleigh_block")
    values = tables.samples(ds, place, "toy-flat", "psnr_db")
    wanted = store.expand(ds, ["psnr_db"]).psnr_db.sel(system="toy-flat", channel="rayleigh_block")
    np.testing.assert_array_equal(values, wanted.isel(rho=0).transpose("esno_db", "image", "trial"))


def test_many_trials_are_taken_as_means_of_images(ds, monkeypatch):
    place = tables.places(ds, "esno_db")[1]
    each = tables.samples(ds, place, "toy", "psnr_db")
    monkeypatch.setattr(tables, "_MANY", 1)
    np.testing.assert_allclose(tables.samples(ds, place, "toy", "psnr_db")[..., 0], each.mean(-1))


def test_averages_are_those_of_the_store(ds):
    means = summary.table(ds, summary.quality(ds))
    header, rows = tables.averages_table(ds, means, "awgn", 1 / 24, [15.0])
    found = means.sel(metric="psnr_db", channel="awgn", esno_db=15.0).isel(rho=0)
    for row, system in zip(rows, ds.system.values, strict=True):
        cells = dict(zip(header, row, strict=True))
        mean = float(found.value_mean.sel(system=system))
        assert cells["mean PSNR (dB)"].startswith(f"{mean:.2f} [")
        low, of_mse, high = (
            float(found[f"psnr_of_mean_mse_db{end}"].sel(system=system))
            for end in ("_low", "", "_high")
        )
        assert cells["PSNR of mean MSE (dB)"] == f"{of_mse:.2f} [{low:.2f}, {high:.2f}]"
    assert [row[6] for row in rows] == ["0 of 2", "0 of 2", "2 of 2"]
    assert rows[2][4] == "never" and rows[2][5] == "0.000"


def test_falls_are_found_where_the_curve_falls(ds):
    awgn = tables.places(ds, "esno_db")[0]
    threshold = tables.threshold_of(ds, "psnr_db")
    _, rows = tables.cliff_table(ds, delivery_probabilities(ds), awgn, "psnr_db", threshold)
    assert [row[0] for row in rows] == ds.system.values.tolist()
    flat = float(rows[1][1].partition(" dB")[0])
    assert 3 < flat < 9  # lost at 3 dB, whole at 9 dB
    assert rows[2][1] == "not reached up to 15 dB" and rows[2][2] == "no fall"
    assert rows[2][5] == "nothing sent"


def test_mid_grey_is_known_from_bounds_or_from_what_was_shown(ds):
    kept = tables.failure_quality(ds, "psnr_db")
    without = ds.drop_vars([n for n in ds.data_vars if str(n).startswith("bound_")])
    assert tables.failure_quality(without, "psnr_db") == pytest.approx(kept, abs=1e-6)


def test_the_ledger_is_the_budget(ds):
    (panel,) = ledger_panels(ds)
    np.testing.assert_allclose(panel.share.sum(axis=1), 1)
    uses = ds.channel_uses.isel(rho=0, design=0).mean("image").values
    np.testing.assert_allclose(10_000 * (1 - panel.share[:2, -1]), uses[:2])
    assert panel.share[2, -1] == 1  # nothing fitted, all of the budget is left
    assert panel.items[0] == "payload" and panel.items[-1] == "unused"
