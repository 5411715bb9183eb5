"""Components written as text, ``name:key=value,key=value``, and what their parameters mean.

A component is a frozen dataclass. Its fields are its parameters; its docstring says what they
mean (``Attributes:``) and where the model comes from (a line ``Source: ...``), so that the lists
that users read are the documentation of the code.
"""

from __future__ import annotations

import inspect
import math
import numbers
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from channels.errors import ChannelError, no_such
from channels.ranges import Range

_SPLIT = re.compile(r",\s*(?![A-Za-z_]\w*=)")
_TYPE_NAMES = {
    int: "a whole number", float: "a finite number", bool: "true or false", list: "a list",
    dict: "named values",
}  # fmt: skip
_LARGEST_INT = 2**63 - 1
WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
"""A whole number of no more digits than 64 bits have."""
_LONGEST_NUMBER = 40  # characters: 64 bits have 20 digits, a float 17
_UNITS = {"db": "dB", "s": "s", "m": "m", "hz": "Hz", "kmh": "km/h", "symbols": "uses"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a component.

    Attributes:
        name: As written in a spec.
        default: Its default as written in a spec; None where it must be given.
        unit: From the suffix of the name; empty for a plain number or a word.
        meaning: From the docstring.
        range: What a number may be, in words; empty for what is no number.
    """

    name: str
    default: str | None
    unit: str
    meaning: str
    range: str = ""


def split_specs(text: str) -> list[str]:
    """The components of a comma-separated list; a comma before ``key=`` does not part them.

    >>> split_specs("awgn, tdl:model=A,speed_kmh=30,rician_block")
    ['awgn', 'tdl:model=A,speed_kmh=30', 'rician_block']
    """
    return [spec.strip() for spec in _SPLIT.split(text) if spec.strip()]


class Component:
    """A component that writes itself as text; it is called as its class, in snake case.

    >>> from channels.fading.models import RicianBlock
    >>> RicianBlock(3.0).name
    'rician_block:k_factor_db=3.0'
    """

    @classmethod
    def word(cls) -> str:
        """The name without parameters."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def name(self) -> str:
        """Name with the parameters that are set, in the form that `build` reads."""
        values = [(key, getattr(self, key)) for key in option_types(type(self))]
        args = ",".join(f"{key}={value}" for key, value in values if value is not None)
        return f"{self.word()}:{args}" if args else self.word()


def build(kind: str, registry: Mapping[str, Callable[..., Any]], spec: str) -> Any:
    """Builds a component from its name and parameters; one clear error line if it cannot."""
    if not isinstance(spec, str):
        raise ChannelError(f"{kind} is {reprlib.repr(spec)}; expected its name as text")
    name, _, args = spec.partition(":")
    if name not in registry:
        raise ChannelError(no_such(kind, name, sorted(registry)))
    cls = registry[name]
    values = parse_arguments(f"{kind} {name!r}", option_types(cls), args)
    missing = [p.name for p in parameters(cls) if p.default is None and p.name not in values]
    if missing:
        raise ChannelError(f"{kind} {name!r} needs {missing[0]}; write {name}:{missing[0]}=...")
    return cls(**values)


def parse_arguments(owner: str, known: Mapping[str, Any], args: str) -> dict[str, Any]:
    """``key=value,key=value`` to values of the known types."""
    values: dict[str, Any] = {}
    for item in args.split(",") if args.strip() else ():
        key, _, text = (part.strip() for part in item.partition("="))
        if not (key and text):
            raise ChannelError(f"{owner} got {item!r}; expected key=value")
        if not known:
            raise ChannelError(f"{owner} got {item!r}; it has no keys, write its name alone")
        if key not in known:
            raise ChannelError(f"{owner} got {item!r}; {no_such('key', key, known)}")
        if key in values:
            raise ChannelError(f"{owner} got {key} twice; write it once")
        try:
            values[key] = read_value(text, known[key])
        except ValueError:
            raise ChannelError(
                f"{owner} got {item!r}; expected {key} as {type_name(known[key])}"
            ) from None
    return values


def check_values(component: Any) -> None:
    """Refuses parameters that are not of their types, or out of range: Python takes any.

    Args:
        component: A dataclass whose fields are parameters.

    Raises:
        ChannelError: A value of another type or out of range, or none of the words it can be.
    """
    defaults = {f.name: f.default for f in fields(component)}
    for name, kind in option_types(type(component)).items():
        value = getattr(component, name)
        if value is not defaults[name] and not fits(value, kind):
            raise ChannelError(f"{name} is {reprlib.repr(value)}; expected {type_name(kind)}")


def parameters(cls: Any) -> tuple[Parameter, ...]:
    """The parameters of a component, in order.

    >>> from channels.fading.models import RicianBlock
    >>> [(p.name, p.default, p.unit) for p in parameters(RicianBlock)]
    [('k_factor_db', '6', 'dB'), ('coherence_symbols', '', 'uses')]
    """
    meanings, types_of = _attributes(cls), option_types(cls)
    found = []
    for f in fields(cls):
        if f.init and not f.metadata:
            default = None if f.default is MISSING else f.default
            text = None if f.default is MISSING else "" if default is None else _text(default)
            unit = _UNITS.get(f.name.rpartition("_")[2], "") if "_" in f.name else ""
            if f.name.startswith("num_"):
                unit = ""
            allowed = range_of(types_of[f.name])
            said = "" if allowed is None else str(allowed)
            found.append(Parameter(f.name, text, unit, meanings.get(f.name, ""), said))
    return tuple(found)


def summary(cls: Any) -> str:
    """First sentence of a component's docstring, without its full stop."""
    return re.split(r"\.\s|\.$", inspect.getdoc(cls) or "", maxsplit=1)[0].replace("\n", " ")


def source(cls: Any) -> str:
    """What the docstring names after ``Source:``."""
    found = re.search(r"^Source: (.*?)(?:\n\s*\n|\Z)", inspect.getdoc(cls) or "", re.M | re.S)
    return " ".join(found[1].split()) if found else ""


def _attributes(cls: Any) -> dict[str, str]:
    """What the docstrings of the class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in reversed(inspect.getmro(cls)):
        section = re.search(
            r"^Attributes:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(base.__doc__ or ""), re.M | re.S
        )
        if section:
            entries = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", section[1], re.M | re.S)
            found |= {name: " ".join(text.split()) for name, text in entries}
    return found


def _text(value: Any) -> str:
    return (
        f"{value:.6g}".replace("e+0", "e").replace("e-0", "e-")
        if type(value) is float
        else f"{value}"
    )


def option_types(cls: Any) -> dict[str, Any]:
    """Types of a component's parameters by name; a field with metadata has no form as text."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls) if f.init and not f.metadata}


def is_union(kind: Any) -> bool:
    """Whether a type is one of several, such as ``int | None``."""
    return typing.get_origin(kind) in (types.UnionType, typing.Union)


def _or_none(kind: Any) -> Any:
    """The type itself where None is the alternative."""
    if is_union(kind):
        return next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def _plain(kind: Any) -> Any:
    """The type without None and without its range."""
    kind = _or_none(kind)
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def range_of(kind: Any) -> Range | None:
    """The range that a type states; None if it states none.

    >>> str(range_of(typing.Annotated[int, Range(1, 4)] | None))
    '1 to 4'
    """
    found = getattr(_or_none(kind), "__metadata__", ())
    return next((part for part in found if isinstance(part, Range)), None)


def read_value(text: str, kind: Any) -> Any:
    """A value of a parameter's type from text.

    Raises:
        ValueError: The text is none, or its number is out of range.

    >>> read_value("3", typing.Annotated[int, Range(1, 4)])
    3
    """
    value, allowed = _converter(kind)(text), range_of(kind)
    if allowed is not None and value not in allowed:
        raise ValueError(text)
    return value


def read_number(text: str) -> float:
    """A number, or a fraction of whole numbers, in no more time than such a text deserves.

    Raises:
        ValueError: It is none; ZeroDivisionError alike.

    >>> read_number("1/16")
    0.0625
    """
    if len(text) > _LONGEST_NUMBER or not text.isascii() or "_" in text:
        raise ValueError("no number of a usual length")
    above, slash, below = (part.strip() for part in text.partition("/"))
    if slash and not (WHOLE.fullmatch(above) and WHOLE.fullmatch(below)):
        raise ValueError("no fraction of whole numbers")
    return int(above) / int(below) if slash else float(text)


def _converter(kind: Any) -> Callable[[str], Any]:
    """From text to a value of the type; raises ValueError for text that is none."""
    kind = _plain(kind)
    if kind is bool:
        return _truth
    if typing.get_origin(kind) is typing.Literal:
        return lambda text: typing.get_args(kind)[typing.get_args(kind).index(text)]
    if kind in (int, float):
        return lambda text: _number(text, kind)
    return typing.cast("Callable[[str], Any]", kind)


def _number(text: str, kind: type[int] | type[float]) -> float:
    """A number as it is usually written, which Python's own reading goes beyond."""
    short = len(text) <= _LONGEST_NUMBER and text.isascii() and "_" not in text
    if short and fits(value := kind(text), kind):
        return value
    raise ValueError(text)


def _truth(text: str) -> bool:
    return ("false", "true").index(text.lower()) == 1


def type_name(kind: Any) -> str:
    """A parameter's type in words, with its range.

    >>> type_name(typing.Annotated[int, Range(1, 4)] | None)
    'a whole number, 1 to 4'
    """
    allowed, kind = range_of(kind), _plain(kind)
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(typing.get_args(kind))
    named = _TYPE_NAMES.get(kind, "text")
    return named if allowed is None else f"{named.replace('finite ', '')}, {allowed}"


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of a parameter's type: of a number, that it is in range as well.

    >>> fits(3, float), fits(True, int), fits(float("nan"), float), fits(None, int | None)
    (True, False, False, True)
    """
    if is_union(kind):
        return any(fits(value, part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Annotated:
        base, allowed = typing.get_args(kind)[0], range_of(kind)
        return fits(value, base) and (allowed is None or typing.cast("float", value) in allowed)
    if typing.get_origin(kind) is typing.Literal:
        return isinstance(value, str) and value in typing.get_args(kind)
    if kind in (int, float) and isinstance(value, numbers.Integral):
        return not isinstance(value, bool) and abs(int(value)) <= _LARGEST_INT
    if kind is float:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    return isinstance(value, typing.get_origin(kind) or kind)
