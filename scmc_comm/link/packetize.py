"""Layers to packets, packets to the bits of a frame, and back from untrusted bits.

Each layer becomes one packet, and each part of a signal layer one. Each packet stands alone, so
that any subset decodes (of the parts, those before the first that is missing)::

    1  header: bits 0-2 unit, 3 size, 4 seed, 5 codec name, 6-7 version (1); units are 0 semantic,
       1 structure, 2 to 5 the parts of the signal
    v  height, v width      only if the size is not 256 x 256
    v  seed                 only if it is not 0
    v  name length, n name  only if the codec is not the default one of its kind
    p  payload

Every one of these bytes is sent and charged. Outside the packets the receiver knows, as control
information that every system gets alike: how many frames come and in which order, and for each
its tag, its length in bits and its modulation and coding (in 5G NR this is what the downlink
control channel says); and the size that a failed image would have had. There is no CRC here:
each frame gets the transport block's own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scmc_comm import wire
from scmc_comm.bitstream import DEFAULT_CODECS, LayeredBitstream
from scmc_comm.errors import ScmcError
from scmc_comm.types import MAX_PARTS, Layer, LayerKind, part_tag

logger = logging.getLogger(__name__)

VERSION = 1
_UNIT_BITS, _VERSION_SHIFT = 0x07, 6
_HAS_SIZE, _HAS_SEED, _HAS_NAME = 1 << 3, 1 << 4, 1 << 5


@dataclass(frozen=True)
class Packet:
    """One layer, or one part of a signal layer, as it crosses the link.

    Attributes:
        layer: The layer, in one part.
        size: ``(H, W)`` of the image in pixels.
        seed: Seed of the decoder's noise.
        part: Which part of its layer this is, 0 for the first.

    Example:
        >>> packet = Packet(Layer(LayerKind.SEMANTIC, "caption", b"abc"))
        >>> packet.to_bytes().hex(), packet.num_header_bytes
        ('40616263', 1)
    """

    layer: Layer
    size: tuple[int, int] = wire.DEFAULT_SIZE
    seed: int = wire.DEFAULT_SEED
    part: int = 0

    @property
    def tag(self) -> str:
        """Tag of the frame that carries it."""
        return part_tag(self.layer.kind, self.part)

    def _header(self) -> bytes:
        flags, fields = VERSION << _VERSION_SHIFT | self.layer.kind + self.part, b""
        if self.size != wire.DEFAULT_SIZE:
            flags |= _HAS_SIZE
            fields += wire.encode_size(wire.check_size(self.size))
        if self.seed != wire.DEFAULT_SEED:
            flags |= _HAS_SEED
            fields += wire.encode_varint(wire.check_seed(self.seed))
        if self.layer.codec != DEFAULT_CODECS[self.layer.kind]:
            flags |= _HAS_NAME
            fields += wire.encode_name(self.layer.codec)
        return bytes((flags,)) + fields

    @property
    def num_header_bytes(self) -> int:
        """Bytes in front of the payload."""
        return len(self._header())

    def to_bytes(self) -> bytes:
        """Header and payload."""
        return self._header() + self.layer.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Packet:
        """Parse untrusted bytes; ScmcError if they are no packet."""
        reader = wire.Reader(data, "packet")
        first = reader.byte("header")
        unit = first & _UNIT_BITS
        if first >> _VERSION_SHIFT != VERSION or unit >= LayerKind.SIGNAL + MAX_PARTS:
            raise ScmcError(
                f"packet starts with 0x{first:02x}; expected version {VERSION} and a unit of 0 to "
                f"{LayerKind.SIGNAL + MAX_PARTS - 1}; this is no packet of a layered image"
            )
        kind = LayerKind(min(unit, LayerKind.SIGNAL))
        size = reader.size() if first & _HAS_SIZE else wire.DEFAULT_SIZE
        seed = reader.seed() if first & _HAS_SEED else wire.DEFAULT_SEED
        codec = reader.name() if first & _HAS_NAME else DEFAULT_CODECS[kind]
        return cls(Layer(kind, codec, reader.rest()), size, seed, unit - kind)


def packetize(stream: LayeredBitstream) -> tuple[Packet, ...]:
    """One packet per layer and part, in decoding order."""
    return tuple(
        packet for layer in stream.layers for packet in split(layer, stream.size, stream.seed)
    )


def split(layer: Layer, size: tuple[int, int], seed: int) -> tuple[Packet, ...]:
    """One packet per part of a layer."""
    return tuple(
        Packet(Layer(layer.kind, layer.codec, payload), size, seed, part)
        for part, payload in enumerate(layer.parts)
    )


def depacketize(packets: Iterable[bytes]) -> LayeredBitstream | None:
    """What untrusted packets hold; None if no packet is usable.

    The first readable packet sets size and seed; a packet that cannot be read, contradicts them
    or repeats another is dropped with a warning, and so is a part of the signal without the parts
    before it. Give the best protected packet first.
    """
    first: Packet | None = None
    units: dict[tuple[LayerKind, int], Layer] = {}
    for data in packets:
        try:
            packet = Packet.from_bytes(data)
        except ScmcError as error:
            logger.warning("packet dropped: %s", error)
            continue
        first = first or packet
        unit = (packet.layer.kind, packet.part)
        if (packet.size, packet.seed) != (first.size, first.seed) or unit in units:
            logger.warning("%s packet dropped: it contradicts the packets before it", packet.tag)
            continue
        units[unit] = packet.layer
    layers = tuple(layer for kind in LayerKind if (layer := _joined(kind, units)) is not None)
    if first is None or not layers:
        return None
    return LayeredBitstream(first.size, layers, first.seed)


def _joined(kind: LayerKind, units: dict[tuple[LayerKind, int], Layer]) -> Layer | None:
    """The layer of the parts that follow one another from the first on."""
    parts: list[Layer] = []
    while (kind, len(parts)) in units:
        parts.append(units[kind, len(parts)])
    if not parts:
        return None
    return Layer.of_parts(kind, parts[0].codec, [part.payload for part in parts])


def bytes_to_bits(data: bytes) -> np.ndarray:
    """Bits of a frame, uint8 [8 * len(data)], most significant bit of each byte first."""
    return np.unpackbits(np.frombuffer(data, np.uint8))


def bits_to_bytes(bits: np.ndarray) -> bytes:
    """Inverse of `bytes_to_bits`; the number of bits must be a multiple of eight."""
    if bits.ndim != 1 or bits.size % 8:
        raise ScmcError(f"frame has bits of shape {bits.shape}; expected [k], k a multiple of 8")
    return np.packbits(bits.astype(np.uint8, copy=False)).tobytes()
