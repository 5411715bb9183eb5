"""What a result is: the commands that make it, the files that are kept, and how pages show it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from channels.errors import no_such
from experiments.execution.cache import digest
from experiments.execution.fingerprint import COMPUTING, ROOT
from experiments.reproduce.views import View, texts
from experiments.specs import read_mapping
from scmc_comm.errors import ScmcError

FOLDER = ROOT / "docs" / "results"
"""Where specs and results lie."""
WEIGHTS = ("scmc_comm/zoo/weights", "scmc_comm/zoo", "channels/bler")
"""Folders of the weights and tables that ship."""


@dataclass(frozen=True)
class Keep:
    """A table that is kept of what the commands write.

    Attributes:
        file: CSV or JSON in the folder that they wrote to.
        at: Key of the JSON under which the rows are; empty if it holds nothing else.
        where: Rows that are kept, as `pandas.DataFrame.query` takes it; empty for all.
        columns: Columns that are kept; none for all.
    """

    file: str
    at: str = ""
    where: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultSpec:
    """A result, as its YAML in ``docs/results`` describes it.

    Attributes:
        name: Stem of the file.
        title: One line for people.
        run: Commands, one after the other: verbs of ``scmc-comm``, or ``python -m MODULE``, perhaps
            with ``> FILE`` at the end. In them ``{out}`` is a folder to write to, ``{data}`` that
            of the data sets, ``{specs}`` that of the specs and ``{jobs}`` the number of processes.
        keep: Tables that are kept, by name.
        pictures: Files of the repository that the commands make, by the file in ``{out}``.
        views: How pages show the tables, by name.
        data: Data sets that are needed: folders in ``{data}``.
        weights: Patterns of the weights and tables that ship which the numbers depend on.
        code: Folders and files of code that they depend on.
        minutes: Of a core that it is thought to take; what it took is known once it ran.
    """

    name: str
    title: str
    run: tuple[str, ...]
    keep: Mapping[str, Keep] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    weights: tuple[str, ...] = ("*",)
    code: tuple[str, ...] = COMPUTING
    minutes: float = 1.0

    @property
    def folder(self) -> Path:
        """Where the result is kept."""
        return FOLDER / self.name

    def digest(self) -> str:
        """Identity of what is run and kept; how it is shown plays no part."""
        files = [path for path in FOLDER.glob("*.*") if f"{{specs}}/{path.name}" in self.text]
        keep = {name: [k.file, k.at, k.where, *k.columns] for name, k in self.keep.items()}
        return digest(self.text, keep, *(path.read_bytes() for path in sorted(files)))[:16]

    @property
    def text(self) -> str:
        """The commands as the spec writes them."""
        return "\n".join(self.run)

    def commands(self, out: Path, data: Path | None, jobs: int) -> list[list[str]]:
        """The commands as lists of arguments, places filled in."""
        values = {"out": out, "data": data or "DATA", "specs": FOLDER, "jobs": jobs}
        return [[part.format(**values) for part in shlex.split(line)] for line in self.run]


def read_result(path: Path) -> ResultSpec:
    """Reads a spec.

    Raises:
        ScmcError: It is none, or has a key that none has.
    """
    known = [f.name for f in fields(ResultSpec) if f.name != "name"]
    try:
        tree = read_mapping(path.read_text(encoding="utf-8"))
        for key in tree:
            if key not in known:
                raise ScmcError(no_such("key of a result", str(key), known))
        if missing := [key for key in ("title", "run") if key not in tree]:
            raise ScmcError(f"it lacks {', '.join(missing)}; add the missing keys")
        lists = {key: texts(tree[key]) for key in ("run", "data", "weights", "code") if key in tree}
        keep = {
            name: Keep(**({**k, "columns": texts(k["columns"])} if "columns" in k else k))
            for name, k in tree.get("keep", {}).items()
        }
        views = {name: View.read(v, tuple(keep)) for name, v in tree.get("views", {}).items()}
        return ResultSpec(
            path.stem, tree["title"], **lists, keep=keep, pictures=tree.get("pictures", {}),
            views=views, minutes=float(tree.get("minutes", 1.0)),
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ScmcError(f"{path.name}: {error}") from error


def list_results() -> dict[str, ResultSpec]:
    """All specs of ``docs/results``, by name; YAML files of sweeps that they name are left out.

    Raises:
        ScmcError: There is no such folder, or a spec is wrong.
    """
    if not FOLDER.is_dir():
        raise ScmcError(f"there is no folder {FOLDER}; run from a checkout of the repository")
    paths = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.endswith(".sweep"))
    return {path.stem: read_result(path) for path in paths}


def choose(names: list[str]) -> list[ResultSpec]:
    """The results of these names, or all.

    Raises:
        ScmcError: There is no result of a name.
    """
    known = list_results()
    for name in names:
        if name not in known:
            raise ScmcError(no_such("result", name, known))
    return [known[name] for name in names or known]
