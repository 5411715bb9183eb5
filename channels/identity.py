"""What an object is made of, as a text: equal where the content is, whatever process it is in.

Stored results are found by such texts. They hold every value that the object and the code it runs
can reach: arrays, networks, attributes, what functions captured, the globals they name, and their
source files (`channels.sources`). What cannot be written exactly has no identity.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import hashlib
import re
import sys
import types
from collections.abc import Mapping
from typing import Any

from channels.held import (
    attributes,
    captured,
    codes_in,
    holds_attributes_alone,
    names_in,
    plain,
    tensor_bytes,
)  # fmt: skip
from channels.sources import (
    OURS,
    NoIdentityError,
    counts_elsewhere,
    import_all,
    modules_of,
    source_of,
)


def content(value: object) -> str:
    """A value as a text that is equal where the content is.

    Args:
        value: A plain value, an array, a tensor, a network, a function with what it uses, a class,
            or an object by its attributes.

    Raises:
        NoIdentityError: What an object holds cannot be told, or the source of a function is
            nowhere to be read.

    Example:
        >>> import torch
        >>> content(3), content(torch.zeros(2)) == content(torch.zeros(2))
        ('3', True)
    """
    try:
        return _Writer().text(value)
    except RecursionError:
        raise NoIdentityError(f"{type(value).__name__} is nested too deeply") from None


def readers(value: object) -> dict[str, str]:
    """Functions of a component that read files or the environment whenever they are called.

    What they read is in no `content`. Constructors are left out: what they read is held.

    Returns:
        By the name of the function the word in its code that says so.

    Example:
        >>> readers(lambda: 3)
        {}
    """
    finder = _ReaderFinder()
    try:
        finder.text(value)
    except (NoIdentityError, RecursionError):
        return {}
    return finder.found


_SAID_EXACTLY = {
    "builtins": ("int", "float", "complex", "bool", "str", "bytes", "bytearray", "range", "slice",
                 "NoneType", "ellipsis", "NotImplementedType"),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "fractions": ("Fraction",), "decimal": ("Decimal",), "uuid": ("UUID",),
    "torch": ("dtype", "device", "layout", "memory_format"),
}  # fmt: skip
"""Types whose ``repr`` tells their values apart."""
_NO_VALUE = {"_thread": ("lock", "RLock"), "logging": ("Logger", "RootLogger")}
"""Types of objects on which no result depends."""
_TELLS_TOO_LITTLE = re.compile(r" at 0x[0-9a-fA-F]+|\.\.\.")


class _Writer:
    """Writes values; what is met again inside of itself, and code, are written once."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._written: dict[int, object] = {}
        self._named: set[tuple[int, str]] = set()

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
        if _is_one_of(value, _SAID_EXACTLY):
            return repr(value)
        if _is_one_of(value, _NO_VALUE):
            return type(value).__name__
        if _is_array(value):
            return self._array(value)
        if isinstance(value, enum.Enum):
            return f"{self.text(type(value))}.{value.name}"
        if isinstance(value, list | tuple | set | frozenset | Mapping):
            return self._collection(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.ModuleType):
            return f"{value.__name__} {source_of(value.__name__)}"
        if callable(value) and (called := self._function(value)) is not None:
            return called
        return self._object(value)

    def _collection(self, value: Any) -> str:
        if isinstance(value, Mapping):
            pairs = [f"{self.text(k)}: {self.text(v)}" for k, v in value.items()]
            text = f"{{{', '.join(pairs)}}}"
        elif isinstance(value, list | tuple):
            text = f"[{', '.join(map(self.text, value))}]"
        else:  # a set, whose own order differs from process to process
            text = f"{type(value).__name__} {sorted(map(self.text, value))}"
        if isinstance(value, collections.defaultdict):
            text = f"{text} {self.text(value.default_factory)}"
        return text + self._beside(value)

    def _array(self, value: Any) -> str:
        if hasattr(value, "detach"):
            text = f"{value.dtype} {tuple(value.shape)} {_sha256(tensor_bytes(value))}"
        elif value.dtype.hasobject:  # whose bytes are addresses
            text = f"{value.dtype} {value.shape} {self.text(value.tolist())}"
        else:
            text = f"{value.dtype} {value.shape} {_sha256(value.tobytes())}"
        return text + self._beside(value)

    def _beside(self, value: Any) -> str:
        """What a collection or an array holds beside its items: its own class and attributes."""
        kind, held = type(value), attributes(value)
        said = "" if counts_elsewhere(kind.__module__) else f" {self.text(kind)}"
        return f"{said} {self.text(held)}" if held else said

    def _function(self, value: Any) -> str | None:
        """A function, a method, a part of one; None for an object that can be called."""
        if isinstance(value, functools.partial):
            return f"partial {self.text([value.func, value.args, value.keywords])}"
        if isinstance(value, types.MethodType):
            return f"{self.text(value.__func__)} of {self.text(value.__self__)}"
        if isinstance(value, functools._lru_cache_wrapper):
            return self.text(value.__wrapped__)
        if isinstance(value, types.BuiltinFunctionType):
            owner = value.__self__
            owned = owner is not None and not isinstance(owner, types.ModuleType)
            return f"{value.__name__} of {self.text(owner)}" if owned else repr(value)
        if not isinstance(value, types.FunctionType):
            return None
        if value.__module__ is None:  # made by exec
            raise NoIdentityError(f"the source of {value.__qualname__} is nowhere to be read")
        name = f"{value.__module__}.{value.__qualname__}"
        cells = [captured(cell) for cell in value.__closure__ or ()]
        if counts_elsewhere(value.__module__):
            return f"{name} {self.text(cells)}" if cells else name
        if self._again(value):
            return name
        held = [cells, value.__defaults__, value.__kwdefaults__, vars(value)]
        own = [self._source(value.__module__), self._globals(value), self._bytecode(value.__code__)]
        return f"{name} {self.text(held)} {own}"

    def _class(self, value: type) -> str:
        """By name and, unless it counts elsewhere, by its source and all that stands in it."""
        name = f"{value.__module__}.{value.__qualname__}"
        if counts_elsewhere(value.__module__) or self._again(value):
            return name
        inside = {
            key: plain(item)
            for key, item in sorted(vars(value).items())
            if isinstance(plain(item), types.FunctionType)
            or not (key.startswith("__") or key == "_abc_impl")
        }
        held = {k: v for k, v in inside.items() if not isinstance(v, types.MemberDescriptorType)}
        bases = [base for base in value.__mro__[1:] if base is not object]
        return f"{name} {self._source(value.__module__)} {self.text(held)} {self.text(bases)}"

    def _again(self, value: object) -> bool:
        """Was this code written before? It is kept, so that no other gets its address."""
        again = id(value) in self._written
        self._written[id(value)] = value
        return again

    def _source(self, module_name: str) -> str:
        import_all(module_name)
        return source_of(module_name)

    def _globals(self, function: types.FunctionType) -> str:
        """What a function can reach by the names in its code, there and in modules beside it."""
        names = sorted(set(names_in(function.__code__)))
        beside = {n: vars(sys.modules[n]) for n in modules_of(function.__module__)}
        found = []
        for module, where in {**beside, function.__module__: function.__globals__}.items():
            for name in names:
                unknown = name not in where or name.startswith("__")
                if unknown or isinstance(where[name], types.ModuleType):
                    continue
                again = (id(where), name) in self._named
                self._named.add((id(where), name))
                found.append(f"{module}.{name}" + ("" if again else f"={self.text(where[name])}"))
        return "; ".join(found)

    def _bytecode(self, code: types.CodeType) -> str:
        constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
        nested = [self._bytecode(c) for c in code.co_consts if isinstance(c, types.CodeType)]
        parts = [code.co_code, code.co_names, code.co_varnames, constants, nested]
        return _sha256(self.text(parts).encode())

    def _object(self, value: Any) -> str:
        """By its attributes, or of ours by its own words where it has some."""
        kind = type(value)
        ours = kind.__module__.partition(".")[0] in OURS
        if ours and dataclasses.is_dataclass(kind):
            held = {f.name: getattr(value, f.name) for f in dataclasses.fields(kind)}
            return f"{kind.__qualname__} {self.text(held)}"
        if isinstance(value, re.Pattern):
            return f"re {self.text([value.pattern, value.flags])}"
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.jit.ScriptModule):
            return f"script {_sha256(value.save_to_buffer())}"
        text = repr(value)
        own_words = ours and "__repr__" in vars(kind) and not hasattr(value, "state_dict")
        if own_words and not _TELLS_TOO_LITTLE.search(text):
            return text
        if kind.__itemsize__ or not holds_attributes_alone(value):
            raise NoIdentityError(
                f"{_shortened(text)} has no identity that a stored result could be found by; name "
                "it by text, or hold its values in attributes that are numbers, text or arrays"
            )
        held = {
            k: list(v.values()) if k.endswith("_hooks") and isinstance(v, dict) else v
            for k, v in attributes(value).items()  # torch numbers hooks through the process
        }
        return f"{self.text(kind)} {self.text(held)}"


class _ReaderFinder(_Writer):
    """Walks as a writer does, and looks at code alone."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def _array(self, value: Any) -> str:
        return ""

    def _bytecode(self, code: types.CodeType) -> str:
        words = sorted(_READ & {name for inner in codes_in(code) for name in inner.co_names})
        if words and code.co_name not in _CONSTRUCTORS:
            self.found[code.co_qualname] = words[0]
        return ""


_READ = frozenset({
    "open", "environ", "getenv", "read_text", "read_bytes", "fromfile", "loadtxt", "genfromtxt",
    "memmap", "read_csv", "imread", "load_file", "safe_open", "safe_load", "urlopen",
})  # fmt: skip
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__setstate__")


def _is_one_of(value: object, types_of: Mapping[str, tuple[str, ...]]) -> bool:
    return type(value).__name__ in types_of.get(type(value).__module__, ())


def _is_array(value: object) -> bool:
    """Is it an array, a number of NumPy's or a tensor?"""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    tensor = torch is not None and isinstance(value, torch.Tensor)
    return tensor or (numpy is not None and isinstance(value, numpy.ndarray | numpy.generic))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _shortened(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:120]}..."
