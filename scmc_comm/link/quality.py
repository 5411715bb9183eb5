"""What a receiver shows for each set of units, as functions of the bits spent on the signal layer.

Measured on pictures by ``experiments.training.layer_curves``. Sets are named by what lies below the
signal (nothing, semantic, structure, both: `LOWER`) and how many of its parts arrived.
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

FORMAT = 2
LOWER = ("", "semantic", "structure", "semantic+structure")
"""Sets below the signal; bit 0 of the position is the semantic layer, bit 1 the structure."""
NUM_RATES = 96  # the signal codec has about as many


@dataclass(frozen=True)
class QualityModel:
    """Sizes and qualities, the mean over some pictures.

    Attributes:
        metrics: Names of the metrics.
        lower_bits: Packet bits of the semantic and of the structure layer.
        signal_bits: float64 [R], packet bits of the whole signal layer, ascending.
        part_bits: float64 [R, P], those of each part; 0 for a part that is not there.
        lower: float64 [4, M], scores without a signal, rows as `LOWER`.
        shown: float64 [R, 4, P, M], scores once parts up to the p-th arrived.
    """

    metrics: tuple[str, ...]
    lower_bits: tuple[int, int]
    signal_bits: np.ndarray
    part_bits: np.ndarray
    lower: np.ndarray
    shown: np.ndarray

    def resized(self, num_bits: Mapping[LayerKind, int]) -> QualityModel:
        """The same qualities for a picture whose layers take other bits.

        Args:
            num_bits: Packet bits of the layers that are known, of the signal those of its
                coarsest rate; all its parts at all its rates then grow alike.
        """
        semantic, structure = self.lower_bits
        scale = num_bits.get(LayerKind.SIGNAL, self.signal_bits[0]) / self.signal_bits[0]
        return replace(
            self,
            lower_bits=(
                num_bits.get(LayerKind.SEMANTIC, semantic),
                num_bits.get(LayerKind.STRUCTURE, structure),
            ),
            signal_bits=scale * self.signal_bits,
            part_bits=scale * self.part_bits,
        )

    def steps(self, utility: Utility) -> np.ndarray:
        """Utility of each lower set, and what each part adds to it: float64 [R, 4, 1 + P]."""
        alone = utility.of(self.metrics, self.lower)
        with_parts = utility.of(self.metrics, self.shown)
        first = np.broadcast_to(alone[None, :, None], (len(self.signal_bits), 4, 1))
        every = np.concatenate([first, with_parts], axis=2)
        return np.concatenate([first, np.diff(every, axis=2)], axis=2)


def _at(curves: QualityModel, log_bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the parts and scores at other rates; beyond its own rates those at the end."""
    own = np.log(curves.signal_bits)
    shares = curves.part_bits / curves.signal_bits[:, None]
    return _interp(log_bits, own, shares), _interp(log_bits, own, curves.shown)


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
        level: Of the structure layer. What the signal shows over it is taken to be the same at
            every level, as it was measured over the finest.
    """
    read = [_picture(picture, tuple(metrics), size, level) for picture in pictures]
    ends = np.log([[p.signal_bits[0], p.signal_bits[-1]] for p in read]).mean(axis=0)
    log_bits = np.linspace(float(ends[0]), float(ends[1]), NUM_RATES)
    at = [_at(curves, log_bits) for curves in read]
    signal_bits = np.exp(log_bits)
    semantic, structure = np.mean([p.lower_bits for p in read], axis=0)
    return QualityModel(
        tuple(metrics),
        (8 * round(semantic / 8), 8 * round(structure / 8)),
        signal_bits,
        np.mean([shares for shares, _ in at], axis=0) * signal_bits[:, None],
        np.mean([p.lower for p in read], axis=0),
        np.mean([shown for _, shown in at], axis=0),
    )


def _picture(
    row: Mapping[str, Any], metrics: tuple[str, ...], size: tuple[int, int], level: int
) -> QualityModel:
    """One picture's curves at its own rates."""
    scale = size[0] * size[1] / (row["size"][0] * row["size"][1])
    header = Packet(Layer(LayerKind.SEMANTIC, "caption", b"."), size).num_header_bytes
    num_rates = len(row["signal"])
    part_bits = np.zeros((num_rates, MAX_PARTS))
    shown = np.full((num_rates, 4, MAX_PARTS, len(metrics)), np.nan)
    for r, rate in enumerate(row["signal"]):
        sizes = rate["part_bytes"]
        part_bits[r, : len(sizes)] = 8 * (np.array(sizes) * scale + header)
        for name, scores in rate["shown"].items():
            shown[r, LOWER.index(name)] = [*scores, *[scores[-1]] * (MAX_PARTS - len(scores))]
    signal_bits = part_bits.sum(axis=1)
    _fill(shown, np.log(signal_bits))
    structure = row["structure"][level]
    lower_bits = (8 * (row["semantic_bytes"] + header), 8 * (structure["bytes"] + header))
    scores = {**row["lower"], **structure["lower"]}
    lower = np.array([scores[name] for name in LOWER])
    return QualityModel(metrics, lower_bits, signal_bits, part_bits, lower, shown)


def _fill(shown: np.ndarray, log_bits: np.ndarray) -> None:
    """Where the signal was not shown over a lower set, take what it gains over both layers.

    That difference is small and changes slowly with the rate; it is interpolated.
    """
    for lower in range(3):
        missing = np.isnan(shown[:, lower, 0, 0])
        known = ~missing
        if not known.any():
            raise ScmcError(f"the curves never show the signal over {LOWER[lower] or 'nothing'!r}")
        gain = shown[known, lower] - shown[known, 3]
        shown[missing, lower] = shown[missing, 3] + _interp(
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
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ScmcError(
            f"{path} holds no quality curves ({error!r}); measure them with "
            "'scmc-comm train layer_curves'"
        ) from None
    return pictures, metrics
