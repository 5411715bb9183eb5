"""A metric of somebody's, from a function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from channels.plugins import Plugin, PluginError
from scmc_comm.errors import ScmcError, from_plugin


@dataclass(frozen=True)
class Metric:
    """A metric of somebody's.

    Attributes:
        function: ``(img, img_hat) -> number``, of two images float32 [3, H, W] in [0, 1].
        better: Which of two values is better, ``higher`` or ``lower``.
        unit: Of its values; empty for a plain number.
        files: Files and folders that it is made from, such as weights.

    Example:
        >>> Metric(lambda img, img_hat: (img - img_hat).abs().max(), better="lower").unit
        ''
    """

    function: Callable[[torch.Tensor, torch.Tensor], Any] | None
    better: Literal["higher", "lower"]
    unit: str = ""
    files: tuple[str | Path, ...] = ()

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise ScmcError(f"better is {self.better!r}; expected 'higher' or 'lower'")

    def values(self, img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
        """Of each pair of float32 [b, 3, H, W]: float64 [b]."""
        found = [self._value(a, b) for a, b in zip(img, img_hat, strict=True)]
        return torch.tensor(found, dtype=torch.float64)

    def _value(self, img: torch.Tensor, img_hat: torch.Tensor) -> float:
        assert self.function is not None
        who = f"metric {getattr(self.function, '__qualname__', self.function)!s}"
        with from_plugin(who):  # copies: the next metric measures the pictures as they are
            found = self.function(img.clone(), img_hat.clone())
        shape = list(getattr(found, "shape", []))
        number = found.item() if shape in ([], [1]) and hasattr(found, "item") else found
        if isinstance(number, bool) or not isinstance(number, int | float) or math.isinf(number):
            told = f"{type(found).__name__} {shape}" if shape else repr(found)[:60]
            raise ScmcError(
                f"{who} gave {told}; expected one finite number, or nan where it is undefined"
            )
        return float(number)


def plugin_metric(plugin: Plugin) -> Metric:
    """A plug-in's metric, which says which way it is better."""
    if not isinstance(plugin.component, Metric):
        raise PluginError(
            f"metric {plugin.name!r} of {plugin.origin} is {plugin.component!r}; expected "
            "Metric(function, better='higher') or better='lower'"
        )
    return plugin.component
