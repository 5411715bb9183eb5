"""What a sweep is: a frozen, validated description that round-trips through YAML."""

from __future__ import annotations

import dataclasses
import importlib
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from channels.specs import split_specs
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from experiments.timed.spec import TimedSpec

AXES = ("systems", "channels", "esno_db", "rho")
RUN = (
    "estimator", "num_trials", "analog_trials", "seed", "stop_half_width", "stop_errors",
    "min_trials",
)  # fmt: skip
ESTIMATORS = ("monte-carlo", "table", "expected")


@dataclass(frozen=True)
class SweepSpec:
    """One sweep: the axes, what stays fixed, how many trials and from which seed.

    Attributes:
        name: Name of the sweep, used for files and titles.
        systems: Registry names, in the order of the figures; the first is the reference of
            paired differences.
        channels: Channel names, with parameters as in ``"rician_block:k_factor_db=6"``; with
            ``@`` the physical layer of this entry, as in ``"tdl:model=A@ofdm:csi=ls"``.
        esno_db: Mean Es/N0 per complex channel use, in dB.
        rho: Bandwidth ratios, channel uses / (3 H W); fractions such as ``"1/24"`` in YAML.
        images: Name of an image set, or a folder of pictures.
        num_images: Only the first so many of the set; None for all.
        design_esno_db: Es/N0 in dB that every system is designed for, but those that know the
            mean Es/N0 of each point.
        utility: What systems tuned to what they know of a point make best on average: a metric, or
            a weighted sum such as ``psnr_db-20*lpips``.
        phy: Physical layer of channels without one of their own, as `channels.phy.names.make_phy`
            takes it: ``"flat"``, or ``"ofdm:antennas=1x2,csi=lmmse"`` with pilots charged.
        metrics: Names that ``scmc_comm.metrics.measure`` knows; ``mse`` is always added.
        estimator: How delivery is found: ``"monte-carlo"`` sends every bit, ``"table"`` draws
            from block error tables, ``"expected"`` sums over delivered sets with the tables'
            probabilities and draws nothing (trials, seed and stopping rules then play no part).
        num_trials: Channel realisations per image (the most, with a stopping rule).
        analog_trials: The most trials of an analog system, each of which costs a decoding and
            the metrics, whatever the estimator; 1 to 64. They are the first of ``num_trials``.
        seed: Master seed of the channel draws.
        stop_half_width: Stop a point once the Wilson interval of every frame's delivery
            probability is narrower than plus or minus this; None never does.
        stop_errors: Stop a point once every frame was lost this many times; None never does.
            With both rules, each frame has to satisfy one of them.
        min_trials: Trials before a stopping rule is first asked.
        bounds: Image codecs whose rate-quality curves are measured and put on the channel as if
            by an ideal code: bounds that the figures draw.
        strip_images: Of how many images the reconstructions are kept for figures.
        description: One line for people.

    Example:
        >>> spec = SweepSpec("demo", ("scmc",), ("awgn",), (0.0, 10.0), (1 / 24,))
        >>> SweepSpec.from_yaml(spec.to_yaml()) == spec
        True
    """

    name: str
    systems: tuple[str, ...]
    channels: tuple[str, ...]
    esno_db: tuple[float, ...]
    rho: tuple[float, ...]
    images: str = "photos"
    num_images: int | None = None
    design_esno_db: float = 10.0
    utility: str = "psnr_db"
    phy: str = "flat"
    metrics: tuple[str, ...] = ("psnr_db", "ms_ssim", "lpips")
    estimator: str = "monte-carlo"
    num_trials: int = 32
    analog_trials: int = 16
    seed: int = 1
    stop_half_width: float | None = None
    stop_errors: int | None = None
    min_trials: int = 16
    bounds: tuple[str, ...] = ()
    strip_images: int = 1
    description: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ScmcError(f"sweep name is {self.name!r}; expected letters, digits, '_', '-', '.'")
        for key in (*AXES, "metrics"):
            values = getattr(self, key)
            if not isinstance(values, tuple) or not values:
                raise ScmcError(f"{key} is {values!r}; expected a tuple of at least one value")
            if len(set(values)) != len(values):
                raise ScmcError(f"{key} is {values!r}; expected each value once")
        if len(set(self.bounds)) != len(self.bounds):
            raise ScmcError(f"bounds is {self.bounds!r}; expected each image codec once")
        if not all(math.isfinite(e) for e in (*self.esno_db, self.design_esno_db)):
            raise ScmcError("esno_db and design_esno_db must be finite numbers in dB")
        if not all(0 < r <= 8 for r in self.rho):
            raise ScmcError(f"rho is {self.rho}; expected channel uses / (3 H W), such as 1/24")
        for key, low in (("num_trials", 1), ("min_trials", 1), ("strip_images", 0), ("seed", 0)):
            if getattr(self, key) < low:
                raise ScmcError(f"{key} is {getattr(self, key)}; expected at least {low}")
        if not 1 <= self.analog_trials <= 64:
            raise ScmcError(f"analog_trials is {self.analog_trials}; expected 1 to 64")
        if self.num_images is not None and self.num_images < 1:
            raise ScmcError(f"num_images is {self.num_images}; expected at least 1, or null")
        if self.stop_half_width is not None and not 0 < self.stop_half_width < 0.5:
            raise ScmcError(f"stop_half_width is {self.stop_half_width}; expected 0 to 0.5 or null")
        if self.stop_errors is not None and self.stop_errors < 1:
            raise ScmcError(f"stop_errors is {self.stop_errors}; expected at least 1, or null")
        if self.estimator not in ESTIMATORS:
            raise ScmcError(
                f"there is no estimator {self.estimator!r}; there are {', '.join(ESTIMATORS)}"
            )

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The swept axes by name."""
        return {key: getattr(self, key) for key in AXES}

    @property
    def base(self) -> dict[str, Any]:
        """What stays fixed over the sweep, without the trials and the seed."""
        skip = {"name", "description", *AXES, *RUN}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in skip}

    def to_yaml(self) -> str:
        """The sweep as YAML, grouped into ``axes``, ``base`` and the rest."""
        axes: dict[str, Any] = {key: list(values) for key, values in self.axes.items()}
        axes["rho"] = [_ratio_text(r) for r in self.rho]
        base = {k: list(v) if isinstance(v, tuple) else v for k, v in self.base.items()}
        tree = {"name": self.name, "description": self.description, "axes": axes, "base": base}
        tree |= {key: getattr(self, key) for key in RUN}
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str) -> SweepSpec:
        """Reads what `to_yaml` wrote; keys may also stand outside their group.

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
        flat: dict[str, Any] = {}
        for key, value in tree.items():
            group = key in ("axes", "base")
            if group and not isinstance(value, dict):
                raise ScmcError(f"{key} is {value!r}; expected a mapping of keys to values")
            for inner, item in value.items() if group else ((key, value),):
                if inner in flat:
                    raise ScmcError(f"key {inner!r} stands twice in the sweep; keep one of them")
                flat[inner] = item
        missing = [k for k in ("name", *AXES) if k not in flat]
        if missing:
            raise ScmcError(f"the sweep lacks {', '.join(missing)}; add the missing keys")
        return cls(**{k: coerce(k, v) for k, v in flat.items()})

    def override(self, assignments: Iterable[str]) -> SweepSpec:
        """A copy with ``key=value`` assignments applied, as given to ``--set``.

        Lists are comma-separated; ``esno_db`` also takes ``start:stop:step`` (stop included).

        Example:
            >>> spec = SweepSpec("demo", ("scmc",), ("awgn",), (0.0,), (1 / 24,))
            >>> spec.override(["esno_db=-3:3:3", "rho=1/48,1/24"]).esno_db
            (-3.0, 0.0, 3.0)
        """
        changes: dict[str, Any] = {}
        for text in assignments:
            key, equals, value = text.partition("=")
            if not equals:
                raise ScmcError(f"--set got {text!r}; expected key=value, such as num_trials=8")
            changes[key.strip()] = coerce(key.strip(), value.strip())
        return dataclasses.replace(self, **changes)


def _ratio_text(rho: float) -> str | float:
    """``"1/24"`` where that fraction is exactly the float, else the float."""
    ratio = Fraction(rho).limit_denominator(100_000)
    exact = ratio.numerator / ratio.denominator == rho
    return f"{ratio.numerator}/{ratio.denominator}" if exact and ratio.denominator > 1 else rho


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return split_specs(value.strip().strip("[]"))
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a number")
    return float(value)


def _ratio(value: Any) -> float:
    if isinstance(value, str) and "/" in value:
        top, _, bottom = value.partition("/")
        return float(top) / float(bottom)
    return _number(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("a whole number")
    return int(number)


def _grid(value: Any) -> tuple[float, ...]:
    if isinstance(value, str) and value.count(":") == 2:
        start, stop, step = (float(v) for v in value.split(":"))
        count = math.floor((stop - start) / step + 1e-9) + 1
        return tuple(round(start + i * step, 10) for i in range(count))
    return tuple(_number(v) for v in _items(value))


def _optional(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    none = (None, "", "none", "None", "null")
    return lambda value: None if value in none else of(value)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_text(v) for v in _items(value))


_COERCE: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_text, "a text"),
    "description": (_text, "a text"),
    "images": (_text, "the name of an image set or a folder"),
    "systems": (_names, "names, such as scmc,vvc"),
    "channels": (_names, "names, such as awgn,rayleigh_block"),
    "metrics": (_names, "names, such as psnr_db,ms_ssim"),
    "bounds": (_names, "image codecs, such as jpeg,vvc, or nothing"),
    "esno_db": (_grid, "numbers in dB, such as 0,5,10 or -6:21:3"),
    "rho": (lambda v: tuple(_ratio(i) for i in _items(v)), "ratios, such as 1/48,1/24"),
    "design_esno_db": (_number, "a number in dB"),
    "utility": (_text, "metrics, such as psnr_db or psnr_db-20*lpips"),
    "phy": (_text, "a link, such as flat or ofdm:csi=lmmse"),
    "num_images": (_optional(_integer), "a whole number or null"),
    "stop_half_width": (_optional(_number), "a number or null"),
    "estimator": (_text, f"one of {', '.join(ESTIMATORS)}"),
    "stop_errors": (_optional(_integer), "a whole number or null"),
    "num_trials": (_integer, "a whole number"),
    "analog_trials": (_integer, "a whole number"),
    "min_trials": (_integer, "a whole number"),
    "strip_images": (_integer, "a whole number"),
    "seed": (_integer, "a whole number"),
}


def coerce(key: str, value: Any) -> Any:
    """Turns a YAML or command-line value into the type of a `SweepSpec` field.

    Raises:
        ScmcError: No such key, or a value that does not fit it.
    """
    if key not in _COERCE:
        raise ScmcError(f"a sweep has no key {key!r}; it has {', '.join(sorted(_COERCE))}")
    convert, expected = _COERCE[key]
    try:
        return convert(value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise ScmcError(f"{key} is {value!r}; expected {expected}") from error


def list_sweeps() -> dict[str, SweepSpec | TimedSpec]:
    """The sweeps that ship in ``experiments/sweeps``, by name."""
    import experiments.sweeps as package

    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    found = [importlib.import_module(f"{package.__name__}.{name}").SWEEP for name in names]
    return {spec.name: spec for spec in found}


def _from_yaml(text: str) -> SweepSpec | TimedSpec:
    from experiments.timed import spec as timed

    if re.search(rf"^kind:\s*{timed.KIND}\s*$", text, re.M):
        return timed.TimedSpec.from_yaml(text)
    return SweepSpec.from_yaml(text)


def load_sweep(name_or_yaml: str | Path) -> SweepSpec | TimedSpec:
    """A shipped sweep by its name, or one from a YAML file.

    Raises:
        ScmcError: Neither such a sweep nor such a file, or a file that is no sweep.
    """
    path = Path(name_or_yaml)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ScmcError(f"there is no sweep file {path}; check the path")
        try:
            return _from_yaml(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ScmcError(f"{path} is not UTF-8 text; expected a YAML sweep") from error
    sweeps = list_sweeps()
    if str(name_or_yaml) not in sweeps:
        raise ScmcError(
            f"there is no sweep {str(name_or_yaml)!r}; there are {', '.join(sorted(sweeps))}, "
            "or give a .yaml file"
        )
    return sweeps[str(name_or_yaml)]
