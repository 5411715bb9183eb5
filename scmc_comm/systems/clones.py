"""Networks of other people's repositories, from a clone that the user has and trusts."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch

from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)


def load_modules(repo: Path, names: Sequence[str]) -> list[ModuleType]:
    """Imports modules of a clone without leaving their names to others.

    Args:
        repo: The clone.
        names: Of modules, as its own programs import them.

    Raises:
        ScmcError: There is no such module, or a package that it needs is not installed.
    """
    tops = {path.stem for path in repo.iterdir()} | {name.partition(".")[0] for name in names}

    def theirs() -> dict[str, ModuleType]:
        return {name: m for name, m in sys.modules.items() if name.partition(".")[0] in tops}

    hidden = theirs()
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(repo))
    try:
        with mock.patch.object(sys, "dont_write_bytecode", True), quiet():
            return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ScmcError(
            f"{repo} cannot be used: {error}; give the folder of the clone, and install what it "
            "needs"
        ) from error
    finally:
        sys.path.remove(str(repo))
        for name in theirs():
            del sys.modules[name]
        sys.modules.update(hidden)


def state_of(weights: Path) -> dict[str, Any]:
    """The tensors of a checkpoint by name; nothing but tensors is unpickled.

    Raises:
        ScmcError: There is no such file, or it is no checkpoint.
    """
    if not weights.is_file():
        raise ScmcError(f"there is no checkpoint {weights}; give the file as weights=FILE")
    try:
        found = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ScmcError(f"{weights} is no checkpoint of tensors: {why}") from error
    state = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(state, dict):
        raise ScmcError(f"{weights} holds a {type(state).__name__}; expected tensors by name")
    return {name.removeprefix("module."): value for name, value in state.items()}


def load_part(net: torch.nn.Module, state: dict[str, Any], prefix: str, weights: Path) -> None:
    """Fills a network with the tensors below a prefix, all of them and no others.

    Raises:
        ScmcError: They are those of another network.
    """
    own = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    try:
        net.load_state_dict(own)
    except RuntimeError as error:
        why = " ".join(str(error).split())[:200]
        raise ScmcError(f"{weights} is of another network than the options say: {why}") from error
    net.eval().requires_grad_(False)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what their code prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def on_chosen_device() -> Iterator[None]:
    """Lets code that calls ``.cuda()`` and ``.get_device()`` run on the chosen device."""
    tensor: Any = torch.Tensor
    with (
        mock.patch.object(tensor, "cuda", lambda self, *_, **__: self.to(chosen_device())),
        mock.patch.object(tensor, "get_device", lambda self: self.device),
    ):
        yield


def check_commit(repo: Path, commit: str) -> None:
    """Says so if the clone is at another commit than an adapter was written for."""
    command = ["git", "-C", str(repo), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError):
        return
    if done.stdout.strip() != commit:
        logger.warning(
            "%s is at commit %s; its adapter was written for %s", repo, done.stdout[:12], commit
        )
