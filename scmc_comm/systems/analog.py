"""What the systems have in common that send symbols rather than frames of bits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from channels.types import ReceivedSymbols
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.base import System, grey
from scmc_comm.types import LayerKind, Reconstruction


@dataclass(frozen=True)
class Analog(System):
    """A system that sends symbols as they are, at mean power 1 over an image."""

    analog: ClassVar[bool] = True

    @abstractmethod
    def shown(self, prepared: Prepared, received: ReceivedSymbols) -> Tensor | None:
        """The picture of received symbols.

        Args:
            prepared: What was sent. Only its size and its design may be looked at.
            received: What the equaliser left.

        Returns:
            float32 [3, H, W] in [0, 1], or None if nothing can be shown.
        """

    @torch.no_grad()
    def reconstruct(
        self, prepared: Prepared, delivered: frozenset[str] | ReceivedSymbols
    ) -> Reconstruction:
        """See `System.reconstruct`; mid-grey also where nothing was sent."""
        if not isinstance(delivered, ReceivedSymbols):
            return grey(prepared.size)
        img_hat = self.shown(prepared, delivered)
        if img_hat is None:
            return grey(prepared.size)
        return Reconstruction(img_hat, LayerKind.SIGNAL, frozenset(prepared.tags))


def unbiased(received: ReceivedSymbols) -> tuple[Tensor, float]:
    """Symbols ``x + n`` and the variance of ``n``, from what the linear MMSE equaliser left.

    It gives ``esno / (1 + esno) (x + n)``, where ``esno`` is the Es/N0 of symbols of power 1.

    Returns:
        complex64 [n] and the noise variance per complex symbol, linear.

    Source: D. Tse, P. Viswanath, Fundamentals of Wireless Communication, section 8.3.3.

    Example:
        >>> x, no = unbiased(ReceivedSymbols(torch.tensor([0.8 + 0j]), 4.0))
        >>> round(float(x.real), 3), no
        (1.0, 0.25)
    """
    esno = max(received.esno, 1e-9)
    return received.symbols * (1 + 1 / esno), 1 / esno
