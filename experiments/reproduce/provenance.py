"""What a result was made from, and whether that is what is here now."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.execution.fingerprint import (
    ROOT,
    fingerprint,
    git_revision,
    outside_files,
    package_versions,
)
from experiments.execution.machine import describe_machine
from experiments.execution.side_files import read_json
from experiments.reproduce.spec import WEIGHTS, ResultSpec
from scmc_comm.errors import ScmcError

NOTE = "Made with other weights than those that ship now"
_TABLES = (".safetensors", ".npz", ".json")


def sha(path: Path) -> str:
    """SHA-256 of a file, the first 16 digits in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@functools.cache
def shipped() -> dict[str, str]:
    """Hashes of the weights and tables that ship, by file name."""
    files = [file for folder in WEIGHTS for file in (ROOT / folder).iterdir()]
    return {file.name: sha(file) for file in sorted(files) if file.suffix in _TABLES}


def weights_of(spec: ResultSpec) -> dict[str, str]:
    """Hashes of the weights that a result depends on."""
    return _matching(spec, shipped())


def _matching(spec: ResultSpec, hashes: Mapping[str, str]) -> dict[str, str]:
    """Those of the files that a result depends on."""
    names = {name for pattern in spec.weights for name in fnmatch.filter(hashes, pattern)}
    return {name: value for name, value in hashes.items() if name in names}


def code_of(spec: ResultSpec) -> str:
    """Hash of the code that a result depends on, without comments and help texts."""
    files = {f for name in spec.code for f in ((ROOT / name), *(ROOT / name).rglob("*.py"))}
    return fingerprint({f for f in files if f.suffix == ".py"}, packages=())[:16]


def data_of(folder: Path) -> str:
    """Hash of a data set: names and contents of its files."""
    return fingerprint({folder}, root=folder, packages=())[:16]


def provenance(spec: ResultSpec, data: Path | None, jobs: int) -> dict[str, Any]:
    """What a run of now is made from.

    Args:
        spec: The result.
        data: Folder of the data sets.
        jobs: Processes.
    """
    models = {path.name: sha(path) for path in sorted(outside_files()) if path.is_file()}
    sets = {name: data_of(data / name) for name in spec.data} if data is not None else {}
    return {
        "commands": list(spec.run), "spec": spec.digest(), "weights": weights_of(spec),
        "models": models, "data": sets, "code": code_of(spec), "git": git_revision(),
        "versions": package_versions(), "hardware": describe_machine() | {"jobs": jobs},
    }  # fmt: skip


_NEEDED = frozenset({
    "commands", "spec", "weights", "models", "data", "code", "git", "versions", "hardware",
    "core_s", "wall_s", "pictures",
})  # fmt: skip


def read_record(spec: ResultSpec) -> dict[str, Any] | None:
    """What ``result.json`` says of a result; None if it was never made.

    Raises:
        ScmcError: The file is damaged.
    """
    path = spec.folder / "result.json"
    if not path.is_file():
        return None
    found = read_json(path, "scmc-comm reproduce", keys=_NEEDED)
    if not all(isinstance(found[key], int | float) for key in ("core_s", "wall_s")):
        raise ScmcError(f"{path} is not what 'scmc-comm reproduce' writes: no times; run it again")
    return found


@dataclass(frozen=True)
class State:
    """How a result stands to what is here.

    Attributes:
        made: It was made.
        reasons: Why it is stale; empty if it is not.
        weights: Files of weights that are others now.
        code: Only the code is another, which may or may not move a number.
    """

    made: bool
    reasons: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    code: bool = False

    @property
    def word(self) -> str:
        """One word for tables."""
        if not self.made:
            return "missing"
        return "stale" if self.reasons else "code changed" if self.code else "up to date"


def state_of(spec: ResultSpec, data: Path | None = None) -> State:
    """Compares a result with what is here.

    Args:
        spec: The result.
        data: Folder of the data sets; None takes those of the result for unchanged.
    """
    record = read_record(spec)
    if record is None:
        return State(False)
    reasons = ["other commands than the spec's"] if record["spec"] != spec.digest() else []
    weights = _differing(_matching(spec, record["weights"]), weights_of(spec))
    if weights:
        reasons.append(f"other weights: {', '.join(weights)}")
    for name, value in record["data"].items():
        if data is not None and (data / name).is_dir() and data_of(data / name) != value:
            reasons.append(f"another data set {name}")
    return State(True, tuple(reasons), weights, record["code"] != code_of(spec))


def _differing(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in {*then, *now} if then.get(name) != now.get(name)))
