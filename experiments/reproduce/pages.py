"""Pages of the documentation: what stands between a result's marks is written by a command."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from channels.errors import no_such
from experiments.execution.cache import write_atomic
from experiments.execution.fingerprint import ROOT
from experiments.reproduce.provenance import NOTE, read_record, sha, state_of
from experiments.reproduce.spec import ResultSpec
from scmc_comm.errors import ScmcError

_MARKED = re.compile(r"(<!-- result: ([\w.-]+) ([\w.-]+) -->)(.*?)(<!-- end -->)", re.S)
_BARE = re.compile(r"<!-- (?:result:.*?|end) -->")


def pages() -> list[Path]:
    """README and the pages of ``docs``."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@functools.lru_cache(maxsize=64)
def _table(path: Path, _: str) -> pd.DataFrame:
    return pd.read_csv(path)


def shown(spec: ResultSpec, view: str) -> str:
    """What a page shows of a result: its table or words, or that it was not made yet.

    Raises:
        ScmcError: There is no such view, it names what the table has not, or words speak of a
            result that was never made.
    """
    if view not in spec.views:
        raise ScmcError(no_such(f"view of {spec.name}", view, spec.views))
    chosen, state = spec.views[view], state_of(spec)
    if not state.made:
        if chosen.inline:
            raise ScmcError(f"a page speaks of {spec.name}, which was never made; make it first")
        return f"\n*Not measured yet; `scmc-comm reproduce {spec.name}` does.*\n"
    path = spec.folder / f"{chosen.table}.csv"
    try:
        text = chosen.render(_table(path, sha(path)))
    except OSError as error:
        raise ScmcError(f"there is no {path}; make {spec.name} again") from error
    if chosen.inline:
        return f"{text} (with earlier weights)" if state.weights else text
    note = f"\n*{NOTE}: {', '.join(state.weights)}.*\n" if state.weights else ""
    return f"\n{text}\n{note}"


def rendered(text: str, specs: Mapping[str, ResultSpec]) -> str:
    """A page with all that stands between marks written anew.

    Raises:
        ScmcError: Marks that are no pair, or name what there is not.
    """

    def replace(found: re.Match[str]) -> str:
        start, name, view, _, end = found.groups()
        if name not in specs:
            raise ScmcError(no_such("result", name, specs))
        return f"{start}{shown(specs[name], view)}{end}"

    rest = _BARE.search(_MARKED.sub("", text))
    if rest:
        raise ScmcError(
            f"{rest[0]} is no pair; write <!-- result: NAME VIEW --> ... <!-- end --> around it"
        )
    return _MARKED.sub(replace, text)


def write_pages(specs: Mapping[str, ResultSpec]) -> list[Path]:
    """Writes all pages anew; returns those that changed."""
    changed = differing_pages(specs)
    for path in changed:
        text = path.read_text(encoding="utf-8")
        write_atomic(path, rendered(text, specs).encode())
    return changed


def differing_pages(specs: Mapping[str, ResultSpec]) -> list[Path]:
    """Pages that differ from what the results' files say."""
    found = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        try:
            if rendered(text, specs) != text:
                found.append(path)
        except ScmcError as error:
            raise ScmcError(f"{path.name}: {error}") from error
    return found


def differing_pictures(specs: Mapping[str, ResultSpec]) -> list[str]:
    """Pictures of the repository that are not those of the result that made them."""
    found = []
    for spec in specs.values():
        record = read_record(spec)
        made = record["pictures"] if record else {}
        found += [
            name
            for name, value in made.items()
            if not (ROOT / name).is_file() or sha(ROOT / name) != value
        ]
    return found


def places(specs: Mapping[str, ResultSpec]) -> dict[str, list[str]]:
    """For each result the pages that show it."""
    found: dict[str, list[str]] = {name: [] for name in specs}
    for path in pages():
        text = path.read_text(encoding="utf-8")
        for name in dict.fromkeys(match[1] for match in _MARKED.findall(text)):
            found.setdefault(name, []).append(path.name)
        for spec in specs.values():
            names = [Path(picture).name for picture in spec.pictures]
            if path.name not in found[spec.name] and any(f"{n})" in text for n in names):
                found[spec.name].append(path.name)
    return found


def unshown(specs: Mapping[str, ResultSpec]) -> list[str]:
    """Views that no page shows."""
    used = {match[1:3] for path in pages() for match in _MARKED.findall(path.read_text("utf-8"))}
    return [
        f"{spec.name} {view}"
        for spec in specs.values()
        for view in spec.views
        if (spec.name, view) not in used
    ]
