"""Components from outside the package that a run uses, as its results state them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from channels.plugins import HASH_DIGITS, words
from channels.sources import files_digest
from experiments.execution.netcdf import damaged, opened
from experiments.sweep.labels import options_of
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

ATTRIBUTE = "plugins"
"""Of a result store, which holds what is used as JSON."""


@dataclass(frozen=True)
class UsedPlugin:
    """A component that is not of the package.

    Attributes:
        kind: Of `channels.plugins.KINDS`, or ``file`` for a file or folder that an option names.
        name: As the spec calls it.
        origin: Where it comes from, in words.
        identity: Hash of what it is made of; None where that cannot be told.
    """

    kind: str
    name: str
    origin: str
    identity: str | None


Used = tuple[UsedPlugin, ...]


def used_plugins(named: Mapping[str, Iterable[str]]) -> Used:
    """Those of the components that are plug-ins, and the files that systems' options name.

    Args:
        named: By kind of component the names, with their options, as specs write them.

    Example:
        >>> used_plugins({"system": ["jpeg", "vvc:mcs=adaptive"], "dataset": ["photos@64"]})
        ()
    """
    registries = _registries()
    found: dict[tuple[str, str], UsedPlugin] = {}
    for kind, text in _all_named(named):
        name = text.partition("@" if kind == "dataset" else ":")[0]
        plugin = registries[kind].plugin(name)
        if plugin is not None:
            found[plugin.kind, name] = UsedPlugin(
                plugin.kind, name, plugin.origin, plugin.content_hash
            )
    for text in named.get("system", ()):
        found |= {(file.kind, file.name): file for file in _files_of(text)}
    return tuple(found[key] for key in sorted(found))


def _registries() -> Mapping[str, Any]:
    from channels.fading.models import CHANNELS
    from channels.phy.names import PHYS
    from scmc_comm.baselines.image_codecs import IMAGE_CODECS
    from scmc_comm.datasets.named_sets import DATASETS
    from scmc_comm.link.planners import PROTECTIONS
    from scmc_comm.metrics import METRICS
    from scmc_comm.registry import SYSTEMS

    return {
        "system": SYSTEMS, "image_codec": IMAGE_CODECS, "channel": CHANNELS, "phy": PHYS,
        "metric": METRICS, "planner": PROTECTIONS, "dataset": DATASETS,
    }  # fmt: skip


def _all_named(named: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """Kind and name of each component, those that options of systems name included."""
    for kind, texts in named.items():
        for text in texts:
            yield kind, text
    for text in named.get("system", ()):
        options = dict(options_of(text))
        if "protection" in options:
            yield "planner", options["protection"]


def _files_of(text: str) -> Iterator[UsedPlugin]:
    """The files and folders that the options of a system name."""
    from scmc_comm.registry import SYSTEMS, make_system

    if text.partition(":")[0] not in SYSTEMS:  # a toy's
        return
    system = make_system(text)
    for option in system.file_options:
        value = getattr(system, option)
        if value and Path(value).expanduser().exists():
            content = files_digest([Path(value).expanduser()])
            yield UsedPlugin("file", str(value), f"{option} of {text}", content[:HASH_DIGITS])


def to_json(used: Used) -> str:
    """As the attribute `ATTRIBUTE` of a result store holds it."""
    return json.dumps([asdict(plugin) for plugin in used])


def read_used(attrs: Mapping[str, Any]) -> Used | None:
    """What a result store states; None of one from before such things were stated.

    Raises:
        ValueError: It is none of what `to_json` writes.

    Example:
        >>> read_used({}), read_used({"plugins": "[]"})
        (None, ())
    """
    if ATTRIBUTE not in attrs:
        return None
    rows = json.loads(attrs[ATTRIBUTE])
    if not isinstance(rows, list):
        raise ValueError("no list")
    return tuple(_read_row(row) for row in rows)


def used_text(used: Used | None) -> str:
    """In words, for a report.

    Example:
        >>> used_text(None), used_text((UsedPlugin("metric", "worst", "plug-in own.py", None),))
        ('not stated', 'metric worst (plug-in own.py, of unknown content)')
    """
    if used is None:
        return "not stated"
    each = (f"{words(p.kind)} {p.name} ({p.origin}, {_told(p, used)})" for p in used)
    return "; ".join(each) or "none"


def check_used(ds: xr.Dataset, path: Path) -> None:
    """Refuses a store whose attribute is none.

    Raises:
        ScmcError: It is damaged.
    """
    try:
        read_used(ds.attrs)
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path, f"attribute {ATTRIBUTE}: {error}") from None


def say_what_is_replaced(folder: Path, spec_yaml: str, used: Used) -> None:
    """Says in a line that a folder's results are of another spec, or of other components.

    Args:
        folder: Where results will be written.
        spec_yaml: Of what spec.
        used: By what components.
    """
    before = folder / "spec.yaml"
    if not before.is_file():
        return
    if before.read_text("utf-8", "replace") != spec_yaml:
        logger.warning("%s holds results of another spec; they are replaced", folder)
        return
    try:
        with opened(folder / "results.nc") as ds:
            known = read_used(ds.attrs)
    except (ScmcError, ValueError, TypeError, RecursionError):  # of a run that did not end
        return
    if others := differing(known, used, ("the folder", "this run")):
        logger.warning(
            "%s holds results of this spec by other components, which are replaced: %s",
            folder, others,
        )  # fmt: skip


def _read_row(row: Any) -> UsedPlugin:
    if not isinstance(row, dict) or set(row) != set(UsedPlugin.__dataclass_fields__):
        raise ValueError(f"{row!r} is no component")
    texts = [row["kind"], row["name"], row["origin"], row["identity"] or ""]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{row!r} has values other than text")
    return UsedPlugin(**row)


def differing(own: Used | None, other: Used | None, names: Sequence[str]) -> str:
    """In one line what two runs used that is not the same; "" where all is.

    Args:
        own: Of the first run; None if it does not say.
        other: Of the second.
        names: What both are called.

    Example:
        >>> first, second = (UsedPlugin("metric", "worst", "", digits) for digits in ("1f", "2e"))
        >>> differing((first,), (second,), ("a", "b"))
        'metric worst (1f in a, 2e in b)'
    """
    sides = [{(p.kind, p.name): p for p in used or ()} for used in (own, other)]
    parts = []
    for kind, name in sorted({*sides[0], *sides[1]}):
        found = [side.get((kind, name)) for side in sides]
        known = {None if plugin is None else plugin.identity for plugin in found}
        if len(known) == 1 and None not in known:
            continue
        told = [
            f"{_told(plugin, used)} in {where}"
            for plugin, used, where in zip(found, (own, other), names, strict=True)
        ]
        parts.append(f"{words(kind)} {name} ({', '.join(told)})")
    return "; ".join(parts)


def _told(plugin: UsedPlugin | None, used: Used | None) -> str:
    if plugin is None:
        return "not stated" if used is None else "not used"
    return plugin.identity or "of unknown content"
