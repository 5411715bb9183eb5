"""The verb ``bench``."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments.bench import link as benchmark
from experiments.bench import sweep
from experiments.commands.main import main


def test_bench_prints_both_sides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "LDPC_CASES", ((100, 200, 6.0, 6.0),))
    common = ["bench", "ldpc", "--repeats", "1", "--blocks", "64", "--plain-blocks", "2",
              "--threads", "1"]  # fmt: skip
    main(common)
    assert "LDPC k=100 n=200" in capsys.readouterr().out
    main([*common, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ldpc"][0]["ratio"] > 0 and found["machine"]["cores"] >= 1


@pytest.mark.slow
def test_bench_sweep_measures_a_sweep_beside_its_target(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = replace(sweep.LARGE, num_images=1, esno_db=(9.0,), channels=("awgn",), num_trials=20)
    monkeypatch.setattr(sweep, "LARGE", small)
    monkeypatch.setattr(sweep, "FIGURES", {"large_sweep": sweep.large})
    main(["bench", "sweep", "--threads", "1", "--json"])
    found = json.loads(capsys.readouterr().out)["sweep"]["large_sweep"]
    assert found["seconds"] > 0 and found["peak_mib"] > 50
    assert found["holds"] == (found["seconds"] <= 60 and found["peak_mib"] <= 2048)


def test_bench_refuses_unknown_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["bench", "warp"])
    assert exit_info.value.code == 2
    assert "no part 'warp'" in capsys.readouterr().err
