"""What a receiver shows for each set of units, as functions of the bits spent on the signal layer.

Measured on pictures by ``experiments.training.layer_curves``. Sets are named by what lies below the
signal (nothing, semantic, structure, both: `LOWER`) and how many of its parts arrived. A signal
that is coded given the structure takes fewer bits and shows nothing without it, so it has curves
of its own.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scmc_comm import wire
from scmc_comm.errors import ScmcError
from scmc_comm.link.packetize import Packet
from scmc_comm.link.utility import Utility
from scmc_comm.types import FINEST, MAX_PARTS, STRUCTURE_LEVELS, Layer, LayerKind

FORMAT = 3
LOWER = ("", "semantic", "structure", "semantic+structure")
"""Sets below the signal; bit 0 of the position is the semantic layer, bit 1 the structure."""
NUM_RATES = 96  # the signal codec has about as many


@dataclass(frozen=True)
class SignalRates:
    """The signal layer at its rates, as the optimiser sees it.

    Attributes:
        part_bits: float64 [R, P], packet bits of each part; 0 for a part that is not there.
        steps: float64 [R, 4, 1 + P], utility of each lower set, and what each part adds to it.
    """

    part_bits: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class SignalCurves:
    """The signal layer at its rates.

    Attributes:
        bits: float64 [R], packet bits of the whole layer, ascending.
        part_bits: float64 [R, P], those of each part; 0 for a part that is not there.
        shown: float64 [R, 4, P, M], scores once parts up to the p-th arrived, rows as `LOWER`.
    """

    bits: np.ndarray
    part_bits: np.ndarray
    shown: np.ndarray

    def scaled(self, factor: float) -> SignalCurves:
        """The same scores for other bits."""
        return replace(self, bits=factor * self.bits, part_bits=factor * self.part_bits)

    def at(self, log_bits: np.ndarray) -> SignalCurves:
        """Interpolated at other rates; beyond its own those at the end."""
        own, bits = np.log(self.bits), np.exp(log_bits)
        shares = _interp(log_bits, own, self.part_bits / self.bits[:, None])
        return SignalCurves(bits, shares * bits[:, None], _interp(log_bits, own, self.shown))


@dataclass(frozen=True)
class QualityModel:
    """Sizes and qualities, the mean over some pictures.

    Attributes:
        metrics: Names of the metrics.
        lower_bits: Packet bits of the semantic and of the structure layer.
        lower: float64 [4, M], scores without a signal, rows as `LOWER`.
        alone: The signal where no structure is sent.
        given: The signal where it is; the same as ``alone`` for a network that codes it from the
            picture alone.
    """

    metrics: tuple[str, ...]
    lower_bits: tuple[int, int]
    lower: np.ndarray
    alone: SignalCurves
    given: SignalCurves

    def resized(self, num_bits: Mapping[LayerKind, int]) -> QualityModel:
        """The same qualities for a picture whose layers take other bits.

        Args:
            num_bits: Packet bits of the layers that are known, of the signal those of its
                coarsest rate given the structure; all its parts at all its rates then grow alike,
                without the structure too.
        """
        semantic, structure = self.lower_bits
        factor = num_bits.get(LayerKind.SIGNAL, self.given.bits[0]) / self.given.bits[0]
        return replace(
            self,
            lower_bits=(
                num_bits.get(LayerKind.SEMANTIC, semantic),
                num_bits.get(LayerKind.STRUCTURE, structure),
            ),
            alone=self.alone.scaled(factor),
            given=self.given.scaled(factor),
        )

    def rates(self, utility: Utility, with_structure: bool) -> SignalRates:
        """What the signal costs and adds where the structure is sent, or is not."""
        curves = self.given if with_structure else self.alone
        alone = utility.of(self.metrics, self.lower)
        with_parts = utility.of(self.metrics, curves.shown)
        first = np.broadcast_to(alone[None, :, None], (len(curves.bits), 4, 1))
        every = np.concatenate([first, with_parts], axis=2)
        steps = np.concatenate([first, np.diff(every, axis=2)], axis=2)
        return SignalRates(curves.part_bits, steps)


def _interp(x: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`np.interp` of every column of values [len(known), ...]."""
    flat = values.reshape(len(known), -1)
    out = np.stack([np.interp(x, known, column) for column in flat.T], axis=1)
    return out.reshape(len(x), *values.shape[1:])


def quality_model(
    pictures: Sequence[Mapping[str, Any]],
    metrics: Sequence[str],
    size: tuple[int, int],
    level: int = FINEST,
) -> QualityModel:
    """The mean over measured pictures, for pictures of a size.

    Signal bits are scaled by the number of pixels; the layers below hardly grow with it. Pictures
    are averaged at equal bits, each with the shares of the parts that it has there.

    Args:
        pictures: As `experiments.training.layer_curves.measure_picture` returns them.
        metrics: Names of their scores.
        size: ``(H, W)``.
        level: Of the structure layer.
    """
    read = [_picture(picture, tuple(metrics), size, level) for picture in pictures]
    semantic, structure = np.mean([p.lower_bits for p in read], axis=0)
    return QualityModel(
        tuple(metrics),
        (8 * round(semantic / 8), 8 * round(structure / 8)),
        np.mean([p.lower for p in read], axis=0),
        _mean([p.alone for p in read]),
        _mean([p.given for p in read]),
    )


def _mean(curves: Sequence[SignalCurves]) -> SignalCurves:
    ends = np.log([[each.bits[0], each.bits[-1]] for each in curves]).mean(axis=0)
    log_bits = np.linspace(float(ends[0]), float(ends[1]), NUM_RATES)
    at = [each.at(log_bits) for each in curves]
    part_bits, shown = ([getattr(each, name) for each in at] for name in ("part_bits", "shown"))
    return SignalCurves(np.exp(log_bits), np.mean(part_bits, axis=0), np.mean(shown, axis=0))


def _picture(
    row: Mapping[str, Any], metrics: tuple[str, ...], size: tuple[int, int], level: int
) -> QualityModel:
    """One picture's curves at its own rates."""
    scale = size[0] * size[1] / (row["size"][0] * row["size"][1])
    header = Packet(Layer(LayerKind.SEMANTIC, "caption", b"."), size).num_header_bytes
    structure = row["structure"][level]
    scores = {**row["lower"], **structure["lower"]}
    lower = np.array([scores[name] for name in LOWER])

    def curves(rates: Sequence[Mapping[str, Any]]) -> SignalCurves:
        part_bits = np.zeros((len(rates), MAX_PARTS))
        shown = np.full((len(rates), 4, MAX_PARTS, len(metrics)), np.nan)
        for r, rate in enumerate(rates):
            sizes = rate["part_bytes"]
            part_bits[r, : len(sizes)] = 8 * (np.array(sizes) * scale + header)
            for name, parts in rate["shown"].items():
                shown[r, LOWER.index(name)] = [*parts, *[parts[-1]] * (MAX_PARTS - len(parts))]
        return SignalCurves(part_bits.sum(axis=1), part_bits, shown)

    alone = curves(row["signal"])
    given = alone
    if "given" in structure:  # then nobody sends the structure and a signal that does without it
        alone.shown[:, 2:] = alone.shown[:, :2]
        given = curves(structure["given"])
        given.shown[:, :2] = lower[:2, None]
    _fill(alone.shown, np.log(alone.bits))
    lower_bits = (8 * (row["semantic_bytes"] + header), 8 * (structure["bytes"] + header))
    return QualityModel(metrics, lower_bits, lower, alone, given)


def _fill(shown: np.ndarray, log_bits: np.ndarray) -> None:
    """Where the signal was not shown over a lower set, take what that gained at other rates.

    That difference is small and changes slowly with the rate; it is interpolated.
    """
    for lower in range(1, 4):
        missing = np.isnan(shown[:, lower, 0, 0])
        known = ~missing
        if not known.any():
            raise ScmcError(f"the curves never show the signal over {LOWER[lower]!r}")
        gain = shown[known, lower] - shown[known, 0]
        shown[missing, lower] = shown[missing, 0] + _interp(
            log_bits[missing], log_bits[known], gain
        )


def load_pictures(path: Path) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Pictures and metrics in a file of ``experiments.training.layer_curves``.

    Raises:
        ScmcError: There is no such file, or it is not of this format.
    """
    if not path.is_file():
        raise ScmcError(
            f"no quality curves at {path}; reinstall the package, or measure them with "
            "'scmc-comm train layer_curves'"
        )
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        pictures, metrics = tree["pictures"], tuple(tree["metrics"])
        if tree["format"] != FORMAT or not pictures:
            raise ValueError(f"format {tree['format']}, {len(pictures)} pictures")
        for picture, level in itertools.product(pictures, range(STRUCTURE_LEVELS)):
            _picture(picture, metrics, wire.DEFAULT_SIZE, level)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise ScmcError(
            f"{path} holds no quality curves ({error!r}); measure them with "
            "'scmc-comm train layer_curves'"
        ) from None
    return pictures, metrics
