"""What the sources say of files and modules holds on every system that Python runs on."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path for top in ("channels", "scmc_comm", "experiments", "benchmarks", "docs")
    for path in sorted((ROOT / top).rglob("*.py"))
]  # fmt: skip
POSIX = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
"""Modules that Windows lacks."""


def without_encoding(tree):
    """Lines that read or write text in whatever encoding the machine is set to."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or "encoding" in {k.arg for k in node.keywords}:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        of = getattr(getattr(node.func, "value", None), "id", "")
        given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        mode = given.get("mode") or next((t for t in texts if isinstance(t, str)), "")
        if (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) == 1)
            or (of == "subprocess" and given.get("text"))
            or (name == "open" and of not in ("Image", "os", "tarfile") and mode in ("", *"rwax"))
        ):
            yield node.lineno


def test_every_text_has_an_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES for line in without_encoding(ast.parse(path.read_text("utf-8")))
    ]  # fmt: skip
    assert not found


@pytest.mark.parametrize(
    "code",
    ["path.read_text()", "path.write_text('a')", "path.open()", "path.open('w')", "open(p, 'a')",
     "subprocess.run(c, text=True)"],
)  # fmt: skip
def test_the_check_sees_what_it_is_to_see(code):
    assert list(without_encoding(ast.parse(code))) == [1]


def test_no_module_is_imported_that_windows_lacks_but_in_a_try():
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        tried = {id(n) for t in ast.walk(tree) if isinstance(t, ast.Try) for n in ast.walk(t)}
        for node in (node for node in ast.walk(tree) if id(node) not in tried):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not POSIX & set(names), path


def test_metadata_names_the_versions_of_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = [c.rpartition(" ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    assert listed == ["3.11", "3.12", "3.13"] and project["requires-python"].startswith(">=3.11")
    assert sys.version_info >= (3, 11)
