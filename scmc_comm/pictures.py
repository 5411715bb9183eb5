"""Pictures however they come: paths, Pillow, NumPy or torch; one, or many one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scmc_comm.datasets.image_sets import each_image
from scmc_comm.datasets.named_sets import NamedImage
from scmc_comm.errors import ScmcError
from scmc_comm.images import from_picture, load_image
from scmc_comm.pixels import check_pixels
from scmc_comm.systems.base import check_image

logger = logging.getLogger(__name__)

EXPECTED = "a path, a PIL image, or an array or tensor [H, W, 3], [3, H, W] or [H, W]"


def as_image(picture: Any, name: str = "picture") -> torch.Tensor:
    """One picture as the package has it.

    Args:
        picture: A path; a PIL image; or an array or tensor [H, W, 3], [3, H, W], or grey [H, W],
            [H, W, 1] or [1, H, W], uint8, or float in [0, 1]. Grey is repeated in three channels,
            with a logged notice.
        name: What messages call it.

    Returns:
        float32 [3, H, W] in [0, 1].

    Raises:
        ScmcError: It is several pictures, no picture, of another type or range, or below 32 pixels.

    Example:
        >>> as_image(np.zeros((40, 32, 3), np.uint8)).shape
        torch.Size([3, 40, 32])
    """
    if isinstance(picture, str | Path):
        return load_image(picture)
    if isinstance(picture, Image.Image):
        img = from_picture(picture, name)
    elif isinstance(picture, torch.Tensor):
        img = _of_array(_of_tensor(picture, name), name)
    elif isinstance(picture, np.ndarray) and not isinstance(picture, np.ma.MaskedArray):
        img = _of_array(np.asarray(picture), name)  # a matrix has two axes whatever is done
    else:
        several = isinstance(picture, list | tuple | Mapping)
        what = f"{len(picture)} pictures ({type(picture).__name__})" if several else (
            f"of type {type(picture).__name__}"
        )  # fmt: skip
        raise ScmcError(f"{name} is {what}; expected {EXPECTED}{_OF_MANY if several else ''}")
    check_image(img)
    return img


_OF_MANY = ", one picture; transmit_each sends several"


def _of_tensor(tensor: torch.Tensor, name: str) -> np.ndarray:
    """A dense tensor of numbers on any device; NumPy has neither bfloat16 nor floats of 8 bits."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        what = "on the meta device, without values" if tensor.is_meta else kind
        raise ScmcError(f"{name} is a tensor {what}; expected a dense tensor of numbers")
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).resolve_neg().numpy()


def _of_array(array: np.ndarray, name: str) -> torch.Tensor:
    """uint8, or float in [0, 1], channels first or last, or grey -> float32 [3, H, W]."""
    what = f"{name} is {array.dtype} {list(array.shape)}"
    if array.ndim == 4:
        raise ScmcError(f"{what}, a batch; expected {EXPECTED}{_OF_MANY}")
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[0] not in (1, 3) and array.shape[-1] in (1, 3):
        array = array.transpose(2, 0, 1)
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise ScmcError(f"{what}; expected {EXPECTED}")
    check_pixels(array.shape[1:], name)  # before a copy of floats
    if array.dtype == np.uint8:
        array = array.astype(np.float32) / 255
    elif not np.issubdtype(array.dtype, np.floating):
        raise ScmcError(f"{what}; expected uint8, or floats in [0, 1]")
    elif array.size and not (array.min() >= -1e-6 and array.max() <= 1 + 1e-6):  # also NaN
        reach = f"with values from {array.min():g} to {array.max():g}"
        raise ScmcError(f"{what} {reach}; expected floats in [0, 1] (divide 8-bit values by 255)")
    if array.shape[0] == 1:
        logger.warning("%s: grey repeated in three channels", name)
        array = np.broadcast_to(array, (3, *array.shape[1:]))
    return torch.from_numpy(np.array(array, np.float32, order="C"))


def each_picture(pictures: Any) -> Iterator[NamedImage]:
    """Pictures one after the other, so that only one of a folder is in memory.

    Args:
        pictures: A picture as `as_image` takes it; a folder or the name of a set, as
            `scmc_comm.datasets.image_sets.image_set` takes them; an array or tensor with a first
            axis over pictures; pictures by name; or a list of any of these but the last.

    Raises:
        ScmcError: As `as_image`, when its turn comes.

    Example:
        >>> [(x.name, x.img.shape[2]) for x in each_picture([torch.zeros(3, 40, 32)])]
        [('0', 32)]
    """
    if isinstance(pictures, str | Path):
        yield from each_image(pictures)
    elif isinstance(pictures, Mapping):
        for name, picture in pictures.items():
            yield NamedImage(str(name), as_image(picture, f"picture {name!r}"))
    elif isinstance(pictures, Image.Image) or (
        isinstance(pictures, np.ndarray | torch.Tensor) and pictures.ndim != 4
    ):
        yield NamedImage("0", as_image(pictures))
    elif isinstance(pictures, Iterable):
        for number, picture in enumerate(pictures):
            if isinstance(picture, str | Path):
                yield from each_image(picture)
            else:
                yield NamedImage(str(number), as_image(picture, f"picture {number}"))
    else:
        yield NamedImage("0", as_image(pictures))
