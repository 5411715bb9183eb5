"""Components of other people, beside those of the package: one mechanism for every kind.

A component comes from `register` in Python, from a plug-in file or module that calls it when it is
loaded (``--plugin FILE.py``), or from an entry point ``scmc_comm.KINDs`` of an installed package.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import logging
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from channels.errors import ChannelError, no_such
from channels.identity import content, readers
from channels.sources import (
    NoIdentityError,
    count_file_by_file,
    declared_files,
    digest_of_modules,
    files_digest,
    modules_of,
    stamps,
    without_place,
)

logger = logging.getLogger(__name__)

KINDS = ("system", "image_codec", "channel", "phy", "metric", "planner", "dataset")
"""What can be added; entry points of a kind are of the group ``scmc_comm.KINDs``."""
HASH_DIGITS = 16


class PluginError(ChannelError):
    """A plug-in that cannot be loaded, or a name that it may not have."""


@dataclass(frozen=True, eq=False)
class Plugin:
    """A component that was added.

    Attributes:
        kind: Of `KINDS`.
        name: As it is called.
        component: The object.
        origin: Where it comes from, in words.
        stamps: Sizes and times of the files that it declares, when it was added.
    """

    kind: str
    name: str
    component: Any
    origin: str
    stamps: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps", stamps(declared_files(self.component)))

    @property
    def files_changed(self) -> bool:
        """Are its files others than when it was added, when it may have read them?"""
        return stamps(declared_files(self.component)) != self.stamps

    @property
    def content_hash(self) -> str | None:
        """`identity` as `HASH_DIGITS` in hex, to be written down; None where it cannot be told.

        A plug-in file that lies elsewhere has the same.
        """
        if _state.run in self.identity:
            return None
        text = without_place(self.identity)
        return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]

    @property
    def identity(self) -> str:
        """What it is made of, for the keys of stored results; taken anew in each run.

        Its source, what it holds, and the content of the ``files`` that it declares. If that
        cannot be told, a text that no other run has: see `content_or_fresh`.
        """
        return _identity(self, _state.run)


@functools.lru_cache(maxsize=256)
def _identity(plugin: Plugin, _: str) -> str:
    what = f"{words(plugin.kind)} {plugin.name!r}"
    if plugin.files_changed:
        raise PluginError(
            f"files of {what} changed since it was registered, and it may hold what it read of "
            "them; register it again, or start Python again"
        )
    files = files_digest(declared_files(plugin.component))
    if not files:
        for function, word in readers(plugin.component).items():
            notice(
                f"{what}: {function} uses {word!r} when it is called; a change of what it reads "
                "does not make stored results stale unless its files are declared (files=...); "
                "read the environment when the plug-in is loaded",
            )  # fmt: skip
    return f"{plugin.name} {content_or_fresh(what, plugin.component)} {files}"


def content_or_fresh(what: str, value: object) -> str:
    """As `channels.identity.content` or, of an object that cannot tell, a text of this run alone.

    Nothing stored is then found by it: all is computed afresh, with a logged notice.

    Args:
        what: What it is part of, in words.
        value: The object.

    Example:
        >>> content_or_fresh("a number", 3)
        '3'
    """
    try:
        return _class_content(value, _state.run) if isinstance(value, type) else content(value)
    except NoIdentityError as error:
        notice(f"{what} is computed afresh in each run: {error}")
        return f"object {id(value)} of run {_state.run}"


@functools.lru_cache(maxsize=256)
def _class_content(value: type, _: str) -> str:
    """Taken once a run: what a module keeps of its own work while it runs is no other code."""
    return content(value)


def notice(text: str) -> None:
    """Logs a warning, once a run."""
    _notice(text, _state.run)


@functools.cache
def _notice(text: str, _: str) -> None:
    logger.warning("%s", text)


@dataclass
class _State:
    """What was added to this process.

    Attributes:
        plugins: By kind and name.
        loaded: For each plug-in that was loaded the files of its modules, and their digest.
        loading: The one that is being loaded.
        run: A text that only this run has.
        changes: How many times something was added.
    """

    plugins: dict[tuple[str, str], Plugin]
    loaded: dict[str, tuple[dict[str, Path], str]]
    loading: str | None
    run: str
    changes: int


_state = _State({}, {}, None, secrets.token_hex(8), 0)


def register(kind: str, name: str, component: Any) -> Any:
    """Adds a component.

    Args:
        kind: Of `KINDS`.
        name: What it is called in specs and on the command line.
        component: What a component of this kind is: see ``docs/plugins.md``.

    Returns:
        The component.

    Raises:
        PluginError: There is no such kind, or the name is none or belongs to another plug-in. That
            of a built-in component is refused when the name is first looked up.

    Example:
        >>> register("dataset", "none_at_all", dict)
        <class 'dict'>
        >>> unregister("dataset", "none_at_all")
    """
    if kind not in KINDS:
        raise PluginError(no_such("kind of component", str(kind), KINDS))
    word = isinstance(name, str) and name.isprintable() and name
    if not word or set(name) & set(":,@=+ /\\"):
        raise PluginError(f"{words(kind)} is called {name!r}; expected letters, digits, - and _")
    origin = _state.loading or f"registered by {_module_of(component)}"
    known = _state.plugins.get((kind, name))
    if known is not None and known.origin != origin:
        raise PluginError(
            f"{words(kind)} {name!r} of {origin} is there already, from {known.origin}; "
            "give one of them another name"
        )
    _state.plugins[kind, name] = Plugin(kind, name, component, origin)
    _state.changes += 1
    return component


def unregister(kind: str, name: str) -> None:
    """Takes a component away again."""
    if _state.plugins.pop((kind, name), None) is None:
        raise PluginError(f"there is no registered {words(kind)} {name!r}")
    _state.changes += 1


@dataclass(frozen=True)
class Loaded:
    """A plug-in file or module that was loaded.

    Attributes:
        spec: A Python file with its whole path, or ``module`` or ``module:function``.
        digest: Of its source and of what it imported from beside it.
    """

    spec: str
    digest: str


def load(spec: str) -> Loaded:
    """Loads a plug-in, once a process for each content of its files.

    Args:
        spec: A Python file, or ``module`` or ``module:function``; what it registers is added.

    Raises:
        PluginError: There is none, or it fails.
    """
    if not spec.strip():
        raise PluginError("the name of a plug-in is empty; expected FILE.py or module:function")
    path = Path(spec).expanduser().resolve() if spec.endswith(".py") else None
    if path is not None and not path.is_file():
        raise PluginError(f"there is no plug-in file {spec}; expected FILE.py or module:function")
    name = spec if path is None else str(path)
    files, digest = _state.loaded.get(name, ({}, ""))
    mine = [p for p in _state.plugins.values() if p.origin == f"plug-in {name}"]
    changed = any(p.files_changed for p in mine)
    if not files or changed or digest_of_modules(files) != digest:
        _forget(name)
        _state.loading = f"plug-in {name}"
        try:
            module = _import_module(spec) if path is None else _import_file(path)
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise PluginError(f"plug-in {spec} cannot be loaded: {why}") from error
        finally:
            _state.loading = None
        files = modules_of(module)
        if path is not None:
            _check_beside(path, files)
        _state.loaded[name] = files, digest_of_modules(files)
    return Loaded(name, _state.loaded[name][1])


def load_same(loaded: Loaded) -> None:
    """Loads in another process what was loaded in the first.

    Raises:
        PluginError: It is another file there.
    """
    found = load(loaded.spec)
    if found != loaded:
        raise PluginError(
            f"a worker has another plug-in {loaded.spec} ({found.digest[:12]}) than the sweep "
            f"({loaded.digest[:12]}); put the same file there"
        )


def _import_file(path: Path) -> str:
    """Runs a file as a module, which may import what lies beside it."""
    name = f"scmc_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # so that its classes can be pickled
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # not from an older .pyc
    return name


def _check_beside(path: Path, files: Mapping[str, Path]) -> None:
    """Refuses a plug-in that was given a loaded module of the name of one that lies beside it."""
    for name, file in files.items():
        beside = path.parent / f"{name}.py"
        if beside.is_file() and not beside.samefile(file):
            _forget(str(path))
            raise PluginError(
                f"plug-in {path} imports {name} of {file}, not {beside}: give one another name"
            )


def _import_module(spec: str) -> str:
    module, colon, attribute = spec.partition(":")
    count_file_by_file(module)
    found = importlib.import_module(module)
    if colon:
        getattr(found, attribute)()
    return module


def _forget(name: str) -> None:
    """Takes away what an earlier content of a plug-in registered, and its modules."""
    for module in _state.loaded.pop(name, ({}, ""))[0]:
        sys.modules.pop(module, None)
    importlib.invalidate_caches()
    for key in [key for key, p in _state.plugins.items() if p.origin == f"plug-in {name}"]:
        del _state.plugins[key]
    _state.changes += 1


def new_run(token: str | None = None) -> str:
    """Begins a run, before which weights may have changed: identities are taken anew.

    Args:
        token: Of a run that another process began; None for a new one.

    Returns:
        The token.
    """
    _state.run = token or secrets.token_hex(8)
    return _state.run


def current_run() -> str:
    """The token of the run."""
    return _state.run


def changes() -> int:
    """How many times a component was added in this process: for caches by name."""
    return _state.changes


def added(kind: str) -> dict[str, Plugin]:
    """What was added to a kind in this process, by name."""
    return {name: plugin for (of, name), plugin in _state.plugins.items() if of == kind}


def words(kind: str) -> str:
    """A kind as it is said."""
    return kind.replace("_", " ")


def _module_of(component: object) -> str:
    name = getattr(component, "__module__", None)
    return name if isinstance(name, str) else type(component).__module__
