"""docs/results.md names each column of the results, and none that is not there."""

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
from fakes import TOYS

from experiments.figures.plots import plot_sweep
from experiments.sweep import store
from experiments.sweep.runner import run_sweep

PAGE = (Path(__file__).parents[3] / "docs" / "results.md").read_text()
METRICS = ("psnr_db", "ms_ssim", "mse")


def documented(heading):
    """Names in the first column of the table below a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def general(names):
    """Names with METRIC and UNIT in place of each one."""
    found = set()
    for name in map(str, names):
        name = re.sub(r"delivered_(semantic|structure|signal|image)(\.\d)?", "delivered_UNIT", name)
        found.add(re.sub(rf"(?<![a-z]_)({'|'.join(METRICS)})(?![a-z])", "METRIC", name)
                  if not name.startswith("psnr_of") else name)  # fmt: skip
    return {re.sub(rf"^(bound_(?:failure_)?)({'|'.join(METRICS)})$", r"\1METRIC", n) for n in found}


@pytest.fixture(scope="module")
def expected_run(toy_spec, tmp_path_factory):
    spec = dataclasses.replace(
        toy_spec, systems=("toy",), estimator="expected", bounds=("toy-codec",), num_images=2
    )
    out = tmp_path_factory.mktemp("expected") / "run"
    return run_sweep(spec, out, components=TOYS, use_cache=False, progress=False)


def test_columns_of_the_tables_are_documented(toy_run, expected_run):
    trials = pd.read_csv(toy_run / "results.csv")
    assert general(trials) == documented("results.csv, a row a trial")
    assert general(pd.read_csv(expected_run / "results.csv")) == documented(
        "results.csv, a row a point"
    )
    plot_sweep(expected_run, progress=False)
    for name in ("summary", "delivery"):
        found = set(pd.read_csv(expected_run / "figures" / f"{name}.csv"))
        assert found == documented(f"figures/{name}.csv")


def test_variables_of_the_store_are_documented(toy_run, expected_run):
    variables = {*store.load(toy_run).variables, *store.load(expected_run).variables}
    assert general(variables) == documented("results.nc")
