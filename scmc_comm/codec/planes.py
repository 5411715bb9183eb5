"""8-bit pictures to the 10-bit planes that VVC codes, and back.

RGB becomes full-range BT.601 Y'CbCr (ITU-T T.871) with chroma averaged over 2 x 2 and upsampled
bilinearly. The conversion goes straight from RGB to 10 bits, so that only chroma subsampling
costs fidelity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PEAK = 1023.0
_KR, _KB = 0.299, 0.114
_CHROMA_ZERO = 512


def gray_to_planes(gray: NDArray[np.uint8]) -> bytes:
    """Gray uint8 [H, W] -> little-endian 16-bit luma, then neutral 4:2:0 chroma (ignored)."""
    luma: bytes = np.rint(gray * (_PEAK / 255)).astype("<u2").tobytes()
    return luma + np.full(gray.size // 2, _CHROMA_ZERO, "<u2").tobytes()


def planes_to_gray(samples: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Luma samples [H * W] -> uint8 [H, W]."""
    luma = samples.reshape(size).astype(np.float32)
    return _to_bytes(luma * (255 / _PEAK))


def rgb_to_planes(rgb: NDArray[np.uint8]) -> bytes:
    """RGB uint8 [H, W, 3] with even sides -> 4:2:0 planes, little-endian 16-bit."""
    red, green, blue = np.moveaxis(rgb.astype(np.float32) / 255, 2, 0)
    luma = _KR * red + (1 - _KR - _KB) * green + _KB * blue
    planes = [luma * _PEAK]
    for channel, weight in ((blue, _KB), (red, _KR)):
        chroma = (channel - luma) / (2 * (1 - weight))
        height, width = chroma.shape
        mean = chroma.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
        planes.append(mean * _PEAK + _CHROMA_ZERO)
    return b"".join(np.clip(np.rint(p), 0, _PEAK).astype("<u2").tobytes() for p in planes)


def planes_to_rgb(samples: NDArray[np.uint16], size: tuple[int, int]) -> NDArray[np.uint8]:
    """4:2:0 samples [H * W * 3 / 2] -> RGB uint8 [H, W, 3]."""
    height, width = size
    luma, cb, cr = np.split(samples.astype(np.float32), [height * width, height * width * 5 // 4])
    y = luma.reshape(size) / _PEAK
    half = (height // 2, width // 2)
    b_minus_y, r_minus_y = (
        2 * (1 - weight) * _upsample((chroma.reshape(half) - _CHROMA_ZERO) / _PEAK)
        for chroma, weight in ((cb, _KB), (cr, _KR))
    )
    red, blue = y + r_minus_y, y + b_minus_y
    green = y - (_KR * r_minus_y + _KB * b_minus_y) / (1 - _KR - _KB)
    rgb = np.stack([red, green, blue], 2)
    return _to_bytes(rgb * 255)


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _upsample(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Doubles both sides bilinearly, samples centred between four luma samples."""
    for axis in (0, 1):
        x = chroma if axis == 0 else chroma.T
        before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        pair = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], 1)
        doubled = pair.reshape(-1, x.shape[1]).astype(np.float32)
        chroma = doubled if axis == 0 else doubled.T
    return chroma
