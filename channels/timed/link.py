"""The timed link: checks what it is given and runs the server."""

from __future__ import annotations

import math
from collections.abc import Sequence

from channels.errors import ChannelError
from channels.timed.report import TimedReport
from channels.timed.server import Server
from channels.timed.types import BlockErrorRate, LinkConfig, TrafficClass, User


def simulate(
    config: LinkConfig,
    classes: Sequence[TrafficClass],
    users: Sequence[User],
    bler: BlockErrorRate,
    duration_s: float,
    seed: int,
) -> TimedReport:
    """Runs the link until every frame that arrived within `duration_s` is through.

    Args:
        config: The link.
        classes: How packets of each tag are treated; tags must differ.
        users: Channel and frames of each user.
        bler: Block error rate over AWGN, for example `channels.timed.tables.TableBler`.
        duration_s: Time over which frames arrive.
        seed: Of block errors and feedback errors; arrivals and traces have their own.

    Returns:
        The fate of every packet.

    Raises:
        ChannelError: Settings that contradict each other, or a frame that is not in order.

    >>> from channels.timed.sources import periodic_arrivals
    >>> from channels.timed.traces import ConstantTrace
    >>> from channels.types import Mcs
    >>> text = TrafficClass("text", mcs=Mcs(num_bits_per_symbol=2, coderate=0.5))
    >>> user = User(ConstantTrace(10.0), periodic_arrivals(5.0, [{"text": 84}]))
    >>> report = simulate(
    ...     LinkConfig(bandwidth_hz=1e3), [text], [user], lambda *block: 0.0, 1.0, seed=1
    ... )
    >>> report.summary("text").delivered, report.latency_s.round(6).tolist()
    (5, [0.1, 0.1, 0.1, 0.1, 0.1])
    """
    if not 0.0 < duration_s < math.inf:
        raise ChannelError(f"duration_s is {duration_s}; expected seconds above 0")
    tags = [kind.tag for kind in classes]
    if not tags or len(set(tags)) < len(tags):
        raise ChannelError(f"classes are tagged {tags}; expected at least one, all different")
    if not users:
        raise ChannelError("got no users; expected at least one")
    for kind in classes:
        if kind.deadline_s is not None and kind.deadline_s < config.slot_s:
            raise ChannelError(
                f"class {kind.tag!r}: deadline_s is {kind.deadline_s}, less than a slot of "
                f"{config.slot_s} s; nothing can meet it"
            )
    return Server(config, classes, users, bler, duration_s, seed).run()
