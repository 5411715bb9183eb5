"""Errors that a user can cause and mend."""

from channels.errors import LONGEST, printable


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
