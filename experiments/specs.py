"""Descriptions of experiments: frozen dataclasses read from YAML and from ``--set key=value``."""

from __future__ import annotations

import dataclasses
import math
import re
import reprlib
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml

from channels.errors import no_such
from channels.specs import (
    WHOLE,
    fits,
    is_union,
    range_of,
    read_number,
    split_specs,
    type_name,
)
from scmc_comm import ranges
from scmc_comm.errors import ScmcError
from scmc_comm.guarded_yaml import GuardedLoader, load_yaml

ALIASES = {"snr": "esno_db"} | {alias: name for name, alias in ranges.ALIASES.items()}
"""Other names of keys, those of the literature."""
MAX_VALUES = 10_000
"""The most values that a range may have."""
_GROUPS = ("axes", "base")
_CHANGED = " (changed: "
_NO_CLAIM = ("name", "plugins")  # of which no description says anything
_LONGEST_VALUE = 60  # characters in a description
_NONE = (None, "", "none", "None", "null")


@dataclass(frozen=True)
class Spec:
    """What the descriptions share; each is a frozen dataclass whose field types say what is read.

    A type is ``str``, ``int``, ``float`` or a ``Literal`` of words, as such, with a
    `channels.ranges.Range`, with ``| None``, or in a tuple of any length. In text, tuples are
    separated by commas, numbers may be fractions such as ``1/24``, and a tuple of numbers may be
    ``start:stop:step`` with the stop included.
    """

    KIND: ClassVar[str] = "sweep"
    """Tells the YAML of one description from that of others."""

    def __post_init__(self) -> None:
        name = getattr(self, "name", "")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            raise ScmcError(f"sweep name is {name!r}; expected letters, digits, '_', '-', '.'")
        for key, kind in _types(type(self)).items():
            value, each = getattr(self, key), _item_type(kind)
            if each is not None and not isinstance(value, tuple):
                raise ScmcError(
                    f"{key} is {reprlib.repr(value)}; expected a tuple of at least one value"
                )
            for item in value if each is not None else (value,):
                wanted = each if each is not None else kind
                if not (fits(item, wanted) or (wanted is float and isinstance(item, float))):
                    raise ScmcError(f"{key} is {reprlib.repr(value)}; expected {_expected(kind)}")

    def require(self, key: str, holds: bool, expected: str) -> None:
        """Refuses the value of a key unless a condition holds.

        Raises:
            ScmcError: It does not hold; the message says what was expected.
        """
        if not holds:
            raise ScmcError(f"{key} is {getattr(self, key)!r}; expected {expected}")

    def require_lists(self, *keys: str) -> None:
        """Refuses lists that are empty or hold a value twice."""
        for key in keys:
            values = getattr(self, key)
            some = isinstance(values, tuple) and bool(values)
            self.require(key, some, "a tuple of at least one value")
            self.require(key, len(set(values)) == len(values), "each value once")

    @classmethod
    def coerce(cls, key: str, value: Any) -> Any:
        """Turns a YAML or command-line value into the type of a field.

        Raises:
            ScmcError: No such key, or a value that does not fit it.
        """
        known = _types(cls)
        key = ALIASES.get(key, key)
        if key not in known:
            raise ScmcError(no_such(f"{cls.KIND} key", key, known, ALIASES))
        try:
            return convert(known[key], value)
        except ScmcError as error:
            raise ScmcError(f"{key}: {error}") from error
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            shown = reprlib.repr(value)
            raise ScmcError(f"{key} is {shown}; expected {_expected(known[key])}") from error

    def to_yaml(self) -> str:
        """The description as YAML; ``rho`` is written as a fraction where it is one."""
        tree: dict[str, Any] = {"kind": self.KIND}
        for f in fields(self):
            value = getattr(self, f.name)
            values = list(value) if isinstance(value, tuple) else [value]
            if f.name == "rho":
                values = [_ratio_text(ratio) for ratio in values]
            tree[f.name] = values if isinstance(value, tuple) else values[0]
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Reads what `to_yaml` wrote; keys may also stand in the groups ``axes`` and ``base``.

        Raises:
            ScmcError: The text is no YAML mapping, or a key or value is wrong.
        """
        flat: dict[str, Any] = {}
        for name, value in read_mapping(text).items():
            group = name in _GROUPS
            if group and not isinstance(value, dict):
                raise ScmcError(f"{name} is {reprlib.repr(value)}; expected a mapping")
            for inner, item in value.items() if group else ((name, value),):
                key = ALIASES.get(inner, inner)
                if key in flat:
                    raise ScmcError(f"key {key!r} stands twice in the sweep; keep one of them")
                flat[key] = item
        kind = flat.pop("kind", cls.KIND)
        if kind != cls.KIND:
            raise ScmcError(f"kind is {kind!r}; expected {cls.KIND}")
        values = {key: cls.coerce(str(key), item) for key, item in flat.items()}
        required = [f.name for f in fields(cls) if f.default is MISSING]
        if missing := [key for key in required if key not in values]:
            raise ScmcError(f"the sweep lacks {', '.join(missing)}; add the missing keys")
        return cls(**values)

    def override(self, assignments: Iterable[str]) -> Self:
        """A copy with ``key=value`` assignments applied, as given to ``--set``.

        Raises:
            ScmcError: An assignment is none, its key stands twice, or its key or value is wrong.
        """
        changes: dict[str, Any] = {}
        for text in assignments:
            key, equals, value = (part.strip() for part in text.partition("="))
            if not equals:
                raise ScmcError(f"--set got {text!r}; expected key=value, such as seed=2")
            name = ALIASES.get(key, key)
            if name in changes:
                raise ScmcError(f"--set gives {name!r} twice; keep one of them")
            changes[name] = self.coerce(key, value)
        return self.changed(changes)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """A copy with other values, whose description names them unless it is one of them.

        Args:
            values: By key, as `coerce` gives them.

        Example:
            >>> from experiments.sweeps import load_sweep
            >>> load_sweep("control").changed({"num_trials": 9}).description[-24:]
            ' (changed: num_trials=9)'
        """
        made = dataclasses.replace(self, **values)
        text = getattr(self, "description", "")
        others = [key for key in values if getattr(self, key) != getattr(made, key)]
        said = {k: _shown_value(k, getattr(made, k)) for k in others if k not in _NO_CLAIM}
        if not (text and said) or "description" in values:
            return made
        first, _, before = text.removesuffix(")").partition(_CHANGED)
        known = dict(item.partition("=")[::2] for item in before.split("; ") if before)
        told = "; ".join(f"{key}={value}" for key, value in (known | said).items())
        return dataclasses.replace(made, description=f"{first}{_CHANGED}{told})")  # type: ignore[call-arg]


class _Loader(GuardedLoader):
    """Leaves numbers as text for the fields' types, and refuses a key that stands twice.

    YAML itself would read -6:21:3 as a number to base 60, and take the last of two values.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (of the class, as in its base)
        first: [(tag, regexp) for tag, regexp in found if not tag.endswith((":int", ":float"))]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key.value, str))
        for key in (key for key, count in keys.items() if count > 1):
            raise ScmcError(f"key {key!r} stands twice in it; keep one of them")
        return super().construct_mapping(node, deep)


def read_mapping(text: str) -> dict[Any, Any]:
    """The mapping that a YAML text holds.

    Raises:
        ScmcError: It holds something else, or is no YAML.
    """
    tree = load_yaml(text, "the sweep", _Loader)
    if not isinstance(tree, dict):
        raise ScmcError(f"the sweep is a YAML {type(tree).__name__}; expected a mapping")
    return tree


def check_distinct(what: str, meanings: Mapping[str, object]) -> None:
    """Refuses two names of one thing, which would be measured twice and compared with itself.

    Args:
        what: What is named, in the plural.
        meanings: What each name means.

    Raises:
        ScmcError: Two names mean the same.

    Example:
        >>> check_distinct("systems", {"jpeg": "JPEG", "vvc": "VVC"})
    """
    first: dict[object, str] = {}
    for name, meaning in meanings.items():
        if meaning in first:
            raise ScmcError(f"{what} {first[meaning]} and {name} are the same; keep one of them")
        first[meaning] = name


def _types(cls: type[Spec]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls)}


def _item_type(kind: Any) -> Any:
    """The type of each value of a tuple; None for what is no tuple."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None


def _shown_value(key: str, value: Any) -> str:
    """A value as a description names it."""
    values = value if isinstance(value, tuple) else (value,)
    each = (_ratio_text(item) if key == "rho" else item for item in values)
    text = ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in each)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _ratio_text(rho: float) -> str | float:
    """``"1/24"`` where that fraction is exactly the float, else the float."""
    ratio = Fraction(rho).limit_denominator(100_000)
    exact = ratio.numerator / ratio.denominator == rho
    return f"{ratio.numerator}/{ratio.denominator}" if exact and ratio.denominator > 1 else rho


def convert(kind: Any, value: Any) -> Any:
    """The value as a type; raises ValueError, ZeroDivisionError or OverflowError if it is none."""
    if is_union(kind):
        none = value is None or (isinstance(value, str) and value in _NONE)
        return None if none else convert(typing.get_args(kind)[0], value)
    if typing.get_origin(kind) is Annotated:
        found, allowed = convert(typing.get_args(kind)[0], value), range_of(kind)
        if allowed is not None and found not in allowed:
            raise ValueError("out of range")
        return found
    if typing.get_origin(kind) is tuple:
        of = _item_type(kind)
        grid = of is not str and isinstance(value, str) and value.count(":") == 2
        return tuple(convert(of, item) for item in (_grid(value) if grid else _items(value)))
    if kind is str or typing.get_origin(kind) is Literal:
        if not isinstance(value, str) or (kind is not str and value not in typing.get_args(kind)):
            raise ValueError("no such word")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    if kind is int and isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value)  # a float has 53 bits
    found = number(value)
    if kind is int and found != int(found):
        raise ValueError("no whole number")
    return kind(found)


def number(value: int | float | str) -> float:
    """A number; in text it may be a fraction.

    Raises:
        ValueError: It is none; ZeroDivisionError and OverflowError alike.

    Example:
        >>> number("1/16")
        0.0625
    """
    return read_number(value) if isinstance(value, str) else float(value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return split_specs(value.strip().strip("[]"))
    return list(value) if isinstance(value, list | tuple) else [value]


def _grid(text: str) -> list[float]:
    """The numbers of ``start:stop:step``, the stop included."""
    start, stop, step = (number(part) for part in text.split(":"))
    if not all(map(math.isfinite, (start, stop, step))):
        raise ValueError("no finite range")
    if abs(step) > abs(stop - start) > 0:
        raise ScmcError(
            f"the range {text} holds {start:g} alone; write start:stop:step, such as "
            f"{start:g}:{step:g}:{stop:g}"
        )
    count = math.floor((stop - start) / step + 1e-9) + 1
    if not 1 <= count <= MAX_VALUES:
        said = "is empty" if count < 1 else f"has {count} values"
        raise ScmcError(
            f"the range {text} {said}; write start:stop:step with 1 to {MAX_VALUES} values"
        )
    return [round(start + i * step, 10) for i in range(count)]


def _expected(kind: Any) -> str:
    """What a value of a type looks like, for errors."""
    if is_union(kind):
        return f"{_expected(typing.get_args(kind)[0])}, or null"
    if typing.get_origin(kind) is Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    if typing.get_origin(kind) is tuple:
        if (of := _item_type(kind)) is str:
            return "names, such as scmc,vvc"
        allowed = range_of(of)
        each = "" if allowed is None else f", each {allowed}"
        example = "1/48,1/24" if allowed is not None and allowed.low >= 0 else "0,10 or -6:21:3"
        return f"numbers without a unit, such as {example}{each}"
    if range_of(kind) is not None:
        return type_name(kind)
    return {str: "a text", int: "a whole number", float: "a number"}[kind]
