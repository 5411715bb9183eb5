"""What Python objects hold, whatever they are: attributes, captured values, names in code."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

from channels.sources import NoIdentityError

_OWN_LAYOUT = 32  # bytes: two for a class of Python's own, two for its dictionary and references
_POINTER = 8


def attributes(value: object) -> dict[str, Any]:
    """What stands in an object's dictionary and in its slots."""
    slots = {k: getattr(value, k) for k in _slots(type(value)) if hasattr(value, k)}
    return {**slots, **getattr(value, "__dict__", {})}


def _slots(kind: type) -> list[str]:
    """Attributes that classes of Python keep in slots."""
    own = [vars(base) for base in kind.__mro__ if "__slots__" in vars(base)]
    return [k for d in own for k, v in d.items() if isinstance(v, types.MemberDescriptorType)]


def holds_attributes_alone(value: object) -> bool:
    """Is there nothing in an object's memory but its dictionary and its slots?"""
    slots = len(_slots(type(value)))
    return (slots > 0 or hasattr(value, "__dict__")) and (
        type(value).__basicsize__ <= _OWN_LAYOUT + _POINTER * slots
    )


def captured(cell: types.CellType) -> object:
    """What a function captured; an empty tuple for a name that has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return ()


def plain(item: Any) -> Any:
    """The function of a static method or a class method; the functions of a property."""
    if isinstance(item, property):
        return [item.fget, item.fset, item.fdel]
    if isinstance(item, functools.cached_property):
        return item.func
    return item.__func__ if isinstance(item, staticmethod | classmethod) else item


def names_in(code: types.CodeType) -> Iterator[str]:
    """Names that a function's code holds, also as text (for ``getattr``), with nested functions."""
    for inner in codes_in(code):
        yield from inner.co_names
        yield from (constant for constant in inner.co_consts if isinstance(constant, str))


def codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of those that are nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_in(constant)


def tensor_bytes(tensor: Any) -> bytes:
    """The values as they lie in memory; NumPy lacks some of their types."""
    try:
        dense = tensor.detach().cpu().to_dense()
        flat = dense.resolve_conj().resolve_neg().flatten().contiguous()
        found: bytes = flat.view(sys.modules["torch"].uint8).numpy().tobytes()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise NoIdentityError(f"the values of a tensor cannot be read: {error}") from error
    return found
