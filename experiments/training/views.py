"""Crops, windows and views of pictures: what a network paints must not depend on its lattice.

A network with strides knows where in a cell of its lattice a pixel lies, and under a perceptual
loss it paints a texture that is locked to the lattice, because any texture pleases that loss more
than none. Shown the same place shifted, mirrored or turned, it can agree with itself only about
what its input says: equivariance (Cohen and Welling, "Group equivariant convolutional networks",
ICML 2016), asked for by a loss and not built in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class View:
    """A square of a picture, perhaps mirrored and turned.

    Attributes:
        top: First row, in units of two pixels, so that maps of half the size have one as well.
        left: First column, in the same units.
        side: Of the square, in the same units.
        flips: Dimensions of [b, c, h, w] that are mirrored.
        transposed: Whether rows become columns, after that.
    """

    top: int
    left: int
    side: int
    flips: tuple[int, ...] = ()
    transposed: bool = False

    def of(self, img: Tensor, unit: int) -> Tensor:
        """The view of [b, c, h, w] whose ``unit`` pixels are two of the picture's."""
        rows, columns = (slice(i * unit, (i + self.side) * unit) for i in (self.top, self.left))
        seen = img[:, :, rows, columns].flip(self.flips)
        return seen.transpose(2, 3) if self.transposed else seen

    def upright(self, seen: Tensor) -> Tensor:
        """Undo mirroring and turning of [b, c, side, side]."""
        return (seen.transpose(2, 3) if self.transposed else seen).flip(self.flips)


def random_crop(rng: np.random.Generator, side: int, *batches: Tensor) -> tuple[Tensor, ...]:
    """The same random square of pictures and of maps of half their size.

    Args:
        rng: Draws the place.
        side: Of the square in pixels of the largest, a multiple of 32.
        batches: [b, c, h, w] each, all of one size or of half that size, which is even.
    """
    full = max(batch.shape[-1] for batch in batches)
    room = (full - side) // 2 + 1
    top, left = rng.integers(room, size=2).tolist()
    cut = []
    for batch in batches:
        scale = 2 * batch.shape[-1] // full  # in units of two pixels
        y, x, length = top * scale, left * scale, side * scale // 2
        cut.append(batch[:, :, y : y + length, x : x + length])
    return tuple(cut)


def random_window(
    rng: np.random.Generator, height: int, width: int, side: int
) -> tuple[slice, slice]:
    """A random square window.

    The perceptual network has a stride of four; on a fixed grid it teaches a picture that has
    a pattern of that period, on a random one it cannot.
    """
    top, left = (int(rng.integers(length - side + 1)) for length in (height, width))
    return slice(top, top + side), slice(left, left + side)


def random_views(rng: np.random.Generator, room: int, side: int) -> tuple[View, View]:
    """An upright view, and one that is shifted and perhaps mirrored and turned.

    Args:
        rng: Draws both.
        room: Side of the picture in pixels, even.
        side: Of the views in pixels, even.
    """
    top, left, top2, left2 = rng.integers((room - side) // 2 + 1, size=4).tolist()
    mirrored_down, mirrored_across, transposed = rng.integers(2, size=3).tolist()
    flips = (2,) * mirrored_down + (3,) * mirrored_across
    return View(top, left, side // 2), View(top2, left2, side // 2, flips, bool(transposed))


def disagreement(one: Tensor, view: View, other: Tensor, other_view: View, margin: int) -> Tensor:
    """Mean absolute difference [b] where two views overlap.

    Args:
        one: What was painted of ``view``, upright, [b, c, h, w].
        view: Its view.
        other: What was painted of ``other_view``, upright, of the same shape.
        other_view: Its view.
        margin: Pixels at each border of the overlap that do not count.

    Example:
        >>> import torch
        >>> img = torch.rand(1, 3, 64, 64)
        >>> a, b = random_views(np.random.default_rng(0), 64, 48)
        >>> float(disagreement(a.of(img, 2), a, b.upright(b.of(img, 2)), b, margin=4))
        0.0
    """
    top, left = max(view.top, other_view.top), max(view.left, other_view.left)
    height = view.side - abs(view.top - other_view.top)
    width = view.side - abs(view.left - other_view.left)

    def overlap(img: Tensor, seen: View) -> Tensor:
        y, x = 2 * (top - seen.top), 2 * (left - seen.left)
        inside = img[:, :, y : y + 2 * height, x : x + 2 * width]
        return inside[:, :, margin : 2 * height - margin, margin : 2 * width - margin]

    return (overlap(one, view) - overlap(other, other_view)).abs().mean((1, 2, 3))
