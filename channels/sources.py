"""The source files that a component is made of: its module, and all that it imports from beside it.

Our packages count as a whole and installed ones by their version; all else counts file by file.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import re
import reprlib
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from channels.errors import ChannelError

OURS = ("channels", "scmc_comm", "experiments")
"""Packages whose code counts as a whole."""


class NoIdentityError(ChannelError):
    """An object that does not tell its content."""


def files_digest(paths: Iterable[str | Path]) -> str:
    """SHA-256 in hex of the content of files and of all files in folders; "" for none.

    Raises:
        ChannelError: There is no such file or folder.
    """
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise ChannelError(f"there is no file {path}; it was named as part of a component")
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found += [f"{file.relative_to(path)} {_digest_of(file)}" for file in files]
    return hashlib.sha256("\n".join(found).encode()).hexdigest() if found else ""


def declared_files(component: object) -> tuple[Path, ...]:
    """The ``files`` of a component: one path, or several.

    Raises:
        ChannelError: They are something else.

    Example:
        >>> from types import SimpleNamespace
        >>> [str(path) for path in declared_files(SimpleNamespace(files="net.pt"))]
        ['net.pt']
    """
    found = getattr(component, "files", ())
    if isinstance(component, type) and isinstance(found, property):  # each of its objects has them
        return ()
    several = (found,) if isinstance(found, str | Path) else found
    if not isinstance(several, tuple | list) or not all(isinstance(f, str | Path) for f in several):
        raise ChannelError(f"files is {reprlib.repr(found)}; expected a path or a list of paths")
    return tuple(map(Path, several))


def stamps(paths: Iterable[Path]) -> str:
    """Sizes and times of files and of all files in folders: a change shows without reading them."""
    found = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found += [f"{file} {_stamp(file) if file.exists() else 'missing'}" for file in inside]
    return "\n".join(found)


def _digest_of(file: Path) -> str:
    return _file_digest(file, *_stamp(file))


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=1024)
def _file_digest(file: Path, *_: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def modules_of(module_name: str) -> dict[str, Path]:
    """The file of a module and of those it imports whose code counts file by file, by name.

    Imports are read from the source, those inside of functions too, so that the same files are
    found whatever was imported already.

    Returns:
        Nothing for modules of ours, of Python and of installed packages.

    Raises:
        NoIdentityError: A module was typed in, or is compiled.
    """
    found: dict[str, Path] = {}
    waiting = [] if counts_elsewhere(module_name) else [module_name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        file = _file_of(name)
        if file is None or file.suffix != ".py":
            raise NoIdentityError(f"the source of module {name} is in no .py file")
        found[name] = file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        imported = _imports(file, package, *_stamp(file))
        waiting += [m for m in imported if not counts_elsewhere(m) and _file_of(m) is not None]
    return dict(sorted(found.items()))


def source_of(module_name: str) -> str:
    """Digest of the source files of `modules_of`, and versions of the packages that these import.

    Returns:
        "" if there are no such files.

    Raises:
        NoIdentityError: One was typed in, or is compiled.
    """
    files = modules_of(module_name)
    return " ".join([digest_of_modules(files), *_packages_of(files)]) if files else ""


def _packages_of(files: Mapping[str, Path]) -> list[str]:
    """Versions of the installed packages that modules import, ours and Python's left out."""
    imported = set[str]()
    for name, file in files.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        imported |= {found.partition(".")[0] for found in _imports(file, package, *_stamp(file))}
    known = _distributions()
    names = {d for top in imported - set(OURS) - _file_by_file for d in known.get(top, ())}
    return sorted(f"{name}=={_version(name)}" for name in names)


@functools.cache
def _version(name: str) -> str:
    return metadata.version(name)


@functools.cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return metadata.packages_distributions()


def digest_of_modules(files: Mapping[str, Path]) -> str:
    """Digest of the files of modules as they are on disk; of a missing one that it is missing."""
    found = [
        (without_place(name), _digest_of(file) if file.is_file() else "")
        for name, file in files.items()
    ]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def without_place(text: str) -> str:
    """A text in which the modules of plug-in files are called alike wherever the files lie.

    Example:
        >>> without_place("scmc_plugin_mine_0123abcd.encode")
        'scmc_plugin_mine.encode'
    """
    return re.sub(r"\b(scmc_plugin_\w+)_[0-9a-f]{8}\b", r"\1", text)


@functools.lru_cache(maxsize=1024)
def _imports(file: Path, package: str, *_: int) -> tuple[str, ...]:
    """Names of what a file may import, as a module or from one, anywhere in it."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise NoIdentityError(f"the source {file} cannot be read: {error}") from error
    names = {name for node in ast.walk(tree) for name in _imported_by(node, package)}
    parents = {name.rsplit(".", n)[0] for name in names for n in range(1, name.count(".") + 1)}
    return tuple(sorted(names | parents))


def _imported_by(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.rsplit(".", node.level - 1)[0] if node.level else ""
        module = ".".join(filter(None, (above, node.module)))
        yield from filter(None, (module, *(f"{module}.{alias.name}" for alias in node.names)))
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = node.args[0].value
        if called in ("import_module", "__import__") and isinstance(name, str):
            yield name if not name.startswith(".") else package + name


def _file_of(module_name: str) -> Path | None:
    """The file of a module, imported or not; None where there is none."""
    if module_name in sys.modules:
        file = getattr(sys.modules[module_name], "__file__", None)
        return None if file is None else Path(file)
    origin, _ = _found(module_name)
    return origin


def _found(module_name: str) -> tuple[Path | None, Sequence[str] | None]:
    """File and folders of a module that is not imported for it, as Python would find them."""
    parent = module_name.rpartition(".")[0]
    path = None
    if parent:
        loaded = sys.modules.get(parent)
        path = _found(parent)[1] if loaded is None else getattr(loaded, "__path__", None)
        if path is None:
            return None, None
    for finder in sys.meta_path:
        spec = finder.find_spec(module_name, path) if hasattr(finder, "find_spec") else None
        if spec is not None:
            origin = Path(spec.origin) if spec.has_location and spec.origin else None
            return origin, spec.submodule_search_locations
    return None, None


def counts_elsewhere(module_name: str) -> bool:
    """Is it a module of ours, of Python or of an installed package?"""
    top = module_name.partition(".")[0]
    if top in _file_by_file:
        return False
    if top in OURS or top in sys.stdlib_module_names:  # "__main__" is in neither
        return True
    file = _file_of(module_name) if module_name in sys.modules else _file_of(top)
    return file is not None and any(file.is_relative_to(root) for root in _installed())


def import_all(module_name: str) -> None:
    """Imports those modules of `modules_of` that a function would only when it is called.

    Raises:
        NoIdentityError: One cannot be imported, so what it holds cannot be told.
    """
    for name in modules_of(module_name):
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception as error:
                raise NoIdentityError(f"module {name} cannot be imported: {error}") from error


_file_by_file: set[str] = set()


def count_file_by_file(module_name: str) -> None:
    """Makes the code of an installed package count file by file, as that of a plug-in does."""
    _file_by_file.add(module_name.partition(".")[0])


@functools.cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    known = {paths["purelib"], paths["platlib"], paths["stdlib"], site.getusersitepackages()}
    return tuple(known | set(site.getsitepackages()))
