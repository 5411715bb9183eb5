"""Delivery probabilities for planning: the fades that are expected, and what is delivered.

Over a channel of one fade per transmission (AWGN, block fading without a coherence length) the
states are values of the Es/N0, cut into cells a quarter of a dB wide. Over other channels they are
realisations of all fades, few of them during the search (`COARSE_STATES`); where the fades of one
transmission are many, neighbours are merged, which a plan can bear. An OFDM link is the flat
channel whose fades are its SNRs after equalisation with the receiver's own estimate
(`channels.phy.equivalent.EquivalentChannel`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from channels.coding.segmentation import plan_blocks
from channels.fading.models import BlockFading, Channel, channel_identity, make_channel
from channels.phy.names import phy_identity
from channels.types import Mcs
from channels.units import db_to_lin, esno_db_to_no, lin_to_db
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:  # with scipy.stats, which a fixed plan does without
    from channels.bler.table import BlerTable
    from channels.fading.states import ChannelStates
    from channels.phy.table import TablePhy

_CELL_DB, _LOWEST_DB, _HIGHEST_DB = 0.25, -24.0, 40.0
COARSE_STATES, _MAX_FADES = 128, 64
_SLACK = 1.1  # a plan between two rates of the signal may be reckoned at the longer one
_MIN_BLOCK_BITS = 24  # that the tables hold


class Link(Protocol):
    """What a plan expects: states of the channel, and what is delivered in each."""

    @property
    def weights(self) -> np.ndarray:
        """Of the states: float64 [S], summing to 1."""
        ...

    @property
    def is_flat(self) -> bool:
        """Whether the place of a frame in the transmission makes no difference."""
        ...

    @property
    def num_uses(self) -> float:
        """Channel uses that the states cover; infinite where one fade covers any number."""
        ...

    def delivery(self, num_bits: int, mcs: Mcs, start: int, power_db: float) -> np.ndarray:
        """Probability that a frame arrives, in each state: float64 [S].

        Args:
            num_bits: Payload bits.
            mcs: A scheme of the tables.
            start: Its first symbol.
            power_db: Its power over the mean of the transmission.
        """
        ...


@dataclass(frozen=True)
class FlatLink:
    """One Es/N0 over the transmission, which the transmitter does not know exactly.

    Attributes:
        esno_db: float64 [S].
        weights: float64 [S].
        table: Block error rates.

    Example:
        >>> link = make_link("awgn", 1000, (10.0,))
        >>> float(link.delivery(400, Mcs(2, 0.25), 0, 0.0).round(3)[0])
        1.0
    """

    esno_db: np.ndarray
    weights: np.ndarray
    table: BlerTable
    is_flat: bool = True
    num_uses: float = math.inf

    def delivery(self, num_bits: int, mcs: Mcs, start: int, power_db: float) -> np.ndarray:
        """See `Link`."""
        plan = plan_blocks(num_bits, mcs)
        esno_db = self.esno_db + (power_db + lin_to_db(mcs.repetition))
        lost = self.table.bler(mcs, max(plan.block_bits, _MIN_BLOCK_BITS), esno_db)
        p: np.ndarray = (1 - lost) ** plan.num_blocks
        return p


@dataclass(frozen=True)
class FadingLink:
    """Several fades over the transmission.

    Attributes:
        states: The fades at each mean Es/N0.
        weights: float64 [S] over all of them.
        phy: The tables.
    """

    states: tuple[ChannelStates, ...]
    weights: np.ndarray
    phy: TablePhy
    is_flat: bool = False

    @property
    def num_uses(self) -> float:
        """See `Link`."""
        return min(states.power.shape[1] * states.block_symbols for states in self.states)

    def delivery(self, num_bits: int, mcs: Mcs, start: int, power_db: float) -> np.ndarray:
        """See `Link`."""
        power = db_to_lin(power_db)
        return np.concatenate(
            [self.phy.arrival(num_bits, mcs, start, power, states) for states in self.states]
        )


def make_link(
    channel: str,
    num_uses: int,
    esno_db: Sequence[float],
    weights: Sequence[float] | None = None,
    num_states: int | None = None,
    phy: str = "flat",
) -> Link:
    """The link that a plan reckons with.

    Args:
        channel: Name and parameters, as `channels.fading.models.make_channel` takes them.
        num_uses: Channel uses of the transmission.
        esno_db: Mean Es/N0 in dB; several if the transmitter does not know which it is.
        weights: How likely each of them is, in any unit; alike by default.
        num_states: Realisations of several fades, for each mean Es/N0; None for
            `channels.fading.states.DEFAULT_STATES`, of an OFDM link
            `channels.phy.equivalent.DEFAULT_DRAWS`.
        phy: The physical layer, as `channels.phy.names.make_phy` takes it; the channel uses are
            those that carry data.

    Raises:
        ScmcError: Weights that are none.
        ChannelError: A channel that the physical layer cannot run over.
    """
    share = None if weights is None else tuple(weights)
    identity = channel_identity(channel), phy_identity(phy)
    return _link(channel, num_uses, tuple(esno_db), share, num_states, phy, *identity)


@lru_cache(maxsize=64)
def _link(
    channel: str,
    num_uses: int,
    esno_db: tuple[float, ...],
    weights: tuple[float, ...] | None,
    num_states: int | None,
    phy: str,
    *_: str,
) -> Link:
    """`make_link`, once for each identity of the channel and of the physical layer."""
    from channels.bler.table import default_table
    from channels.phy.table import TablePhy

    share = shares(esno_db, weights)
    model, most_states = _model(channel, phy)
    is_flat = isinstance(model, BlockFading) and model.num_blocks(num_uses) == 1
    count = most_states if is_flat or num_states is None else num_states
    uses = num_uses if is_flat else math.ceil(_SLACK * num_uses) + 1
    states = _states(model, uses, esno_db, count)
    all_weights = np.concatenate([w * s.weights for w, s in zip(share, states, strict=True)])
    if not is_flat:
        return FadingLink(tuple(map(_merged, states)), all_weights, TablePhy())
    with np.errstate(divide="ignore"):
        db = np.concatenate([10 * np.log10(s.power[:, 0] / s.no) for s in states])
    return FlatLink(*_cells(db, all_weights), default_table())


def _model(channel: str, phy: str) -> tuple[Channel, int]:
    """The flat channel that the block error tables see, and how many of its states to take."""
    from channels.fading.states import DEFAULT_STATES
    from channels.phy.equivalent import DEFAULT_DRAWS, EquivalentChannel
    from channels.phy.names import make_phy, ofdm_link

    model = make_channel(channel)
    if ofdm_link(phy) is None:
        return model, DEFAULT_STATES
    return EquivalentChannel(make_phy(phy), model), DEFAULT_DRAWS


def _states(
    model: Channel, num_uses: int, esno_db: Sequence[float], count: int
) -> tuple[ChannelStates, ...]:
    """At each mean Es/N0; the gains of a flat link, which it does not change, are drawn once."""
    from channels.fading.states import channel_states
    from channels.phy.equivalent import EquivalentChannel

    if isinstance(model, EquivalentChannel):
        return tuple(channel_states(model, num_uses, mean, count) for mean in esno_db)
    drawn = channel_states(model, num_uses, esno_db[0], count)
    return tuple(replace(drawn, no=esno_db_to_no(mean)) for mean in esno_db)


def shares(esno_db: Sequence[float], weights: Sequence[float] | None) -> np.ndarray:
    """How likely each mean Es/N0 is, summing to 1; ScmcError for weights that are none."""
    share = np.ones(len(esno_db)) if weights is None else np.asarray(weights, float)
    good = len(share) == len(esno_db) > 0 and np.isfinite([*share, *esno_db]).all()
    if not good or (share < 0).any() or share.max() <= 0:
        raise ScmcError(
            f"mean Es/N0 {list(esno_db)} have weights {share.tolist()}; expected one weight for "
            "each, 0 or more, not all 0"
        )
    scaled: np.ndarray = share / share.max()  # the sum of large ones may not be finite
    return scaled / scaled.sum()


def _cells(esno_db: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joins states within a quarter of a dB, unless they are few."""
    if len(esno_db) <= 64:
        return esno_db, weights
    inside = np.clip(esno_db, _LOWEST_DB, _HIGHEST_DB)
    cell = ((inside - _LOWEST_DB) / _CELL_DB).astype(int)
    total = np.bincount(cell, weights)
    mean = np.bincount(cell, weights * inside) / np.maximum(total, 1e-300)
    return mean[total > 0], total[total > 0]


def _merged(states: ChannelStates) -> ChannelStates:
    """Neighbouring fades as one of their mean capacity, where they are too many.

    Power averaged over subcarriers would hide that a faded one costs more than a good one gains.
    """
    num_fades = states.power.shape[1]
    if num_fades <= _MAX_FADES:
        return states
    merged = -(-num_fades // _MAX_FADES)
    starts = np.arange(0, num_fades, merged)
    counts = np.diff(np.append(starts, num_fades))
    capacity = np.add.reduceat(np.log1p(states.power / states.no), starts, axis=1) / counts
    power = np.expm1(capacity) * states.no
    return replace(states, power=power, block_symbols=states.block_symbols * merged)
