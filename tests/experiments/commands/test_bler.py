"""The verb ``bler``."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.bler.table import BlerTable
from channels.phy.table import TablePhy
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
        (["--jobs", "0"], "--jobs: '0'"),
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
