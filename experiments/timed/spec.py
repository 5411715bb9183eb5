"""What an experiment on the timed link is: a frozen description that round-trips through YAML."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from channels.ranges import CarrierHz, EsnoDb, Range, Seed, SymbolRateHz
from channels.specs import fits, type_name
from experiments.specs import ALIASES, Spec
from experiments.timed.schemes import Scheme
from scmc_comm.errors import ScmcError
from scmc_comm.ranges import NumImages, Rho

Axis = Literal["load", "num_users", "deadline_s", "esno_db"]
MAX_USERS = 256
Seconds = Annotated[float, Range(0, 1e6, open_low=True)]
Watts = Annotated[float, Range(0, 1e6, open_low=True)]


@dataclass(frozen=True)
class TimedSpec(Spec):
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
        schemes: Systems with the link's keys priorities, scheduling, harq, margin_db, computing,
            encode_s and decode_s (`experiments.timed.schemes.Scheme`), as in
            ``scmc:priorities=equal``; the first is the reference.
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
        transmit_w: Transmit power in W.
        encoder_w: Power in W of a device that encodes, for schemes with computing: an assumption.
        decoder_w: Likewise of one that decodes.
        times: File of computing times to take; empty measures those that schemes ask for here and
            keeps them as ``times.json`` beside the results, where a rerun takes them from.
        plugins: Files or modules of plug-ins, which are loaded before anything is looked up by
            name; paths as seen from the current folder.
        description: One line for people.

    Example:
        >>> spec = TimedSpec("demo", "load", (0.5, 1.0), ("scmc",))
        >>> TimedSpec.from_yaml(spec.to_yaml()) == spec
        True
        >>> spec.override(["values=0.2,0.4", "num_users=2"]).values
        (0.2, 0.4)
    """

    KIND: ClassVar[str] = "timed"

    name: str
    axis: Axis
    values: tuple[float, ...]
    schemes: tuple[str, ...]
    images: str = "photos"
    num_images: NumImages | None = 4
    rho: Rho = 1 / 24
    design_esno_db: EsnoDb = 10.0
    metrics: tuple[str, ...] = ("psnr_db", "ms_ssim")
    bandwidth_hz: SymbolRateHz = 100e3
    load: Annotated[float, Range(0, 100, open_low=True)] = 0.8
    num_users: Annotated[int, Range(1, MAX_USERS)] = 4
    esno_db: EsnoDb = 15.0
    spread_db: Annotated[float, Range(0, 100)] = 6.0
    speed_mps: Annotated[float, Range(0, 3e5)] = 1.5
    carrier_hz: CarrierHz = 2e9
    deadlines_s: tuple[Seconds, ...] = (0.2, 0.3, 0.5)
    duration_s: Seconds = 20.0
    num_replications: Annotated[int, Range(2, 10_000)] = 6
    seed: Seed = 1
    transmit_w: Watts = 1.0
    encoder_w: Watts = 10.0
    decoder_w: Watts = 10.0
    times: str = ""
    plugins: tuple[str, ...] = ()
    description: str = ""

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The components that it names, by kind, each with its options."""
        systems = tuple(dict.fromkeys(Scheme.parse(text).system for text in self.schemes))
        return {"system": systems, "metric": self.metrics, "dataset": (self.images,)}

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_lists("values", "schemes", "metrics")
        for text in self.schemes:
            Scheme.parse(text)
        three = len(self.deadlines_s) == 3
        layers = "three times above 0, of the semantic, structure and signal layer"
        self.require("deadlines_s", three, layers)
        for value in self.values:
            self.at(value)

    @classmethod
    def coerce(cls, key: str, value: Any) -> Any:
        """See `Spec.coerce`; of a list for one of the axes the error says how to sweep it."""
        try:
            return super().coerce(key, value)
        except ScmcError as error:
            axis = ALIASES.get(key, key)
            if axis not in get_args(Axis) or not isinstance(value, str | list):
                raise
            how = f"to sweep it set axis={axis} and give its values as values"
            raise ScmcError(f"{error}; {how}") from error

    def at(self, value: float) -> Point:
        """What holds at one value of the axis."""
        point = Point(self.load, self.num_users, self.deadlines_s, self.esno_db)
        if self.axis == "num_users":
            if value != int(value) or not 1 <= value <= MAX_USERS:
                raise ScmcError(f"num_users is {value}; expected whole numbers, 1 to {MAX_USERS}")
            each = self.load / self.num_users
            return dataclasses.replace(point, num_users=int(value), load=each * value)
        if self.axis == "esno_db":
            if not fits(value, EsnoDb):
                raise ScmcError(f"esno_db is {value}; expected {type_name(EsnoDb)}")
            return dataclasses.replace(point, esno_db=value)
        if not fits(value, Seconds):
            raise ScmcError(f"{self.axis} is {value}; expected {type_name(Seconds)}")
        if self.axis == "load":
            return dataclasses.replace(point, load=value)
        return dataclasses.replace(point, deadlines_s=(value,) * 3)


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
