"""Every page of the site is in a toctree, and what it links to is there; without building it."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    p for p in DOCS.rglob("*.md") if "results" not in p.parts and "gallery" not in p.parts
)
MADE_BY_THE_BUILD = DOCS / "gallery" / "index.rst"
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def prose(page):
    """A page's text without its blocks of code."""
    return re.sub(r"^```(?!\{include).*?^```", "", page.read_text(), flags=re.M | re.S)


def anchors(page):
    """What headings of a page are linked as."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_in_a_toctree():
    named = {DOCS / "index"}
    for page in PAGES:
        for tree in TOCTREE.findall(page.read_text()):
            lines = [line.strip() for line in tree.splitlines()]
            named |= {page.parent / line for line in lines if line and line[0] != ":"}
    there = {*PAGES, *DOCS.rglob("api/*.rst"), *DOCS.glob("*.ipynb"), MADE_BY_THE_BUILD}
    assert named == {path.with_suffix("") for path in there}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    for groups in LINK.findall(prose(page)):
        target, _, anchor = "".join(groups).partition("#")
        if re.match(r"\w+:", target):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists() or found == MADE_BY_THE_BUILD, f"{page.name}: {target}"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{page.name}: {target}#{anchor}"


def test_names_of_the_api_are_there():
    names = [n for p in PAGES for n in re.findall(r"\{py:\w+\}`([\w.]+)`", p.read_text())]
    modules = [
        n for p in DOCS.rglob("api/*.rst") for n in re.findall(r"automodule:: (\S+)", p.read_text())
    ]
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), module
    for name in names:
        assert any(name.startswith(module + ".") for module in modules), name


def test_every_rule_has_its_script_and_every_script_its_rule():
    scripts = {path.stem for path in (DOCS / "examples" / "rules").glob("*.py")}
    text = (DOCS / "protocol.md").read_text()
    assert set(re.findall(r"result: protocol (\w+) ", text)) == scripts
    assert set(yaml.safe_load((DOCS / "results" / "protocol.yaml").read_text())["views"]) == scripts


def test_scripts_say_what_they_show_and_the_tutorial_runs(tmp_path):
    for path in (DOCS / "examples").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
    cells = json.loads((DOCS / "tutorial.ipynb").read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in code), "outputs are made when the site is built"
    program = "\n".join("".join(cell["source"]) for cell in code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300,
        cwd=ROOT, env=os.environ | {"MPLBACKEND": "agg", "SCMC_COMM_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_card_is_shown():
    shown = re.findall(
        r"include\} \.\./scmc_comm/zoo/cards/(\S+)", (DOCS / "model-cards.md").read_text()
    )
    assert shown == sorted(p.name for p in (ROOT / "scmc_comm" / "zoo" / "cards").iterdir())
