"""What a sweep will cost is said before it runs, from parts measured once."""

import dataclasses

import pytest
from fakes import TOY, TOYS

from experiments.commands.main import main
from experiments.sweep.forecast import forecast
from experiments.sweep.runner import run_sweep

SPEC = dataclasses.replace(
    TOY, systems=("toy-tuned", "toy", "toy-analog"), metrics=("psnr_db",), num_images=3,
    primary=("psnr_db awgn 1/24 3:9",), primary_metrics=("ms_ssim",), estimator="expected",
    analog_trials=2,
)  # fmt: skip


def test_it_counts_what_is_left(tmp_path):
    cache = tmp_path / "cache"
    assert forecast(SPEC, False, cache, TOYS) is None, "nothing was measured yet"
    before = forecast(SPEC, True, cache, TOYS)
    assert before.designs == {"toy-tuned": (24, 24), "toy": (3, 3), "toy-analog": (24, 24)}
    assert before.points == 2 * 4 * 3
    assert before.total_s == pytest.approx(before.points * sum(before.each_point_s.values()))
    run_sweep(
        dataclasses.replace(SPEC, num_images=1), tmp_path / "run", 1, cache_dir=cache,
        components=TOYS, progress=False, each_point_s=before.each_point_s,
    )  # fmt: skip
    after = forecast(SPEC, False, cache, TOYS)
    assert after.designs == {"toy-tuned": (16, 24), "toy": (2, 3), "toy-analog": (16, 24)}
    more = dataclasses.replace(SPEC, metrics=("psnr_db", "ssim"))
    again = forecast(more, True, cache, TOYS)
    assert again.designs == before.designs, "a metric that is new is not finished"


def test_a_metric_of_the_primary_endpoints_costs_only_there(tmp_path):
    spec = dataclasses.replace(SPEC, systems=("toy-tuned",))
    some = forecast(spec, True, tmp_path, TOYS).metrics_s["toy-tuned"]
    every = dataclasses.replace(spec, metrics=("psnr_db", "ms_ssim"), primary_metrics=())
    whole = forecast(every, True, tmp_path, TOYS).metrics_s["toy-tuned"]
    assert some["ms_ssim"] == pytest.approx(whole["ms_ssim"] * 2 / 8)


def test_the_command_says_it_and_runs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCMC_COMM_CACHE", str(tmp_path))
    main([
        "sweep", "quick", "--estimate", "--jobs", "2", "--set", "systems=jpeg",
        "--set", "channels=awgn",
        "--set", "num_images=1", "--set", "metrics=psnr_db", "--set", "num_trials=2",
    ])  # fmt: skip
    first, total = capsys.readouterr().out.splitlines()
    assert first.startswith("jpeg: 1 of 1 encodings left, ")
    assert " of a core in all, about " in total
    with pytest.raises(SystemExit):
        main(["sweep", "quick", "--set", "systems=jpeg"])
    assert "--out is missing" in capsys.readouterr().err
