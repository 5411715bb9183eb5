"""What Pillow opens, as sRGB samples: every mode is converted with a notice, or refused."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from scmc_comm.errors import ScmcError
from scmc_comm.notices import notices

logger = notices(__name__)

_BITS_TAG, _PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 258, 262, 0
_SAME = 2
"""Largest difference, of 255, between a profile and sRGB that is taken for sRGB itself."""
_ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")


def to_srgb(picture: Image.Image, name: str) -> np.ndarray:
    """An open picture, turned upright, as samples of sRGB; what is converted is logged.

    Args:
        picture: Of any mode.
        name: What messages call it.

    Returns:
        uint8 [H, W, 3]; float32 [H, W, 3] in [0, 1] for grey of 12 or 16 bits.

    Raises:
        ScmcError: for floats, integers beyond 16 bits, or 32-bit integers that no file explains.
    """
    if picture.mode == "I" and picture.format is None:
        raise ScmcError(
            f"{name} holds 32-bit integers of unknown range; convert it to mode 'L' or 'I;16'"
        )
    tags = getattr(picture, "tag_v2", {})
    bits, inverted = (
        int((tags.get(_BITS_TAG) or (16,))[0]),
        tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO,
    )
    profile = picture.info.get("icc_profile")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "F":
        raise ScmcError(f"{name} holds floats of unknown range; convert it to 8 or 16 bits")
    if picture.mode.startswith("I"):
        if profile:
            logger.warning("%s: its colour profile is ignored, as of %d-bit grey", name, bits)
        return _deep_grey(picture, name, bits, inverted)
    mode = picture.mode
    if mode in _ALPHA_MODES or "transparency" in picture.info:
        logger.warning("%s: %s picture with transparency put over white", name, mode)
        rgba = (picture.convert("LA") if mode == "La" else picture).convert("RGBA")
        colours = _in_srgb(rgba.convert("RGB"), profile, name)
        white = Image.new("RGB", rgba.size, "white")
        return np.asarray(Image.composite(colours, white, rgba.getchannel("A")))
    if mode != "RGB":
        logger.warning("%s: %s picture converted to RGB", name, mode)
    return np.asarray(_in_srgb(picture, profile, name))


def _deep_grey(picture: Image.Image, name: str, bits: int, inverted: bool) -> np.ndarray:
    """Grey of 12 or 16 bits, which Pillow's own conversion would clip at 255."""
    samples, most = np.asarray(picture).astype(np.float32), 2.0**bits - 1
    if bits > 16 or samples.min() < 0 or samples.max() > most:
        raise ScmcError(f"{name} has samples beyond 16 bits; convert it to 8 or 16 bits")
    logger.warning("%s: %d-bit grey converted to RGB", name, bits)
    grey = (most - samples if inverted else samples) / np.float32(most)
    if "transparency" in picture.info:
        logger.warning("%s: transparent grey put over white", name)
        grey[samples == picture.info["transparency"]] = 1.0
    return np.repeat(grey[..., None], 3, axis=2)


def _in_srgb(picture: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """By its colour profile, if it has one that is not sRGB; LAB by its definition."""
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("RGB")
    srgb = ImageCms.createProfile("sRGB")
    if picture.mode == "LAB":
        return _converted(picture, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), srgb)
    if not profile:
        return picture.convert("RGB")
    try:
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        about = " ".join(ImageCms.getProfileDescription(found).split())[:60]
        if picture.mode == "RGB" and _is_srgb(found, srgb):
            return picture
        shown = _converted(picture, found, srgb)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:80]
        logger.warning("%s: its colour profile cannot be used (%s); taken for sRGB", name, why)
        return picture.convert("RGB")
    logger.warning("%s: converted from its colour profile (%s) to sRGB", name, about)
    return shown


def _converted(
    picture: Image.Image, profile: ImageCms.ImageCmsProfile, srgb: object
) -> Image.Image:
    found = ImageCms.profileToProfile(picture, profile, srgb, outputMode="RGB")  # type: ignore[arg-type]
    if found is None:  # only where the picture itself is changed
        raise ValueError("no picture came back")
    return found


def _is_srgb(profile: ImageCms.ImageCmsProfile, srgb: object) -> bool:
    """Does it leave a grid of colours as they are?"""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(9, 81, 3)
    seen = np.asarray(_converted(Image.fromarray(grid), profile, srgb))
    return int(np.abs(seen.astype(int) - grid).max()) <= _SAME
