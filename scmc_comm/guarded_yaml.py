"""YAML from other people: refused by its size and form before anything is built of it."""

from __future__ import annotations

from typing import Any

import yaml

from scmc_comm.errors import ScmcError

MAX_TEXT = 1 << 16
"""The most characters of a text."""
MAX_DEPTH = 20


class GuardedLoader(yaml.SafeLoader):
    """Refuses what stands for more than itself (anchors), and nesting beyond all use."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """See `yaml.composer.Composer.compose_node`."""
        if self.check_event(yaml.AliasEvent):
            raise ScmcError("it has anchors (&, *); write the values out")
        if self.depth >= MAX_DEPTH:
            raise ScmcError(f"it is nested more than {MAX_DEPTH} deep; flatten it")
        self.depth += 1
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self.depth -= 1
        return node


def load_yaml(text: str, what: str, loader: type[GuardedLoader] = GuardedLoader) -> Any:
    """What a YAML text holds.

    Args:
        text: Perhaps hostile.
        what: What it describes, for errors.
        loader: How it is read.

    Raises:
        ScmcError: It is too long, too deep, has anchors, or is no YAML.

    Example:
        >>> load_yaml("seed: 1", "the plan")
        {'seed': 1}
    """
    if len(text) > MAX_TEXT:
        raise ScmcError(f"{what} is a text of {len(text)} characters; at most {MAX_TEXT} are read")
    try:
        return yaml.load(text, loader)
    except ScmcError as error:
        raise ScmcError(f"{what} is YAML that is not read: {error}") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        said = problem or " ".join(str(error).split())
        raise ScmcError(f"{what} is not valid YAML: {where}{said}") from error
    except (ValueError, RecursionError) as error:  # a date that is none, a number of many digits
        raise ScmcError(f"{what} is not valid YAML: {error}") from error
