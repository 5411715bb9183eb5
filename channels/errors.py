"""Errors that a user of the link can cause and mend."""

import difflib
from collections.abc import Collection

LONGEST = 500
"""The most characters of an error message."""


class ChannelError(ValueError):
    """Wrong input to the link: says what came, what was expected and how to mend it.

    The message is `printable`, whatever stood in the input that it quotes.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), LONGEST))


def printable(text: str, longest: int | None = None) -> str:
    r"""A text in which nothing can move a terminal's cursor or hide a part of the line.

    Control characters, line ends, marks of writing direction and lone surrogates are written as
    Python escapes them.

    Args:
        text: Any text, perhaps from a hostile file.
        longest: The most characters; the middle of a longer text is left out.

    Example:
        >>> printable("a\x1b[31m rose"), printable("x" * 600, 10)
        ('a\\x1b[31m rose', 'xxx...xxxx')
    """
    if longest is not None and len(text) > longest:
        tail = longest * 2 // 5
        text = f"{text[: longest - tail - 3]}...{text[-tail:]}"
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        return printable(text, longest)
    return text


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
        >>> no_such("key", "k", ["k_factor_db", "coherence_symbols"])[:45]
        "there is no key 'k'; did you mean k_factor_db"
    """
    near = _nearest(name, [*known, *aliases])
    listed = f"are {', '.join(known)}" if known else "is none"
    hint = f"did you mean {near}? There" if near else "there"
    return f"there is no {what} {name!r}; {hint} {listed}"


def _nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is spelt nearest, in whatever case, or else the only one begun so."""
    lower = {other.lower(): other for other in known}
    if near := difflib.get_close_matches(name.lower(), lower, n=1):
        return lower[near[0]]
    begun = [other for other in known if name and other.lower().startswith(name.lower())]
    return begun[0] if len(begun) == 1 else None
