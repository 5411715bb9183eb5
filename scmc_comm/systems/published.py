"""Published schemes from a clone and a checkpoint that the user has, under our budget and channel.

Nothing of theirs is in this package. What each is given, and how its signal-to-noise ratio and rate
are ours, is said at its class; ``docs/published.md`` has it in one table.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from channels.sources import files_digest
from channels.types import ReceivedSymbols
from scmc_comm.baselines.function_codec import as_image
from scmc_comm.codec.tensors import pad_to
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.analog import Analog, unbiased
from scmc_comm.systems.base import check_image
from scmc_comm.systems.clones import check_commit, on_chosen_device
from scmc_comm.systems.side_bits import (
    POWER_BITS,
    from_symbols,
    num_uses,
    power_bits,
    power_of,
    to_symbols,
)


@dataclass(frozen=True)
class Features:
    """What an encoder makes of a picture.

    Attributes:
        values: Real numbers that are sent, two a channel use, float32 [n].
        bits: What else its receiver has to know of the picture, uint8 [k].
    """

    values: Tensor
    bits: np.ndarray


@dataclass(frozen=True)
class Published(Analog):
    """A scheme of a clone; it sends real features as the two dimensions of complex symbols.

    The features' mean power, which its authors' receivers are given, is sent in front of them, as
    are other bits that these need, coded, and charged.

    Attributes:
        repo: Folder of the clone.
        weights: The checkpoint.
        trust: Run the code in that folder; without it nothing of it is run.
    """

    COMMIT: ClassVar[str]
    multiple: ClassVar[int]

    repo: str | None = None
    weights: str | None = None
    trust: bool = False

    @abstractmethod
    def build(self) -> Any:
        """The network, from `repo` and `weights`."""

    @abstractmethod
    def features(self, img: Tensor, num_values: int, esno_db: float) -> Features | int:
        """What is sent of a picture [3, H, W] with sides of `multiple`, or how many values it is.

        Args:
            img: The picture.
            num_values: The most real numbers there is room for; of more, their number is returned.
            esno_db: Mean Es/N0 in dB that is designed for.
        """

    @abstractmethod
    def num_bits(self) -> int:
        """Of `Features.bits`."""

    @abstractmethod
    def num_values(self, size: tuple[int, int], bits: np.ndarray) -> int:
        """Real numbers that were sent of a picture of ``(H, W)``, sides of `multiple`."""

    @abstractmethod
    def picture(
        self, values: Tensor, bits: np.ndarray, size: tuple[int, int], esno_db: float
    ) -> Tensor:
        """The picture [3, H, W] of received features, at the Es/N0 in dB that they had."""

    def parts_identity(self) -> str:
        """See `System.parts_identity`: the clone's code and the checkpoint, by their content."""
        if self.repo is None or self.weights is None:
            return ""
        code = sorted(Path(self.repo).rglob("*.py"))
        return files_digest([*code, self.weights])

    def load(self) -> None:
        """See `System.load`."""
        self.network()

    def network(self) -> Any:
        """The network, built once a process for each content of the clone and the checkpoint."""
        name = type(self).__name__
        if self.repo is None or self.weights is None:
            raise ScmcError(f"{name} needs repo=DIR, a clone, and weights=FILE, its checkpoint")
        if not Path(self.repo).is_dir():
            raise ScmcError(f"{name}: there is no folder {self.repo}; give a clone as repo=DIR")
        if not self.trust:
            raise ScmcError(f"{name} runs the code in {self.repo}; look at it, then say trust=true")
        return _built(self, self.parts_identity())

    @torch.no_grad()
    def prepare(self, img: Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`; a network of one rate sends nothing in a smaller budget."""
        size, uses = check_image(img), budget.uses(check_image(img))
        before = num_uses(POWER_BITS + self.num_bits())
        with on_chosen_device():
            self.network()
            padded, num_values = pad_to(img[None], self.multiple)[0], 2 * max(uses - before, 0)
            found = self.features(padded, num_values, budget.design_esno_db)
        if isinstance(found, int):
            needed = before + -(-found // 2)
            why = f"{type(self).__name__} needs {needed} channel uses, there are {uses}"
            return Prepared.nothing(size, budget, why)
        power = float(found.values.double().square().mean())
        bits = np.concatenate([power_bits(2 * power), found.bits])
        symbols = torch.cat([to_symbols(bits), _complex(found.values / (2 * power) ** 0.5)])
        symbols /= symbols.abs().square().mean(dtype=torch.float64) ** 0.5
        return Prepared.of_symbols(symbols.to(torch.complex64), before, budget, size)

    def shown(self, prepared: Prepared, received: ReceivedSymbols) -> Tensor | None:
        """See `Analog.shown`; nothing where the bits in front did not arrive."""
        symbols, no = unbiased(received)
        num_bits = POWER_BITS + self.num_bits()
        bits = from_symbols(symbols[: num_uses(num_bits)], no, num_bits)
        if bits is None:
            return None
        power, own = power_of(bits[:POWER_BITS]), bits[POWER_BITS:]
        height, width = prepared.size
        whole = (height + -height % self.multiple, width + -width % self.multiple)
        values = _real(symbols[num_uses(num_bits) :] * power**0.5, self.num_values(whole, own))
        with on_chosen_device():
            self.network()
            found = self.picture(values, own, whole, 10 * float(np.log10(1 / no)))
        return as_image(found[:, :height, :width], prepared.size, type(self).__name__)


@functools.lru_cache(maxsize=4)
def _built(system: Published, _: str) -> Any:
    assert system.repo is not None
    check_commit(Path(system.repo), system.COMMIT)
    return system.build()


def _complex(values: Tensor) -> Tensor:
    """The first half of the values as real parts, the second as imaginary ones."""
    even = F.pad(values, (0, len(values) % 2))
    return torch.complex(*even.chunk(2))


def _real(symbols: Tensor, count: int) -> Tensor:
    """The inverse of `_complex`, of so many values."""
    return torch.cat([symbols.real, symbols.imag])[:count]
