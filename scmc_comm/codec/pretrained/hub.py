"""Models by hub name or local folder, with one clear line where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from torch import nn

from scmc_comm.errors import ScmcError

Model = TypeVar("Model")

_REASON_CHARACTERS = 160


@contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """No reports of the libraries while models load; ``bars`` of progress if they download."""
    from diffusers.utils import logging as diffusers
    from transformers.utils import logging as transformers

    before = [(lib, lib.get_verbosity()) for lib in (diffusers, transformers)]
    hide = [lib for lib, _ in before if not bars and lib.is_progress_bar_enabled()]
    for lib, _ in before:
        lib.set_verbosity_error()
    for lib in hide:
        lib.disable_progress_bar()
    try:
        yield
    finally:
        for lib, level in before:
            lib.set_verbosity(level)
        for lib in hide:
            lib.enable_progress_bar()


def load_model(name: str, what: str, load: Callable[[str, bool], Model]) -> Model:
    """Load a model from a folder, from the local cache of the hub, or from the hub.

    Args:
        name: A folder that ``save_pretrained`` wrote, or a hub name such as ``owner/model``.
        what: What is looked for, for messages: "text-to-image pipeline".
        load: ``load(folder or name, local_files_only)``; whatever it raises means that this is
            no such model.

    Raises:
        ScmcError: Nothing is there, or it is something else; one line that says what to do.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked(lambda: load(str(folder), True), f"folder {name} holds no {what}")
    if folder.exists():
        raise ScmcError(f"{name} is a file; expected the folder of a {what}, or its hub name")
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ScmcError(
            f"there is no folder {name} and it is no hub name; give the folder of a {what}, or a "
            "name such as owner/model"
        )
    if _is_cached(name):
        return _checked(
            lambda: load(name, True),
            f"{name} in the hub's cache is incomplete or no {what}; run 'hf download {name}'",
        )
    _ask_hub(name, what)
    return _checked(lambda: load(name, False), f"{name} on the hub is no {what}", bars=True)


def full_or_half(load: Callable[..., Model]) -> Model:
    """Files in full precision or, where a folder has none, those of the variant ``fp16``.

    Args:
        load: Takes ``variant="fp16"``, or nothing.
    """
    try:
        return load()
    except (OSError, ValueError) as error:
        try:
            return load(variant="fp16")
        except (OSError, ValueError):
            raise error from None


def check_whole(part: nn.Module, source: str, missing: Iterable[str] = ()) -> None:
    """Refuses a network whose files lack numbers, which the libraries draw or leave out.

    Args:
        part: The network.
        source: Where it comes from.
        missing: Names of numbers that were drawn, as the library tells.

    Raises:
        ScmcError: Some are missing.
    """
    lacks = [*missing, *(name for name, value in part.named_parameters() if value.is_meta)]
    if lacks:
        raise ScmcError(
            f"the weights of {source} lack {len(lacks)} tensors of {type(part).__name__}, such as "
            f"{min(lacks)}; get the whole folder again"
        )


def _checked(load: Callable[[], Model], message: str, bars: bool = False) -> Model:
    """Load, and say what is wrong in one line; ``bars`` show the progress of a download."""
    try:
        with quiet(bars):
            return load()
    except ScmcError:
        raise
    except Exception as error:  # the libraries raise anything for a folder that is not theirs
        raise ScmcError(f"{message} ({_reason(error)})") from error


def _is_cached(name: str) -> bool:
    """Whether anything of the model is in the cache, without asking the network."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(name, local_files_only=True)
    except (OSError, ValueError):
        return False
    return True


def _ask_hub(name: str, what: str) -> None:
    """Fail at once where the hub is out of reach or has no such model.

    The loaders of transformers and diffusers try again for half a minute and for each file; this
    asks once, and fetches only the small configuration files.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    try:
        snapshot_download(name, allow_patterns=["*.json"])
    except (OSError, ValueError) as error:
        raise ScmcError(
            f"{what} {name!r} is not on this machine and cannot be downloaded; run "
            f"'hf download {name}' where there is a network (it goes to {HF_HUB_CACHE}), or give "
            f"the path of a folder that holds it ({_reason(error)})"
        ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0].split(". ")[0].rstrip(".")
    return text if len(text) <= _REASON_CHARACTERS else f"{text[:_REASON_CHARACTERS]}.."
