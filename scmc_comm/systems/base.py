"""What every scheme is: options that declare themselves, and two methods."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from channels.plugins import content_or_fresh
from channels.sources import declared_files, files_digest
from channels.types import ReceivedSymbols
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.models import files_state
from scmc_comm.ranges import check_options
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
        files: Files and folders that the class itself is made from.
        transmitter_options: Options that only `prepare` looks at: what `reconstruct` shows of the
            same frames does not depend on them.
    """

    analog: ClassVar[bool] = False
    file_options: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str | Path, ...]] = ()
    transmitter_options: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """A system that checks more calls this first."""
        check_options(self)

    @property
    def side_information(self) -> frozenset[str]:
        """Transmitter side information, out of `scmc_comm.link.budget.SIDE_INFORMATION`.

        Of what it does not know of the point it sends at, it assumes the design.
        """
        return frozenset()

    def weight_files(self) -> Sequence[Path]:
        """Files of weights that no option names: `identity` holds their content."""
        return ()

    def load(self) -> None:  # noqa: B027
        """Load the networks, so that processes forked from this one share them."""

    def forget(self) -> None:  # noqa: B027
        """Drop what was kept of pictures, so that the next call takes its full time.

        Networks and tables, which a sender holds for all pictures, stay.
        """

    def check_size(self, size: tuple[int, int]) -> None:  # noqa: B027
        """Refuses a picture of ``(H, W)`` that cannot be sent at any rate, before any work.

        Raises:
            ScmcError: What codes it has no pictures of this size.
        """

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
        """The options, what they name by name, and a hash of local files: for cache keys.

        Of a class that is not the package's its source belongs to it. What does not tell its
        content is computed afresh in each run (`channels.plugins.content_or_fresh`).
        """
        return self._identity_without(())

    def receiver_identity(self) -> str:
        """As `identity`, of what `reconstruct` depends on: the same frames then show the same."""
        return self._identity_without(self.transmitter_options)

    def parts_identity(self) -> str:
        """Identity of the plug-ins that options name by name; "" without any."""
        return ""

    def _identity_without(self, left_out: tuple[str, ...]) -> str:
        names = [f.name for f in dataclasses.fields(self) if f.name not in left_out]
        what = f"system {type(self).__name__}"
        values = sorted((name, content_or_fresh(what, getattr(self, name))) for name in names)
        state = files_state(getattr(self, name) for name in self.file_options if name in names)
        files = files_digest([*declared_files(self), *self.weight_files()])
        own = content_or_fresh(what, type(self))
        return f"{own} {values} {state}{files}{self.parts_identity()}"


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
