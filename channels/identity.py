"""What an object is made of, as a text: equal where the content is, whatever process it is in.

Stored results are found by such texts. They hold values, arrays, the weights of networks, files
by their content, and the source code of everything that is not one of our packages (whose code
counts as a whole) or installed (which counts by its version).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import site
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from channels.errors import ChannelError

OURS = ("channels", "scmc_comm", "experiments")
"""Packages whose code counts as a whole."""


class NoIdentityError(ChannelError):
    """An object that does not tell its content."""


def content(value: object) -> str:
    """A value as a text that is equal where the content is.

    Args:
        value: A plain value, an array, a tensor, a network, a function with what it uses, a class,
            an object by its attributes, or one whose ``repr`` tells its content.

    Raises:
        NoIdentityError: What an object holds cannot be told, or the source of a function is
            nowhere to be read.

    Example:
        >>> import torch
        >>> content(3), content(torch.zeros(2)) == content(torch.zeros(2))
        ('3', True)
    """
    return _Writer().text(value)


def files_digest(paths: Iterable[str | Path]) -> str:
    """SHA-256 in hex of the content of files and of all files in folders; "" for none.

    Raises:
        ChannelError: There is no such file or folder.
    """
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise ChannelError(f"there is no file {path}; it was named as part of a component")
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found += [f"{file.relative_to(path)} {_digest_of(file)}" for file in files]
    return hashlib.sha256("\n".join(found).encode()).hexdigest() if found else ""


def _digest_of(file: Path) -> str:
    stat = file.stat()
    return _file_digest(file, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _file_digest(file: Path, *_: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def modules_of(module_name: str) -> list[str]:
    """A module and those it uses whose code counts file by file, in the order of their names.

    Returns:
        Nothing for modules of ours, of Python and of installed packages. What is imported inside of
        a function and was not imported yet is not seen.
    """
    found: set[str] = set()
    waiting = [module_name]
    while waiting:
        name = waiting.pop()
        if name not in found and not _counts_elsewhere(name):
            if name not in sys.modules:
                raise NoIdentityError(f"the source of module {name} is in no .py file")
            found.add(name)
            waiting += _used_by(sys.modules[name])
    return sorted(found)


def source_of(module_name: str) -> str:
    """Digest of the source files of `modules_of`; "" if there are none.

    Raises:
        NoIdentityError: One was typed in, or is compiled.
    """
    found = []
    for name in modules_of(module_name):
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or Path(file).suffix != ".py":
            raise NoIdentityError(f"the source of module {name} is in no .py file")
        found.append((name, _digest_of(Path(file))))
    return hashlib.sha256(repr(found).encode()).hexdigest() if found else ""


def _used_by(module: object) -> set[str]:
    """Names of the modules that a module's globals are or come from."""
    values = list(vars(module).values())
    names = {v.__name__ if isinstance(v, types.ModuleType) else _module_of(v) for v in values}
    return names & set(sys.modules)


def _module_of(value: object) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else type(value).__module__


def _counts_elsewhere(module_name: str) -> bool:
    top = module_name.partition(".")[0]
    if top in _file_by_file:
        return False
    if top in OURS or top in sys.stdlib_module_names:  # "__main__" is in neither
        return True
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return file is not None and any(Path(file).is_relative_to(root) for root in _installed())


_file_by_file: set[str] = set()


def count_file_by_file(module_name: str) -> None:
    """Makes the code of an installed package count file by file, as that of a plug-in does."""
    _file_by_file.add(module_name.partition(".")[0])


@functools.cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths["purelib"], paths["platlib"], paths["stdlib"], site.getusersitepackages()})


_TELLS_TOO_LITTLE = re.compile(r" at 0x[0-9a-fA-F]+|\.\.\.")


class _Writer:
    """Writes values; an object that is met again inside of itself is written once."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def text(self, value: Any) -> str:
        """The text of a value."""
        if id(value) in self._open:
            return "(itself)"
        self._open.add(id(value))
        try:
            return self._text(value)
        finally:
            self._open.discard(id(value))

    def _text(self, value: Any) -> str:
        if _is_state(value):
            return self._state(value)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self.text, value))}]"
        if isinstance(value, dict | Mapping):
            return f"{{{', '.join(f'{k!r}: {self.text(v)}' for k, v in value.items())}}}"
        if isinstance(value, set | frozenset):  # whose own order differs from process to process
            return f"{type(value).__name__} {sorted(map(self.text, value))}"
        if isinstance(value, type):
            return f"{value.__module__}.{value.__qualname__}{self._code(value)}"
        if isinstance(value, types.ModuleType):
            return f"{value.__name__} {source_of(value.__name__)}"
        if callable(value) and (called := self._function(value)) is not None:
            return called
        if dataclasses.is_dataclass(value):
            parts = [(f.name, self.text(getattr(value, f.name))) for f in dataclasses.fields(value)]
            return f"{type(value).__qualname__} {parts}{self._code(type(value))}"
        return self._object(value)

    def _state(self, value: Any) -> str:
        """An array, a tensor, or a network by its weights."""
        if hasattr(value, "state_dict"):
            weights = self.text(sorted(value.state_dict().items()))
            return f"{value} {weights}{self._code(type(value))}"
        if hasattr(value, "detach"):
            return f"{value.dtype} {tuple(value.shape)} {_sha256(_tensor_bytes(value))}"
        if value.dtype.hasobject:  # whose bytes are addresses
            return f"{value.dtype} {value.shape} {self.text(value.tolist())}"
        return f"{value.dtype} {value.shape} {_sha256(value.tobytes())}"

    def _function(self, value: Any) -> str | None:
        """A function, a method, a part of one; None for an object that can be called."""
        if isinstance(value, functools.partial):
            return f"partial {self.text([value.func, value.args, value.keywords])}"
        if isinstance(value, types.MethodType):
            return f"{self.text(value.__func__)} of {self.text(value.__self__)}"
        if isinstance(value, functools._lru_cache_wrapper):
            return self.text(value.__wrapped__)
        if isinstance(value, types.BuiltinFunctionType):
            return repr(value)
        if not isinstance(value, types.FunctionType):
            return None
        name = f"{value.__module__}.{value.__qualname__}{self._code(value)}"
        if _counts_elsewhere(value.__module__):
            return name
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return f"{name} {self.text([cells, value.__defaults__, value.__kwdefaults__])}"

    def _object(self, value: object) -> str:
        """By its own words or, if they are shortened or an address in memory, by its attributes."""
        text = repr(value)
        if isinstance(value, str | bytes) or not _TELLS_TOO_LITTLE.search(text):
            return f"{text}{self._code(type(value))}"
        module = type(value).__module__
        ours = module.partition(".")[0] in OURS
        if not hasattr(value, "__dict__") or (_counts_elsewhere(module) and not ours):
            raise NoIdentityError(
                f"{text} has no identity that a stored result could be found by; name it by text, "
                "or give its class a __repr__ that tells its content"
            )
        return f"{self.text(type(value))} {self.text(vars(value))}"

    def _code(self, value: Any) -> str:
        """The source that a class or function is from, and the networks that lie beside it."""
        source = source_of(value.__module__)
        if not source:
            return ""
        modules = [sys.modules[name] for name in modules_of(value.__module__)]
        held = {
            f"{module.__name__}.{name}": item
            for module in modules
            for name, item in sorted(vars(module).items())
            if _is_state(item)
        }
        return f" source={source} {self.text(held)}"


def _tensor_bytes(tensor: Any) -> bytes:
    """The values as they lie in memory; NumPy lacks some of their types."""
    plain = tensor.detach().cpu().to_dense().resolve_conj().resolve_neg().flatten().contiguous()
    found: bytes = plain.view(sys.modules["torch"].uint8).numpy().tobytes()
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_state(value: object) -> bool:
    """Is it an array, a tensor or a network? Nothing is if neither library was imported."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    network = torch is not None and isinstance(value, torch.nn.Module | torch.Tensor)
    return network or (numpy is not None and isinstance(value, numpy.ndarray))
