"""The layered codec: three layers in, any subset of them out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from hashlib import sha256

import torch
from torch import Tensor

from scmc_comm.bitstream import DEFAULT_CODECS, LayeredBitstream
from scmc_comm.codec.colour_condition import colour_condition
from scmc_comm.codec.semantic import SemanticCodec
from scmc_comm.codec.signal import QUALITY_STEPS, SignalCodec, is_conditioned
from scmc_comm.codec.structure import SketchCodec, StructureCodec
from scmc_comm.codec.tensors import resize, working_size
from scmc_comm.device import single_precision
from scmc_comm.errors import ScmcError
from scmc_comm.lru_cache import LruCache
from scmc_comm.pixels import check_pixels
from scmc_comm.types import (
    FINEST,
    STRUCTURE_LEVELS,
    Layer,
    LayerKind,
    Reconstruction,
    part_tag,
)

logger = logging.getLogger(__name__)

DEFAULT_QUALITY = 48


class LayeredCodec:
    """SCMC: caption, sketch and bitstream of one picture.

    Each layer's network is loaded when it is first needed. The lower two layers work at the size
    of :func:`scmc_comm.codec.tensors.working_size`, the signal layer at the picture's own. What was
    coded and painted last is kept: a sender codes one picture for many budgets, a receiver is asked
    for one subset of the same layers after the other.

    Args:
        semantic, structure, signal: The layers' codecs; those that ship unless given.
        realism: How the signal layer is shown: 0 for the least squared error, 1 for the best look,
            None for what suits its quality (:func:`scmc_comm.codec.signal.usual_realism`).
        signal_given: What the signal layer is coded given, where its network can: ``"structure"``,
            which it then needs, or ``"nothing"``.

    Attributes:
        structure_levels: How many levels :meth:`encode_structure` knows.

    Example:
        >>> codec = LayeredCodec()
        >>> stream = codec.encode(torch.rand(3, 64, 64), quality=10)
        >>> codec.decode(stream.layers[:1], stream.size).level.tag
        'semantic'
    """

    structure_levels = STRUCTURE_LEVELS

    def __init__(
        self,
        semantic: SemanticCodec | None = None,
        structure: SketchCodec | None = None,
        signal: SignalCodec | None = None,
        realism: float | None = None,
        signal_given: str = "structure",
    ) -> None:
        self.realism, self.signal_given = realism, signal_given
        self._cache = LruCache()
        given = {"semantic": semantic, "structure": structure, "signal": signal}
        self.__dict__.update({name: part for name, part in given.items() if part is not None})

    def forget(self) -> None:
        """Drop what was kept, so that the next call takes its full time."""
        self._cache = LruCache()
        for part in ("structure", "signal"):
            if part in self.__dict__:
                getattr(self, part).forget()

    @cached_property
    def semantic(self) -> SemanticCodec:
        """Caption codec."""
        return SemanticCodec.load()

    @cached_property
    def structure(self) -> SketchCodec:
        """Sketch codec."""
        return StructureCodec.load()

    @cached_property
    def signal(self) -> SignalCodec:
        """Residual codec."""
        return SignalCodec.load()

    @single_precision()
    def encode(
        self, img: Tensor, quality: int = DEFAULT_QUALITY, seed: int = 0, level: int = 0
    ) -> LayeredBitstream:
        """Code all three layers.

        Args:
            img: float32 [3, H, W] in [0, 1].
            quality: Of the signal layer, 0 (about 0.05 bpp) to ``QUALITY_STEPS``.
            seed: Seed of the generator; 0 costs no byte.
            level: Of the structure layer. The coarsest by default: below a signal a finer one
                costs more bytes than it saves, it only shows more where the signal is lost.

        Raises:
            ScmcError: If the quality or the level is out of range.
        """
        structure = self.encode_structure(img, level=level)
        signal = self.encode_signal(img, quality, structure)
        return LayeredBitstream(_size(img), (self.encode_semantic(img), structure, signal), seed)

    def encode_semantic(self, img: Tensor) -> Layer:
        """Caption layer of a picture float32 [3, H, W] in [0, 1]."""

        def code() -> bytes:
            return self.semantic.encode(resize(img, working_size(_size(img))))

        return _layer(LayerKind.SEMANTIC, self._cache.get(("semantic", _key(img)), code))

    def encode_structure(self, img: Tensor, level: int = FINEST) -> Layer:
        """Sketch layer; it is coded from the picture alone, so it decodes without the caption.

        Args:
            img: float32 [3, H, W] in [0, 1].
            level: How finely, 0 (about 70 bytes) to ``FINEST``.

        Raises:
            ScmcError: If there is no such level.
        """

        def code() -> bytes:
            return self.structure.encode(resize(img, working_size(_size(img))), level)

        payload = self._cache.get(("structure", _key(img), level), code)
        return _layer(LayerKind.STRUCTURE, payload)

    def encode_signal(self, img: Tensor, quality: int, structure: Layer | None = None) -> Layer:
        """Signal layer at a quality.

        Args:
            img: float32 [3, H, W] in [0, 1].
            quality: 0 to ``QUALITY_STEPS``.
            structure: The structure layer that is sent. The signal then codes what its colours do
                not say, and needs it (:meth:`needs`); None, or a signal network that reads no
                colours: it is coded from the picture alone.

        Raises:
            ScmcError: If the quality is out of range.
        """
        return self._coder(img, structure)(quality)

    def encode_signal_fitting(
        self, img: Tensor, fits: Callable[[Layer], bool], structure: Layer | None = None
    ) -> Layer | None:
        """The best signal layer that fits; None if not even the coarsest does.

        Args:
            img: float32 [3, H, W] in [0, 1].
            fits: Whether a layer is small enough, in whatever measure the caller has.
            structure: As for :meth:`encode_signal`.
        """
        code = self._coder(img, structure)
        best, low, high = None, 0, QUALITY_STEPS
        while low <= high:
            quality = (low + high) // 2
            layer = code(quality)
            if fits(layer):
                best, low = layer, quality + 1
            else:
                high = quality - 1
        return best

    def needs(self, layer: Layer) -> LayerKind | None:
        """The layer without which this one does not decode, or None."""
        conditioned = layer.kind is LayerKind.SIGNAL and is_conditioned(layer.parts)
        return LayerKind.STRUCTURE if conditioned else None

    def _coder(self, img: Tensor, structure: Layer | None) -> Callable[[int], Layer]:
        """Codes the signal layer of one picture at any quality."""
        key, colours = (_key(img), b""), None
        given = structure if self.signal_given == "structure" else None
        if given is not None and self.signal.reads_colours:
            colours = self._colours(given.payload, _size(img))
            key = (_key(img), given.payload)
        latent = self._cache.get(("latent", *key), lambda: self.signal.analyse(img, colours))

        def code(quality: int) -> Layer:
            made = partial(self.signal.parts, latent, quality, colours)
            parts = self._cache.get(("signal", *key, quality), made)
            return Layer.of_parts(LayerKind.SIGNAL, DEFAULT_CODECS[LayerKind.SIGNAL], parts)

        return code

    def _colours(self, payload: bytes, size: tuple[int, int]) -> Tensor:
        """What the signal layer reads of a structure layer; ScmcError if that is damaged."""

        def make() -> Tensor:
            colours = self.structure.colour_map(payload, working_size(size))
            return colour_condition(colours, size)

        return self._cache.get(("colours", payload, size), make)

    @single_precision()
    def decode(
        self,
        layers: Iterable[Layer],
        size: tuple[int, int],
        seed: int = 0,
        caption: str | None = None,
    ) -> Reconstruction:
        """Picture of any subset of the layers; none at all is mid-grey.

        A layer whose bytes do not decode, or that another codec made, is left out with a
        warning.

        Args:
            layers: What arrived.
            size: (H, W) of the picture.
            seed: Seed of the generator.
            caption: Words to paint instead of those that arrived.

        Raises:
            ScmcError: The picture has more pixels than `scmc_comm.pixels` allows.
        """
        check_pixels(size)
        arrived = {layer.kind: layer for layer in layers if _is_ours(layer)}
        if LayerKind.SEMANTIC in arrived and caption is None:
            caption = self._words(arrived[LayerKind.SEMANTIC])
        structure, signal = arrived.get(LayerKind.STRUCTURE), arrived.get(LayerKind.SIGNAL)
        img: Tensor | None = None
        level: LayerKind | None = None
        if signal is not None and is_conditioned(signal.parts):  # its colours say all it wants
            img, level = self._with_signal(signal, size, structure, None, None)
        if img is None:
            img, level = self._without_signal(structure, caption, size, seed)
            if signal is not None and not is_conditioned(signal.parts):
                img, level = self._with_signal(signal, size, None, img, level)
        if img is None:
            img = torch.full((3, *size), 0.5)
        tags = frozenset(
            part_tag(layer.kind, part)
            for layer in arrived.values()
            for part in range(len(layer.parts))
        )
        return Reconstruction(img.clone(), level, tags, caption)  # what is kept stays as it is

    def _words(self, layer: Layer) -> str | None:
        try:
            return self.semantic.caption(layer.payload)
        except ScmcError as e:
            logger.warning("semantic layer left out: %s", e)
            return None

    def _without_signal(
        self, structure: Layer | None, caption: str | None, size: tuple[int, int], seed: int
    ) -> tuple[Tensor, LayerKind] | tuple[None, None]:
        """Picture of the lower two layers at full size, and the higher one that it shows."""
        small = working_size(size)
        if structure is not None:
            try:
                fused = self._fused(structure.payload, small, caption, seed)
                return resize(fused, size), LayerKind.STRUCTURE
            except ScmcError as e:
                logger.warning("structure layer left out: %s", e)
        if caption is None:
            return None, None
        return resize(self._painted(caption, small, seed), size), LayerKind.SEMANTIC

    def _with_signal(
        self,
        signal: Layer,
        size: tuple[int, int],
        structure: Layer | None,
        lower: Tensor | None,
        level: LayerKind | None,
    ) -> tuple[Tensor | None, LayerKind | None]:
        """Picture with the signal given a structure or above a picture; else as it was."""
        try:
            return self._refined(signal.parts, size, structure, lower), LayerKind.SIGNAL
        except ScmcError as e:
            logger.warning("signal layer left out: %s", e)
            return lower, level

    def _painted(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        paint = partial(self.semantic.decode, caption, size, seed)
        return self._cache.get(("painted", caption, size, seed), paint)

    def _fused(
        self, payload: bytes, size: tuple[int, int], caption: str | None, seed: int
    ) -> Tensor:
        def fuse() -> Tensor:
            guide = None
            if caption is not None and self.structure.reads_picture:
                guide = self._painted(caption, size, seed)
            return self.structure.decode(payload, size, guide, caption, seed)

        return self._cache.get(("fused", payload, size, caption, seed), fuse)

    def _refined(
        self,
        parts: tuple[bytes, ...],
        size: tuple[int, int],
        structure: Layer | None,
        lower: Tensor | None,
    ) -> Tensor:
        colours, below = None, None if lower is None else _key(lower)
        if is_conditioned(parts):
            if structure is None:
                raise ScmcError("it was coded given the structure layer, which is missing")
            colours, below = self._colours(structure.payload, size), structure.payload
        show = partial(self.signal.decode, parts, size, lower, self.realism, colours)
        return self._cache.get(("refined", parts, size, below, self.realism), show)


def _key(img: Tensor) -> bytes:
    """What tells pictures apart."""
    pixels = img.detach().contiguous().cpu().numpy()
    return sha256(repr((pixels.shape, pixels.dtype)).encode() + pixels.tobytes()).digest()


def _is_ours(layer: Layer) -> bool:
    ours = DEFAULT_CODECS[layer.kind]
    if layer.codec != ours:
        logger.warning(
            "%s layer left out: codec %r made it, this receiver has %r",
            layer.kind.tag,
            layer.codec,
            ours,
        )
    return layer.codec == ours


def _layer(kind: LayerKind, payload: bytes) -> Layer:
    return Layer(kind, DEFAULT_CODECS[kind], payload)


def _size(img: Tensor) -> tuple[int, int]:
    if img.ndim != 3 or img.shape[0] != 3:
        raise ScmcError(f"image has shape {tuple(img.shape)}; expected [3, H, W]")
    return int(img.shape[1]), int(img.shape[2])
