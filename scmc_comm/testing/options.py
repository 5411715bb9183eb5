"""The option of pytest that names plug-ins; it is loaded by pytest's own entry point."""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Adds ``--plugin``."""
    parser.addoption(
        "--plugin", action="append", default=[], metavar="FILE.py|MODULE",
        help="components whose contract scmc_comm.testing tests",
    )  # fmt: skip


def pytest_configure(config: Any) -> None:
    """Loads what was named."""
    from channels.plugins import load

    for plugin in config.getoption("--plugin"):
        load(plugin)
