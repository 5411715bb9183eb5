"""Errors that a user can cause and mend."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from channels.errors import LONGEST, ChannelError, printable


class ScmcError(ValueError):
    """Wrong input: the message says what came, what was expected and how to mend it.

    The command line prints it (and channels.errors.ChannelError) in one line and exits with
    status 2. It is `channels.errors.printable`, whatever stood in the input that it quotes.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), LONGEST))


class InfeasibleBudgetError(ScmcError):
    """The budget or its Es/N0 is too small for even the most basic unit of the scheme."""


class TooFineError(ScmcError):
    """An encoder cannot code a picture at so fine a quality; a coarser one may do."""


@contextmanager
def from_plugin(who: str) -> Iterator[None]:
    """What somebody's code raises inside is told in one line, with where it was raised.

    Args:
        who: Raised it.

    Raises:
        ScmcError: The code inside raised something other than this package's errors.

    Example:
        >>> try:
        ...     with from_plugin("encode"):
        ...         raise KeyError("weights")
        ... except ScmcError as error:
        ...     print(str(error).partition(" (")[0])
        encode raised KeyError: 'weights'
    """
    try:
        yield
    except (ScmcError, ChannelError):
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        raise ScmcError(f"{who} raised {type(error).__name__}: {error} ({place})") from error
