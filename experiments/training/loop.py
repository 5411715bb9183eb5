"""What every training script shares: a clock, a checkpoint that survives a kill, averaged weights.

A recipe is timed in minutes rather than steps, because that is what a small machine has, unless
runs are to be compared. The learning rate falls along a cosine of the share of the time (or of the
steps) used, and what was used is part of the checkpoint, so a run that was stopped goes on where it
was.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scmc_comm.codec.weights import load_weights
from scmc_comm.errors import ScmcError
from scmc_comm.new_file import new_file

logger = logging.getLogger(__name__)


def adam(params: Any, lr: float, betas: tuple[float, float] = (0.9, 0.99)) -> torch.optim.Adam:
    """Adam whose base rate the clock scales; groups of parameters may have rates of their own."""
    optimizer = torch.optim.Adam(params, lr, betas=betas, fused=True)
    for group in optimizer.param_groups:
        group["base_lr"] = group["lr"]
    return optimizer


def descend(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One step of an optimiser's own parameters, their gradient clipped to norm 1."""
    own = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    loss.backward(inputs=own)
    nn.utils.clip_grad_norm_(own, 1.0)
    optimizer.step()


def start_state(name: str, path: Path) -> dict[str, Any]:
    """Weights to go on from: the average in a checkpoint, or a file of shipped weights."""
    if path.suffix == ".safetensors":
        return load_weights(name, path)[1]
    return torch.load(path, weights_only=True, map_location="cpu")["state"]["averaged"]


def keep_some(
    trained: Mapping[str, torch.Tensor], start: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Weights between those of the end and those of the start: outlines stay sharper.

    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Args:
        trained: At the end, by name.
        start: What the training went on from, of the same shapes.
        share: Of the start, see :func:`check_share`.

    Example:
        >>> keep_some({"w": torch.tensor(4.0)}, {"w": torch.tensor(0.0)}, 0.25)
        {'w': tensor(3.)}
    """
    return {
        k: v.lerp(start[k].to(v), share) if v.is_floating_point() else v for k, v in trained.items()
    }


def check_share(share: float) -> None:
    """Refuse a ``--keep`` that is no share.

    Raises:
        ScmcError: If it is not from 0 to below 1.
    """
    if not 0 <= share < 1:
        raise ScmcError(f"got --keep {share:g}; expected a share from 0 to below 1")


class Averaged:
    """Exponential moving average of a network's weights, which is what ships."""

    def __init__(self, net: nn.Module, decay: float = 0.998) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move a little towards the present weights (faster at the start)."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 10))
        for mine, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)
        for kept, latest in zip(self.net.buffers(), net.buffers(), strict=True):
            kept.copy_(latest)


class Run:
    """A resumable run: ``while run.goes_on(): ... run.step_done(loss=...)``.

    Args:
        out: Folder of ``checkpoint.pt``.
        config: The recipe, a dataclass; saved inside the checkpoint.
        minutes: Length of the run in minutes of wall time.
        state: Everything with a ``state_dict`` that must survive, by name.
        save_every_s: Seconds between checkpoints.
        steps: Length of the run in steps, in the place of minutes.
        clock: Seconds by which the run is timed: wall time unless given.

    Raises:
        ScmcError: If it has no length.
    """

    def __init__(
        self,
        out: Path,
        config: Any,
        minutes: float,
        state: dict[str, Any],
        save_every_s: float = 120,
        steps: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if minutes <= 0 or (steps is not None and steps < 1):
            raise ScmcError(f"a run of {minutes:g} minutes or {steps} steps; expected more than 0")
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / "checkpoint.pt"
        self.config = config
        self.budget_s = minutes * 60
        self.steps = steps
        self.state = state
        self.clock = clock
        self.save_every_s = save_every_s
        self.step = 0
        self.used_s = 0.0
        self._sums: dict[str, float] = {}
        self._count = 0
        if self.path.is_file():
            self._load()
        self._tick = self._saved = clock()

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0 to 1."""
        done = self.used_s / self.budget_s if self.steps is None else self.step / self.steps
        return min(1.0, done)

    def goes_on(self) -> bool:
        """True until the run is done; sets the learning rates for the next step."""
        if self.progress >= 1:
            self.save()
            return False
        warm = min(1.0, (self.step + 1) / 100)
        scale = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for part in self.state.values():
            if isinstance(part, torch.optim.Optimizer):
                for group in part.param_groups:
                    group["lr"] = group["base_lr"] * scale
        return True

    def step_done(self, **losses: float) -> None:
        """Count one step, log means every 50, save now and then."""
        self.step += 1
        now = self.clock()
        self.used_s += now - self._tick
        self._tick = now
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if self._count == 50:
            means = "  ".join(f"{k} {v / 50:.4f}" for k, v in self._sums.items())
            logger.info("step %d  %.1f min  %s", self.step, self.used_s / 60, means)
            self._sums, self._count = {}, 0
        if now - self._saved > self.save_every_s:
            self.save()
            self._saved = now

    def save(self) -> None:
        """Write the checkpoint; a kill in between leaves the one before."""
        saved = {
            "config": dataclasses.asdict(self.config),
            "step": self.step,
            "used_s": self.used_s,
            "state": {k: _stateful(v).state_dict() for k, v in self.state.items()},
        }
        with new_file(self.path) as part:
            torch.save(saved, part)

    def _load(self) -> None:
        saved = torch.load(self.path, weights_only=True, map_location="cpu")
        self.step, self.used_s = saved["step"], saved["used_s"]
        for name, part in self.state.items():
            _stateful(part).load_state_dict(saved["state"][name])
            if isinstance(part, Averaged):
                part.updates = self.step
        logger.info("resumed at step %d, %.1f min", self.step, self.used_s / 60)


def _stateful(part: Any) -> Any:
    """What has the state of a part of a run."""
    return part.net if isinstance(part, Averaged) else part
