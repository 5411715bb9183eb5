"""What a plan makes best: a weighted sum of metrics, written as in ``psnr_db - 20*lpips``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scmc_comm.errors import ScmcError

HIGHER_IS_BETTER = {"psnr_db": True, "ms_ssim": True, "lpips": False, "dists": False}
"""Metrics that a utility may name."""

_TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?)\s*\*\s*)?([A-Za-z_]\w*)\s*")


@dataclass(frozen=True)
class Utility:
    """A sum of metrics with weights, the more the better.

    Attributes:
        text: As it was written.
        weights: Metric and weight of each term.

    Example:
        >>> Utility.parse("psnr_db - 20*lpips").weights
        (('psnr_db', 1.0), ('lpips', -20.0))
    """

    text: str
    weights: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, text: str) -> Utility:
        """Reads terms ``[number*]metric`` joined by ``+`` and ``-``.

        The name of a metric alone means that it is to be best, be that high or low.

        Raises:
            ScmcError: It is no such sum, or rewards what is worse.
        """
        if text in HIGHER_IS_BETTER:
            return cls(text, ((text, 1.0 if HIGHER_IS_BETTER[text] else -1.0),))
        weights: dict[str, float] = {}
        at = 0
        while at < len(text) or not weights:
            found = _TERM.match(text, at)
            if found is None or (at and not found[1]):
                raise ScmcError(
                    f"utility is {text!r}; expected a sum such as psnr_db or psnr_db-20*lpips, "
                    f"of {', '.join(HIGHER_IS_BETTER)}"
                )
            sign, number, metric = found.groups()
            weight = float(number or 1.0) * (-1 if sign == "-" else 1)
            _check(text, metric, weight, weights)
            weights[metric] = weight
            at = found.end()
        return cls(text, tuple(weights.items()))

    def of(self, metrics: Sequence[str], values: np.ndarray) -> np.ndarray:
        """The utility of scores.

        Args:
            metrics: Names of the last axis.
            values: float [..., num_metrics].

        Returns:
            float [...].

        Raises:
            ScmcError: A metric of the utility was not measured.
        """
        missing = [name for name, _ in self.weights if name not in metrics]
        if missing:
            raise ScmcError(
                f"utility {self.text!r} needs {missing[0]}; there are {', '.join(metrics)}"
            )
        total: np.ndarray = sum(
            (weight * values[..., metrics.index(name)] for name, weight in self.weights),
            np.zeros(values.shape[:-1]),
        )
        return total


def _check(text: str, metric: str, weight: float, before: dict[str, float]) -> None:
    if metric not in HIGHER_IS_BETTER:
        raise ScmcError(
            f"utility {text!r} names {metric!r}; expected some of {', '.join(HIGHER_IS_BETTER)}: "
            "senders plan by curves that were measured by these alone, which no plug-in's metric is"
        )
    if metric in before:
        raise ScmcError(f"utility {text!r} names {metric} twice; write it once")
    if weight == 0 or (weight > 0) != HIGHER_IS_BETTER[metric]:
        better, sign = ("higher", "") if HIGHER_IS_BETTER[metric] else ("lower", "-")
        raise ScmcError(
            f"utility {text!r} rewards a worse {metric}, of which {better} is better; "
            f"write {sign}{abs(weight) or 1:g}*{metric}"
        )
