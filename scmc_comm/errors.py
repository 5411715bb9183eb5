"""Errors that a user can cause and mend."""


class ScmcError(ValueError):
    """Wrong input: the message says what came, what was expected and how to mend it.

    The command line prints it (and channels.errors.ChannelError) in one line and exits with
    status 2.
    """


class InfeasibleBudgetError(ScmcError):
    """The budget or its Es/N0 is too small for even the most basic unit of the scheme."""


class TooFineError(ScmcError):
    """An encoder cannot code a picture at so fine a quality; a coarser one may do."""
