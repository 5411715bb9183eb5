"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS, _OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def num_cores(groups: Path = _GROUPS, own_group: Path = _OWN_GROUP) -> int:
    """Cores that this process may run on and, on Linux, that its control groups give it time for.

    A container with a quota of two cores on a machine of 64 is given two.

    Args:
        groups: Where control groups are mounted.
        own_group: File that says which are this process's.

    Source: Linux, admin-guide/cgroup-v2 (``cpu.max``), scheduler/sched-bwc (version 1).

    Example:
        >>> num_cores() >= 1
        True
    """
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([here, *_quotas(groups, own_group)]))


def _quotas(groups: Path, own_group: Path) -> Iterator[int]:
    """Quotas in whole cores, rounded up, of the process's groups and of those around them."""
    try:
        named = [line.split(":", 2) for line in own_group.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return
    for _, controllers, path in (parts for parts in named if len(parts) == 3):
        mount = groups / "cpu" if "cpu" in controllers.split(",") else groups
        own = mount / path.strip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(mount) and (cores := _quota(folder)) is not None:
                yield cores


def _quota(folder: Path) -> int | None:
    """The quota of a control group; None without one."""
    try:
        if (both := folder / "cpu.max").is_file():
            quota, period = both.read_text(encoding="utf-8").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8").strip()
                for name in ("quota", "period")
            )
        limit = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or a file that is not there
        return None
    return math.ceil(limit) if limit > 0 else None
