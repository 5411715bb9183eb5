"""Shipped sweeps: one file each, a frozen `SweepSpec` or `TimedSpec` called ``SWEEP``, no more."""

from __future__ import annotations

import importlib
import pkgutil
import re
import textwrap
from pathlib import Path

from channels.errors import no_such
from channels.specs import parameters
from experiments.specs import read_mapping
from experiments.sweep.spec import SweepSpec
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError

WIDTH = 96
UNITS = {
    "rho": "channel uses / (3 H W)", "stop_half_width": "probability",
    "control_bits": "bits a frame", "speed_mps": "m/s",
}  # fmt: skip
"""Units that a key's name does not end in."""


def list_sweeps() -> dict[str, SweepSpec | TimedSpec]:
    """The sweeps that ship, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").SWEEP for name in names]
    return {spec.name: spec for spec in found}


def load_sweep(name_or_yaml: str | Path) -> SweepSpec | TimedSpec:
    """A shipped sweep by its name, or one from a YAML file.

    Raises:
        ScmcError: Neither such a sweep nor such a file, or a file that is no sweep.
    """
    path = Path(name_or_yaml)
    if path.suffix not in (".yaml", ".yml"):
        sweeps = list_sweeps()
        if (path / "spec.yaml").is_file():
            raise ScmcError(f"{path} is a folder of results; give its spec, {path / 'spec.yaml'}")
        if str(name_or_yaml) not in sweeps:
            raise ScmcError(no_such("sweep", str(name_or_yaml), sweeps) + ", or give a .yaml file")
        return sweeps[str(name_or_yaml)]
    if not path.is_file():
        raise ScmcError(f"there is no sweep file {path}; check the path")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScmcError(f"{path} is not UTF-8 text; expected a YAML sweep") from error
    try:
        return read_sweep(text)
    except ScmcError as error:
        raise ScmcError(f"{path}: {error}") from error


def read_sweep(text: str) -> SweepSpec | TimedSpec:
    """A sweep from YAML text; its ``kind`` says which.

    Raises:
        ScmcError: It is none.

    Example:
        >>> read_sweep("{name: a, systems: jpeg, channels: awgn, snr: 0:10:5, cbr: 1/24}").esno_db
        (0.0, 5.0, 10.0)
    """
    timed = read_mapping(text).get("kind") == TimedSpec.KIND
    return TimedSpec.from_yaml(text) if timed else SweepSpec.from_yaml(text)


def plain(meaning: str) -> str:
    """A docstring's words in YAML.

    >>> plain("``a``; None for all")
    'a; null for all'
    """
    return re.sub(r"\bNone\b", "null", meaning.replace("`", ""))


def explained(spec: SweepSpec | TimedSpec) -> str:
    """The YAML of a spec, each key under a comment with its meaning and unit.

    Example:
        >>> text = explained(load_sweep("quick"))
        >>> read_sweep(text) == load_sweep("quick"), text.splitlines()[0]
        (True, '# save as FILE.yaml and run: scmc-comm sweep FILE.yaml --out DIR')
    """
    about = {p.name: (p.meaning, UNITS.get(p.name, p.unit)) for p in parameters(type(spec))}
    lines = ["# save as FILE.yaml and run: scmc-comm sweep FILE.yaml --out DIR"]
    for line in spec.to_yaml().splitlines():
        meaning, unit = about.get(line.partition(":")[0], ("", ""))
        if meaning:
            words = plain(meaning) + (f" [{unit}]" if unit else "")
            lines += ["", *(f"# {part}" for part in textwrap.wrap(words, WIDTH))]
        lines.append(line)
    return "\n".join(lines) + "\n"
