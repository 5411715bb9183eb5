"""Layers to packets, packets to the bits of a frame, and back from untrusted bits.

Each layer becomes one packet, and each packet stands alone, so that any subset decodes::

    1  header: bits 0-1 layer kind, 2 size, 3 seed, 4 codec name, 5-7 version (1)
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
from scmc_comm.types import Layer, LayerKind

logger = logging.getLogger(__name__)

VERSION = 1
_HAS_SIZE, _HAS_SEED, _HAS_NAME = 1 << 2, 1 << 3, 1 << 4


@dataclass(frozen=True)
class Packet:
    """One layer as it crosses the link.

    Attributes:
        layer: The layer.
        size: ``(H, W)`` of the image in pixels.
        seed: Seed of the decoder's noise.

    Example:
        >>> packet = Packet(Layer(LayerKind.SEMANTIC, "caption", b"abc"))
        >>> packet.to_bytes().hex(), packet.num_header_bytes
        ('20616263', 1)
    """

    layer: Layer
    size: tuple[int, int] = wire.DEFAULT_SIZE
    seed: int = wire.DEFAULT_SEED

    def _header(self) -> bytes:
        flags, fields = VERSION << 5 | self.layer.kind, b""
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
        if first >> 5 != VERSION or first & 0x03 not in DEFAULT_CODECS:
            raise ScmcError(
                f"packet starts with 0x{first:02x}; expected version {VERSION} and layer kind "
                "0, 1 or 2; this is no packet of a layered image"
            )
        kind = LayerKind(first & 0x03)
        size = reader.size() if first & _HAS_SIZE else wire.DEFAULT_SIZE
        seed = reader.seed() if first & _HAS_SEED else wire.DEFAULT_SEED
        codec = reader.name() if first & _HAS_NAME else DEFAULT_CODECS[kind]
        return cls(Layer(kind, codec, reader.rest()), size, seed)


def packetize(stream: LayeredBitstream) -> tuple[Packet, ...]:
    """One packet per layer, in decoding order."""
    return tuple(Packet(layer, stream.size, stream.seed) for layer in stream.layers)


def depacketize(packets: Iterable[bytes]) -> LayeredBitstream | None:
    """What untrusted packets hold; None if no packet is usable.

    The first readable packet sets size and seed; a packet that cannot be read, contradicts them
    or repeats a layer is dropped with a warning. Give the best protected packet first.
    """
    first: Packet | None = None
    layers: dict[LayerKind, Layer] = {}
    for data in packets:
        try:
            packet = Packet.from_bytes(data)
        except ScmcError as error:
            logger.warning("packet dropped: %s", error)
            continue
        first = first or packet
        kind = packet.layer.kind
        if (packet.size, packet.seed) != (first.size, first.seed) or kind in layers:
            logger.warning("%s packet dropped: it contradicts the packets before it", kind.tag)
            continue
        layers[kind] = packet.layer
    if first is None:
        return None
    return LayeredBitstream(first.size, tuple(layers.values()), first.seed)


def bytes_to_bits(data: bytes) -> np.ndarray:
    """Bits of a frame, uint8 [8 * len(data)], most significant bit of each byte first."""
    return np.unpackbits(np.frombuffer(data, np.uint8))


def bits_to_bytes(bits: np.ndarray) -> bytes:
    """Inverse of `bytes_to_bits`; the number of bits must be a multiple of eight."""
    if bits.ndim != 1 or bits.size % 8:
        raise ScmcError(f"frame has bits of shape {bits.shape}; expected [k], k a multiple of 8")
    return np.packbits(bits.astype(np.uint8, copy=False)).tobytes()
