"""The one readable path of an image through the layered scheme.

1. encode: semantic, structure at the level that the plan asks for, signal, each from the image
   alone -> LayeredBitstream
2. protect: every layer, and every part of the signal, its own frame with its own code rate and
   modulation; the ledger adds up
3. send: `System.transmit` hands the frames to the physical layer -> LinkReport
4. reassemble: the frames whose every block passed its CRC -> layers
5. decode: whatever subset arrived -> Reconstruction; nothing at all is mid-grey
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol

import torch

from channels.types import Frame
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.packetize import (
    bits_to_bytes,
    bytes_to_bits,
    depacketize,
    packetize,
    split,
)
from scmc_comm.link.planners import make_planner
from scmc_comm.link.protection import ProtectionPlan
from scmc_comm.systems.base import Budget, Prepared, System, check_image, grey
from scmc_comm.types import FINEST, MAX_PARTS, Layer, LayerKind, Reconstruction, part_tag


class Codec(Protocol):
    """What the path needs of a layered codec: each layer is coded from the image alone.

    Attributes:
        structure_levels: How many levels the structure can be coded at.
    """

    structure_levels: int

    def encode_semantic(self, img: torch.Tensor) -> Layer:
        """The caption of an image [3, H, W]."""
        ...

    def encode_structure(self, img: torch.Tensor, level: int = FINEST) -> Layer:
        """Its structure at a level, 0 the coarsest."""
        ...

    def encode_signal(self, img: torch.Tensor, quality: int) -> Layer:
        """The signal layer at a quality, 0 the coarsest."""
        ...

    def encode_signal_fitting(
        self, img: torch.Tensor, fits: Callable[[Layer], bool]
    ) -> Layer | None:
        """The best signal layer that ``fits``, or None if there is none."""
        ...

    def decode(
        self,
        layers: tuple[Layer, ...],
        size: tuple[int, int],
        seed: int = 0,
        caption: str | None = None,
    ) -> Reconstruction:
        """The picture that any subset of the layers gives."""
        ...


class ScmcSystem(System):
    """The layered codec over a protected link.

    Args:
        codec: The layered codec.
        protection: Name of a planner (`scmc_comm.link.planners`): ``"unequal"`` (caption first),
            ``"equal"`` (one scheme for all layers), ``"optimised"``, ...
        seed: Seed of the decoder's noise; sent, and charged, if it is not 0.
    """

    def __init__(self, codec: Codec, protection: str = "unequal", seed: int = 0) -> None:
        self.codec = codec
        self.planner = make_planner(protection)
        self.knows = self.planner.knows
        self.name = "scmc" if protection == "unequal" else f"scmc-{protection}"
        self.seed = seed

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """Encode and protect; ScmcError if not even the caption fits the budget."""
        size = check_image(img)
        stream, plan = self.encode(img, budget)
        frames, ledger = protect(stream, plan, budget.uses(size))
        num_bits = sum(frame.bits.size for frame in frames)

        def reconstruct(delivered: frozenset[str]) -> Reconstruction:
            arrived = reassemble(frames, delivered)
            if arrived is None:
                return grey(size, delivered)
            return self.codec.decode(arrived.layers, arrived.size, seed=arrived.seed)

        bpp = num_bits / (size[0] * size[1])
        return Prepared(frames, ledger, bpp, reconstruct, size, usable=usable)

    def encode(self, img: torch.Tensor, budget: Budget) -> tuple[LayeredBitstream, ProtectionPlan]:
        """Semantic, structure, and the signal layer that fills the rest of the budget."""
        size = check_image(img)
        semantic = self.codec.encode_semantic(img)
        levels = range(self.codec.structure_levels)
        sketches = [self.codec.encode_structure(img, level) for level in levels]
        coarsest = self.codec.encode_signal(img, 0)

        def plan_for(*signal: Layer) -> tuple[tuple[Layer, ...], ProtectionPlan]:
            """The lower layers to send, and how all are sent."""
            options = [self._num_bits((semantic, sketch, *signal), size) for sketch in sketches]
            level, plan = self.planner.plan(budget, options, size, bool(signal))
            base = (semantic, sketches[level])
            return tuple(layer for layer in base if layer.kind in plan.layers), plan

        sent, plan = plan_for(coarsest)
        signal = self._signal(img, size, plan)
        if signal is None:  # what it leaves goes to the other layers
            sent, plan = plan_for()
            return LayeredBitstream(size, sent, self.seed), plan
        return LayeredBitstream(size, (*sent, signal), self.seed), plan

    def _num_bits(self, layers: tuple[Layer, ...], size: tuple[int, int]) -> dict[LayerKind, int]:
        """Packet bits of each layer."""
        return {
            layer.kind: sum(8 * len(packet.to_bytes()) for packet in split(layer, size, self.seed))
            for layer in layers
        }

    def _signal(
        self, img: torch.Tensor, size: tuple[int, int], plan: ProtectionPlan
    ) -> Layer | None:
        if LayerKind.SIGNAL not in plan.layers:
            return None

        def fits(layer: Layer) -> bool:
            packets = split(layer.first_parts(plan.num_parts), size, self.seed)
            return plan.signal_fits([8 * len(packet.to_bytes()) for packet in packets])

        layer = self.codec.encode_signal_fitting(img, fits)
        return None if layer is None else layer.first_parts(plan.num_parts)


def protect(
    stream: LayeredBitstream, plan: ProtectionPlan, num_uses: int
) -> tuple[tuple[Frame, ...], Ledger]:
    """Each layer, and each part of the signal, as a frame of its own, and every channel use."""
    frames, entries = [], []
    for packet in packetize(stream):
        how = plan.protection(packet.layer.kind, packet.part)
        bits = bytes_to_bits(packet.to_bytes())
        frames.append(Frame(packet.tag, bits, how.mcs, how.power_db, how.priority))
        entries.append(ledger_entry(frames[-1], 8 * packet.num_header_bytes))
    return tuple(frames), Ledger(tuple(entries), num_uses)


def usable(delivered: frozenset[str]) -> frozenset[str]:
    """The tags without those parts of the signal that a missing part comes before.

    Example:
        >>> sorted(usable(frozenset({"semantic", "signal", "signal.3"})))
        ['semantic', 'signal']
    """
    parts = [part_tag(LayerKind.SIGNAL, part) for part in range(MAX_PARTS)]
    arrived = itertools.takewhile(delivered.__contains__, parts)
    return delivered.difference(parts).union(arrived)


def reassemble(frames: tuple[Frame, ...], delivered: frozenset[str]) -> LayeredBitstream | None:
    """The layers in the frames that arrived; None if there are none."""
    unknown = delivered - {frame.tag for frame in frames}
    if unknown:
        raise ScmcError(
            f"delivered tags {sorted(unknown)} were never sent; expected a subset of "
            f"{[frame.tag for frame in frames]}"
        )
    return depacketize(bits_to_bytes(f.bits) for f in frames if f.tag in delivered)
