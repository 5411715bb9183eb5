"""Components by name, a registry a kind: those of the package, then those that were added."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from channels.plugins import Plugin, PluginError, added, words
from channels.sources import count_file_by_file

logger = logging.getLogger(__name__)

T = TypeVar("T")

BUILT_IN = "built in"


class Registry(Mapping[str, T]):
    """Components of a kind by name: those of the package, those registered, entry points.

    Args:
        kind: Of `channels.plugins.KINDS`.
        built_in: Those of the package, in the order to list them.
        adapt: Makes of a plug-in what the package has; PluginError if it cannot.
        also: Another kind whose plug-ins are of this one too.
        aliases: Other names of built-in components, which a plug-in may not have either.

    Example:
        >>> codecs = Registry("image_codec", {"jpeg": "JPEG"}, lambda plugin: plugin.component)
        >>> codecs["jpeg"], codecs.origin("jpeg"), codecs.identity("jpeg")
        ('JPEG', 'built in', '')
    """

    def __init__(
        self,
        kind: str,
        built_in: Mapping[str, T],
        adapt: Callable[[Plugin], T],
        also: tuple[str, ...] = (),
        aliases: Iterable[str] = (),
    ) -> None:
        self.kinds, self.built_in = (kind, *also), MappingProxyType(dict(built_in))
        self._taken = frozenset([*built_in, *aliases])
        self._adapt = functools.lru_cache(maxsize=256)(adapt)

    def __getitem__(self, name: str) -> T:
        plugin = self.plugin(name)
        return self.built_in[name] if plugin is None else self._adapt(plugin)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.built_in, *self._added(), *self._points()]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def plugin(self, name: str) -> Plugin | None:
        """The plug-in of a name; None if it is built in or there is none.

        Raises:
            PluginError: A plug-in has the name of a built-in component, or cannot be loaded.
        """
        added, points = self._added(), self._points()
        if name in self.built_in:
            return None
        if name in added:
            return added[name]
        return _loaded(*points[name]) if name in points else None

    def origin(self, name: str) -> str:
        """Where a component comes from, in words; nothing is loaded for it."""
        if name in self.built_in or name in self._added():
            plugin = self.plugin(name)
            return BUILT_IN if plugin is None else plugin.origin
        return _package(self._points()[name][1])

    def identity(self, name: str) -> str:
        """See `Plugin.identity`; "" for what is built in, whose code counts as a whole."""
        plugin = self.plugin(name)
        return "" if plugin is None else plugin.identity

    def _added(self) -> dict[str, Plugin]:
        """What was registered, by name."""
        found: dict[str, Plugin] = {}
        for kind in self.kinds:
            for name, plugin in added(kind).items():
                if name in self._taken or name in found:
                    other = found[name].origin if name in found else "a built-in one"
                    raise PluginError(
                        f"{words(kind)} {name!r} of {plugin.origin} has the name of {other}; "
                        "give it another name"
                    )
                found[name] = plugin
        return found

    def _points(self) -> dict[str, tuple[str, importlib.metadata.EntryPoint]]:
        """Kind and entry point by name."""
        found = {}
        for kind in reversed(self.kinds):
            for name, point in _entry_points(kind).items():
                if name not in self._taken:
                    found[name] = kind, point
                    continue
                _warn_once(
                    f"{words(kind)} {name!r} of {_package(point)} is passed over: it has the "
                    "name of a built-in one"
                )
        return found


@functools.cache
def _entry_points(kind: str) -> Mapping[str, importlib.metadata.EntryPoint]:
    found = importlib.metadata.entry_points(group=f"scmc_comm.{kind}s")
    return {point.name: point for point in found}


@functools.cache
def _loaded(kind: str, point: importlib.metadata.EntryPoint) -> Plugin:
    count_file_by_file(point.module)
    try:
        return Plugin(kind, point.name, point.load(), _package(point))
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise PluginError(
            f"{words(kind)} {point.name!r} of {_package(point)} cannot be loaded: {why}"
        ) from error


def _package(point: importlib.metadata.EntryPoint) -> str:
    return f"package {point.dist.name} {point.dist.version}" if point.dist else "a package"


@functools.cache
def _warn_once(text: str) -> None:
    logger.warning("%s", text)
