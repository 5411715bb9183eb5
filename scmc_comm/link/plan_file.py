"""A protection plan that somebody wrote down, in YAML: how each layer is sent.

    semantic:  {modulation: QPSK, coderate: 30/1024, power_db: 3}
    structure: {modulation: QPSK, coderate: 193/1024}
    signal:    {modulation: 16-QAM, coderate: 434/1024}
    signal.2:  {modulation: 64-QAM, coderate: 438/1024}

Layers are sent in the order of the file; one that is not in it is not sent. A code rate below 1/5
is the mother code's, repeated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from channels.coding.transport_block import num_channel_uses
from channels.errors import ChannelError, no_such
from channels.specs import read_number
from channels.types import MIN_CODERATE, Mcs
from scmc_comm.errors import ScmcError
from scmc_comm.guarded_yaml import load_yaml
from scmc_comm.link.budget import Budget
from scmc_comm.link.protection import MIN_SIGNAL_BITS, Protection, ProtectionPlan, check_caption
from scmc_comm.models import files_state
from scmc_comm.types import MAX_PARTS, LayerKind, part_tag

MODULATIONS = {"QPSK": 2, "16-QAM": 4, "64-QAM": 6, "256-QAM": 8}
_TAGS = [LayerKind.SEMANTIC.tag, LayerKind.STRUCTURE.tag]
_TAGS += [part_tag(LayerKind.SIGNAL, part) for part in range(MAX_PARTS)]
_MOST_REPETITIONS = 10_000
_KEYS = ("modulation", "coderate", "repetition", "power_db")


@dataclass(frozen=True)
class FixedPlanner:
    """Sends every picture by one plan, whatever the channel is; no plan is made.

    Of the structure layer it takes the finest level that has room, or none; the signal gets what
    is left. Of a layer that has no room the plan says why.

    Attributes:
        layers: How each unit is sent, by its tag.
    """

    layers: Mapping[str, Protection]
    side_information: frozenset[str] = frozenset()

    def plan(
        self,
        budget: Budget,
        options: Sequence[Mapping[LayerKind, int]],
        size: tuple[int, int],
        with_signal: bool = True,
    ) -> tuple[int, ProtectionPlan]:
        """See `scmc_comm.link.planners.Planner`."""
        uses, caption = budget.uses(size), self.layers[LayerKind.SEMANTIC.tag]
        bits, left_out = options[0][LayerKind.SEMANTIC], dict[str, str]()
        check_caption(uses, bits, caption.mcs, size)
        left, level, chosen = uses - num_channel_uses(bits, caption.mcs), 0, [LayerKind.SEMANTIC]
        structure = self.layers.get(LayerKind.STRUCTURE.tag)
        for number in reversed(range(len(options))):
            bits = options[number].get(LayerKind.STRUCTURE, 0)
            needed = num_channel_uses(bits, structure.mcs) if structure and bits else left + 1
            if needed <= left:
                left, level = left - needed, number
                chosen.append(LayerKind.STRUCTURE)
                break
        coarsest = options[0].get(LayerKind.STRUCTURE, 0)
        if structure and coarsest and LayerKind.STRUCTURE not in chosen:
            needed = num_channel_uses(coarsest, structure.mcs)
            left_out[LayerKind.STRUCTURE.tag] = f"needs {needed} channel uses, {left} are left"
        parts = [self.layers[tag] for tag in _TAGS[2:] if tag in self.layers]
        plan = {kind: self.layers[kind.tag] for kind in chosen}
        if not parts:
            return level, ProtectionPlan(plan, exact=True, left_out=left_out)
        least = math.floor(MIN_SIGNAL_BITS / parts[0].mcs.bits_per_use) + 1
        if not with_signal or left < least:
            needs = f"{least}" if left < least else "for its coarsest quality more"
            left_out[LayerKind.SIGNAL.tag] = f"needs {needs} channel uses, {left} are left"
            return level, ProtectionPlan(plan, exact=True, left_out=left_out)
        plan[LayerKind.SIGNAL] = parts[0]
        return level, ProtectionPlan(
            plan, left, tuple(parts[1:]), len(parts), exact=True, left_out=left_out
        )


def load_plan(path: str | Path) -> FixedPlanner:
    """Reads a plan, once a process for each state of its file.

    Raises:
        ScmcError: There is no such file, or it is no plan; it names the layer and the key.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "plan.yaml"
        >>> _ = file.write_text("semantic: {modulation: QPSK, coderate: 1/2}")
        >>> load_plan(file).layers["semantic"].mcs
        Mcs(num_bits_per_symbol=2, coderate=0.5, repetition=1)
    """
    return _read(Path(path), files_state([path]))


@lru_cache(maxsize=64)
def _read(path: Path, _: str) -> FixedPlanner:
    if not os.path.isfile(path):  # a name of any length or form
        raise ScmcError(f"there is no plan file {path}; expected YAML with a line for each layer")
    try:
        tree = load_yaml(path.read_text(encoding="utf-8"), f"plan {path}")
    except UnicodeDecodeError as error:
        raise ScmcError(f"plan {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict) or LayerKind.SEMANTIC.tag not in tree:
        raise ScmcError(f"plan {path} has no layer semantic; expected a mapping of {_TAGS[:3]}")
    try:
        return FixedPlanner({tag: _protection(tag, row, n) for n, (tag, row) in _rows(tree)})
    except ChannelError as error:
        raise ScmcError(f"plan {path}: {error}") from error


def _rows(tree: Mapping[Any, Any]) -> enumerate[tuple[str, Mapping[str, Any]]]:
    for tag, row in tree.items():
        if tag not in _TAGS:
            raise ChannelError(no_such("layer", str(tag), _TAGS))
        if not isinstance(row, dict):
            raise ChannelError(f"{tag} is {row!r}; expected {{modulation: QPSK, coderate: 1/2}}")
        for key in row:
            if key not in _KEYS:
                raise ChannelError(f"{tag}: {no_such('key', str(key), _KEYS)}")
    signal = [tag for tag in _TAGS[2:] if tag in tree]
    if signal != _TAGS[2 : 2 + len(signal)]:
        raise ChannelError(f"there is {signal[-1]} without the parts of the signal before it")
    return enumerate(tree.items())


def _protection(tag: str, row: Mapping[str, Any], place: int) -> Protection:
    modulation = row.get("modulation")
    if modulation not in MODULATIONS:
        raise ChannelError(f"{tag}: {no_such('modulation', str(modulation), MODULATIONS)}")
    try:
        rate, repetition = read_number(str(row["coderate"])), int(str(row.get("repetition", 1)))
        power_db = float(row.get("power_db", 0.0))
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError):
        raise ChannelError(
            f"{tag} is {dict(row)}; expected a coderate such as 1/2 or 434/1024, and perhaps a "
            "whole repetition and power_db"
        ) from None
    known_rate = MIN_CODERATE / _MOST_REPETITIONS <= rate <= 1
    if not abs(power_db) <= 60 or not known_rate or not 1 <= repetition <= _MOST_REPETITIONS:
        raise ChannelError(
            f"{tag} has coderate {rate:g}, repetition {str(repetition)[:20]}, power_db "
            f"{power_db:g}; expected a rate from {MIN_CODERATE / _MOST_REPETITIONS:g} to 1, 1 to "
            f"{_MOST_REPETITIONS} repetitions and a power within 60 dB of the mean"
        )
    if rate < MIN_CODERATE and repetition == 1:
        repetition = math.ceil(MIN_CODERATE / rate - 1e-9)
        rate *= repetition
    return Protection(Mcs(MODULATIONS[modulation], rate, repetition), power_db, place)
