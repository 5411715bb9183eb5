"""Edge maps as bytes: VVC with its tools for screen content, or a small context coder.

The context coder works on cells, black or white, in the manner of JBIG (ITU-T T.82, three-line
template): each is coded by an adaptive model that the ten cells before it choose. A model that has
seen little leans on a coarser one of four cells, since whole streams are shorter here than what a
thousand models need to learn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scmc_comm.codec.range_coder import RangeDecoder, RangeEncoder, Tables
from scmc_comm.codec.vvc import decode_slim, encode_slim
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import check_pixels

EDGE_CODERS = ("vvc", "context")
DEFAULT_CELL = 4
CELLS = (1, 2, 4)
"""Sides of a cell in pixels; the first byte of a stream is the position of its own here."""
THRESHOLD = 64
"""Of the mean over a cell, 0 to 255, from which on it is an edge."""
_TEMPLATE = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1),  # the coarse model's
    (0, -2), (0, -3), (-1, -2), (-1, 2), (-2, 0), (-2, 1),
)  # fmt: skip
_COARSE = 4
_PAD = 3
_TRUST = 6.0  # observations that the coarse model counts for
_ONE = 1 << 16
_BILINEAR = Image.Resampling.BILINEAR

Picture = NDArray[np.uint8]


def encode_edges(edges: Picture, qp: int, coder: str = "vvc", cell: int = DEFAULT_CELL) -> bytes:
    """Code an edge map.

    Args:
        edges: uint8 [h, w], 255 on an edge.
        qp: Of VVC, 1 to 63; slim VVC starts with a byte above those of `CELLS` at all of them.
        coder: One of `EDGE_CODERS`.
        cell: Of the context coder, one of `CELLS`.

    Raises:
        ScmcError: There is no such coder, or it has no such cell.

    Example:
        >>> edges = np.zeros((32, 32), np.uint8)
        >>> edges[:, 16:18] = 255
        >>> len(encode_edges(edges, 63, "context"))
        3
    """
    if coder == "vvc":
        return encode_slim(edges, qp)
    if coder == "context":
        if cell not in CELLS:
            raise ScmcError(f"cell of the edge coder is {cell}; expected one of {CELLS}")
        return bytes([CELLS.index(cell)]) + _encode_bits(_cells(edges, cell))
    raise ScmcError(f"edge coder is {coder!r}; expected one of {', '.join(EDGE_CODERS)}")


def decode_edges(data: bytes, size: tuple[int, int]) -> Picture:
    """The edge map uint8 [h, w] in a stream of either coder, which says itself whose it is.

    Raises:
        ScmcError: The stream is damaged.
    """
    if not data or data[0] >= len(CELLS):
        return decode_slim(data, size)
    check_pixels(size)
    cell = CELLS[data[0]]
    cells = _decode_bits(data[1:], (-(-size[0] // cell), -(-size[1] // cell)))
    height, width = cells.shape
    soft = Image.fromarray(255 * cells).resize((width * cell, height * cell), _BILINEAR)
    return np.array(soft)[: size[0], : size[1]]


def _cells(edges: Picture, cell: int) -> NDArray[np.uint8]:
    height, width = edges.shape
    padded = np.pad(edges, ((0, -height % cell), (0, -width % cell)), mode="edge")
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    means = padded.reshape(rows, cell, columns, cell).mean((1, 3))
    return (means >= THRESHOLD).astype(np.uint8)


class _Models:
    """How often each context was followed by 0 and by 1."""

    def __init__(self) -> None:
        self._fine = np.zeros((1 << len(_TEMPLATE), 2))
        self._coarse = np.full((1 << _COARSE, 2), 0.4)
        self._coarse[0] = (4.0, 0.4)  # white among white is the rule

    def table(self, context: int) -> Tables:
        """The distribution of the next pixel."""
        fine, coarse = self._fine[context], self._coarse[context & (1 << _COARSE) - 1]
        lean = _TRUST * coarse[0] / (coarse[0] + coarse[1])
        share = (fine[0] + lean) / (fine[0] + fine[1] + _TRUST)
        zero = min(max(int(share * _ONE), 16), _ONE - 17)
        return Tables(np.array([[0, zero, _ONE - 1, _ONE]], np.int32), _LENGTH, _OFFSET)

    def learn(self, context: int, bit: int) -> None:
        """Count what came."""
        self._fine[context, bit] += 1
        self._coarse[context & (1 << _COARSE) - 1, bit] += 1


_LENGTH, _OFFSET = np.array([4], np.int32), np.array([0], np.int32)
_ROW = np.zeros(1, np.int32)


def _pixels(canvas: NDArray[np.uint8], size: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """Every pixel's place on a canvas with a frame of ``_PAD``, and its context."""
    for y in range(_PAD, _PAD + size[0]):
        for x in range(_PAD, _PAD + size[1]):
            bits = (int(canvas[y + dy, x + dx]) << i for i, (dy, dx) in enumerate(_TEMPLATE))
            yield y, x, sum(bits)


def _encode_bits(bits: NDArray[np.uint8]) -> bytes:
    canvas, models, encoder = np.pad(bits, _PAD), _Models(), RangeEncoder()
    for y, x, context in _pixels(canvas, (bits.shape[0], bits.shape[1])):
        bit = int(canvas[y, x])
        encoder.push(np.array([bit], np.int32), _ROW, models.table(context))
        models.learn(context, bit)
    return encoder.finish()


def _decode_bits(data: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    canvas = np.zeros((size[0] + 2 * _PAD, size[1] + 2 * _PAD), np.uint8)
    models, decoder = _Models(), RangeDecoder(data)
    for y, x, context in _pixels(canvas, size):
        bit = int(decoder.pull(_ROW, models.table(context))[0])
        if bit not in (0, 1):
            raise ScmcError("edge stream holds what is neither edge nor none; it is damaged")
        canvas[y, x] = bit
        models.learn(context, bit)
    return canvas[_PAD:-_PAD, _PAD:-_PAD]
