"""Reading and writing bytes that may be hostile: varints, and a reader that checks every length."""

from __future__ import annotations

from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels
from scmc_comm.ranges import MAX_SEED
from scmc_comm.types import MIN_SIDE

DEFAULT_SIZE = (256, 256)
DEFAULT_SEED = 0
MAX_SIDE = 65535
_MAX_NAME_BYTES = 32


def encode_varint(value: int) -> bytes:
    """Unsigned LEB128: seven bits a byte, least significant first.

    Example:
        >>> encode_varint(300).hex()
        'ac02'
    """
    if value < 0:
        raise ScmcError(f"varint value is {value}; expected 0 or more")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return ``size`` as ``(H, W)`` or raise ScmcError if a receiver would refuse it."""
    height, width = (int(side) for side in size)
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise ScmcError(
            f"image size is {height}x{width}; expected sides of {MIN_SIDE} to {MAX_SIDE} pixels"
        )
    check_pixels((height, width))
    return height, width


def check_seed(seed: int) -> int:
    """Return ``seed`` or raise ScmcError if it does not fit the wire's 32 bits."""
    if not 0 <= seed <= MAX_SEED:
        raise ScmcError(f"seed is {seed}; expected 0 to {MAX_SEED}")
    return int(seed)


def encode_size(size: tuple[int, int]) -> bytes:
    """Height, then width, as varints."""
    return encode_varint(size[0]) + encode_varint(size[1])


def encode_name(name: str) -> bytes:
    """A short printable ASCII name with a varint length in front."""
    raw = name.encode("ascii", errors="replace")
    if not 0 < len(raw) <= _MAX_NAME_BYTES or not name.isprintable() or not name.isascii():
        raise ScmcError(
            f"codec name is {name!r}; expected 1 to {_MAX_NAME_BYTES} printable ASCII characters"
        )
    return encode_varint(len(raw)) + raw


class Reader:
    """Walks over untrusted bytes; every step checks the length first and raises ScmcError."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = bytes(data)
        self._what = what
        self.pos = 0

    @property
    def num_left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self.pos

    def take(self, num_bytes: int, field: str) -> bytes:
        """The next ``num_bytes`` bytes."""
        if num_bytes > self.num_left:
            raise ScmcError(
                f"{self._what} ends early: {field} needs {num_bytes} bytes at offset {self.pos}, "
                f"{self.num_left} are left; the data is truncated or damaged"
            )
        chunk = self._data[self.pos : self.pos + num_bytes]
        self.pos += num_bytes
        return chunk

    def byte(self, field: str) -> int:
        """The next byte."""
        return self.take(1, field)[0]

    def varint(self, field: str, maximum: int) -> int:
        """The next varint, at most ``maximum`` and in its shortest form."""
        value = shift = 0
        while True:
            byte = self.byte(field)
            value |= (byte & 0x7F) << shift
            if value > maximum:
                raise ScmcError(f"{self._what}: {field} is over {maximum}; the data is damaged")
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise ScmcError(f"{self._what}: {field} never ends; the data is damaged")
        if byte == 0 and shift > 0:
            raise ScmcError(f"{self._what}: {field} is not in shortest form; the data is damaged")
        return value

    def size(self) -> tuple[int, int]:
        """An image size ``(H, W)`` within the accepted limits."""
        return check_size((self.varint("height", MAX_SIDE), self.varint("width", MAX_SIDE)))

    def seed(self) -> int:
        """A seed of at most 32 bits."""
        return self.varint("seed", MAX_SEED)

    def name(self) -> str:
        """A codec name."""
        raw = self.take(self.varint("codec name length", _MAX_NAME_BYTES), "codec name")
        name = raw.decode("latin-1")
        if not name or not name.isascii() or not name.isprintable():
            raise ScmcError(f"{self._what}: codec name {raw!r} is not printable ASCII")
        return name

    def since(self, start: int) -> bytes:
        """What was read from offset ``start`` up to here."""
        return self._data[start : self.pos]

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.num_left, "rest")
