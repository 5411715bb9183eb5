"""The sweeps that ship: found by name, written and read back, of names that exist."""

import pytest

from experiments.sweep.components import Components
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import list_sweeps, load_sweep
from scmc_comm.errors import ScmcError


def test_shipped_sweeps_load_and_are_what_they_say(tmp_path):
    sweeps = list_sweeps()
    assert {"quick", "snr", "bandwidth"} <= set(sweeps)
    for name, spec in sweeps.items():
        assert load_sweep(name) is spec
        path = tmp_path / f"{name}.yaml"
        path.write_text(spec.to_yaml())
        assert load_sweep(path) == spec


def test_missing_sweeps_are_named():
    with pytest.raises(ScmcError, match=r"did you mean quick\?"):
        load_sweep("qick")
    with pytest.raises(ScmcError, match="no sweep file"):
        load_sweep("nowhere.yaml")


def test_shipped_sweeps_name_only_what_exists():
    found = [spec for spec in list_sweeps().values() if isinstance(spec, SweepSpec)]
    assert len(found) >= 3
    for spec in found:
        Components().check_names(spec)


def test_a_file_says_of_which_kind_it_is(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("kind: timd\nname: x\n")
    with pytest.raises(ScmcError, match="kind is 'timd'"):
        load_sweep(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScmcError, match="UTF-8"):
        load_sweep(path)
