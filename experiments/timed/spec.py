"""What an experiment on the timed link is: a frozen description that round-trips through YAML."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import yaml

from channels.specs import split_specs
from experiments.timed.schemes import Scheme
from scmc_comm.errors import ScmcError

KIND = "timed"
AXES = ("load", "num_users", "deadline_s", "esno_db")
MAX_USERS = 256


@dataclass(frozen=True)
class TimedSpec:
    """One experiment: schemes over one axis, everything else held fixed.

    Users walk (Rayleigh fading by Clarke) and each gets pictures as a Poisson process. Load 1 is
    the picture rate at which the link, were it never to wait, would be busy all the time with the
    first scheme's pictures for `num_users` users at `esno_db`. All schemes get the same pictures
    at the same times over the same fades; a rival that codes a picture as one file gets as many
    bytes for it as the first scheme's system takes.

    Attributes:
        name: Name of the experiment, used for files and titles.
        axis: What is swept: load, num_users, deadline_s (of all units) or esno_db.
        values: Its values.
        schemes: See `experiments.timed.schemes.Scheme`; the first is the reference.
        images: Name of an image set, or a folder of pictures.
        num_images: Only the first so many of the set; None for all.
        rho: Bandwidth ratio that the first scheme's system fills when it codes a picture.
        design_esno_db: Es/N0 in dB that it codes for; rates on the link adapt to the fades.
        metrics: Names that ``scmc_comm.metrics.measure`` knows.
        bandwidth_hz: Complex channel uses a second.
        load: Offered load of `num_users` users.
        num_users: Users of the link.
        esno_db: Mean Es/N0 in dB, averaged over the users.
        spread_db: Mean Es/N0 of the best user over that of the worst.
        speed_mps: Speed of the users in m/s.
        carrier_hz: Carrier frequency.
        deadlines_s: Of the semantic, structure and signal layer, in s from the arrival.
        duration_s: Time over which pictures arrive.
        num_replications: Independent runs of each point.
        seed: Master seed.
        description: One line for people.

    Example:
        >>> spec = TimedSpec("demo", "load", (0.5, 1.0), ("scmc",))
        >>> TimedSpec.from_yaml(spec.to_yaml()) == spec
        True
    """

    name: str
    axis: str
    values: tuple[float, ...]
    schemes: tuple[str, ...]
    images: str = "photos"
    num_images: int | None = 4
    rho: float = 1 / 24
    design_esno_db: float = 10.0
    metrics: tuple[str, ...] = ("psnr_db", "ms_ssim")
    bandwidth_hz: float = 100e3
    load: float = 0.8
    num_users: int = 4
    esno_db: float = 15.0
    spread_db: float = 6.0
    speed_mps: float = 1.5
    carrier_hz: float = 2e9
    deadlines_s: tuple[float, ...] = (0.2, 0.3, 0.5)
    duration_s: float = 20.0
    num_replications: int = 6
    seed: int = 1
    description: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ScmcError(f"sweep name is {self.name!r}; expected letters, digits, '_', '-', '.'")
        if self.axis not in AXES:
            raise ScmcError(f"axis is {self.axis!r}; expected one of {', '.join(AXES)}")
        for key in ("values", "schemes", "metrics"):
            found = getattr(self, key)
            if not found or len(set(found)) != len(found):
                raise ScmcError(f"{key} is {found!r}; expected at least one value, each once")
        for text in self.schemes:
            Scheme.parse(text)
        for key in ("rho", "bandwidth_hz", "carrier_hz", "duration_s", "load"):
            if not 0 < getattr(self, key) < math.inf:
                raise ScmcError(f"{key} is {getattr(self, key)}; expected a number above 0")
        for key in ("spread_db", "speed_mps"):
            if not 0 <= getattr(self, key) < math.inf:
                raise ScmcError(f"{key} is {getattr(self, key)}; expected 0 or more")
        if not all(math.isfinite(e) for e in (self.esno_db, self.design_esno_db)):
            raise ScmcError("esno_db and design_esno_db must be finite numbers in dB")
        if not 1 <= self.num_users <= MAX_USERS:
            raise ScmcError(f"num_users is {self.num_users}; expected 1 to {MAX_USERS}")
        if self.num_replications < 2:
            raise ScmcError(
                f"num_replications is {self.num_replications}; expected 2 or more, which an "
                "interval needs"
            )
        if self.num_images is not None and self.num_images < 1:
            raise ScmcError(f"num_images is {self.num_images}; expected at least 1, or null")
        if len(self.deadlines_s) != 3 or not all(0 < d < math.inf for d in self.deadlines_s):
            raise ScmcError(
                f"deadlines_s is {self.deadlines_s}; expected three times above 0, of the "
                "semantic, structure and signal layer"
            )
        for value in self.values:
            self.at(value)

    def at(self, value: float) -> Point:
        """What holds at one value of the axis."""
        point = Point(self.load, self.num_users, self.deadlines_s, self.esno_db)
        if self.axis == "num_users":
            if value != int(value) or not 1 <= value <= MAX_USERS:
                raise ScmcError(f"num_users is {value}; expected whole numbers, 1 to {MAX_USERS}")
            each = self.load / self.num_users
            return dataclasses.replace(point, num_users=int(value), load=each * value)
        if self.axis == "esno_db":
            if not math.isfinite(value):
                raise ScmcError(f"esno_db is {value}; expected finite numbers in dB")
            return dataclasses.replace(point, esno_db=value)
        if not 0 < value < math.inf:
            raise ScmcError(f"{self.axis} is {value}; expected numbers above 0")
        if self.axis == "load":
            return dataclasses.replace(point, load=value)
        return dataclasses.replace(point, deadlines_s=(value,) * 3)

    def to_yaml(self) -> str:
        """The experiment as YAML; ``kind`` tells it from a sweep over points."""
        tree: dict[str, Any] = {"kind": KIND}
        for f in fields(self):
            value = getattr(self, f.name)
            tree[f.name] = list(value) if isinstance(value, tuple) else value
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str) -> TimedSpec:
        """Reads what `to_yaml` wrote.

        Raises:
            ScmcError: The text is no YAML mapping, or a key or value is wrong.
        """
        try:
            tree = yaml.safe_load(text)
        except yaml.YAMLError as error:
            where = " ".join(str(error).split())
            raise ScmcError(f"the sweep is not valid YAML: {where}") from error
        if not isinstance(tree, dict):
            raise ScmcError(f"the sweep is a YAML {type(tree).__name__}; expected a mapping")
        values = {key: coerce(key, item) for key, item in tree.items() if key != "kind"}
        missing = [key for key in ("name", "axis", "values", "schemes") if key not in values]
        if missing:
            raise ScmcError(f"the timed sweep lacks {', '.join(missing)}; add the missing keys")
        return cls(**values)

    def override(self, assignments: Iterable[str]) -> TimedSpec:
        """A copy with ``key=value`` assignments applied, lists separated by commas.

        Example:
            >>> spec = TimedSpec("demo", "load", (0.5, 1.0), ("scmc",))
            >>> spec.override(["values=0.2,0.4", "num_users=2"]).values
            (0.2, 0.4)
        """
        changes: dict[str, Any] = {}
        for text in assignments:
            key, equals, value = text.partition("=")
            if not equals:
                raise ScmcError(f"--set got {text!r}; expected key=value, such as num_users=8")
            changes[key.strip()] = coerce(key.strip(), value.strip())
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class Point:
    """One value of the axis, and all that it might have changed."""

    load: float
    num_users: int
    deadlines_s: tuple[float, ...]
    esno_db: float

    def __post_init__(self) -> None:
        if not 0 < self.load <= 100:
            raise ScmcError(f"load is {self.load}; expected above 0 and up to 100")


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return split_specs(value.strip().strip("[]"))
    return list(value) if isinstance(value, list | tuple) else [value]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no number")
    return float(Fraction(value)) if isinstance(value, str) and "/" in value else float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("no whole number")
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


_CONVERT: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "str": (_text, "a text"),
    "float": (_number, "a number"),
    "int": (_whole, "a whole number"),
    "int | None": (
        lambda v: None if v in (None, "", "none", "null") else _whole(v), "a whole number or null"
    ),
    "tuple[float, ...]": (lambda v: tuple(_number(i) for i in _items(v)), "numbers, such as 1,2"),
    "tuple[str, ...]": (lambda v: tuple(_text(i) for i in _items(v)), "names, such as scmc,vvc"),
}  # fmt: skip


def coerce(key: str, value: Any) -> Any:
    """Turns a YAML or command-line value into the type of a `TimedSpec` field.

    Raises:
        ScmcError: No such key, or a value that does not fit it.
    """
    types = {f.name: str(f.type) for f in fields(TimedSpec)}
    if key not in types:
        raise ScmcError(f"a timed sweep has no key {key!r}; it has {', '.join(sorted(types))}")
    convert, expected = _CONVERT[types[key]]
    try:
        return convert(value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise ScmcError(f"{key} is {value!r}; expected {expected}") from error
