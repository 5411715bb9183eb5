"""The machine that times were measured on, as results state it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from scmc_comm.device import describe_device

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, threads of torch, operating system and device of networks.

    Example:
        >>> sorted(describe_machine())
        ['cores', 'cpu', 'device', 'system', 'threads']
    """
    lines = _CPU_INFO.read_text(encoding="utf-8").splitlines() if _CPU_INFO.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "system": platform.system(), "device": describe_device(),
    }  # fmt: skip
