"""Tables of the report: what a cell says where there is no number."""

import dataclasses

from fakes import TOYS

from experiments.report import tables
from experiments.sweep import store
from experiments.sweep.runner import run_sweep


def test_a_delta_that_does_not_exist_is_a_dash_with_its_reason_below(toy_spec, tmp_path):
    spec = dataclasses.replace(toy_spec, systems=("toy", "toy-flat", "toy-too-big"), num_trials=4)
    out = run_sweep(spec, tmp_path, components=TOYS, use_cache=False, progress=False)
    table, notes = tables.delta_table(store.load(out), "esno_db", "psnr_db", "toy")
    for _, *cells in table[1]:
        for cell in cells:
            assert cell.startswith(("+", "-", "0")) and len(cell) < 40
            assert not cell.startswith("- (") or cell.removeprefix("- ") in notes
    assert "(1)" in notes and all(len(cell) == 5 for cell in table[1][1][1:])
