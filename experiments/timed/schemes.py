"""How a picture's units are treated on the timed link: a system and the settings of the link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, get_type_hints

from channels.coding.redundancy import HARQ_KINDS
from channels.errors import ChannelError
from channels.ranges import Range
from channels.specs import parse_arguments
from channels.timed import LinkConfig, TrafficClass
from channels.timed.types import SCHEDULING
from scmc_comm.errors import ScmcError
from scmc_comm.ranges import check_options
from scmc_comm.systems.base import System
from scmc_comm.types import LayerKind

PRIORITIES = ("layers", "equal")
CLOCKS = ("wall", "cpu")
"""By which measured times count."""
RETRANSMISSIONS = 4
_LAYER_TAGS = tuple(kind.tag for kind in LayerKind)

Margin = Annotated[float, Range(-30, 30)]
Stated = Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True)
class Computing:
    """How long the codec of a scheme works on a picture.

    Attributes:
        encode_s: From the arrival of a picture until its units can be sent, in seconds.
        decode_s: By tag: from the last block of a unit until it is shown, in seconds; a tag that
            is not in it takes none.
    """

    encode_s: float = 0.0
    decode_s: Mapping[str, float] = field(default_factory=dict)


INSTANT = Computing()
"""A codec that takes no time."""


@dataclass(frozen=True)
class Scheme:
    """A system on the timed link.

    Attributes:
        system: Registry name.
        priorities: "layers" sends lower layers first and lets them interrupt higher ones, "equal"
            serves all units in order of arrival.
        scheduling: How users share the link: layer_aware, proportional_fair or round_robin.
        harq: "incremental", "chase", or "none", which sends each block once.
        margin_db: Rate adaptation plans the lowest layer's blocks for a channel so much worse;
            None takes 3 dB with priorities of layers and none without.
        computing: Whether the codec takes time: "none", or what was measured on this machine as
            "wall" or "cpu" time (of all threads: what one core alone would take).
        encode_s: A time in place of a measured one: of the encoder, in s.
        decode_s: Likewise of the decoder, for each unit.

    >>> Scheme.parse("scmc:priorities=equal,scheduling=round_robin").priorities
    'equal'
    """

    system: str
    priorities: str = "layers"
    scheduling: str = "layer_aware"
    harq: str = "incremental"
    margin_db: Margin | None = None
    computing: str = "none"
    encode_s: Stated | None = None
    decode_s: Stated | None = None

    def __post_init__(self) -> None:
        for key, known in (
            ("priorities", PRIORITIES),
            ("scheduling", SCHEDULING),
            ("harq", (*HARQ_KINDS, "none")),
            ("computing", ("none", *CLOCKS)),
        ):
            if getattr(self, key) not in known:
                raise ScmcError(
                    f"{key} is {getattr(self, key)!r}; expected one of {', '.join(known)}"
                )
        for key in ("encode_s", "decode_s"):
            if self.measures and getattr(self, key) is not None:
                raise ScmcError(
                    f"computing is {self.computing!r} and {key} is {getattr(self, key)}; give "
                    "measured times or stated ones"
                )
        check_options(self)

    @property
    def measures(self) -> bool:
        """Does it take measured times?"""
        return self.computing != "none"

    @property
    def computes(self) -> bool:
        """Does its codec take time?"""
        return self.measures or self.encode_s is not None or self.decode_s is not None

    @classmethod
    def parse(cls, text: str) -> Scheme:
        """A scheme from ``SYSTEM:key=value,key=value``.

        Keys that are not the link's are the system's; `check` says whether it has them.

        Raises:
            ScmcError: A wrong value.

        >>> Scheme.parse("scmc:harq=chase,realism=0").system
        'scmc:realism=0'
        """
        system, colon, args = text.partition(":")
        known = {
            key: kind
            for key, kind in get_type_hints(cls, include_extras=True).items()
            if key != "system"
        }
        own: list[str] = []
        others: list[str] = []
        for item in args.split(",") if colon else ():
            if not item.strip():
                raise ScmcError(f"scheme {text!r} holds an empty item; expected key=value")
            (own if item.partition("=")[0].strip() in known else others).append(item)
        name = ":".join(filter(None, [system, ",".join(others)]))
        try:
            settings = parse_arguments(f"scheme {system!r}", known, ",".join(own))
        except ChannelError as error:
            raise ScmcError(str(error)) from error
        return cls(name, **settings)

    def check(self, make_system: Callable[[str], System]) -> None:
        """Make the system; of an unknown key the error also lists those of the link.

        Raises:
            ScmcError: There is no such system or key, or the system is analog.
        """
        try:
            analog = make_system(self.system).analog
        except ScmcError as error:
            own = ", ".join(key for key in get_type_hints(Scheme) if key != "system")
            raise ScmcError(f"{error}; keys of the link are {own}") from error
        if analog:
            raise ScmcError(
                f"system {self.system!r} is analog; the timed link carries packets of bits, so "
                "leave it out"
            )

    def link(self, bandwidth_hz: float, transmit_w: float = 1.0) -> LinkConfig:
        """The link's settings."""
        return LinkConfig(
            bandwidth_hz=bandwidth_hz,
            power_w=transmit_w,
            scheduling=self.scheduling,
            preemption=self.priorities == "layers",
            harq="chase" if self.harq == "none" else self.harq,
        )

    def classes(
        self, tags: Sequence[str], deadlines_s: Sequence[float], computing: Computing = INSTANT
    ) -> list[TrafficClass]:
        """A class of traffic for each unit.

        Args:
            tags: The system's units, the most urgent first.
            deadlines_s: Of the semantic, structure and signal layers; a unit that is no layer,
                such as a whole file, has the last.
            computing: How long its codec works.
        """
        layered = self.priorities == "layers"
        margin_db = self.margin_db if self.margin_db is not None else 3.0 * layered
        return [
            TrafficClass(
                tag,
                priority=place if layered else 0,
                deadline_s=deadlines_s[layer_of(tag)],
                max_transmissions=1 if self.harq == "none" else RETRANSMISSIONS,
                margin_db=margin_db if tag == LayerKind.SEMANTIC.tag else 0.0,
                encode_s=computing.encode_s,
                decode_s=computing.decode_s.get(tag, 0.0),
            )
            for place, tag in enumerate(tags)
        ]


def layer_of(tag: str) -> int:
    """Index of the layer that a unit belongs to; the last for a unit that is no layer.

    >>> [layer_of(tag) for tag in ("semantic", "signal.2", "image")]
    [0, 2, 2]
    """
    base = tag.partition(".")[0]
    return _LAYER_TAGS.index(base) if base in _LAYER_TAGS else len(_LAYER_TAGS) - 1
