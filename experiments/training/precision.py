"""Mixed precision, where it pays."""

from __future__ import annotations

from functools import cache

import torch

from scmc_comm.device import device_class


def has_fast_bfloat16() -> bool:
    """Whether the chosen device computes with bfloat16.

    Processors that do not emulate it a hundred times slower; GPUs of before 2020 do likewise.
    """
    return _has_fast_bfloat16(device_class())


@cache
def _has_fast_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def mixed_precision() -> torch.autocast:
    """Autocast to bfloat16 where that is fast, and float32 as it is elsewhere.

    Example:
        >>> with mixed_precision():
        ...     y = torch.nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8))
        >>> y.dtype == (torch.bfloat16 if has_fast_bfloat16() else torch.float32)
        True
    """
    return torch.autocast(device_class(), torch.bfloat16, enabled=has_fast_bfloat16())
