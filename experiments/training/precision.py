"""Mixed precision on a CPU, where it pays."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_fast_bfloat16() -> bool:
    """Whether this processor computes with bfloat16; others emulate it a hundred times slower."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def mixed_precision() -> torch.autocast:
    """Autocast to bfloat16 where that is fast, and float32 as it is elsewhere.

    Example:
        >>> with mixed_precision():
        ...     y = torch.nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8))
        >>> y.dtype == (torch.bfloat16 if has_fast_bfloat16() else torch.float32)
        True
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16())
