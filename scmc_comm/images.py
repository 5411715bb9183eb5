"""Pictures in and out: files, and photographs that come inside Python wheels.

Everywhere in this package an image is float32 [3, H, W] in [0, 1], RGB as stored (sRGB).
"""

from __future__ import annotations

import errno
import importlib.util
import io
import os
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scmc_comm.errors import ScmcError
from scmc_comm.new_file import new_file
from scmc_comm.notices import notices
from scmc_comm.picture_modes import to_srgb
from scmc_comm.pixels import check_pixels
from scmc_comm.types import MIN_SIDE

logger = notices(__name__)

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Files of a folder that count as pictures, in any case."""

HEIC_FIX = "it is HEIC, which Pillow cannot read: export it as JPEG or PNG"

PHOTO_SIDE = 256
MAX_PIPE_BYTES = 1 << 30
"""The most bytes of a picture that are read from a pipe."""

# name -> package, path inside its wheel, name on PyPI
_PHOTOS: dict[str, tuple[str, str, str]] = {
    "astronaut": ("skimage", "data/astronaut.png", "scikit-image"),
    "chelsea": ("skimage", "data/chelsea.png", "scikit-image"),
    "china": ("sklearn", "datasets/images/china.jpg", "scikit-learn"),
    "coffee": ("skimage", "data/coffee.png", "scikit-image"),
    "flower": ("sklearn", "datasets/images/flower.jpg", "scikit-learn"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg", "scikit-image"),
    "motorcycle": ("skimage", "data/motorcycle_left.png", "scikit-image"),
    "rocket": ("skimage", "data/rocket.jpg", "scikit-image"),
}
PHOTOS = tuple(_PHOTOS)
"""Names of the built-in photographs."""


def load_image(path: str | Path) -> torch.Tensor:
    """Read a picture file.

    Grey, palette, CMYK, LAB, transparent (over white) and 16-bit pictures and those with a colour
    profile other than sRGB are converted, with a logged notice (docs/datasets.md); EXIF rotation
    is applied; of an animation the first frame is taken.

    Args:
        path: Any format that Pillow reads.

    Returns:
        float32 [3, H, W] in [0, 1], contiguous.

    Raises:
        ScmcError: if the file is missing, no picture, damaged, of too many pixels
            (`scmc_comm.pixels`), or a side is below 32 pixels.
    """
    path = Path(path)
    source: Path | io.BytesIO = path
    if path.is_fifo():  # as of a shell's <(command), which can be read once
        with path.open("rb") as pipe:
            source = io.BytesIO(pipe.read(MAX_PIPE_BYTES))
    elif not path.is_file():
        what = "a folder, not a picture file" if path.is_dir() else "not there"
        raise ScmcError(f"image {path} is {what}; give the path of a picture")
    try:
        with Image.open(source) as opened:
            deep = not opened.mode.startswith("I") and ";16" in str(opened.tile)
            check_pixels((opened.height, opened.width), f"image {path}")
            if getattr(opened, "is_animated", False):
                logger.warning("%s: the first of its pictures is taken", path)
            opened.load()
            if deep:  # Pillow keeps eight bits of each sample without a word
                logger.warning("%s: 16 bits a sample cut to 8", path)
                if isinstance(colour := opened.info.get("transparency"), tuple):
                    opened.info["transparency"] = tuple(sample >> 8 for sample in colour)
            img = from_picture(opened, f"image {path}")
    except ScmcError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, whatever ours is
        raise ScmcError(
            f"image {path} states more than the {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels that "
            "Pillow opens; cut it into tiles"
        ) from error
    # Pillow's decoders answer damaged files with a dozen kinds of exception.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        fix = HEIC_FIX if _is_heic(source) else "give an intact picture"
        raise ScmcError(f"image {path} cannot be read: {reason}; {fix}") from error
    height, width = img.shape[1:]
    if min(height, width) < MIN_SIDE:
        raise ScmcError(
            f"image {path} is {height}x{width}; each side must have {MIN_SIDE} pixels or more"
        )
    return img


def _is_heic(source: Path | io.BytesIO) -> bool:
    """Does it begin as the files of phones do, whatever it is called?"""
    if isinstance(source, Path):
        with source.open("rb") as file:
            start = file.read(12)
    else:
        start = source.getvalue()[:12]
    return re.match(rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", start, re.S) is not None


def from_picture(picture: Image.Image, name: str) -> torch.Tensor:
    """An open Pillow picture, upright, as float32 [3, H, W] in [0, 1]; conversions are logged.

    Args:
        picture: Grey of up to 16 bits, palette, CMYK, LAB, transparent (put over white) or RGB, in
            the colours of its profile.
        name: What messages call it.

    Raises:
        ScmcError: for floats, or integers beyond 16 bits.

    Example:
        >>> from_picture(Image.new("RGB", (40, 32), "white"), "a wall").shape
        torch.Size([3, 32, 40])
    """
    pixels = to_srgb(picture, name)
    if pixels.dtype == np.uint8:
        return from_uint8(pixels)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def from_uint8(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1).contiguous()


def to_uint8(img: torch.Tensor) -> np.ndarray:
    """Float [3, H, W] in [0, 1] -> uint8 [H, W, 3], rounded to nearest and clamped.

    Raises:
        ScmcError: for another shape, integers, or values that are not finite.

    Example:
        >>> to_uint8(torch.full((3, 1, 1), 0.5)).tolist()
        [[[128, 128, 128]]]
    """
    if img.ndim != 3 or img.shape[0] != 3 or not img.is_floating_point():
        raise ScmcError(f"expected float [3, H, W] in [0, 1], got {img.dtype} {list(img.shape)}")
    if not bool(img.isfinite().all()):
        raise ScmcError("image holds values that are not finite; look where it was made")
    # In double: 0.5 * 255 must round alike on every machine.
    pixels = (img.detach().cpu().double().clamp(0, 1) * 255).add(0.5).floor().byte()
    return pixels.permute(1, 2, 0).contiguous().numpy()


def save_png(img: torch.Tensor, path: str | Path) -> None:
    """Write an 8-bit PNG; under a temporary name first, so that half a file is never seen.

    Args:
        img: float [3, H, W] in [0, 1].
        path: File to write or replace; its folder must exist.

    Raises:
        ScmcError: if the image is not one, or the file cannot be written.
    """
    path = Path(path)
    buffer = io.BytesIO()
    Image.fromarray(to_uint8(img)).save(buffer, "PNG")
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with new_file(path) as part:
            part.write_bytes(buffer.getvalue())
    except OSError as error:
        reason = error.strerror or error
        raise ScmcError(f"cannot write {path}: {reason}; choose a folder that is there") from error


def centre_square(img: Image.Image, side: int = PHOTO_SIDE) -> Image.Image:
    """Short side to ``side`` by Lanczos, then the centre square."""
    scale = side / min(img.size)
    width, height = (max(side, round(length * scale)) for length in img.size)
    resized = img.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - side) // 2, (height - side) // 2
    return resized.crop((left, top, left + side, top + side))


def load_photo(name: str, side: int = PHOTO_SIDE) -> torch.Tensor:
    """One of the built-in photographs, as a centre square.

    Args:
        name: From `PHOTOS`.
        side: Side of the square in pixels.

    Returns:
        float32 [3, side, side] in [0, 1].

    Raises:
        ScmcError: for an unknown name, or if the wheel that carries it is not installed.

    Example:
        >>> load_photo("coffee").shape
        torch.Size([3, 256, 256])
    """
    if name not in _PHOTOS:
        raise ScmcError(f"no photograph {name!r}; there are {', '.join(PHOTOS)}")
    package, inside, project = _PHOTOS[name]
    spec = importlib.util.find_spec(package)  # finds the folder without importing the package
    roots = spec.submodule_search_locations if spec is not None else None
    path = next((p for root in roots or () if (p := Path(root) / inside).is_file()), None)
    if path is None:
        raise ScmcError(f"photograph {name!r} comes with {project}; run: pip install {project}")
    with Image.open(path) as picture:
        return from_uint8(np.asarray(centre_square(picture.convert("RGB"), side)))


def load_square(path: str | Path, side: int) -> torch.Tensor:
    """Read a picture file as `load_image` does, as a centre square.

    Returns:
        float32 [3, side, side] in [0, 1].

    Raises:
        ScmcError: as `load_image`.
    """
    return square(load_image(path), side)


def square(img: torch.Tensor, side: int) -> torch.Tensor:
    """An image as a centre square of a side: float [3, H, W] in [0, 1] -> [3, side, side]."""
    if img.shape[1:] == (side, side):
        return img
    return from_uint8(np.asarray(centre_square(Image.fromarray(to_uint8(img)), side)))
