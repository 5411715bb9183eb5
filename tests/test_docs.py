"""What README and docs show runs, and their tables are complete."""

import re
from pathlib import Path

import pytest

from channels.specs import parameters
from experiments.sweep.spec import SweepSpec
from experiments.timed.spec import TimedSpec
from scmc_comm.images import load_photo, save_png

ROOT = Path(__file__).parents[1]


def readme_python():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    return code


@pytest.mark.parametrize(
    ("system", "assumed"),
    [("scmc", ("awgn", 10.0)), ("jpeg:mcs=adaptive", ("rayleigh_block", 4.0))],
)
def test_the_readme_s_python_tells_a_sender_what_it_knows(tmp_path, monkeypatch, system, assumed):
    monkeypatch.chdir(tmp_path)
    save_png(load_photo("chelsea", 64), tmp_path / "photo.png")
    found = {}
    exec(readme_python().replace('"scmc"', f'"{system}"'), found)
    design = found["design"]
    assert (design.channel, design.esno_db) == assumed
    assert len(found["sent"].delivered) == 100


def test_the_docs_list_every_key_with_its_default():
    text = (ROOT / "docs" / "sweeps.md").read_text().partition("## What it writes")[0]
    sweep, timed = text.split("Of an experiment on the timed link")
    for spec, part in ((SweepSpec, sweep), (TimedSpec, timed)):
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", part, re.M))
        assert list(rows) == [p.name for p in parameters(spec)]
        given = {key: value for key, value in rows.items() if value not in ("required", "empty")}
        for key, value in given.items():
            read = spec.coerce(key, "" if value == "none" else value)
            assert read == spec.__dataclass_fields__[key].default, key


def test_files_that_the_docs_name_are_there():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        names = re.findall(
            r"`((?:channels|scmc_comm|experiments|tests|benchmarks)/[\w/]+\.py)`", page.read_text()
        )
        assert not [name for name in names if not (ROOT / name).is_file()], page.name
