"""The files of a release say the same version, and constraints name versions alone."""

import re
import tomllib
from pathlib import Path

import yaml

from scmc_comm import __version__

ROOT = Path(__file__).parents[1]


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert citation["version"] == newest == __version__


def test_every_shipped_file_has_its_data_terms():
    terms = (ROOT / "docs" / "licences.md").read_text()
    shipped = [p.name for p in (ROOT / "scmc_comm" / "zoo" / "weights").iterdir()]
    assert not [name for name in shipped if f"`{name}`" not in terms]


def test_constraints_pin_every_dependency():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+", pin) for pin in pins)
    pinned = {re.sub(r"[-_.]+", "-", pin.partition("=")[0]).lower() for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[><=\[]", text)[0]).lower() for text in needed}
    assert names <= pinned
