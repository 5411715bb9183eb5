"""Make a result: run its commands, keep small tables of what they wrote, and say from what."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.execution.cache import write_atomic
from experiments.execution.children import call
from experiments.execution.fingerprint import ROOT
from experiments.execution.output import check_folder, write_json
from experiments.execution.side_files import read_json
from experiments.execution.stopwatch import Stopwatch
from experiments.reproduce.provenance import provenance, read_record, sha
from experiments.reproduce.spec import Keep, ResultSpec
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

_SPENT = "spent.json"
_DIGITS = "%.6g"


def missing_data(spec: ResultSpec, data: Path | None) -> list[str]:
    """Data sets that a result needs and that are not in the folder."""
    return [name for name in spec.data if data is None or not (data / name).is_dir()]


def make(spec: ResultSpec, out: Path, data: Path | None, jobs: int) -> Path:
    """Runs the commands of a result and keeps what they wrote in ``docs/results/NAME``.

    A run that was cut short goes on when it is started again, as far as its commands do: sweeps
    and rate-distortion runs keep every finished piece in the user's cache.

    Args:
        spec: The result.
        out: Folder of what the commands write.
        data: Folder of the data sets.
        jobs: Processes.

    Returns:
        The folder of the result.

    Raises:
        ScmcError: A data set is not there, a command failed, or did not write what is kept.
    """
    if missing := missing_data(spec, data):
        raise ScmcError(f"{spec.name} needs {', '.join(missing)}; give their folder by --data")
    check_folder(out).mkdir(parents=True, exist_ok=True)
    made_from = provenance(spec, data, jobs)
    for command, told in zip(spec.commands(out, data, jobs), spec.run, strict=True):
        spent = _run(command, told, out)
    tables = {name: _kept(out, keep) for name, keep in spec.keep.items()}
    for path in (out / file for file in spec.pictures.values()):
        if not path.is_file():
            raise ScmcError(f"{spec.name} did not draw {path}")
    shutil.rmtree(spec.folder, ignore_errors=True)
    for name, frame in tables.items():
        text = frame.to_csv(index=False, float_format=_DIGITS)
        write_atomic(spec.folder / f"{name}.csv", text.encode())
    for target, file in spec.pictures.items():
        write_atomic(ROOT / target, (out / file).read_bytes())
    pictures = {name: sha(ROOT / name) for name in spec.pictures}
    write_json(spec.folder / "result.json", made_from | spent | {"pictures": pictures})
    (out / _SPENT).unlink()
    return spec.folder


def _run(command: list[str], told: str, out: Path) -> dict[str, float]:
    """Runs a command; the time of all of a result's, those of earlier tries included."""
    spent = _spent(out)
    watch = Stopwatch()
    status, took = _call(command), watch.lap()
    spent["core_s"] = round(spent["core_s"] + took.cpu_s, 1)
    spent["wall_s"] = round(spent["wall_s"] + took.wall_s, 1)
    write_json(out / _SPENT, spent)
    if status:
        raise ScmcError(f"'{told}' failed with exit status {status}; see above")
    return spent


def _spent(out: Path) -> dict[str, float]:
    """Seconds of earlier tries."""
    path = out / _SPENT
    if not path.is_file():
        return {"core_s": 0.0, "wall_s": 0.0}
    found = read_json(path, "scmc-comm reproduce", keys=("core_s", "wall_s"))
    if not all(type(found[key]) in (int, float) and found[key] >= 0 for key in found):
        raise ScmcError(f"{path} holds no times; delete it, and the times begin anew")
    return found


def _call(command: list[str]) -> int:
    """Runs a command, its output to a file if it ends in ``> FILE``, and gives its exit status."""
    into = Path(command[-1]) if command[-2:-1] == [">"] else None
    parts = command[:-2] if into else command
    module = parts[1:] if parts[0] == "python" else ["-m", "scmc_comm", *parts]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    whole, env = [sys.executable, *module], os.environ | {"PYTHONPATH": path}
    if into is None:
        return call(whole, env, ROOT)
    with into.open("wb") as file:
        return call(whole, env, ROOT, stdout=file)


def _kept(out: Path, keep: Keep) -> pd.DataFrame:
    """The rows and columns that are kept of a file.

    Raises:
        ScmcError: The file is not there, or holds something else.
    """
    path = out / keep.file
    if not path.is_file():
        raise ScmcError(f"the commands did not write {path}")
    frame = (
        pd.read_csv(path)
        if path.suffix == ".csv"
        else _frame(json.loads(path.read_text(encoding="utf-8")), keep)
    )
    try:
        frame = frame.query(keep.where) if keep.where else frame
        return frame[list(keep.columns)] if keep.columns else frame
    except (KeyError, pd.errors.UndefinedVariableError) as error:
        raise ScmcError(f"{path} has no {error}") from error


def _frame(tree: Any, keep: Keep) -> pd.DataFrame:
    """Rows of a JSON: a list of them, or a mapping, whose keys become the column ``name``."""
    for key in filter(None, keep.at.split(".")):
        tree = tree[key]
    if isinstance(tree, dict):
        tree = [{"name": name, **row} for name, row in tree.items()]
    return pd.json_normalize(tree)


def cost_s(spec: ResultSpec) -> float:
    """Seconds of a core that a result took, or is thought to take before it ever ran."""
    record = read_record(spec)
    return float(record["core_s"]) if record else 60 * spec.minutes


def estimate(spec: ResultSpec, out: Path, data: Path | None) -> None:
    """Prints what the sweeps and curves of a result will cost (``--estimate``).

    Raises:
        ScmcError: A data set is not there, or a command failed.
    """
    if missing := missing_data(spec, data):
        raise ScmcError(f"{spec.name} needs {', '.join(missing)}; give their folder by --data")
    for command, told in zip(spec.commands(out, data, 1), spec.run, strict=True):
        if command[0] in ("sweep", "rd", "anchors") and _call([*command, "--estimate"]):
            raise ScmcError(f"'{told} --estimate' failed; see above")
