"""The layered scheme: semantic, structure and signal layers, each protected on its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar, Protocol

import torch

from channels.types import Frame, Mcs, ReceivedSymbols
from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.options import NETWORKS, CodecOptions, make_codec
from scmc_comm.errors import InfeasibleBudgetError, ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.leftover import strengthened
from scmc_comm.link.packetize import bits_to_bytes, bytes_to_bits, depacketize, packetize, split
from scmc_comm.link.planners import PROTECTIONS, Planner, make_planner
from scmc_comm.link.prepared import Prepared
from scmc_comm.link.protection import ProtectionPlan
from scmc_comm.models import weights_state
from scmc_comm.ranges import CodecSeed
from scmc_comm.systems.base import PYTHON_ONLY, System, check_image, grey
from scmc_comm.types import FINEST, PART_NEEDS, Layer, LayerKind, Reconstruction


class Codec(Protocol):
    """What the scheme needs of a layered codec.

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

    def encode_signal(
        self, img: torch.Tensor, quality: int, structure: Layer | None = None
    ) -> Layer:
        """The signal layer at a quality, 0 the coarsest, beside the structure that is sent."""
        ...

    def encode_signal_fitting(
        self,
        img: torch.Tensor,
        fits: Callable[[Layer], bool],
        structure: Layer | None = None,
    ) -> Layer | None:
        """The best signal layer that ``fits``, or None if there is none."""
        ...

    def needs(self, layer: Layer) -> LayerKind | None:
        """The layer without which this one does not decode, or None."""
        ...

    def forget(self) -> None:
        """Drop what was kept of pictures."""
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


@dataclass(frozen=True)
class Scmc(CodecOptions, System):
    """The layered codec; each layer, and each part of the signal, in a frame of its own.

    Attributes:
        protection: How the layers are protected: ``unequal`` gives the caption most, ``equal``
            sends all with one scheme, ``optimised`` takes the highest expected utility for the
            channel and its mean Es/N0, ``range`` the same for a range of means; or the name of a
            plug-in's planner.
        plan: A YAML file with modulation, code rate, repetition and power of each layer, in place
            of a protection.
        utility: What ``optimised`` and ``range`` make best, such as ``lpips``; the sweep's if
            not given.
        seed: Seed of the decoder's noise; sent, and charged, if it is not 0.
        codec: A layered codec in place of the one that the options name.

    Source: P. Zhang et al., "Rethinking Semantic Image Compression: Scalable Representation with
    Cross-modality Transfer", IEEE TCSVT 33(8), 2023 (the layers).

    Example:
        >>> sorted(Scmc(protection="range").side_information)
        ['channel']
    """

    file_options: ClassVar[tuple[str, ...]] = (*NETWORKS, "plan")
    transmitter_options: ClassVar[tuple[str, ...]] = ("protection", "plan", "utility", "seed")

    protection: str = "unequal"
    plan: str | None = None
    utility: str | None = None
    seed: CodecSeed = 0
    codec: Codec | None = field(default=None, metadata=PYTHON_ONLY)

    def __post_init__(self) -> None:
        System.__post_init__(self)
        super().__post_init__()
        if self.plan is not None and self.protection != "unequal":
            raise ScmcError(
                f"plan is {self.plan!r} and protection is {self.protection!r}; keep one of them"
            )
        if self.signal_given == "nothing" and self.protection in ("optimised", "range"):
            raise ScmcError(
                f"signal_given is 'nothing' and protection is {self.protection!r}, whose curves "
                "are of signals given the structure; use protection=unequal or equal"
            )
        self._planner()

    @property
    def side_information(self) -> frozenset[str]:
        """The planner's."""
        return self._planner().side_information

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`: encode, then protect."""
        size = check_image(img)
        try:
            stream, plan = self.encode(img, budget)
        except InfeasibleBudgetError as error:
            return Prepared.nothing(size, budget, str(error))
        needed = {layer.kind: self.layered_codec().needs(layer) for layer in stream.layers}
        needs = {kind.tag: other.tag for kind, other in needed.items() if other is not None}
        return protect(stream, plan, budget, needs, together=self.protection == "equal")

    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """See `System.reconstruct`: reassemble the layers, then decode whatever subset arrived."""
        assert isinstance(delivered, frozenset)
        usable = prepared.usable(delivered)
        stream = reassemble(prepared.frames, usable)
        if stream is None:
            return grey(prepared.size, usable)
        return self.layered_codec().decode(stream.layers, stream.size, seed=stream.seed)

    def check_size(self, size: tuple[int, int]) -> None:
        """See `System.check_size`."""
        from scmc_comm.codec.structure import check_structure

        if self.codec is None:
            check_structure(size)

    def load(self) -> None:
        """See `System.load`."""
        self.layered_codec()

    def forget(self) -> None:
        """See `System.forget`."""
        self.layered_codec().forget()

    def layered_codec(self) -> Codec:
        """The codec, its networks loaded once a process for each state of their files."""
        names = [f.name for f in dataclasses.fields(CodecOptions)]
        options = CodecOptions(**{name: getattr(self, name) for name in names})
        return self.codec or _load_codec(options, options.files_state(), weights_state())

    def encode(self, img: torch.Tensor, budget: Budget) -> tuple[LayeredBitstream, ProtectionPlan]:
        """Semantic, structure at the planned level, and the signal that fills the budget.

        Raises:
            InfeasibleBudgetError: Not even the caption fits or decodes.
        """
        codec, size = self.layered_codec(), check_image(img)
        semantic = codec.encode_semantic(img)
        sketches = [codec.encode_structure(img, level) for level in range(codec.structure_levels)]
        coarsest = codec.encode_signal(img, 0, sketches[-1])

        def plan_for(*signal: Layer) -> tuple[tuple[Layer, ...], ProtectionPlan]:
            """The lower layers to send, and how all are sent."""
            options = [self._num_bits((semantic, sketch, *signal), size) for sketch in sketches]
            level, plan = self._planner().plan(budget, options, size, bool(signal))
            base = (semantic, sketches[level])
            return tuple(layer for layer in base if layer.kind in plan.layers), plan

        sent, plan = plan_for(coarsest)
        sketch = next((layer for layer in sent if layer.kind is LayerKind.STRUCTURE), None)
        signal = self._signal(img, sketch, size, plan)
        if signal is None:  # what it leaves goes to the other layers
            sent, plan = plan_for()
            return LayeredBitstream(size, sent, self.seed), plan
        return LayeredBitstream(size, (*sent, signal), self.seed), plan

    def _planner(self) -> Planner:
        return make_planner(self.protection, self.utility, self.plan)

    def parts_identity(self) -> str:
        """See `System.parts_identity`: that of the planner."""
        return PROTECTIONS.identity(self.protection)

    def _num_bits(self, layers: tuple[Layer, ...], size: tuple[int, int]) -> dict[LayerKind, int]:
        """Packet bits of each layer."""
        return {layer.kind: sum(self._packet_bits(layer, size)) for layer in layers}

    def _packet_bits(self, layer: Layer, size: tuple[int, int]) -> list[int]:
        return [8 * len(packet.to_bytes()) for packet in split(layer, size, self.seed)]

    def _signal(
        self,
        img: torch.Tensor,
        structure: Layer | None,
        size: tuple[int, int],
        plan: ProtectionPlan,
    ) -> Layer | None:
        if LayerKind.SIGNAL not in plan.layers:
            return None

        def fits(layer: Layer) -> bool:
            return plan.signal_fits(self._packet_bits(layer.first_parts(plan.num_parts), size))

        layer = self.layered_codec().encode_signal_fitting(img, fits, structure)
        return None if layer is None else layer.first_parts(plan.num_parts)


@lru_cache(maxsize=4)
def _load_codec(options: CodecOptions, *_: str) -> Codec:
    return make_codec(options)


def protect(
    stream: LayeredBitstream,
    plan: ProtectionPlan,
    budget: Budget,
    needs: Mapping[str, str] = MappingProxyType({}),
    together: bool = False,
) -> Prepared:
    """Each layer, and each part of the signal, as a frame of its own, and every channel use.

    What the plan leaves over makes the frames more robust, ``together`` or one by one.

    Args:
        stream: The layers.
        plan: How each is sent.
        budget: What may be spent.
        needs: For the tag of a layer, that of the layer without which it does not decode.
        together: Whether all frames keep one scheme.
    """
    packets = packetize(stream)
    how = [plan.protection(packet.layer.kind, packet.part) for packet in packets]
    payloads = [bytes_to_bits(packet.to_bytes()) for packet in packets]
    sizes, planned = [bits.size for bits in payloads], [each.mcs for each in how]
    schemes: Sequence[Mcs] = planned
    if not plan.exact:
        schemes = strengthened(sizes, planned, budget.uses(stream.size), together)
    frames = [
        Frame(packet.tag, bits, mcs, each.power_db, each.priority)
        for packet, bits, mcs, each in zip(packets, payloads, schemes, how, strict=True)
    ]
    header_bits = [8 * packet.num_header_bytes for packet in packets]
    prepared = Prepared.of_frames(frames, header_bits, budget, stream.size, {**PART_NEEDS, **needs})
    return replace(prepared, left_out=plan.left_out)


def reassemble(frames: tuple[Frame, ...], delivered: frozenset[str]) -> LayeredBitstream | None:
    """The layers in the frames that arrived; None if there are none."""
    return depacketize(bits_to_bytes(f.bits) for f in frames if f.tag in delivered)
