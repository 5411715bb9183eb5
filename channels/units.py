"""The only conversions: dB, Es/N0, noise variance, bandwidth ratio, bits per pixel, speed."""

from __future__ import annotations

import math

from channels.errors import ChannelError

SPEED_OF_LIGHT = 299_792_458.0


def db_to_lin(x_db: float) -> float:
    """Power ratio in dB to linear.

    >>> db_to_lin(20.0)
    100.0
    """
    return math.pow(10.0, x_db / 10.0)


def lin_to_db(x: float) -> float:
    """Linear power ratio to dB; 0 gives minus infinity.

    >>> lin_to_db(100.0)
    20.0
    """
    if x < 0:
        raise ChannelError(f"power ratio is {x}; expected 0 or more")
    return 10.0 * math.log10(x) if x > 0 else -math.inf


def esno_db_to_no(esno_db: float) -> float:
    """Noise variance per complex dimension for Es = 1; each real dimension has half of it.

    >>> esno_db_to_no(10.0)
    0.1
    """
    if math.isnan(esno_db):
        raise ChannelError("esno_db is NaN; expected mean Es/N0 in dB")
    return math.pow(10.0, -esno_db / 10.0)


def _num_pixels(size: tuple[int, int]) -> int:
    height, width = size
    if height < 1 or width < 1:
        raise ChannelError(f"size is {size}; expected (H, W), both at least 1")
    return height * width


def rho_to_uses(rho: float, size: tuple[int, int]) -> int:
    """Complex channel uses that a bandwidth ratio allows: floor(rho * 3 * H * W).

    >>> rho_to_uses(1 / 6, (32, 32))
    512
    """
    if not rho >= 0.0 or math.isinf(rho):
        raise ChannelError(f"rho is {rho}; expected a finite ratio of 0 or more")
    # The slack keeps ratios such as 1/6, which binary floats round down, on their integer.
    return math.floor(rho * 3 * _num_pixels(size) * (1 + 1e-12))


def uses_to_rho(uses: int, size: tuple[int, int]) -> float:
    """Bandwidth ratio: complex channel uses per source sample, uses / (3 H W)."""
    return uses / (3 * _num_pixels(size))


def bpp(num_bytes: int, size: tuple[int, int]) -> float:
    """Bits per pixel of `num_bytes` put on the wire once, headers included.

    >>> bpp(8192, (256, 256))
    1.0
    """
    return 8 * num_bytes / _num_pixels(size)


def kmh_to_mps(speed_kmh: float) -> float:
    """Speed in km/h, as specs of channels have it, to m/s.

    >>> kmh_to_mps(36.0)
    10.0
    """
    if not 0.0 <= speed_kmh < 3.6 * SPEED_OF_LIGHT:
        raise ChannelError(f"speed_kmh is {speed_kmh}; expected 0 or more, in km/h")
    return speed_kmh / 3.6


def max_doppler_hz(speed_mps: float, carrier_hz: float) -> float:
    """Largest Doppler shift of a receiver that moves at `speed_mps`, in m/s.

    >>> round(max_doppler_hz(30.0 / 3.6, 3.5e9), 2)
    97.29
    """
    if not 0.0 <= speed_mps < SPEED_OF_LIGHT:
        raise ChannelError(f"speed_mps is {speed_mps}; expected 0 or more, in m/s")
    if not 0.0 < carrier_hz < math.inf:
        raise ChannelError(f"carrier_hz is {carrier_hz}; expected more than 0, such as 3.5e9")
    return speed_mps / SPEED_OF_LIGHT * carrier_hz
