"""Run a convolutional network over a large picture in tiles, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

TILE = 64  # cells a side
HALO = 8  # cells around a tile that the network sees too
PATIENCE_S = 2.0


def in_tiles(
    network: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    cells: tuple[int, int],
    halo: int = HALO,
) -> Tensor:
    """``network(*inputs)``, a tile at a time.

    Where a person watches, a bar shows after `PATIENCE_S` how far it is and how long it will take.

    Args:
        network: A network whose field of view is at most ``halo`` cells in each direction.
        inputs: Tensors [1, c, s h, s w] with a whole number s of values a side of a cell.
        cells: (h, w), the grid that all inputs and the output are multiples of.
        halo: Cells around a tile that the network sees too.

    Returns:
        The output [1, c, t h, t w].
    """
    if max(cells) <= TILE + 2 * halo:
        return network(*inputs)
    rows, spans = [], _spans(cells[1])
    count = len(_spans(cells[0])) * len(spans)
    with tqdm(total=count, desc="tiles", disable=None, delay=PATIENCE_S, leave=False) as bar:
        for top, bottom in _spans(cells[0]):
            row = []
            for left, right in spans:
                above, before = min(top, halo), min(left, halo)
                window = (top - above, bottom + halo, left - before, right + halo)
                out = network(*(_cut(x, window, cells) for x in inputs))
                inner = (above, above + bottom - top, before, before + right - left)
                size = (min(window[1], cells[0]) - window[0], min(window[3], cells[1]) - window[2])
                row.append(_cut(out, inner, size))
                bar.update()
            rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def _spans(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + TILE, length)) for start in range(0, length, TILE)]


def _cut(x: Tensor, window: tuple[int, int, int, int], cells: tuple[int, int]) -> Tensor:
    down, across = x.shape[2] // cells[0], x.shape[3] // cells[1]
    top, bottom, left, right = window
    return x[:, :, top * down : bottom * down, left * across : right * across]
