"""Channels of other people: made of a function, and looked at before their gains are used."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import field, make_dataclass
from typing import Any, get_type_hints

import numpy as np
import torch

from channels.errors import ChannelError
from channels.kernels.normal import stream_keys
from channels.plugins import Plugin, PluginError
from channels.specs import Component
from channels.types import Channel, ChannelState
from channels.units import esno_db_to_no

_SHORT, _BATCH, _BATCHES = 16, 1024, 8
_ENOUGH_BATCHES, _SECONDS = 2, 1.0
_LONG, _LONG_TRIALS, _PARTS = 4096, 256, 8
_STANDARD_ERRORS, _ROUNDING, _SMALL_ERROR = 5.0, 0.01, 0.01
_ESNO_DB = (3.0, -10.0, 30.0)


def plugin_channel(plugin: Plugin) -> Callable[..., Channel]:
    """The class of a plug-in channel: its own, or one made of its function.

    A function ``(num_symbols, rng, **parameters) -> gains`` gives the gains of one trial, complex
    [num_symbols] with E|h|^2 = 1, drawn from a ``numpy.random.Generator``; its further parameters,
    with types and defaults, are those of the channel.

    Raises:
        PluginError: It is neither.
    """
    component = plugin.component
    frozen = getattr(getattr(component, "__dataclass_params__", None), "frozen", False)
    if frozen and callable(getattr(component, "draw", None)):
        return component  # type: ignore[return-value]
    if not inspect.isfunction(component):
        raise PluginError(
            f"channel {plugin.name!r} of {plugin.origin} is {component!r}; expected a function "
            "(num_symbols, rng) -> gains, or a frozen dataclass with draw"
        )
    hints = get_type_hints(component)
    own = list(inspect.signature(component).parameters.values())[2:]
    fields: list[Any] = [
        (p.name, hints.get(p.name, float))
        if p.default is inspect.Parameter.empty
        else (p.name, hints.get(p.name, type(p.default)), field(default=p.default))
        for p in own
    ]
    methods = {"draw": _draw_of(component), "word": classmethod(lambda cls: plugin.name)}
    made = make_dataclass(plugin.name, fields, bases=(Component,), frozen=True, namespace=methods)
    made.__module__ = component.__module__
    made.__doc__ = inspect.getdoc(component) or f"A channel of {plugin.origin}."
    return made


def _draw_of(function: Callable[..., Any]) -> Callable[..., ChannelState]:
    def draw(self: Any, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """Gains of each trial, from a generator of the trial's own seed."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        keys = stream_keys(seeds, "plug-in channel").astype(np.uint64)
        streams = [np.random.Philox(key=int(low) | int(high) << 32) for low, high in keys]
        gains = [
            np.asarray(function(num_symbols, np.random.Generator(stream), **own))
            for stream in streams
        ]
        wrong = next((g.shape for g in gains if g.shape != (num_symbols,)), None)
        if wrong is not None:
            raise ChannelError(
                f"channel {self.name} gave gains {list(wrong)}; expected [{num_symbols}]"
            )
        h = torch.from_numpy(np.stack(gains).astype(np.complex64))
        return ChannelState(h=h, no=esno_db_to_no(esno_db))

    return draw


def draw(channel: Channel, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
    """``channel.draw``, refused if it is not what a channel gives; every link draws by this.

    Of channels that are not the package's it is also looked, once, whether the mean power of the
    gains is 1 and the noise that of the Es/N0: without that no SNR would mean what it says.

    Raises:
        ChannelError: Gains of another shape or mean power or that are not finite, or other noise.

    Example:
        >>> from channels.fading.block import Awgn
        >>> draw(Awgn(), 3, 0.0, [1]).h.shape
        torch.Size([1, 3])
    """
    if not is_ours(channel):
        check_power(channel)  # type: ignore[arg-type]
    state = channel.draw(num_symbols, esno_db, seeds)
    check_gains(channel, state.h, (len(seeds), num_symbols))
    return state


def is_ours(channel: Channel) -> bool:
    """Is it a channel of this package: a value, whose draws depend on it and the seeds alone?"""
    return type(channel).__module__.startswith("channels.")


def check_gains(channel: Channel, h: Any, shape: tuple[int, ...]) -> None:
    """Refuses gains of another shape or type, or that are not finite."""
    if not isinstance(h, torch.Tensor) or tuple(h.shape) != shape or not h.is_complex():
        came = f"{h.dtype} {list(h.shape)}" if isinstance(h, torch.Tensor) else type(h).__name__
        raise ChannelError(
            f"channel {_name(channel)} gave gains {came}; expected complex64 {list(shape)}"
        )
    if not is_ours(channel) and not h.isfinite().all():
        raise ChannelError(f"channel {_name(channel)} gave gains that are not finite")


@functools.lru_cache(maxsize=64)
def check_power(channel: Channel) -> None:
    """Refuses a channel whose gains have another mean power than 1, as far as draws can tell.

    Over the first 16 symbols (8192 trials; 2048 of a channel that takes more than a second for
    them; fewer where they tell the mean to 0.01) and each eighth of 4096 (256 trials), at 3 dB
    and, if the gains depend on the Es/N0, at -10 and 30 dB.

    Raises:
        ChannelError: It is off by more than five standard errors and 0.01, or the noise is not
            that of the Es/N0.
    """
    few = range(_SHORT)
    gains = [_gains(channel, _SHORT, esno_db, few) for esno_db in _ESNO_DB]
    for esno_db, h in zip(_ESNO_DB, gains, strict=True):
        if esno_db == _ESNO_DB[0] or not torch.equal(h, gains[0]):
            _check_power_at(channel, esno_db)


def _check_power_at(channel: Channel, esno_db: float) -> None:
    long = _gains(channel, _LONG, esno_db, range(_LONG_TRIALS)).abs().square().double()
    for part, power in enumerate(long.view(_LONG_TRIALS, _PARTS, -1).mean(2).T):
        first = part * _LONG // _PARTS
        _check_mean(channel, power, f"symbols {first} to {first + _LONG // _PARTS - 1}", esno_db)
    powers, start = torch.empty(0, dtype=torch.float64), time.perf_counter()
    for batch in range(_BATCHES):
        h = _gains(channel, _SHORT, esno_db, range(batch * _BATCH, (batch + 1) * _BATCH))
        powers = torch.cat([powers, h.abs().square().double().mean(1)])
        exact = float(powers.std()) / math.sqrt(len(powers)) < _SMALL_ERROR
        slow = time.perf_counter() - start > _SECONDS and batch + 1 >= _ENOUGH_BATCHES
        if exact or slow:
            break
    _check_mean(channel, powers, f"the first {_SHORT} symbols", esno_db)


def _check_mean(channel: Channel, power: torch.Tensor, where: str, esno_db: float) -> None:
    mean, error = float(power.mean()), float(power.std()) / math.sqrt(len(power))
    if not abs(mean - 1) <= _STANDARD_ERRORS * error + _ROUNDING:
        raise ChannelError(
            f"channel {_name(channel)} has gains of mean power {mean:.3g}; expected 1, over "
            f"{where} at Es/N0 {esno_db:g} dB: divide them by the root of their mean power, so "
            "that esno_db is the mean Es/N0"
        )


def _gains(
    channel: Channel, num_symbols: int, esno_db: float, seeds: Sequence[int]
) -> torch.Tensor:
    """Gains of a draw whose shape and noise are as they should be."""
    state = channel.draw(num_symbols, esno_db, seeds)
    check_gains(channel, state.h, (len(seeds), num_symbols))
    if not math.isclose(state.no, esno_db_to_no(esno_db), rel_tol=1e-6):
        raise ChannelError(
            f"channel {_name(channel)} gave noise of variance {state.no:.4g} at Es/N0 "
            f"{esno_db:g} dB; expected {esno_db_to_no(esno_db):.4g}, as "
            "channels.units.esno_db_to_no has it"
        )
    return state.h


def _name(channel: Channel) -> str:
    return str(getattr(channel, "name", type(channel).__name__))
