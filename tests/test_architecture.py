"""The arrows between packages point one way, and importing a module does nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("channels", "scmc_comm", "experiments")
MODULES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)

# (importer, imported): prefixes of module names that must not meet.
MECHANISM = ("channels.plugins", "channels.registry")
"""How components are found, which every folder may use."""
FORBIDDEN = (
    ("channels", "scmc_comm"),
    ("channels", "experiments"),
    ("scmc_comm", "experiments"),
    ("scmc_comm.codec", "channels"),
    ("scmc_comm.codec", "scmc_comm.link"),
    ("scmc_comm.link", "scmc_comm.codec"),
    ("scmc_comm.bitstream", "channels"),
    ("scmc_comm.metrics", "channels"),
)
# Folders of a package, each importing only itself and those before it; "" are its flat modules
# but for those that are named.
FOLDERS_IN_ORDER = {
    "channels": (
        "", "kernels", "modulation", "coding", "ofdm", "fading", "bler", "bounds", "phy", "timed",
    ),
    "scmc_comm": (
        "", "codec", "link", "zoo", "metrics", "datasets", "baselines", "systems", "registry", "plugins",
        "pictures", "transmission", "setting", "sent", "testing", "__main__",
    ),
    "experiments": (
        "", "execution", "computing", "statistics", "sweep", "rd", "timed", "sweeps", "figures", "report",
        "bench", "training", "reproduce", "api", "commands",
    ),
}  # fmt: skip
LAUNCHER = "scmc_comm/__main__.py"
"""``python -m scmc_comm`` starts the command line, which lives above; nothing imports it."""
FRONT_DOOR = "scmc_comm/__init__.py"
"""``import scmc_comm as sc``: it names the modules whose functions it offers, and loads them late."""
OFFERED = ("experiments.api", "scmc_comm.sent")
# The only places that import a module by its name as text.
BY_NAME = (
    LAUNCHER, FRONT_DOOR, "channels/plugins.py", "channels/sources.py", "scmc_comm/registry.py",
    "scmc_comm/systems/clones.py", "scmc_comm/codec/ffmpeg.py",
    "experiments/sweeps/__init__.py", "experiments/commands/main.py",
    "experiments/commands/train.py",
)  # fmt: skip
# Too heavy, or seeding, to be imported for anything but use.
LAZY = ("diffusers", "transformers", "lpips", "sionna", "matplotlib")


def module_name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes_of(path):
    """Syntax of a file; of the front door without what it imports for type checkers alone."""
    tree = ast.parse((ROOT / path).read_text())
    if path.as_posix() == FRONT_DOOR:
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    return ast.walk(tree)


def imports_of(path):
    """Absolute names that a file imports, anywhere in it."""
    package = path.parent.parts
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, (base, node.module)))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def names_in_text(path):
    """Modules of ours that a file names in its texts, as in ``importlib.import_module``."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0].rstrip(".")
            if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", name):
                yield name


def hidden_imports(path):
    """What a file does to import modules other than by a plain statement that names them."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            by_name = name in ("import_module", "__import__", "run_module", "run_path")
            if by_name and path.as_posix() not in BY_NAME:
                yield name
        if isinstance(node, ast.Import):  # then any module of it can be reached unseen
            yield from (f"import {alias.name}" for alias in node.names if alias.name in PACKAGES)
    for name in imports_of(path):
        if name.partition(".")[0] in ("tests", "benchmarks", "fakes", "conftest"):
            yield f"import {name}"


def inside(name, prefix):
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path):
    name = module_name(path)
    for importer, imported in FORBIDDEN:
        if inside(name, importer):
            by_name = path.as_posix() in (LAUNCHER, FRONT_DOOR)
            said = [] if by_name else names_in_text(path)
            found = [*imports_of(path), *said]
            wrong = [target for target in found if inside(target, imported)]
            wrong = [t for t in wrong if not any(inside(t, common) for common in MECHANISM)]
            assert not wrong, f"{name} must not import {wrong}"


def test_the_front_door_names_what_it_offers_and_nothing_else():
    path = Path(FRONT_DOOR)
    assert tuple(sorted(set(names_in_text(path)))) == OFFERED
    assert [name for name in imports_of(path) if inside(name, "scmc_comm")] == []
    (typed,) = (n for n in ast.parse((ROOT / path).read_text()).body if isinstance(n, ast.If))
    assert ast.unparse(typed.test) == "TYPE_CHECKING"
    assert sorted({node.module for node in typed.body}) == list(OFFERED)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_are_plain(path):
    assert not list(hidden_imports(path)), "import by a statement that names the module"


@pytest.mark.parametrize(
    "source",
    ["import importlib\nimportlib.import_module('scmc_comm.registry')", "__import__('x')",
     "from importlib import import_module\nimport_module('x')", "import channels\nchannels.phy",
     "from tests.experiments import fakes", "from benchmarks import speed", "import fakes"],
)  # fmt: skip
def test_hidden_imports_are_seen(tmp_path, monkeypatch, source):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(source)
    assert list(hidden_imports(Path("a.py")))


def test_names_in_texts_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(
        "x = 'scmc_comm.systems.a:B', 'words of scmc_comm.x', 'channels'"
    )
    assert list(names_in_text(Path("a.py"))) == ["scmc_comm.systems.a"]


def target_of(name, known):
    """The module that an imported name lives in, or None outside the packages."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def folder_of(module, package):
    """First folder below the package; "" for the package itself and flat modules without a place."""
    top = "".join(module.split(".")[1:2])
    is_folder = bool(top) and (ROOT / package / top).is_dir()
    return top if is_folder or top in FOLDERS_IN_ORDER[package] else ""


def import_graph():
    """Module to the set of modules of the three packages that it imports, at any depth."""
    known = {module_name(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        targets = {target_of(name, known) for name in imports_of(path)}
        graph[module_name(path)] = targets - {None, module_name(path)}
    return graph


@pytest.mark.parametrize("package", FOLDERS_IN_ORDER)
def test_folders_import_in_their_order(package):
    order = FOLDERS_IN_ORDER[package]
    for module, targets in import_graph().items():
        if not inside(module, package):
            continue
        folder = folder_of(module, package)
        assert folder in order, f"{module} is in a folder without a place in the order of {package}"
        allowed = order[: order.index(folder) + 1]
        targets = [target for target in targets if inside(target, package)]
        wrong = [target for target in targets if folder_of(target, package) not in allowed]
        assert not wrong, f"{module} is in {folder or package} and must not import {wrong}"


def circle_in(graph):
    """Modules that import each other in a circle, the first once more at the end; or None."""
    done = set()
    for start in graph:
        path, branches = [start], [iter(sorted(graph[start]))]
        while path:
            target = next(branches[-1], None)
            if target in path:
                return [*path[path.index(target) :], target]
            if target is None:
                done.add(path.pop())
                branches.pop()
            elif target not in done:
                path.append(target)
                branches.append(iter(sorted(graph[target])))
    return None


def test_no_modules_import_each_other_in_a_circle():
    circle = circle_in(import_graph())
    assert circle is None, " imports ".join(circle)


def test_a_circle_is_found():
    assert circle_in({"a": {"b", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}) is None
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_the_walk_sees_relative_and_late_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.py").write_text("def f():\n from ..d import e\n import x.y\n")
    assert list(imports_of(Path("a/b/c.py"))) == ["a.d.e", "x.y"]


IMPORT_ALL = """
import importlib, random, sys
import numpy as np
import torch
torch.manual_seed(1); np.random.seed(1); random.seed(1)
before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
writes = []
def hook(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        if "__pycache__" not in str(args[0]):
            writes.append(str(args[0]))
    if event == "socket.connect":
        writes.append("network")
sys.addaudithook(hook)
threads = torch.get_num_threads()
for name in {names!r}:
    try:
        importlib.import_module(name)
    except Exception as error:
        raise SystemExit(f"importing {{name}} fails: {{error!r}}")
    for lazy in {lazy!r}:
        assert lazy not in sys.modules, f"importing {{name}} imports {{lazy}}"
    assert torch.equal(before[0], torch.get_rng_state()), f"importing {{name}} draws from torch"
    assert (before[1] == np.random.get_state()[1]).all(), f"importing {{name}} seeds numpy"
    assert before[2] == random.getstate(), f"importing {{name}} seeds random"
    assert not writes, f"importing {{name}} touches {{writes}}"
    assert threads == torch.get_num_threads(), f"importing {{name}} sets threads"
assert not torch.cuda.is_initialized()
"""


def test_importing_any_module_does_nothing():
    names = [module_name(path) for path in MODULES if path.stem != "__main__"]
    code = IMPORT_ALL.format(names=names, lazy=LAZY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
