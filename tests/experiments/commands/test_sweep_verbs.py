"""A small real sweep on the command line: run, drawn, drawn again otherwise."""

import pytest

from experiments.commands.main import main

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
