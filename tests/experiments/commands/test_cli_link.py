"""The verbs ``bler`` and ``bench``."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from channels.bler.table import BlerTable
from channels.phy.table import TablePhy
from experiments.bench import link as benchmark
from experiments.commands.main import main


def test_bler_measures_what_the_table_link_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "half.npz"
    command = ["bler", "--mcs", "2,0.5", "--bits", "64", "--bits", "96", "--errors", "10",
               "--min-bler", "0.05", "--jobs", "1", "--out", str(out)]  # fmt: skip
    main(command)
    shown = capsys.readouterr().out
    assert "2 curves" in shown and "0.5000" in shown
    table = BlerTable.load(out)
    assert table.provenance["stopping"]["num_errors"] == 10
    assert TablePhy(table).table.lengths(table.schemes[0]) == (64, 96)
    written = out.stat().st_mtime_ns
    main(command)
    assert out.stat().st_mtime_ns == written, "nothing was left to measure"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--errors", "1"], "at least 5 errors"),
        (["--bits", "7"], "holds no payload"),
        (["--decoder", "turbo"], "expected one of fast, sionna"),
        (["--jobs", "0"], "num_jobs is 0"),
    ],
)
def test_bler_refuses_what_it_cannot_do(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.npz"
    with pytest.raises(SystemExit) as exit_info:
        main(["bler", "--mcs", "2,0.5", "--out", str(out), *change])
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()


def test_bler_names_a_missing_folder_and_a_wrong_scheme(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["--out", str(tmp_path / "absent" / "t.npz")], "create it first"),
        (["--mcs", "3,0.5", "--out", str(tmp_path / "t.npz")], "num_bits_per_symbol is 3"),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["bler", *arguments])
        assert exit_info.value.code == 2
        assert message in capsys.readouterr().err


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


def test_bench_sweep_is_the_experiments_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = types.ModuleType("experiments.bench.sweep")
    toy.run = lambda jobs: {"large_sweep": {"jobs": jobs}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "experiments.bench.sweep", toy)
    main(["bench", "sweep", "--threads", "2", "--json"])
    assert json.loads(capsys.readouterr().out)["sweep"] == {"large_sweep": {"jobs": 2}}


def test_bench_refuses_unknown_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["bench", "warp"])
    assert exit_info.value.code == 2
    assert "'warp' is no part" in capsys.readouterr().err
