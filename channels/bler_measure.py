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

from channels.abstraction import BlerCurve, CurveKey
from channels.coding import TransportBlockCode
from channels.errors import ChannelError
from channels.modulation import demap, map_bits
from channels.mutual_information import bicm_information
from channels.types import Mcs
from channels.units import esno_db_to_no

# Code block lengths of the shipped table. 3824 and 4224 stand on both sides of the change of base
# graph (38.212, 7.2.2); 8448 is the longest.
BLOCK_BITS = (24, 40, 64, 104, 160, 256, 400, 640, 1024, 1600, 2560, 3824, 4224, 8448)
_LOST, _STEP_PROBIT, _FIRST_STEP_DB = 0.985, 0.6, 0.25
_MAX_STEP_DB, _MIN_STEP_DB = 0.8, 0.04
_MAX_POINTS = 60


@dataclass(frozen=True)
class Stopping:
    """When a point, and a curve, has been measured well enough.

    Attributes:
        num_errors: Block errors after which a point is done.
        min_bler: The curve ends at the first point below it.
        max_bits: Coded bits that a point may take at most; a curve ends where this cuts it short.
    """

    num_errors: int = 100
    min_bler: float = 1e-4
    max_bits: float = 1e12

    def __post_init__(self) -> None:
        if self.num_errors < 2 or not 0 < self.min_bler < 0.1 or self.max_bits < 1e4:
            raise ChannelError(
                f"stopping rule is {self}; expected 2 or more errors, a BLER below 0.1, 1e4 bits"
            )


def payload_bits(block_bits: int) -> int:
    """Payload of a transport block that is one code block of so many bits with its CRC."""
    return block_bits - (16 if block_bits <= 3840 else 24)


def block_lengths(mcs: Mcs, lengths: Iterable[int] = BLOCK_BITS) -> tuple[int, ...]:
    """Those of the lengths that the scheme can code in one block.

    The longest block of the scheme takes the place of a longer one, so that the table reaches it.
    """
    longest = 8448 if mcs.coderate > 1 / 3 else 3840 if mcs.coderate <= 1 / 4 else 3824
    return tuple(sorted({*(b for b in lengths if b <= longest), longest}))


def measure_curve(
    key: CurveKey, stopping: Stopping, seed: int = 0, decoder: str = "fast"
) -> BlerCurve:
    """Counts the errors of one modulation, code rate and block length over its waterfall."""
    counter = _Counter(key, stopping, seed, decoder)
    esno_db = _start_db(key)
    while counter.rate(esno_db, num_errors=60) < _LOST:
        esno_db -= 2 * _FIRST_STEP_DB
    points: dict[float, tuple[int, int]] = {}
    step_db = _FIRST_STEP_DB
    while len(points) < _MAX_POINTS:
        blocks, errors = counter.count(esno_db)
        if errors < min(stopping.num_errors, 5):
            break
        points[esno_db] = blocks, errors
        rate = errors / blocks
        if rate > _LOST and len(points) > 1:
            points = {esno_db: points[esno_db]}
        if rate <= stopping.min_bler or errors < stopping.num_errors:
            break
        step_db = _next_step(points, step_db)
        esno_db = round(esno_db + step_db, 3)
    x = np.array(sorted(points))
    blocks, errors = np.array([points[v] for v in x], np.int64).T
    return BlerCurve(x, blocks, errors)


def _next_step(points: dict[float, tuple[int, int]], step_db: float) -> float:
    """Step in dB over which the probit falls by about `_STEP_PROBIT`."""
    if len(points) < 2:
        return step_db
    (x0, (n0, e0)), (x1, (n1, e1)) = list(points.items())[-2:]
    probits = [norm.ppf(min(e, n - 0.5) / n) for n, e in ((n0, e0), (n1, e1))]
    slope = max((probits[0] - probits[1]) / (x1 - x0), 1e-3)
    return float(np.clip(_STEP_PROBIT / slope, max(_MIN_STEP_DB, step_db / 2),
                         min(_MAX_STEP_DB, 1.6 * step_db)))  # fmt: skip


def _start_db(key: CurveKey) -> float:
    """Es/N0 in dB where the mutual information of a coded bit equals the code rate."""
    curve = bicm_information(key.num_bits_per_symbol)
    return round(float(curve.inverse_db(np.array(key.coderate))) - 0.5, 2)


class _Counter:
    """Sends random blocks; the noise of a point depends on the seed and the Es/N0 alone."""

    def __init__(self, key: CurveKey, stopping: Stopping, seed: int, decoder: str) -> None:
        mcs = Mcs(key.num_bits_per_symbol, key.coderate)
        self._key, self._stopping, self._seed, self._decoder = key, stopping, seed, decoder
        self._code = TransportBlockCode(payload_bits(key.block_bits), mcs)
        if self._code.plan.num_blocks != 1:
            raise ChannelError(f"{key} is more than one code block; expected fewer bits")

    def rate(self, esno_db: float, num_errors: int) -> float:
        blocks, errors = self._run(esno_db, num_errors, self._stopping.max_bits)
        return errors / blocks

    def count(self, esno_db: float) -> tuple[int, int]:
        """Blocks sent and lost."""
        return self._run(esno_db, self._stopping.num_errors, self._stopping.max_bits)

    def _run(self, esno_db: float, num_errors: int, max_bits: float) -> tuple[int, int]:
        code, key = self._code, self._key
        entropy = [self._seed, *key_entropy(key), round(1000 * (esno_db + 100))]
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
        most = max(1, int(max_bits / code.num_coded_bits))
        size = max(1, min(most, 100, 2**20 // code.num_coded_bits))
        blocks = errors = 0
        while errors < num_errors and blocks < most:
            errors += _errors(code, esno_db, size, rng, self._decoder)
            blocks += size
            size = max(1, min(2 * size, 2**21 // code.num_coded_bits, max(most - blocks, 1)))
        return blocks, errors


def key_entropy(key: CurveKey) -> tuple[int, int, int]:
    """Integers that tell curves apart."""
    return key.num_bits_per_symbol, round(2**30 * key.coderate), key.block_bits


def _errors(
    code: TransportBlockCode, esno_db: float, size: int, rng: np.random.Generator, decoder: str
) -> int:
    bits = rng.integers(0, 2, (size, code.k), np.uint8)
    x = map_bits(code.encode(bits), code.mcs.num_bits_per_symbol)
    no = esno_db_to_no(esno_db)
    noise = rng.standard_normal((size, code.num_symbols, 2), np.float32)
    y = x + torch.view_as_complex(torch.as_tensor(noise)) * (no / 2) ** 0.5
    llr = demap(y, torch.ones((), dtype=torch.complex64), no, code.mcs.num_bits_per_symbol)
    bits_hat, ok = code.decode(llr, decoder)
    return int((~ok | (bits_hat != bits).any(1)).sum())
