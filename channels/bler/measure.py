"""Counting block errors over AWGN: random payloads, bit-true, on a grid of Es/N0 that adapts.

A curve is walked from where nothing decodes to where hardly anything is lost. The steps follow
the slope of the waterfall, so that every curve gets about as many points whatever its steepness.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm

from channels.bler.table import BlerCurve, CurveKey
from channels.coding.segmentation import MAX_BLOCK_BITS
from channels.coding.transport_block import TransportBlockCode, check_decoder
from channels.errors import ChannelError
from channels.kernels.normal import complex_normal
from channels.modulation.mutual_information import bicm_information
from channels.modulation.qam import demap, map_bits
from channels.types import Mcs
from channels.units import esno_db_to_no

# Code block lengths of the shipped table; the last two are the longest of the base graphs.
BLOCK_BITS = (24, 56, 128, 320, 800, 1920, 3824, 8448)
_LOST = 0.985  # a curve starts where more blocks than this are lost
_STEP_PROBIT, _FIRST_STEP_DB, _MAX_STEP_DB, _LEAST_STEP_DB = 0.7, 0.3, 1.0, 0.01
_MAX_POINTS = 60
_LEAST_ERRORS = 5  # a point with fewer says too little
_LAST_ERRORS = 10  # expected at the last point, if the coded bits of a point run out
_BITS_PER_BATCH, _MIN_BATCH = 2**18, 32


@dataclass(frozen=True)
class Stopping:
    """When a point, and a curve, has been measured well enough.

    Attributes:
        num_errors: Block errors after which a point is done.
        min_bler: The curve ends at the first point at or below it.
        max_bits: Coded bits that a point may take; a curve ends where this cuts a point short,
            and a point with fewer than five errors is left out.
    """

    num_errors: int = 100
    min_bler: float = 1e-4
    max_bits: float = 1e12

    def __post_init__(self) -> None:
        if self.num_errors < _LEAST_ERRORS or not 0 < self.min_bler < 0.1 or self.max_bits < 1e5:
            raise ChannelError(
                f"stopping rule is {self}; expected at least {_LEAST_ERRORS} errors, a BLER "
                "between 0 and 0.1, and 1e5 bits"
            )


def longest_block(mcs: Mcs) -> int:
    """Information bits of the longest code block of a scheme (`channels.coding.segmentation`)."""
    return MAX_BLOCK_BITS[2 if mcs.coderate <= 1 / 4 else 1]


def curve_keys(schemes: Iterable[Mcs], lengths: Iterable[int] = BLOCK_BITS) -> tuple[CurveKey, ...]:
    """Curves of all schemes, each at the lengths that it codes in one block.

    Schemes that differ in repetition alone share their curves.
    """
    lengths = tuple(lengths)
    keys = set()
    for mcs in schemes:
        longest = longest_block(mcs)
        for bits in lengths:
            if bits < 17:
                raise ChannelError(f"a code block of {bits} bits holds no payload beside its CRC")
            # 3824 stands for the end of the range, which is 3840 at the lowest rates.
            kept = longest if bits == 3824 and longest == MAX_BLOCK_BITS[2] else bits
            if kept <= longest:
                keys.add(CurveKey(mcs.num_bits_per_symbol, mcs.coderate, kept))
    return tuple(sorted(keys))


def measure_curve(
    key: CurveKey, stopping: Stopping, seed: int = 0, decoder: str = "fast"
) -> BlerCurve:
    """Counts the errors of one modulation, code rate and block length over its waterfall.

    The same arguments give the same counts.
    """
    counter = _Counter(key, seed, decoder)
    last_bler = _LAST_ERRORS * counter.bits_per_block / stopping.max_bits
    points: dict[float, tuple[int, int]] = {}

    def count(esno_db: float) -> tuple[int, int]:
        blocks, errors = counter.count(esno_db, stopping.num_errors, stopping.max_bits)
        if errors >= _LEAST_ERRORS:
            points[esno_db] = blocks, errors
        return blocks, errors

    esno_db = _capacity_db(key)
    while counter.rate(esno_db) < _LOST:
        esno_db = round(esno_db - 2 * _FIRST_STEP_DB, 3)
    step_db = _FIRST_STEP_DB
    while len(points) < _MAX_POINTS and step_db >= _LEAST_STEP_DB:
        blocks, errors = count(esno_db)
        if errors < _LEAST_ERRORS:  # overshot: go back half of the way
            step_db /= 2
            esno_db = round(max(points) + step_db, 3)
            continue
        if errors / blocks <= stopping.min_bler or errors < stopping.num_errors:
            break
        step_db = _next_step(points, step_db, last_bler)
        esno_db = round(esno_db + step_db, 3)
    while gap := _widest_gap(points):
        count(gap)
    return _curve(points)


def _probit(blocks: int, errors: int) -> float:
    return float(norm.ppf(min(errors, blocks - 0.5) / blocks))


def _next_step(points: dict[float, tuple[int, int]], step_db: float, last_bler: float) -> float:
    """Step in dB over which the probit falls by about `_STEP_PROBIT`, or to the last one."""
    if len(points) < 2:
        return _FIRST_STEP_DB
    (x0, p0), (x1, p1) = [(x, _probit(*points[x])) for x in sorted(points)[-2:]]
    slope = max((p0 - p1) / (x1 - x0), 1e-3)
    step = np.clip(_STEP_PROBIT / slope, 0.6 * step_db, min(_MAX_STEP_DB, 1.6 * step_db))
    return float(min(step, (p1 - norm.ppf(min(last_bler, 0.5))) / slope))


def _widest_gap(points: dict[float, tuple[int, int]]) -> float | None:
    """Es/N0 in the middle of the widest gap in the probit, if there is one too wide."""
    x = sorted(points)
    drop = -np.diff([_probit(*points[v]) for v in x])
    drop[np.diff(x) < 2 * _LEAST_STEP_DB] = 0.0
    if len(drop) == 0 or len(x) >= _MAX_POINTS or drop.max() <= 2 * _STEP_PROBIT:
        return None
    i = int(drop.argmax())
    return round((x[i] + x[i + 1]) / 2, 3)


def _curve(points: dict[float, tuple[int, int]]) -> BlerCurve:
    """Starts at the last point where nearly all blocks are lost."""
    x = sorted(points)
    lost = [i for i, v in enumerate(x) if points[v][1] > _LOST * points[v][0]]
    x = x[max(lost, default=0) :]
    counts = np.array([points[v] for v in x], np.int64)
    return BlerCurve(np.array(x), counts[:, 0].copy(), counts[:, 1].copy())


def _capacity_db(key: CurveKey) -> float:
    """Es/N0 in dB where the mutual information of a coded bit equals the code rate."""
    curve = bicm_information(key.num_bits_per_symbol)
    return round(float(curve.inverse_db(np.array(key.coderate))), 2)


class _Counter:
    """Sends random blocks; what it sends at an Es/N0 depends on the seed and the Es/N0 alone."""

    def __init__(self, key: CurveKey, seed: int, decoder: str) -> None:
        crc_bits = 16 if key.block_bits <= MAX_BLOCK_BITS[2] else 24
        mcs = Mcs(key.num_bits_per_symbol, key.coderate)
        self._code = TransportBlockCode(key.block_bits - crc_bits, mcs)
        if self._code.plan.num_blocks != 1:
            raise ChannelError(
                f"{key.block_bits} bits at code rate {key.coderate:.3f} are more than one code "
                f"block; expected at most {longest_block(mcs)}"
            )
        self.bits_per_block = self._code.num_coded_bits
        self._decoder = check_decoder(decoder)
        self._entropy = (seed, key.num_bits_per_symbol, round(2**30 * key.coderate), key.block_bits)

    def rate(self, esno_db: float) -> float:
        """Error rate from a few blocks."""
        blocks, errors = self.count(esno_db, 100, 1e6)
        return errors / blocks

    def count(self, esno_db: float, num_errors: int, max_bits: float) -> tuple[int, int]:
        """Blocks sent and blocks lost."""
        most = max(_MIN_BATCH, int(max_bits / self.bits_per_block))
        largest = max(_MIN_BATCH, _BITS_PER_BATCH // self.bits_per_block)
        rng = np.random.default_rng([*self._entropy, round(1000 * (esno_db + 100))])
        blocks = errors = 0
        size = min(largest, 2 * num_errors)
        while errors < num_errors and blocks < most:
            errors += self._lost(esno_db, size, rng)
            blocks += size
            size = min(largest, 2 * size)
        return blocks, errors

    def _lost(self, esno_db: float, size: int, rng: np.random.Generator) -> int:
        code, order = self._code, self._code.mcs.num_bits_per_symbol
        bits = rng.integers(0, 2, (size, code.k), np.uint8)
        keys = rng.integers(0, 2**32, (size, 2), np.uint32)
        no = esno_db_to_no(esno_db)
        y = torch.from_numpy(complex_normal(code.num_symbols, keys, no))
        y = y + map_bits(code.encode(bits), order)
        bits_hat, ok = code.decode(demap(y, torch.ones(()), no, order), self._decoder)
        return int((~ok | (bits_hat != bits).any(1)).sum())
