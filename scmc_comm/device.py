"""Which device networks run on; no other module chooses one.

Pictures, bits and symbols stay on the processor. A network goes to the chosen device when it first
runs there, its inputs with it, and what it gives comes back to where the inputs were (`on_device`).

What decides the bits of the shipped codec never does: the captioner, the edge detector, the
analysis transform and the integer entropy model run on the processor, as VVC and the channel do.
A container is then the same, byte for byte, whatever the device, and any device decodes it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from scmc_comm.errors import ScmcError

T = TypeVar("T")

DEVICE_ENV = "SCMC_DEVICE"
DEFAULT = "cpu"
EXPECTED = "auto, cpu, cuda, cuda:N or mps"

_chosen: torch.device | None = None
_callers: list[torch.dtype] = []
"""Torch's default type that each call within `single_precision` found."""
_lock = threading.Lock()


@contextmanager
def single_precision() -> Iterator[None]:
    """Within it torch makes numbers of float32 on the processor, whatever its caller has chosen.

    That is a default type, a default device or an autocast.

    The caller has it back when the last of several threads is through.

    Example:
        >>> with single_precision():
        ...     torch.zeros(1).dtype
        torch.float32
    """
    with _lock:
        _callers.append(_callers[0] if _callers else torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        with _plain():
            yield
    finally:
        with _lock:
            found = _callers.pop()
            if not _callers:
                torch.set_default_dtype(found)


@contextmanager
def _plain() -> Iterator[None]:
    """Within it neither an autocast nor a default device of the caller changes what is computed."""
    with ExitStack() as stack:
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def find_device(name: str) -> torch.device:
    """The device of a name, if this machine has it.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto``: CUDA if it is there, else MPS,
            else the processor.

    Raises:
        ScmcError: There is no such name, or no such device here.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    kind, colon, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (
        colon and not (kind == "cuda" and number.isdecimal())
    ):
        raise ScmcError(f"device is {name!r}; expected {EXPECTED}")
    if kind == "auto":
        here = [k for k, found in (("cuda", _num_cuda()), ("mps", _has_mps())) if found]
        return torch.device(here[0] if here else "cpu")
    if kind == "cuda" and int(number or 0) >= _num_cuda():
        raise ScmcError(
            f"device is {name!r} and there are {_num_cuda()} CUDA devices here (torch "
            f"{torch.__version__}); choose cpu or auto, or install a driver and a torch with CUDA"
        )
    if kind == "mps" and not _has_mps():
        raise ScmcError("device is 'mps' and there is no MPS here; choose cpu or auto")
    return torch.device(name)


def choose_device(name: str | None) -> torch.device:
    """Chooses the device of this process, and of the workers that it starts.

    On CUDA convolutions are in whole float32 (no TF32) and always add in one order, so that results
    repeat and differ from the processor's by rounding alone.

    Args:
        name: As for `find_device`; None for what ``$SCMC_DEVICE`` says, the processor if nothing.

    Raises:
        ScmcError: As `find_device`.
    """
    global _chosen
    usual = os.environ.get(DEVICE_ENV) or DEFAULT
    found = find_device(usual if name is None else name)
    if found.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
    _chosen = found
    return found


def chosen_device() -> torch.device:
    """The device that networks run on; ``$SCMC_DEVICE``'s, or the processor, if none was chosen."""
    return choose_device(None) if _chosen is None else _chosen


@contextmanager
def using_device(name: str) -> Iterator[torch.device]:
    """Another device within a ``with`` block; errors as `find_device`'s.

    Example:
        >>> with using_device("cpu") as device:
        ...     print(device, device_class())
        cpu cpu
    """
    global _chosen
    before = _chosen
    try:
        yield choose_device(name)
    finally:
        _chosen = before


def device_class() -> str:
    """``cpu``, ``cuda`` or ``mps``: results of one class are kept apart from those of another."""
    return chosen_device().type


def describe_device() -> str:
    """The chosen device, with the name of the GPU if it is one."""
    device = chosen_device()
    gpu = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return f"{device}{gpu}"


def on_device(function: Callable[..., T], *inputs: Any, **options: Any) -> T:
    """``function(*inputs, **options)`` on the chosen device.

    Args:
        function: A network, a method of one, or any function of tensors.
        inputs: Tensors, networks (which stay on the device) and anything else; tensors in tuples,
            lists and dicts too.
        options: Likewise.

    Returns:
        What the function gives, its tensors on the device of the first tensor of the inputs.

    Example:
        >>> on_device(nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8)).device
        device(type='cpu')
    """
    device = chosen_device()
    owner = getattr(function, "__self__", function)
    if isinstance(owner, nn.Module):
        place(owner, device)
    home = next(_tensors((inputs, options)), torch.empty(0)).device
    sent, given = _moved((inputs, options), device)
    result: T = _moved(function(*sent, **given), home)
    return result


def place(net: nn.Module, device: torch.device | None = None) -> None:
    """Moves a network to a device, the chosen one if none is given, unless it is there."""
    wanted = device or chosen_device()
    held = next(net.parameters(), None)
    if held is not None and not _is_on(held, wanted):
        net.to(wanted)


def place_part(part: nn.Module) -> None:
    """Lets a part of a network run on the chosen device while the rest is on the processor.

    Args:
        part: A part that the network calls with tensors by position.
    """
    part.register_forward_pre_hook(_enter)
    part.register_forward_hook(lambda _, inputs, result: _moved(result, torch.device("cpu")))


def _enter(part: nn.Module, inputs: tuple[Any, ...]) -> Any:
    place(part)
    return _moved(inputs, chosen_device())


def _is_on(x: Tensor, device: torch.device) -> bool:
    return x.device.type == device.type and device.index in (None, x.device.index)


def _moved(value: Any, device: torch.device) -> Any:
    """The value with its tensors on a device; itself where all are."""
    if isinstance(value, Tensor):
        return value if _is_on(value, device) else value.to(device)
    if isinstance(value, nn.Module):
        place(value, device)
    elif isinstance(value, dict):
        return {key: _moved(item, device) for key, item in value.items()}
    elif isinstance(value, tuple | list):
        items = [_moved(item, device) for item in value]
        named = getattr(value, "_make", None)
        return named(items) if named else type(value)(items)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _num_cuda() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
