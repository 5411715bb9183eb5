"""Errors that a user of the link can cause and mend."""


class ChannelError(ValueError):
    """Wrong input to the link: says what came, what was expected and how to mend it."""
