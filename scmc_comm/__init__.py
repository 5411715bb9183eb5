"""SCMC: an image coded in semantic, structure and signal layers, sent over simulated links.

``import scmc_comm as sc`` offers ``sc.transmit``, ``sc.transmit_each``, ``sc.sweep``, ``sc.load``,
``sc.plot``, ``sc.compare`` and ``sc.register`` (``docs/python.md``), which load when they are first
used. This front door is the one place of the package that names what lives above it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from channels.plugins import register

if TYPE_CHECKING:
    from experiments.api import Results, compare, load, plot, sweep
    from scmc_comm.sent import Sent, transmit, transmit_each

__all__ = [
    "Results", "Sent", "compare", "load", "plot", "register", "sweep", "transmit", "transmit_each",
]  # fmt: skip
__version__ = "0.2.0"

_HOMES = {
    "Sent": "scmc_comm.sent",
    "transmit": "scmc_comm.sent",
    "transmit_each": "scmc_comm.sent",
    "Results": "experiments.api",
    "compare": "experiments.api",
    "load": "experiments.api",
    "plot": "experiments.api",
    "sweep": "experiments.api",
}


def __getattr__(name: str) -> Any:
    """What `_HOMES` names, imported when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """All names, those too that were not asked for yet."""
    return sorted({*globals(), *__all__})
