"""Block error rate tables: LDPC code blocks over AWGN, as counted, and a monotone way to read them.

One curve holds, for a modulation, a code rate and a code block length, how many blocks were sent
and lost at a rising list of Es/N0. Between Es/N0 the probit of the error rate is interpolated, a
waterfall being nearly straight there; between lengths the Es/N0 of equal error rate is, in the
logarithm of the length. Below the last measured error rate the probit goes on against dB with the
slope of the curve's end, down to 1e-9.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy  # scipy.interpolate takes long to import: the first who measures does it
from scipy.special import ndtr, ndtri

from channels.errors import ChannelError
from channels.npz import read_npz
from channels.types import Mcs

DEFAULT_TABLE = "default.npz"
_FORMAT = 1
_TOP_BLER = 0.99  # above it a block counts as lost
LEAST_BLER = 1e-9  # curves are continued so far
_LEVELS = np.linspace(ndtri(_TOP_BLER), ndtri(LEAST_BLER), 101)  # probits that curves are kept at
# The end of a curve, whose slope continues it: error rates up to so many times its last one, and
# so many points at least.
_END_RATIO, _END_POINTS = 100.0, 3
_LEAST_SLOPE = 0.02  # of the probit per dB, where an error floor hardly falls


@dataclass(frozen=True)
class BlerCurve:
    """Counts of one modulation, code rate and code block length.

    Attributes:
        esno_db: float64 [n], strictly ascending.
        num_blocks: int64 [n], code blocks sent.
        num_errors: int64 [n], code blocks decoded wrongly.
    """

    esno_db: np.ndarray
    num_blocks: np.ndarray
    num_errors: np.ndarray

    def __post_init__(self) -> None:
        esno_db, blocks, errors = self.esno_db, self.num_blocks, self.num_errors
        if not (esno_db.ndim == 1 and esno_db.shape == blocks.shape == errors.shape):
            raise ChannelError(
                f"a BLER curve has {esno_db.shape}, {blocks.shape}, {errors.shape} points; "
                "expected three vectors of one length"
            )
        if len(esno_db) < 2 or not (np.diff(esno_db) > 0).all():
            raise ChannelError(f"Es/N0 of a BLER curve are {esno_db}; expected two or more, rising")
        if not ((errors >= 0) & (errors <= blocks) & (blocks > 0)).all():
            raise ChannelError("a BLER curve counts more errors than blocks, or no blocks")

    @property
    def bler(self) -> np.ndarray:
        """Error rate as counted, float64 [n]."""
        return self.num_errors / self.num_blocks

    def interval(self, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson interval of the error rate at each point."""
        return wilson_interval(self.num_errors, self.num_blocks, confidence)

    def monotone(self) -> tuple[np.ndarray, np.ndarray]:
        """Es/N0 in dB and a falling error rate in (0, 1), both [m], m <= n.

        Pools neighbours that violate monotonicity (isotonic regression, weighted by blocks); a
        point without errors ends the curve with the bound of half an error.
        """
        esno_db, blocks, errors = _pool(self.esno_db, self.num_blocks, self.num_errors)
        rate = np.clip(errors, 0.5, blocks - 0.5) / blocks
        falling = np.concatenate([[True], rate[1:] < np.minimum.accumulate(rate)[:-1]])
        return esno_db[falling], rate[falling]

    def end_slope(self) -> float:
        """Fall of the probit per dB at the curve's end, weighted by what was counted there."""
        esno_db, rate = self.monotone()
        end = rate <= _END_RATIO * rate[-1]
        end[-_END_POINTS:] = True
        if len(rate) < 2:
            raise ChannelError("a BLER curve has no waterfall; measure it at more Es/N0")
        probit, x = ndtri(rate[end]), esno_db[end]
        blocks = np.interp(x, self.esno_db, self.num_blocks)
        density = np.exp(-(probit**2) / 2)
        weight = blocks * density**2 / (rate[end] * (1 - rate[end]))
        x = x - np.average(x, weights=weight)
        slope = -float((weight * x) @ probit / ((weight * x) @ x))
        return max(slope, _LEAST_SLOPE)


def _pool(
    esno_db: np.ndarray, blocks: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool adjacent violators; a pool sits at the mean Es/N0 of its blocks."""
    pools: list[list[float]] = []
    for x, n, e in zip(esno_db, blocks.astype(float), errors.astype(float), strict=True):
        pools.append([x * n, n, e])
        while len(pools) > 1 and pools[-1][2] * pools[-2][1] >= pools[-2][2] * pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    weighted, n, e = np.array(pools).T
    return weighted / n, n, e


def wilson_interval(
    num_errors: np.ndarray, num_blocks: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a proportion (Wilson 1927); honest at zero errors too.

    >>> low, high = wilson_interval(np.array([0]), np.array([100]))
    >>> float(low[0]), round(float(high[0]), 3)
    (0.0, 0.037)
    """
    z = ndtri(0.5 + confidence / 2)
    n, p = np.asarray(num_blocks, float), np.asarray(num_errors) / np.asarray(num_blocks)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Exactly 0 and 1 where all trials ended alike, but for rounding.
    low = np.where(p == 0.0, 0.0, centre - half)
    return np.maximum(low, 0.0), np.where(p == 1.0, 1.0, np.minimum(centre + half, 1.0))


@dataclass(frozen=True, order=True)
class CurveKey:
    """What a curve is of; repetition is not in it, being a shift of Es/N0 for QPSK.

    Attributes:
        num_bits_per_symbol: 2, 4, 6 or 8.
        coderate: Of the mother code.
        block_bits: Information bits of the code block, CRC bits included.
    """

    num_bits_per_symbol: int
    coderate: float
    block_bits: int


@dataclass(frozen=True)
class _Sheet:
    """The curves of one modulation and code rate, at the probits `_LEVELS`.

    Attributes:
        log_bits: float64 [n], log of the block lengths, ascending.
        esno_db: float64 [n, 101], ascending along a row.
    """

    log_bits: np.ndarray
    esno_db: np.ndarray

    def at(self, block_bits: int) -> np.ndarray:
        """Es/N0 float64 [101] of one block length."""
        place = np.interp(np.log(block_bits), self.log_bits, np.arange(len(self.log_bits)))
        left = min(int(place), max(len(self.log_bits) - 2, 0))
        share = place - left
        right = self.esno_db[min(left + 1, len(self.log_bits) - 1)]
        row: np.ndarray = (1 - share) * self.esno_db[left] + share * right
        return row


@dataclass(frozen=True)
class BlerTable:
    """Block error rates of code blocks over AWGN.

    Attributes:
        curves: The counts.
        provenance: How they came about: versions, seed, decoder, stopping rule.

    >>> table = default_table()
    >>> mcs = table.schemes[0]
    >>> p = table.bler(mcs, 512, np.array([-20.0, 30.0]))
    >>> float(p[0]), bool(p[1] < 1e-2)
    (1.0, True)
    """

    curves: Mapping[CurveKey, BlerCurve]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.curves:
            raise ChannelError("a BLER table has no curves; measure one with 'scmc-comm bler'")
        object.__setattr__(self, "curves", MappingProxyType(dict(sorted(self.curves.items()))))
        object.__setattr__(self, "_sheets", {})
        object.__setattr__(self, "_rows", {})

    @property
    def schemes(self) -> tuple[Mcs, ...]:
        """The modulation and coding schemes it holds, without repetition."""
        return tuple(Mcs(m, r) for m, r in sorted({_scheme(key) for key in self.curves}))

    def lengths(self, mcs: Mcs) -> tuple[int, ...]:
        """Measured code block lengths of one scheme, ascending."""
        scheme = (mcs.num_bits_per_symbol, mcs.coderate)
        return tuple(key.block_bits for key in self.curves if _scheme(key) == scheme)

    def bler(self, mcs: Mcs, block_bits: int, esno_db: np.ndarray) -> np.ndarray:
        """Probability that one code block of one transmission is lost over AWGN.

        Below the measured Es/N0 it is 1 (where more than 99 in a hundred are lost); above, the
        curve goes on with the slope of its end and stays at 1e-9 once it gets there.

        Args:
            mcs: Modulation and code rate; its repetition is ignored.
            block_bits: Information bits of the code block with CRC bits.
            esno_db: Es/N0 of the symbols, mean |h|^2 included, of any shape.

        Returns:
            float64, of the shape of ``esno_db``; it never rises with it.

        Raises:
            ChannelError: The scheme is not in the table, or the length is outside its lengths.
        """
        x = np.asarray(esno_db, float)
        p: np.ndarray = ndtr(np.interp(x, self._row(mcs, block_bits), _LEVELS, left=np.inf))
        return p

    def esno_db(self, mcs: Mcs, block_bits: int, bler: float) -> float:
        """Es/N0 in dB at which a code block is lost with probability ``bler``."""
        return curve_esno_db(self._row(mcs, block_bits), ndtr(_LEVELS), bler)

    def _row(self, mcs: Mcs, block_bits: int) -> np.ndarray:
        key = CurveKey(mcs.num_bits_per_symbol, mcs.coderate, block_bits)
        rows: dict[CurveKey, np.ndarray] = self.__dict__["_rows"]
        if key not in rows:
            lengths = self.lengths(mcs)
            if not lengths:
                raise ChannelError(
                    f"the BLER table has no {mcs}; expected one of its {len(self.schemes)} "
                    "schemes; measure it with 'scmc-comm bler --mcs BITS,RATE --out FILE'"
                )
            if not lengths[0] <= block_bits <= lengths[-1]:
                raise ChannelError(
                    f"a code block has {block_bits} bits; the BLER table has {lengths[0]} to "
                    f"{lengths[-1]} for {mcs}; measure it with 'scmc-comm bler --bits'"
                )
            rows[key] = self._sheet(mcs).at(block_bits)
        return rows[key]

    def _sheet(self, mcs: Mcs) -> _Sheet:
        scheme = (mcs.num_bits_per_symbol, mcs.coderate)
        sheets: dict[tuple[int, float], _Sheet] = self.__dict__["_sheets"]
        if scheme not in sheets:
            lengths = self.lengths(mcs)
            curves = [self.curves[CurveKey(*scheme, bits)] for bits in lengths]
            sheets[scheme] = _sheet(np.array(lengths, float), curves)
        return sheets[scheme]

    def save(self, path: Path) -> None:
        """Write an npz; under a temporary name first."""
        keys, curves = list(self.curves), list(self.curves.values())
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(
                file,
                format=_FORMAT,
                provenance=json.dumps(dict(self.provenance)),
                num_bits_per_symbol=np.array([k.num_bits_per_symbol for k in keys], np.uint8),
                coderate=np.array([k.coderate for k in keys]),
                block_bits=np.array([k.block_bits for k in keys], np.uint16),
                num_points=np.array([len(c.esno_db) for c in curves], np.uint8),
                esno_db=np.concatenate([c.esno_db for c in curves]),
                num_blocks=np.concatenate([c.num_blocks for c in curves]),
                num_errors=np.concatenate([c.num_errors for c in curves]),
            )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> BlerTable:
        """Read what `save` wrote.

        Raises:
            ChannelError: There is no such file, or it is not a BLER table.
        """
        if not path.is_file():
            raise ChannelError(f"no BLER table {path}; measure one with 'scmc-comm bler'")
        try:
            return cls(*_content(read_npz(path)))
        except (
            OSError,
            TypeError,
            ValueError,
            RecursionError,
            ArithmeticError,
            LookupError,
        ) as error:
            raise ChannelError(f"{path} is not a BLER table ({error})") from None


def _content(data: Mapping[str, np.ndarray]) -> tuple[dict[CurveKey, BlerCurve], dict[str, Any]]:
    """Curves and provenance in the arrays of a file."""
    if int(data["format"]) != _FORMAT:
        raise ValueError(f"its format is {data['format']}; expected {_FORMAT}")
    ends = np.cumsum(data["num_points"].astype(np.int64))[:-1]
    parts = [np.split(data[n], ends) for n in ("esno_db", "num_blocks", "num_errors")]
    keys = zip(data["num_bits_per_symbol"], data["coderate"], data["block_bits"], strict=True)
    curves = {
        CurveKey(int(m), float(r), int(b)): BlerCurve(*counts)
        for (m, r, b), counts in zip(keys, zip(*parts, strict=True), strict=True)
    }
    return curves, dict(json.loads(str(data["provenance"])))


def curve_esno_db(esno_db: np.ndarray, rate: np.ndarray, bler: float) -> float:
    """Es/N0 in dB where a falling curve crosses an error rate; the probit is interpolated.

    Raises:
        ChannelError: The curve does not reach it.
    """
    if not rate[-1] <= bler <= rate[0]:
        raise ChannelError(
            f"bler is {bler:g}; the curve reaches from {rate[0]:.2g} to {rate[-1]:.2g}"
        )
    return float(np.interp(ndtri(bler), ndtri(rate)[::-1], esno_db[::-1]))


def _scheme(key: CurveKey) -> tuple[int, float]:
    return key.num_bits_per_symbol, key.coderate


def _sheet(lengths: np.ndarray, curves: list[BlerCurve]) -> _Sheet:
    rows = np.empty((len(curves), len(_LEVELS)))
    for row, curve in zip(rows, curves, strict=True):
        esno_db, rate = curve.monotone()
        probit, slope = ndtri(rate), curve.end_slope()
        # Where more than 99 in a hundred were lost at the first point, start there.
        inside = np.clip(_LEVELS, probit[-1], probit[0])
        row[:] = scipy.interpolate.PchipInterpolator(-probit, esno_db)(-inside)
        row += np.maximum(probit[-1] - _LEVELS, 0.0) / slope
    return _Sheet(np.log(lengths), np.maximum.accumulate(rows, axis=1))


@lru_cache(maxsize=1)
def default_table() -> BlerTable:
    """The table that ships with the package; its provenance says what it holds."""
    return BlerTable.load(Path(str(files("channels.bler").joinpath(DEFAULT_TABLE))))
