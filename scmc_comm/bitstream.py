"""The container: up to three layers in one byte string, each with its own CRC-16.

Layout, version 1 (all lengths in bytes)::

    1  magic and version
    1  flags: bits 0-2 layer present (semantic, structure, signal), 3 size, 4 seed, 5 codec names,
       6-7 number of parts of the signal layer, less one
    v  height, v width      only if the size is not 256 x 256
    v  seed                 only if it is not 0
    then for every present layer, in decoding order:
    v  name length, n name  only if the codecs are not the default ones
    v  part length          for every part but the last one of a signal layer
    v  payload length       not for the last layer, which ends with the data; less the parts above
    p  payload
    2  CRC-16 of header, kind, name, length and payload

``v`` is an unsigned LEB128 varint. With the default size, seed and codecs the overhead of three
layers is 8 bytes and the two varint lengths (1 byte below 128, 2 below 16384). Every CRC covers
the header too, so damage there fails all layers and damage in one layer fails that layer alone.
The CRC is CCITT's (x^16 + x^12 + x^5 + 1, initial value 0xFFFF): every error burst of up to 16
bits is found, and a random one passes with probability 2^-16.
"""

from __future__ import annotations

import binascii
import itertools
import logging
from dataclasses import dataclass

from scmc_comm import wire
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels
from scmc_comm.types import Layer, LayerKind

logger = logging.getLogger(__name__)

MAGIC = 0xC8  # high five bits
VERSION = 1  # low three bits
DEFAULT_CODECS = {
    LayerKind.SEMANTIC: "caption",
    LayerKind.STRUCTURE: "edges",
    LayerKind.SIGNAL: "residual",
}
_HAS_SIZE, _HAS_SEED, _HAS_NAMES = 1 << 3, 1 << 4, 1 << 5
_PARTS_SHIFT = 6
_CRC_BYTES = 2


@dataclass(frozen=True)
class LayeredBitstream:
    """An image coded in layers.

    Attributes:
        size: ``(H, W)`` of the image in pixels.
        layers: One to three layers, at most one of a kind; kept in decoding order.
        seed: Seed of the decoder's noise, 0 to 2**32 - 1.

    Example:
        >>> stream = LayeredBitstream((256, 256), (Layer(LayerKind.SEMANTIC, "caption", b"abc"),))
        >>> len(stream.to_bytes())
        7
        >>> LayeredBitstream.from_bytes(stream.to_bytes()) == stream
        True
    """

    size: tuple[int, int]
    layers: tuple[Layer, ...]
    seed: int = wire.DEFAULT_SEED

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", wire.check_size(self.size))
        object.__setattr__(self, "seed", wire.check_seed(self.seed))
        layers = tuple(sorted(self.layers, key=lambda layer: layer.kind))
        kinds = [layer.kind.tag for layer in layers]
        if not layers or len(set(kinds)) != len(kinds):
            raise ScmcError(
                f"bitstream has layers {kinds}; expected one to three, at most one of a kind"
            )
        object.__setattr__(self, "layers", layers)

    def to_bytes(self) -> bytes:
        """The container; its length is what ``bpp`` counts for a file."""
        named = any(layer.codec != DEFAULT_CODECS[layer.kind] for layer in self.layers)
        flags = sum(1 << layer.kind for layer in self.layers)
        flags |= _HAS_SIZE if self.size != wire.DEFAULT_SIZE else 0
        flags |= _HAS_SEED if self.seed != wire.DEFAULT_SEED else 0
        flags |= _HAS_NAMES if named else 0
        flags |= sum(len(layer.cuts) for layer in self.layers) << _PARTS_SHIFT
        header = bytes((MAGIC | VERSION, flags))
        if flags & _HAS_SIZE:
            header += wire.encode_size(self.size)
        if flags & _HAS_SEED:
            header += wire.encode_varint(self.seed)
        out = bytearray(header)
        for layer in self.layers:
            body = wire.encode_name(layer.codec) if named else b""
            *early, last = (len(part) for part in layer.parts)
            body += b"".join(wire.encode_varint(size) for size in early)
            if layer is not self.layers[-1]:
                body += wire.encode_varint(last)
            body += layer.payload
            out += body + _crc(header, layer.kind, body)
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes, strict: bool = False) -> LayeredBitstream:
        """Parse untrusted bytes.

        Args:
            data: The container.
            strict: Raise if any layer is damaged, instead of dropping it with a warning.

        Raises:
            ScmcError: The header is wrong, it states more pixels than so few bytes may
                (`scmc_comm.pixels`), no layer is intact, or (strict) one is not.
        """
        reader = wire.Reader(data, "bitstream")
        size, seed, kinds, named, num_cuts = _read_header(reader)
        check_pixels(size, "bitstream", len(data))
        header = bytes(data[: reader.pos])
        layers: list[Layer] = []
        for kind in kinds:
            try:
                cuts = num_cuts if kind is LayerKind.SIGNAL else 0
                layer = _read_layer(reader, header, kind, named, cuts, kind == kinds[-1])
            except ScmcError as error:  # framing is lost: nothing after this can be found
                if strict:
                    raise
                logger.warning("%s layer and those after it dropped: %s", kind.tag, error)
                break
            if layer is not None:
                layers.append(layer)
                continue
            message = f"bitstream: {kind.tag} layer fails its CRC; the data is damaged"
            if strict:
                raise ScmcError(message)
            logger.warning("%s layer dropped: %s", kind.tag, message)
        if not layers:
            raise ScmcError(
                f"bitstream of {len(data)} bytes: none of its {len(kinds)} layers is intact; "
                "the data is damaged, get it again"
            )
        return cls(size, tuple(layers), seed)


def _crc(header: bytes, kind: LayerKind, body: bytes) -> bytes:
    value = binascii.crc_hqx(body, binascii.crc_hqx(header + bytes((kind,)), 0xFFFF))
    return value.to_bytes(_CRC_BYTES, "big")


def _read_header(
    reader: wire.Reader,
) -> tuple[tuple[int, int], int, tuple[LayerKind, ...], bool, int]:
    first = reader.byte("magic byte")
    if first & 0xF8 != MAGIC:
        raise ScmcError(
            f"bitstream starts with 0x{first:02x}; expected 0x{MAGIC | VERSION:02x}: "
            "this is not an SCMC bitstream; make one with 'scmc-comm encode'"
        )
    if first & 0x07 != VERSION:
        raise ScmcError(
            f"bitstream is version {first & 0x07}; this program reads version {VERSION}, "
            "use the version that wrote it"
        )
    flags = reader.byte("flags")
    num_cuts = flags >> _PARTS_SHIFT
    if not flags & 0x07 or (num_cuts and not flags >> LayerKind.SIGNAL & 1):
        raise ScmcError(
            f"bitstream flags are 0x{flags:02x}; expected one to three layers, and parts of a "
            "signal layer only where there is one; the data is damaged"
        )
    size = reader.size() if flags & _HAS_SIZE else wire.DEFAULT_SIZE
    seed = reader.seed() if flags & _HAS_SEED else wire.DEFAULT_SEED
    kinds = tuple(kind for kind in LayerKind if flags >> kind & 1)
    return size, seed, kinds, bool(flags & _HAS_NAMES), num_cuts


def _read_layer(
    reader: wire.Reader, header: bytes, kind: LayerKind, named: bool, num_cuts: int, last: bool
) -> Layer | None:
    """The next layer, None if its CRC fails; ScmcError if its end cannot be found."""
    start = reader.pos
    codec = reader.name() if named else DEFAULT_CODECS[kind]
    most = max(reader.num_left - _CRC_BYTES, 0)
    sizes = [reader.varint("part length", most) for _ in range(num_cuts)]
    if last:
        sizes.append(reader.num_left - _CRC_BYTES - sum(sizes))
    else:
        sizes.append(reader.varint("payload length", most))
    if min(sizes) <= 0:
        raise ScmcError(f"bitstream: no {kind.tag} payload is left; the data is truncated")
    payload = reader.take(sum(sizes), f"{kind.tag} payload")
    body = reader.since(start)
    crc = reader.take(_CRC_BYTES, f"{kind.tag} CRC")
    cuts = tuple(itertools.accumulate(sizes[:-1]))
    return Layer(kind, codec, payload, cuts) if crc == _crc(header, kind, body) else None
