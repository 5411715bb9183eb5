"""What the timed link is given: its own settings, its classes of traffic, its users."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from channels.coding.redundancy import HARQ_KINDS
from channels.errors import ChannelError
from channels.timed.traces import SnrTrace
from channels.types import Mcs

QUEUEING = ("strict", "fair", "deadline")
SCHEDULING = ("round_robin", "proportional_fair", "layer_aware")


def _nr(num_bits_per_symbol: int, rate_1024: float, repetition: int = 1) -> Mcs:
    return Mcs(num_bits_per_symbol, repetition * rate_1024 / 1024, repetition)


# From the CQI tables of 3GPP TS 38.214, 5.2.2.1, united; the lowest rates by repetition.
CQI_SCHEMES = (
    _nr(2, 30, 7), _nr(2, 50, 5), _nr(2, 78, 3), _nr(2, 120, 2), _nr(2, 193, 2), _nr(2, 308),
    _nr(2, 449), _nr(2, 602), _nr(4, 378), _nr(4, 490), _nr(4, 616), _nr(6, 466), _nr(6, 567),
    _nr(6, 666), _nr(6, 772), _nr(6, 873), _nr(8, 711), _nr(8, 797), _nr(8, 885), _nr(8, 948),
)  # fmt: skip


class BlockErrorRate(Protocol):
    """How likely a transport block is lost."""

    def __call__(self, mcs: Mcs, num_bits: int, esno_db: float) -> float:
        """Probability that a block of `num_bits` payload bits is lost over AWGN at `esno_db`."""
        ...


@dataclass(frozen=True)
class TrafficClass:
    """How packets of one kind are treated: one class a layer.

    Attributes:
        tag: Name of the kind.
        priority: 0 is the most urgent; equal numbers are served in order of arrival.
        weight: Share of the link under fair queueing, relative to the other classes.
        deadline_s: Time from arrival after which a packet is worthless, None for no limit.
        max_transmissions: Of each transport block.
        mcs: Fixed modulation and coding; None for rate adaptation.
        margin_db: Rate adaptation plans for a channel so much worse: more protection.
        power_db: Transmit power relative to that of the link.
        encode_s: From arrival until the packet can be sent.
        decode_s: From its last block until it is of use.
    """

    tag: str
    priority: int = 0
    weight: float = 1.0
    deadline_s: float | None = None
    max_transmissions: int = 4
    mcs: Mcs | None = None
    margin_db: float = 0.0
    power_db: float = 0.0
    encode_s: float = 0.0
    decode_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.weight < math.inf:
            raise ChannelError(f"class {self.tag!r}: weight is {self.weight}; expected above 0")
        if self.deadline_s is not None and not 0.0 < self.deadline_s < math.inf:
            raise ChannelError(
                f"class {self.tag!r}: deadline_s is {self.deadline_s}; expected seconds above 0, "
                "or None"
            )
        if self.max_transmissions < 1:
            raise ChannelError(
                f"class {self.tag!r}: max_transmissions is {self.max_transmissions}; expected 1 "
                "or more"
            )
        for name in ("encode_s", "decode_s"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ChannelError(
                    f"class {self.tag!r}: {name} is {getattr(self, name)}; expected seconds, 0 or "
                    "more"
                )
        if not (math.isfinite(self.margin_db) and math.isfinite(self.power_db)):
            raise ChannelError(f"class {self.tag!r}: margin_db and power_db must be finite")


@dataclass(frozen=True)
class RateAdaptation:
    """How the sender chooses modulation and coding.

    Inner loop: the fastest scheme that keeps the target at the reported Es/N0. Outer loop (OLLA):
    an offset to that Es/N0, which each ACK of a first transmission raises by
    ``step_db * target_bler`` and each NACK lowers by ``step_db * (1 - target_bler)``, so that it
    rests where first transmissions fail as often as they should (Sampath et al., PIMRC 1997).

    Attributes:
        schemes: To choose from.
        target_bler: Of first transmissions.
        cqi_period_s: Time between reports of the channel; 0 for a report at any time.
        cqi_delay_s: Age of a report when the sender can use it.
        step_db: Step of the outer loop; 0 switches it off.
    """

    schemes: tuple[Mcs, ...] = CQI_SCHEMES
    target_bler: float = 0.1
    cqi_period_s: float = 0.01
    cqi_delay_s: float = 0.005
    step_db: float = 0.5

    def __post_init__(self) -> None:
        if not self.schemes:
            raise ChannelError("rate adaptation has no schemes; expected at least one")
        if not 0.0 < self.target_bler < 1.0:
            raise ChannelError(f"target_bler is {self.target_bler}; expected between 0 and 1")
        for name in ("cqi_period_s", "cqi_delay_s", "step_db"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ChannelError(f"{name} is {getattr(self, name)}; expected 0 or more")


@dataclass(frozen=True)
class Feedback:
    """How the sender learns what arrived.

    Attributes:
        delay_s: From the end of a transmission to its ACK or NACK; 0 for at once.
        nack_to_ack: Probability that a NACK is read as an ACK: the block is given up.
        ack_to_nack: Probability that an ACK is read as a NACK: the block is sent needlessly.
    """

    delay_s: float = 0.0
    nack_to_ack: float = 0.0
    ack_to_nack: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay_s < float("inf"):
            raise ChannelError(f"feedback delay_s is {self.delay_s}; expected seconds, 0 or more")
        for name in ("nack_to_ack", "ack_to_nack"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ChannelError(f"{name} is {getattr(self, name)}; expected a probability")


@dataclass(frozen=True)
class LinkConfig:
    """A link that one sender shares among its users, a block at a time over all its bandwidth.

    Attributes:
        bandwidth_hz: Complex channel uses a second.
        slot_s: Grain of preemption, counted from the start of a block.
        queueing: Which packet of a user goes first: "strict" (priority, then arrival), "fair"
            (self-clocked weighted fair queueing) or "deadline" (earliest first).
        scheduling: Which user goes first: "round_robin", "proportional_fair", or "layer_aware"
            (most urgent priority at the head of the queue, proportionally fair among equals).
        preemption: Whether an arriving packet that goes first suspends the block under way at
            the end of the slot; the rest of the block is sent later. Across users only under
            "layer_aware"; never under "fair".
        harq: "incremental" or "chase".
        feedback: Its delay and errors.
        adaptation: Of the rate of classes without a fixed scheme.
        max_block_bits: A packet is cut into transport blocks of at most so many bits.
        num_processes: Blocks of one user that may be under way or wait for feedback: its soft
            buffers.
        max_queue: Packets of one class of one user that may wait or be under way.
        power_w: Transmit power.
    """

    bandwidth_hz: float
    slot_s: float = 1e-3
    queueing: str = "strict"
    scheduling: str = "round_robin"
    preemption: bool = True
    harq: str = "incremental"
    feedback: Feedback = field(default_factory=lambda: Feedback(delay_s=4e-3))
    adaptation: RateAdaptation = field(default_factory=RateAdaptation)
    max_block_bits: int = 3800
    num_processes: int = 16
    max_queue: int = 1000
    power_w: float = 1.0

    def __post_init__(self) -> None:
        for name in ("bandwidth_hz", "slot_s", "power_w"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ChannelError(f"{name} is {getattr(self, name)}; expected a value above 0")
        if self.slot_s * self.bandwidth_hz < 1 - 1e-9:
            raise ChannelError(
                f"slot_s is {self.slot_s} at bandwidth_hz {self.bandwidth_hz}: less than one "
                "channel use; lengthen the slot or widen the band"
            )
        for name, known in (
            ("queueing", QUEUEING), ("scheduling", SCHEDULING), ("harq", HARQ_KINDS)
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise ChannelError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        for name in ("max_block_bits", "num_processes", "max_queue"):
            if getattr(self, name) < 1:
                raise ChannelError(f"{name} is {getattr(self, name)}; expected 1 or more")


@dataclass(frozen=True)
class Arrival:
    """A frame: packets that arrive together.

    Attributes:
        time_s: When.
        bits: Payload bits of each packet, by the tag of its class.
    """

    time_s: float
    bits: Mapping[str, int]


@dataclass(frozen=True)
class User:
    """One receiver.

    Attributes:
        trace: Its channel.
        arrivals: Its frames, times ascending; read as the simulation goes, so it may be endless.
    """

    trace: SnrTrace
    arrivals: Iterable[Arrival]
