"""What every scheme is: options that declare themselves, and two methods."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from channels.errors import ChannelError
from channels.specs import check_values
from channels.types import ReceivedSymbols
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.models import files_state
from scmc_comm.types import MIN_SIDE, Reconstruction

PYTHON_ONLY = {"python_only": True}
"""Metadata of a field that has no form as text: an object in place of what the options name."""


@dataclass(frozen=True)
class System(ABC):
    """A complete scheme, from image to frames and from delivered frames to image.

    A system is a frozen dataclass of its options; networks and tables load when they are first
    needed, so that a system by name costs nothing.

    Attributes:
        analog: Does it send symbols rather than frames of bits?
        file_options: Options that may name a local file or folder.
        transmitter_options: Options that only `prepare` looks at: what `reconstruct` shows of the
            same frames does not depend on them.
    """

    analog: ClassVar[bool] = False
    file_options: ClassVar[tuple[str, ...]] = ()
    transmitter_options: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """A system that checks more calls this first."""
        try:
            check_values(self)
        except ChannelError as error:
            raise ScmcError(f"{type(self).__name__}: {error}") from error

    @property
    def side_information(self) -> frozenset[str]:
        """Transmitter side information, out of `scmc_comm.link.budget.SIDE_INFORMATION`.

        Of what it does not know of the point it sends at, it assumes the design.
        """
        return frozenset()

    def load(self) -> None:  # noqa: B027
        """Load the networks, so that processes forked from this one share them."""

    @abstractmethod
    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        """Code and protect one image.

        Args:
            img: float32 [3, H, W] in [0, 1].
            budget: Channel uses and design point.

        Returns:
            What is sent; a budget too small for anything is no error but `Prepared.nothing`.

        Raises:
            ScmcError: The image is none, or what the system needs is missing.
        """

    @abstractmethod
    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """What the receiver shows: a pure function of what arrived.

        Args:
            prepared: What was sent. Only what arrived of it may be looked at.
            delivered: Tags that arrived; of an analog system the received symbols.

        Returns:
            A picture float32 [3, H, W] in [0, 1]; `grey` if nothing usable arrived.
        """

    def identity(self) -> str:
        """The options, and a hash of the local files that they name: for cache keys.

        Raises:
            ScmcError: An option is an object that does not tell its content.
        """
        return self._identity_without(())

    def receiver_identity(self) -> str:
        """As `identity`, of what `reconstruct` depends on: the same frames then show the same."""
        return self._identity_without(self.transmitter_options)

    def _identity_without(self, left_out: tuple[str, ...]) -> str:
        names = [f.name for f in dataclasses.fields(self) if f.name not in left_out]
        values = sorted((name, content(getattr(self, name))) for name in names)
        state = files_state(getattr(self, name) for name in self.file_options if name in names)
        return f"{type(self).__module__}.{type(self).__qualname__} {values} {state}"


def content(value: object) -> str:
    """A value as a text that is equal where the content is, whatever process it is in.

    Args:
        value: A plain value, an array, a tensor, a network, or a dataclass of such; else an
            object whose ``repr`` tells its content.

    Raises:
        ScmcError: An object whose ``repr`` tells where it lies in memory instead.

    Example:
        >>> content(3), content(torch.zeros(2)) == content(torch.zeros(2))
        ('3', True)
    """
    if isinstance(value, torch.nn.Module):
        return f"{value} {content(sorted(value.state_dict().items()))}"
    if isinstance(value, torch.Tensor):
        return content(value.detach().cpu().numpy())
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"{value.dtype} {value.shape} {digest}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(content, value))}]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(f.name, content(getattr(value, f.name))) for f in dataclasses.fields(value)]
        return f"{type(value).__qualname__} {parts}"
    text = repr(value)
    if re.search(r" at 0x[0-9a-f]+>", text):
        raise ScmcError(
            f"{text} has no identity that a stored result could be found by; name it by text, or "
            "give its class a __repr__ that tells its content"
        )
    return text


def check_image(img: torch.Tensor) -> tuple[int, int]:
    """``(H, W)`` of an image, or ScmcError if it is not float [3, H, W] in [0, 1]."""
    if img.ndim != 3 or img.shape[0] != 3 or not img.is_floating_point():
        raise ScmcError(
            f"image is {img.dtype} {list(img.shape)}; expected float32 [3, H, W] in [0, 1]"
        )
    height, width = int(img.shape[1]), int(img.shape[2])
    if min(height, width) < MIN_SIDE:
        raise ScmcError(f"image is {height}x{width}; each side must have {MIN_SIDE} pixels or more")
    low, high = float(img.min()), float(img.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also catches NaN
        raise ScmcError(f"image values reach from {low:g} to {high:g}; expected [0, 1]")
    return height, width


def grey(size: tuple[int, int], delivered: frozenset[str] = frozenset()) -> Reconstruction:
    """The declared failure picture: mid-grey, with no level."""
    return Reconstruction(torch.full((3, *size), 0.5), None, delivered)
