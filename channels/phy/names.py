"""Physical layers by name, and how many of the channel uses of a budget they leave to data.

``flat`` sends symbols one after the other and its receiver knows the gains. ``ofdm`` sends them
over a resource grid with pilots: ``"ofdm:antennas=1x2,csi=lmmse"``, with the keys of
`channels.phy.ofdm.OfdmPhy.from_spec`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from channels.errors import ChannelError, no_such
from channels.plugins import Plugin, PluginError
from channels.registry import Registry

if TYPE_CHECKING:
    from channels.fading.models import Channel
    from channels.phy.ofdm import OfdmPhy
    from channels.types import Frame


def _plugin_phy(plugin: Plugin) -> Callable[[], Any]:
    """A plug-in's class or object with ``send``."""
    component = plugin.component
    if not callable(getattr(component, "send", None)):
        raise PluginError(
            f"phy {plugin.name!r} of {plugin.origin} is {component!r}; expected a class or an "
            "object with send(frames, channel, esno_db, seeds)"
        )
    return component if isinstance(component, type) else lambda: component


def _bit_true() -> Any:
    from channels.phy.bit_true import BitTruePhy

    return BitTruePhy()


def _ofdm() -> Any:
    from channels.phy.ofdm import OfdmPhy

    return OfdmPhy()


PHYS: Registry[Callable[[], Any]] = Registry("phy", {"flat": _bit_true, "ofdm": _ofdm}, _plugin_phy)
"""Physical layers by name, as they are without parameters."""
Estimator = Literal["monte-carlo", "table", "expected"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


def make_phy(spec: str = "flat", estimator: str = "monte-carlo") -> Any:
    """The physical layer called ``spec``.

    Args:
        spec: ``"flat"``, or ``"ofdm"`` with its parameters.
        estimator: ``"monte-carlo"`` sends every bit; ``"table"`` and ``"expected"`` look block
            errors up, over OFDM by the SNR after equalisation (`channels.phy.equivalent`).

    Returns:
        An object with ``send`` as `channels.phy.bit_true.BitTruePhy` has it, and
        ``expected_delivery`` as `channels.phy.table.TablePhy` has it unless every bit is sent.

    Raises:
        ChannelError: An unknown name, parameter or estimator.

    >>> make_phy("ofdm:antennas=1x2").num_rx
    2
    """
    ofdm = ofdm_link(spec)
    if estimator not in ESTIMATORS:
        raise ChannelError(f"estimator is {estimator!r}; expected one of {', '.join(ESTIMATORS)}")
    if PHYS.plugin(spec) is not None and estimator != "monte-carlo":
        raise ChannelError(
            f"phy is {spec!r}, a plug-in's, and estimator is {estimator!r}, whose tables know "
            "nothing of it; use monte-carlo"
        )
    if estimator == "monte-carlo":
        return PHYS[spec]() if ofdm is None else ofdm
    from channels.phy.equivalent import EquivalentPhy
    from channels.phy.table import TablePhy

    return TablePhy() if ofdm is None else EquivalentPhy(ofdm)


def check_link(spec: str, channel: Channel) -> None:
    """Refuses a channel that the link cannot run over, by sending one symbol.

    Raises:
        ChannelError: Fades that turn within a symbol, echoes longer than the prefix, or a
            receiver that would need statistics which the channel does not have.

    >>> from channels.fading.models import make_channel
    >>> check_link("ofdm:csi=lmmse", make_channel("clarke:speed_kmh=30"))
    """
    ofdm = ofdm_link(spec)
    if ofdm is not None:
        from channels.phy.equivalent import EquivalentChannel

        EquivalentChannel(ofdm, channel).draw(1, 0.0, [0])


def data_uses(spec: str, num_uses: int) -> int:
    """Most channel uses out of ``num_uses`` that can carry data; the others are pilots.

    >>> data_uses("flat", 4096), data_uses("ofdm:pilot_spacing=4", 4096)
    (4096, 3888)
    """
    ofdm, pilots = ofdm_link(spec), pilots_of(spec)
    if ofdm is not None:
        return ofdm.grid.data_uses(num_uses, ofdm.num_tx)
    if pilots is None:
        return num_uses
    found = bisect_right(range(num_uses + 1), num_uses, key=lambda n: n + pilots(n)) - 1
    return max(found, 0)


def pilots_of(spec: str) -> Callable[[int], int] | None:
    """Channel uses of the pilots that go with so many data symbols; None without pilots.

    A plug-in's physical layer declares them as its method ``pilots(num_symbols) -> int``: none
    with no symbols, and no fewer with more.

    Raises:
        ChannelError: What it declares is no number of channel uses; when it is called.

    >>> pilots_of("flat"), pilots_of("ofdm")(100)
    (None, 72)
    """
    ofdm = ofdm_link(spec)
    if ofdm is not None:
        return partial(ofdm.grid.pilot_uses, num_tx=ofdm.num_tx)
    declared = getattr(PHYS[spec](), "pilots", None) if PHYS.plugin(spec) is not None else None
    return None if declared is None else partial(_declared_pilots, spec, declared)


def _declared_pilots(spec: str, declared: Callable[[int], Any], num_symbols: int) -> int:
    try:
        found = declared(num_symbols)
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ChannelError(f"pilots of phy {spec!r} with {num_symbols} symbols: {why}") from error
    whole = isinstance(found, int | np.integer) and not isinstance(found, bool)
    if not whole or found < 0 or (found and not num_symbols):
        raise ChannelError(
            f"phy {spec!r} declares {found!r} pilots with {num_symbols} symbols; expected a whole "
            "number of channel uses, and 0 with no symbols"
        )
    return int(found)


def pilot_uses(spec: str, frames: Sequence[Frame]) -> tuple[int, ...]:
    """Channel uses that go to pilots with each of the frames.

    >>> import numpy as np
    >>> from channels.types import Frame, Mcs
    >>> frame = Frame("text", np.ones(80, np.uint8), Mcs(num_bits_per_symbol=2, coderate=0.5))
    >>> pilot_uses("flat", [frame]), pilot_uses("ofdm", [frame])
    ((0,), (72,))
    """
    pilots = pilots_of(spec)
    if pilots is None or not frames:
        return (0,) * len(frames)
    from channels.phy.stream import pilots_by_frame

    charged = pilots_by_frame(frames, pilots)
    if min(charged) < 0:
        raise ChannelError(f"phy {spec!r} has fewer pilots with more symbols; expected no fewer")
    return charged


def expectation_draws(spec: str, channel: Channel) -> int:
    """Draws of the fades that ``expected_delivery`` averages over; 0 where it integrates exactly.

    A probability p from n draws has a standard error of about ``sqrt(p (1 - p) / n)``, less where
    they are quasi-random.

    >>> from channels.fading.models import make_channel
    >>> names = ("awgn", "rayleigh_block", "rayleigh_block:coherence_symbols=64", "clarke")
    >>> [expectation_draws("flat", make_channel(name)) for name in names]
    [0, 0, 1024, 1024]
    >>> expectation_draws("ofdm", make_channel("awgn"))
    256
    """
    from channels.fading.models import BlockFading
    from channels.fading.states import DEFAULT_STATES
    from channels.phy.equivalent import DEFAULT_DRAWS

    if ofdm_link(spec) is not None:
        return DEFAULT_DRAWS
    whole = isinstance(channel, BlockFading) and channel.coherence_symbols is None
    return 0 if whole else DEFAULT_STATES


def symbol_pilot_uses(spec: str, num_symbols: int) -> int:
    """Channel uses that go to pilots with so many analog symbols.

    >>> symbol_pilot_uses("flat", 100), symbol_pilot_uses("ofdm", 100)
    (0, 72)
    """
    pilots = pilots_of(spec)
    return 0 if pilots is None else pilots(num_symbols)


def pilot_layout(spec: str) -> str:
    """The link reduced to what decides over its pilots: equal for links that cost the same.

    >>> pilot_layout("ofdm:csi=ls,antennas=2x2") == pilot_layout("ofdm:antennas=2x1,cfo_hz=9")
    True
    >>> pilot_layout("flat")
    'flat'
    """
    ofdm = ofdm_link(spec)
    if ofdm is None:
        return "flat" if pilots_of(spec) is None else spec
    grid = ofdm.grid
    return (
        f"ofdm:antennas={ofdm.num_tx}x1,num_subcarriers={grid.num_subcarriers},"
        f"num_pilot_symbols={grid.num_pilot_symbols},pilot_spacing={grid.pilot_spacing}"
    )


def phy_identity(spec: str) -> str:
    """What a physical layer depends on, for the keys of stored results: its text, or its source.

    >>> phy_identity("ofdm:csi=ls")
    'ofdm:csi=ls'
    """
    added = PHYS.identity(spec.partition(":")[0])
    return f"{spec} {added}" if added else spec


@lru_cache(maxsize=64)
def ofdm_link(spec: str) -> OfdmPhy | None:
    """The OFDM link called ``spec``, or None for the flat one and for a plug-in's."""
    name, _, args = spec.partition(":")
    if name == "harq":
        raise ChannelError(
            "phy 'harq' would take more channel uses than a budget allows; compare "
            "retransmissions on the timed link, where they cost time: scmc-comm sweep harq"
        )
    if name not in PHYS:
        raise ChannelError(no_such("phy", name, PHYS))
    if name != "ofdm":
        if args:
            raise ChannelError(f"phy is {spec!r}; {name} takes no parameters, ofdm does")
        return None
    from channels.phy.ofdm import OfdmPhy

    return OfdmPhy.from_spec(args)
