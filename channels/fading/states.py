"""The fades of one transmission as blocks of constant gain, drawn or as nodes with weights.

An expectation over the fades needs no random draws where one fade spans the transmission: the
power in dB is cut into fine cells, whose probabilities are exact. Waterfalls are as wide in dB at
any SNR, so deep outages are resolved as well as shallow ones. More fades than one are drawn by a
scrambled Sobol sequence of a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import norm, qmc

from channels.errors import ChannelError
from channels.fading.added import draw
from channels.fading.models import BlockFading, Channel
from channels.units import esno_db_to_no

# Power gains in dB between which a single fade is integrated; the mass outside goes to the ends.
_LOWEST_DB, _HIGHEST_DB = -70.0, 13.0
DEFAULT_STATES = 1024
_SOBOL_SEED = 20_12
_MAX_SOBOL_BLOCKS = 4096


@dataclass(frozen=True)
class ChannelStates:
    """Weighted realisations of the fades over one transmission.

    Attributes:
        power: float64 [num_states, num_blocks], squared magnitude of each gain.
        weights: float64 [num_states], summing to 1.
        block_symbols: Channel uses per block; the last block may be cut short.
        no: Noise variance per complex dimension.
    """

    power: np.ndarray
    weights: np.ndarray
    block_symbols: int
    no: float


def drawn_states(
    channel: Channel, num_symbols: int, esno_db: float, seeds: Sequence[int]
) -> ChannelStates:
    """The fades that the bit-true link sees with these seeds, equally weighted.

    A channel without block structure counts as one with blocks of one channel use.
    """
    weights = np.full(len(seeds), 1 / max(len(seeds), 1))
    if isinstance(channel, BlockFading):
        power = _drawn_power(channel, num_symbols, tuple(seeds))
        block = channel.block_symbols(num_symbols)
        return ChannelStates(power, weights, block, esno_db_to_no(esno_db))
    state = draw(channel, num_symbols, esno_db, seeds)
    power = state.h.abs().square().double().numpy()
    return ChannelStates(power, weights, 1, state.no)


@lru_cache(maxsize=256)
def _drawn_power(channel: BlockFading, num_symbols: int, seeds: tuple[int, ...]) -> np.ndarray:
    return channel.block_gains(num_symbols, seeds).abs().square().double().numpy()


def channel_states(
    channel: Channel, num_symbols: int, esno_db: float, num_states: int = DEFAULT_STATES
) -> ChannelStates:
    """Weighted fades for an expectation: the same at every call.

    Args:
        channel: The channel model.
        num_symbols: Channel uses of the transmission.
        esno_db: Mean Es/N0 per channel use.
        num_states: Nodes, or points of the Sobol sequence, which takes the next power of two; an
            AWGN channel takes one.

    >>> from channels.fading.models import RayleighBlock
    >>> states = channel_states(RayleighBlock(), 1000, 10.0)
    >>> states.power.shape, round(float(states.weights @ states.power[:, 0]), 3)
    ((1024, 1), 1.0)
    """
    if num_states < 2:
        raise ChannelError(f"num_states is {num_states}; expected 2 or more")
    if not isinstance(channel, BlockFading):
        return drawn_states(channel, num_symbols, esno_db, range(num_states))
    if not channel.is_fading:
        return ChannelStates(np.ones((1, 1)), np.ones(1), num_symbols, esno_db_to_no(esno_db))
    power, weights = _nodes(channel, channel.num_blocks(num_symbols), num_states)
    return ChannelStates(power, weights, channel.block_symbols(num_symbols), esno_db_to_no(esno_db))


@lru_cache(maxsize=64)
def _nodes(channel: BlockFading, num_blocks: int, num_states: int) -> tuple[np.ndarray, np.ndarray]:
    if num_blocks == 1:
        edges_db = np.linspace(_LOWEST_DB, _HIGHEST_DB, num_states + 1)
        centres = 10 ** ((edges_db[:-1] + edges_db[1:]) / 20)
        cdf = channel.power_law.cdf(10 ** (edges_db / 10))
        cdf[0], cdf[-1] = 0.0, 1.0
        return centres[:, None], np.diff(cdf)
    log2_states = int(np.ceil(np.log2(num_states)))
    if num_blocks > _MAX_SOBOL_BLOCKS:  # a frame sees the ergodic mean then; any draws do
        normal = np.random.default_rng(_SOBOL_SEED).standard_normal((2**log2_states, num_blocks, 2))
    else:
        sobol = qmc.Sobol(2 * num_blocks, seed=_SOBOL_SEED)
        normal = norm.ppf(sobol.random_base2(log2_states).clip(1e-12, 1 - 1e-12))
        normal = normal.reshape(-1, num_blocks, 2)
    power = np.abs(channel.quantile_gains(normal)) ** 2
    return power, np.full(len(power), 1 / len(power))
