"""Layered digital schemes: the cliff of one file softened with the means of the layered codec.

`Simulcast` sends a file several times over, at rising rates and at the resolution that is best for
each; `QualityLayers` sends one JPEG 2000 file in quality layers. Either spreads its budget by the
same rules, or by the same optimiser's principle, margins and side information as the layered codec.
"""

from __future__ import annotations

import dataclasses
import itertools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from channels.coding.transport_block import max_payload_bits, num_channel_uses
from channels.fading.models import channel_identity
from channels.phy.names import phy_identity
from channels.ranges import Range
from channels.types import Frame, ReceivedSymbols
from scmc_comm.baselines.codec_curves import CodecCurves, curves_state, load_curves
from scmc_comm.baselines.jpeg2000 import Jpeg2000Layers
from scmc_comm.baselines.reduced import DIVISOR_BITS
from scmc_comm.baselines.scaled import ScaledCoder
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.budget import CHANNEL_LAW, SIDE_INFORMATION, Budget
from scmc_comm.link.delivery import COARSE_STATES, make_link
from scmc_comm.link.ladder import MAX_LAYERS, Ladder, LadderSearch, rule_ladder
from scmc_comm.link.leftover import strengthened
from scmc_comm.link.packetize import bits_to_bytes, bytes_to_bits
from scmc_comm.link.planners import SPREAD_DB
from scmc_comm.link.prepared import Prepared
from scmc_comm.link.utility import Utility
from scmc_comm.systems.base import PYTHON_ONLY, check_image, grey
from scmc_comm.systems.coded_file import CodedFile
from scmc_comm.types import LayerKind, Reconstruction


def layer_tag(layer: int) -> str:
    """Tag of a layer's frame, 0 the coarsest.

    Example:
        >>> layer_tag(0), layer_tag(2)
        ('image.1', 'image.3')
    """
    return f"image.{layer + 1}"


@dataclass(frozen=True)
class LayeredFile(CodedFile):
    """A file in layers, each in a frame of its own, the coarsest the best protected.

    Attributes:
        layers: How many, 2 to 4.
        protection: ``unequal`` gives the layers fixed shares of the channel uses, with margins of
            11, 5 and 2 dB below the design Es/N0 but for the last; ``equal`` the same shares with
            one scheme; ``optimised`` the shares and schemes of the highest expected utility for
            the channel and its mean Es/N0, ``range`` the same for a range of means.
        utility: What ``optimised`` and ``range`` make best, such as ``lpips``; the sweep's if not
            given.
        curves: Rate and quality on validation pictures; those that were measured if not given.
    """

    nested: ClassVar[bool]
    transmitter_options: ClassVar[tuple[str, ...]] = ("layers", "protection", "utility", "curves")

    layers: Annotated[int, Range(2, MAX_LAYERS)] = 3
    protection: Literal["unequal", "equal", "optimised", "range"] = "unequal"
    utility: str | None = None
    curves: CodecCurves | None = field(default=None, metadata=PYTHON_ONLY, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.utility is not None:
            Utility.parse(self.utility)
            if self.protection in ("unequal", "equal"):
                raise ScmcError(
                    f"utility is {self.utility!r} and protection is {self.protection!r}, a rule "
                    "that makes nothing best; use protection=optimised"
                )

    @property
    def side_information(self) -> frozenset[str]:
        """All of it with optimised protection, the law alone for a range, else none."""
        known = {"optimised": SIDE_INFORMATION, "range": frozenset({CHANNEL_LAW})}
        return known.get(self.protection, frozenset())

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`: plan for validation pictures, then fill each layer's share."""
        size, budget = check_image(img), self._own(budget)
        num_uses = budget.uses(size)
        try:
            ladder = self._ladder(size, budget)
        except InfeasibleBudgetError as error:
            return Prepared.nothing(size, budget, str(error))
        coded = self._coded(img, ladder, Utility.parse(budget.utility))
        if not coded:
            why = f"{self._name}: no layer fits {num_uses} channel uses"
            return Prepared.nothing(size, budget, why)
        bits, schemes = [each for each, _ in coded], [ladder[at].mcs for _, at in coded]
        together = self.protection == "equal"
        schemes = list(strengthened([b.size for b in bits], schemes, num_uses, together))
        frames = [
            Frame(layer_tag(i), payload, mcs, priority=i)
            for i, (payload, mcs) in enumerate(zip(bits, schemes, strict=True))
        ]
        tags = [frame.tag for frame in frames]
        needs = dict(itertools.pairwise(reversed(tags))) if self.nested else {}
        header_bits = [payload.size % 8 for payload in bits]  # which resolution; else whole bytes
        return Prepared.of_frames(frames, header_bits, budget, size, needs)

    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """See `System.reconstruct`: the finest picture that the layers give."""
        assert isinstance(delivered, frozenset)
        usable = prepared.usable(delivered)
        arrived = [frame.bits for frame in prepared.frames if frame.tag in usable]
        if not arrived:
            return grey(prepared.size, usable)
        return Reconstruction(self._shown(arrived, prepared.size), LayerKind.SIGNAL, usable)

    def load(self) -> None:
        """See `System.load`; without curves to choose by it fails here, before any work."""
        if self.protection in ("optimised", "range"):
            self.validation_curves()
        self.image_codec()

    def validation_curves(self) -> CodecCurves:
        """Rate and quality of the codec on validation pictures."""
        if self.curves is not None:
            return self.curves
        return load_curves(self._name, reduced=not self.nested)

    @abstractmethod
    def _coded(
        self, img: torch.Tensor, ladder: Ladder, utility: Utility
    ) -> list[tuple[np.ndarray, int]]:
        """Payload bits of each layer that is sent, and the rung of the ladder it is sent on."""

    @abstractmethod
    def _shown(self, arrived: Sequence[np.ndarray], size: tuple[int, int]) -> torch.Tensor:
        """The picture of the layers that arrived, the coarsest first."""

    def _own(self, budget: Budget) -> Budget:
        return dataclasses.replace(budget, utility=self.utility or budget.utility)

    def _ladder(self, size: tuple[int, int], budget: Budget) -> Ladder:
        if self.protection in ("unequal", "equal"):
            equal, uses = self.protection == "equal", budget.uses(size)
            return rule_ladder(self.layers, uses, budget.design_esno_db, equal)
        identity = channel_identity(budget.channel), phy_identity(budget.phy), curves_state()
        return _best_ladder(self, size, budget, *identity)


class Simulcast(LayeredFile):
    """The picture several times, each a file of its own at a rate and the best resolution for it.

    The receiver shows the finest file that arrived.

    Source: J. M. Boyce, Y. Ye, J. Chen, A. K. Ramasubramonian, "Overview of SHVC", IEEE TCSVT
    26(1), 2016 (simulcast as the reference of scalable coding).

    Example:
        >>> sorted(Simulcast("vvc", protection="range").side_information)
        ['channel']
    """

    nested: ClassVar[bool] = False

    def _coded(
        self, img: torch.Tensor, ladder: Ladder, utility: Utility
    ) -> list[tuple[np.ndarray, int]]:
        found, carried, coder = [], 0, self._coder()
        for at, rung in enumerate(ladder):
            num_uses = rung.num_uses + carried
            bits = coder.encode(img, max_payload_bits(num_uses, rung.mcs), utility)
            carried = num_uses
            if bits is not None:
                found.append((bits, at))
                carried -= num_channel_uses(bits.size, rung.mcs)
        return found

    def _shown(self, arrived: Sequence[np.ndarray], size: tuple[int, int]) -> torch.Tensor:
        return self._coder().decode(arrived[-1], size)

    def check_size(self, size: tuple[int, int]) -> None:
        """See `System.check_size`: a reduced resolution will do."""
        self._coder().divisors(size)

    def _coder(self) -> ScaledCoder:
        return ScaledCoder(self.image_codec(), curves=self.curves)


class QualityLayers(LayeredFile):
    """One JPEG 2000 file in quality layers, each of which refines those before it.

    Source: ITU-T T.800 (layer-resolution-component-position progression).

    Example:
        >>> QualityLayers("jpeg2000", layers=4).side_information
        frozenset()
    """

    nested: ClassVar[bool] = True

    def _coded(
        self, img: torch.Tensor, ladder: Ladder, utility: Utility
    ) -> list[tuple[np.ndarray, int]]:
        room = [max(0, max_payload_bits(rung.num_uses, rung.mcs) // 8) for rung in ladder]
        parts = self._layers().encode(img, room)
        return [(bytes_to_bits(part), at) for at, part in enumerate(parts) if part]

    def _shown(self, arrived: Sequence[np.ndarray], size: tuple[int, int]) -> torch.Tensor:
        return self._layers().decode([bits_to_bytes(bits) for bits in arrived], size)

    def _layers(self) -> Jpeg2000Layers:
        return Jpeg2000Layers()


@lru_cache(maxsize=1024)
def _best_ladder(system: LayeredFile, size: tuple[int, int], budget: Budget, *_: str) -> Ladder:
    """The search, made once for each identity of the channel and state of the curves."""
    curves, utility = system.validation_curves(), Utility.parse(budget.utility)
    grey_utility = curves.failure(utility)
    spread = SPREAD_DB if system.protection == "range" else (0.0,)
    means_db = tuple(budget.design_esno_db + db for db in spread)
    num_uses, header_bits = budget.uses(size), DIVISOR_BITS if curves.reduced else 0

    def quality(bits: int) -> float:
        shown = curves.at(bits - header_bits, size, utility)
        return float(np.where(np.isnan(shown), grey_utility, shown).mean())

    if num_uses < 1:
        raise InfeasibleBudgetError(f"{system.codec}: the budget holds no channel use")
    link = make_link(budget.channel, num_uses, means_db, None, COARSE_STATES, budget.phy)
    failure = float(grey_utility.mean())
    return LadderSearch(system.layers, num_uses, link, quality, failure, system.nested).best()
