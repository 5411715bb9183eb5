"""Notices of what a picture was converted from, told when it is first read and not again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_told = ContextVar("_told", default=False)


def notices(name: str) -> logging.Logger:
    """The logger of a module that converts pictures; it is silent within `without_notices`.

    Args:
        name: Of the module.
    """
    logger = logging.getLogger(name)
    logger.addFilter(_not_told)
    return logger


@contextmanager
def without_notices() -> Iterator[None]:
    """While a picture is read again of which all was said when it was first read.

    Example:
        >>> with without_notices():
        ...     notices("scmc_comm.images").warning("again")
    """
    before = _told.set(True)
    try:
        yield
    finally:
        _told.reset(before)


def _not_told(_: logging.LogRecord) -> bool:
    return not _told.get()
