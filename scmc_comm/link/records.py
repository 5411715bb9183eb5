"""Values for JSON, and read from it: what comes may be hostile, every name and type is checked."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channels.specs import fits, type_name
from channels.types import Frame, Mcs
from scmc_comm.errors import ScmcError

_FRAME = {
    "tag": str, "num_bits": int, "bits": str, "mcs": list, "power_db": float, "priority": int,
}  # fmt: skip
_MCS = {"num_bits_per_symbol": int, "coderate": float, "repetition": int}
_MAX_POWER_DB = 100.0


def read_record(values: object, kinds: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The values by name, once they are these and no others, each of its type.

    Args:
        values: As they came.
        kinds: The type of each, as `channels.specs.fits` takes it.
        what: What it is, for errors.

    Raises:
        ScmcError: Names that are missing or unknown, or a value of another type.

    Example:
        >>> read_record({"size": [64, 64]}, {"size": list}, "picture")
        {'size': [64, 64]}
    """
    if not isinstance(values, Mapping):
        raise ScmcError(f"{what} is {_shown(values)}; expected named values")
    for name in (*kinds, *values):
        if name not in kinds:
            raise ScmcError(f"{what} has {_shown(name)}; expected {', '.join(kinds)}")
        if name not in values:
            raise ScmcError(f"{what} has no {name}; expected {', '.join(kinds)}")
        if not fits(values[name], kinds[name]):
            raise ScmcError(
                f"{what}: {name} is {_shown(values[name])}; expected {type_name(kinds[name])}"
            )
    return {
        name: float(values[name]) if kind is float else values[name] for name, kind in kinds.items()
    }


def read_numbers(values: object, what: str) -> tuple[int, ...]:
    """A list of whole numbers; ScmcError if it is none."""
    if not isinstance(values, list | tuple) or not all(fits(value, int) for value in values):
        raise ScmcError(f"{what} is {_shown(values)}; expected a list of whole numbers")
    return tuple(values)


def array_text(array: NDArray[Any]) -> str:
    """The bytes of an array as base64; `read_array` is the inverse."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def read_array(text: str, kind: type[np.generic], what: str) -> NDArray[Any]:
    """The array of that type whose bytes the base64 text holds; ScmcError if it is no such text."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), kind)
    except ValueError as error:
        raise ScmcError(f"{what} is no base64 of {kind.__name__} values: {error}") from error


def write_frame(frame: Frame) -> dict[str, Any]:
    """A frame's values; `read_frame` is the inverse."""
    return {
        "tag": frame.tag,
        "num_bits": int(frame.bits.size),
        "bits": array_text(np.packbits(frame.bits)),
        "mcs": [getattr(frame.mcs, name) for name in _MCS],
        "power_db": float(frame.power_db),
        "priority": int(frame.priority),
    }


def read_frame(values: object) -> Frame:
    """The frame that `write_frame` wrote; ScmcError or ChannelError if it could not have."""
    read = read_record(values, _FRAME, "frame")
    packed, num_bits = read_array(read["bits"], np.uint8, "bits of a frame"), read["num_bits"]
    if num_bits < 1 or len(packed) != math.ceil(num_bits / 8):
        raise ScmcError(f"a frame of {num_bits} bits has {len(packed)} bytes")
    if abs(read["power_db"]) > _MAX_POWER_DB:
        raise ScmcError(
            f"a frame's power_db is {read['power_db']}; expected {_MAX_POWER_DB:g} dB at most "
            "above or below the others"
        )
    if len(read["mcs"]) != len(_MCS):
        raise ScmcError(f"mcs has {len(read['mcs'])} values; expected {', '.join(_MCS)}")
    mcs = Mcs(**read_record(dict(zip(_MCS, read["mcs"], strict=True)), _MCS, "mcs"))
    bits = np.unpackbits(packed, count=num_bits)
    return Frame(read["tag"], bits, mcs, read["power_db"], read["priority"])


def _shown(value: object) -> str:
    """A value as an error shows it: no longer than a line."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."
