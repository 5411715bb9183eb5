"""Errors that a user of the link can cause and mend."""

import difflib
from collections.abc import Collection


class ChannelError(ValueError):
    """Wrong input to the link: says what came, what was expected and how to mend it."""


def no_such(what: str, name: str, known: Collection[str], aliases: Collection[str] = ()) -> str:
    """The line of an error about a name that does not exist; it proposes the nearest one.

    What is near does not depend on capital letters.

    Args:
        what: What was named, in the singular.
        name: The name that came.
        known: The names that exist, in the order to list them.
        aliases: Other names that may be meant; not listed.

    Example:
        >>> no_such("channel", "awgm", ["awgn", "clarke"])
        "there is no channel 'awgm'; did you mean awgn? There are awgn, clarke"
    """
    spelled = {other.lower(): other for other in (*known, *aliases)}
    near = difflib.get_close_matches(name.lower(), spelled, n=1)
    listed = f"are {', '.join(known)}" if known else "is none"
    hint = f"did you mean {spelled[near[0]]}? There" if near else "there"
    return f"there is no {what} {name!r}; {hint} {listed}"
