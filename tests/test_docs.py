"""What README and docs show runs, and their tables are complete."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from channels import plugins
from channels.specs import parameters
from experiments.execution.inventory import KINDS
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweep.store import at_points, load
from experiments.timed.spec import TimedSpec
from scmc_comm.images import load_photo, save_png
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system

ROOT = Path(__file__).parents[1]
MODULES = {"all": "recipe"}


def python_of(page, word):
    """The one example of a page that holds a word."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    (code,) = (code for code in found if word in code)
    return code


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
@pytest.mark.parametrize(
    ("system", "assumed"),
    [("scmc", ("awgn", 10.0)), ("jpeg:mcs=adaptive", ("rayleigh_block", 4.0))],
)
def test_the_python_examples_tell_a_sender_what_it_knows(
    tmp_path, monkeypatch, page, system, assumed
):
    monkeypatch.chdir(tmp_path)
    save_png(load_photo("chelsea", 64), tmp_path / "photo.png")
    found = {}
    exec(python_of(page, "design_").replace('"scmc"', f'"{system}"'), found)
    budget = found["sent"].setting.budget() if page == "README.md" else found["design"].budget(1)
    assert (budget.channel, budget.design_esno_db) == assumed
    assert len(found["sent"].delivered) == 100


def test_the_page_on_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_png(load_photo("chelsea", 64), tmp_path / "photo.png")
    page = (ROOT / "docs" / "python.md").read_text().partition("## Step by step")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S))
    small = {
        '"quick", "results/quick", num_trials=100, cbr="1/24,1/12", jobs=2': (
            '"quick", "results/quick", num_trials=2, cbr="1/4", systems="scmc,vvc", snr="0,12",'
            ' num_images=1, images="photos@64", channels="awgn", metrics="psnr_db,lpips",'
            ' progress=False'
        ),
        'metric="lpips", cbr="1/24"': 'metric="lpips"', "trials=100": "trials=3",
        'sc.transmit_each("photos"': 'sc.transmit_each("photos@64"',
    }  # fmt: skip
    for shown, quick in small.items():
        assert shown in code, shown
        code = code.replace(shown, quick)
    found = {}
    exec(code, found)
    assert (tmp_path / "got.png").is_file() and (tmp_path / "fig.pdf").is_file()
    assert len(found["results"].trials) == 2 * 2 * 2 and found["sent"].name == "rocket@64"


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


def test_the_docs_list_every_kind_of_the_cache():
    text = (ROOT / "docs" / "sweeps.md").read_text()
    assert [kind for kind in KINDS if f"| `{kind}` | {KINDS[kind].split()[0]}" not in text] == []


def test_files_that_the_docs_name_are_there():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        names = re.findall(
            r"`((?:channels|scmc_comm|experiments|tests|benchmarks)/[\w/]+\.py)`", page.read_text()
        )
        assert not [name for name in names if not (ROOT / name).is_file()], page.name


def training_commands():
    """Script and options of every training command on a page."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    pages += (ROOT / "scmc_comm" / "zoo" / "cards").glob("*.md")
    for page in sorted(pages):
        for name, rest in re.findall(
            r"(?:-m experiments\.training\.|scmc-comm train )(\w+)([^`|]*?)(?=`|\n\n|\n *[a-z#]|\n[A-Z_]+=|$)",
            page.read_text(),
        ):
            yield page.name, name, set(re.findall(r"(?<!\S)--?[a-z][\w-]*", rest))


def test_training_commands_name_options_that_there_are(monkeypatch, capsys):
    told = {}
    found = list(training_commands())
    assert len(found) > 30
    for page, name, options in found:
        if name not in told:
            script = importlib.import_module(f"experiments.training.{MODULES.get(name, name)}")
            monkeypatch.setenv("COLUMNS", "400")
            with pytest.raises(SystemExit):
                script.main(["--help"])
            told[name] = capsys.readouterr().out
        known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", told[name]))
        assert options <= known, f"{page}: {name} has no {options - known}"


def plugin_examples():
    text = (ROOT / "docs" / "plugins.md").read_text()
    for title, part in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        for code in re.findall(r"```python\n(.*?)```", part, re.S):
            yield pytest.param(code, id=title)
    for page in sorted((ROOT / "docs" / "howto").glob("own-*.md")):
        for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
            if code not in text:
                yield pytest.param(code, id=page.stem)


def of_systems(example):
    return 'register("system"' in example.values[0]


@pytest.mark.parametrize("code", filter(of_systems, plugin_examples()))
def test_a_network_s_example_passes_the_contract_that_the_docs_tell_to_run(tmp_path, code):
    (tmp_path / "mine.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs"]
    done = subprocess.run(
        [*command, "scmc_comm.testing", "--plugin", str(tmp_path / "mine.py")], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout


@pytest.mark.parametrize("code", plugin_examples())
def test_a_plugin_s_example_takes_part_in_a_sweep(tmp_path, monkeypatch, code):
    monkeypatch.setattr(plugins, "_state", plugins._State({}, {}, None, "run", plugins.changes()))
    statements = [
        line for line in code.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(statements) <= 10
    file = tmp_path / "mine.py"
    file.write_text(code)
    ((kind, name),) = re.findall(r'register\("(\w+)", "(\w+)"', code)
    used = {
        "system": {"systems": (name,)},
        "image_codec": {"systems": (f"{name}:law=awgn", f"{name}:layers=2")},
        "channel": {"channels": (f"{name}:bad=0.3",)},
        "metric": {"metrics": (name,)},
        "planner": {"systems": (f"scmc:protection={name}",)},
        "dataset": {"images": name},
        "phy": {"phy": name},
    }[kind]
    settings = {
        "name": "demo", "systems": ("jpeg",), "channels": ("awgn",), "esno_db": (15.0,),
        "rho": (1 / 4,), "images": "photos@64", "num_images": 1, "metrics": ("psnr_db",),
        "num_trials": 2, "plugins": (str(file),),
    }  # fmt: skip
    run_sweep(SweepSpec(**(settings | used)), tmp_path / "out", cache_dir=tmp_path, progress=False)
    ds = load(tmp_path / "out")
    assert float(ds.psnr_db.max()) > 10 and int((at_points(ds, "frames") == "").sum()) == 0


def test_the_plan_of_the_docs_is_sent_just_so(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "plugins.md").read_text(), re.S)
    (tmp_path / "plan.yaml").write_text(text)
    system = make_system(f"scmc:plan={tmp_path / 'plan.yaml'}")
    sent = system.prepare(load_photo("coffee", 128), Budget(1 / 8, 10.0))
    assert {f.tag: (f.mcs.num_bits_per_symbol, f.power_db) for f in sent.frames} == {
        "semantic": (2, 2.0), "structure": (2, 0.0), "signal": (4, 0.0),
        **{tag: (4, 0.0) for tag in sent.tags if tag.startswith("signal.")},
    }  # fmt: skip
