"""What the numbers of a codec, a budget and a system may be, and one check of them all."""

from __future__ import annotations

from typing import Annotated, Any

from channels.errors import ChannelError
from channels.ranges import Range
from channels.specs import check_values
from scmc_comm.errors import ScmcError
from scmc_comm.pixels import MAX_PIXELS

MAX_SEED = 2**32 - 1
MAX_RHO = 4
"""The largest bandwidth ratio; one of 4 carries a picture of 8 bits a sample uncoded, in QPSK."""
MAX_CONTROL_BITS = 256

CodecSeed = Annotated[int, Range(0, MAX_SEED)]
"""What fits the wire's 32 bits."""
Beams = Annotated[int, Range(1, 64)]
ControlBits = Annotated[int, Range(0, MAX_CONTROL_BITS)]
"""Bits a frame."""
Realism = Annotated[float, Range(0, 1)]
Rho = Annotated[float, Range(0, MAX_RHO, open_low=True)]
MaxPixels = Annotated[int, Range(1, 64 * MAX_PIXELS)]
ImageSide = Annotated[int, Range(32, 8192)]
NumImages = Annotated[int, Range(1, 10_000_000)]


def check_options(component: Any) -> None:
    """Refuses options that are not of their types or out of range.

    Args:
        component: A dataclass whose fields are options.

    Raises:
        ScmcError: One is not; the message says what was expected.
    """
    try:
        check_values(component)
    except ChannelError as error:
        raise ScmcError(f"{type(component).__name__}: {error}") from error


ALIASES = {"esno_db": "snr_db", "rho": "cbr", "design_esno_db": "design_snr_db"}
"""Parameters of a link, and what the literature calls them."""
