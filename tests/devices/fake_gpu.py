"""A made-up CUDA device: tensors have shapes and devices but no numbers, and may not be mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.nn.modules.module import register_module_forward_pre_hook

from scmc_comm import device

Net = TypeVar("Net", bound=nn.Module)


@contextmanager
def fake_gpu(seen: set[type[nn.Module]] | None = None) -> Iterator[None]:
    """CUDA is the chosen device, and what goes there loses its numbers.

    Args:
        seen: Collects the classes of networks that run on CUDA.
    """

    def note(net: nn.Module, inputs: tuple[Any, ...]) -> None:
        tensors = [x for x in inputs if isinstance(x, torch.Tensor)]
        if seen is not None and tensors and all(x.device.type == "cuda" for x in tensors):
            seen.add(type(net))

    hook = register_module_forward_pre_hook(note)
    try:
        with (
            mock.patch.object(device, "_chosen", torch.device("cuda")),
            mock.patch.object(device, "place", _place),
            FakeTensorMode(allow_non_fake_inputs=True),
        ):
            yield
    finally:
        hook.remove()


def _place(net: nn.Module, where: torch.device | None = None) -> None:
    """In place of `Module.to`, which cannot turn real weights into made-up ones."""
    for part in net.modules():
        for name, value in part._parameters.items():
            if value is not None:
                moved = value.detach().to(where or "cuda")
                part._parameters[name] = nn.Parameter(moved, value.requires_grad)
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else buffer.to(where or "cuda")


def made(make: Callable[[], Net]) -> Net:
    """A network with real weights on the processor, for inference."""
    with unset_fake_temporarily():
        return make().eval()


def devices_of(value: Any) -> set[str]:
    """Where the tensors of a result are."""
    if isinstance(value, torch.Tensor):
        return {value.device.type}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return {kind for item in value for kind in devices_of(item)}
    return set()
