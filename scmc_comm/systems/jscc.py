"""A network for joint source-channel coding as a system, from its two functions.

Power, budget, pilots, channel and metrics are the package's, and the same for every network.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from channels.types import ReceivedSymbols
from scmc_comm.baselines.function_codec import as_image
from scmc_comm.errors import ScmcError, from_plugin
from scmc_comm.link.budget import MEAN_SNR, Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.analog import Analog, unbiased
from scmc_comm.systems.base import PYTHON_ONLY, check_image


@dataclass(frozen=True)
class Jscc:
    """The two functions of a network.

    Attributes:
        encode: ``(img, num_symbols) -> symbols``: of an image float32 [3, H, W] in [0, 1] at most
            so many complex symbols [n], of any power. With a third parameter ``esno_db`` it is
            given the mean Es/N0 in dB that is designed for.
        decode: ``(symbols, no, size) -> img``: of symbols complex64 [n] in noise of variance ``no``
            per complex symbol (half of it in each real dimension), sent with mean power 1, an
            image [3, H, W] of ``size``; what lies outside [0, 1] is clipped.
        load: Called once a process before anything is coded; for what takes time.
        files: Files and folders that both are made from, such as weights; stored results are
            found by their content.

    Example:
        >>> Jscc(lambda img, n: torch.ones(n) + 0j, lambda x, no, size: torch.zeros(3, *size)).files
        ()
    """

    encode: Callable[..., Any]
    decode: Callable[..., Any]
    load: Callable[[], object] | None = None
    files: tuple[str | Path, ...] = ()

    @property
    def takes_esno(self) -> bool:
        """Does the encoder take the mean Es/N0?"""
        return "esno_db" in inspect.signature(self.encode).parameters


@dataclass(frozen=True)
class JsccSystem(Analog):
    """An analog network.

    The decoder is given what a channel without fading of the same mean error would have left:
    symbols ``x + n`` with the noise variance ``no`` that this transmission had, the linear MMSE
    equaliser's bias taken out.

    Attributes:
        fixed: An encoder that takes the mean Es/N0 is given the design's, whatever the link's is.
        functions: The network.

    Example:
        >>> from channels.fading.models import make_channel
        >>> from channels.phy.names import make_phy
        >>> from scmc_comm.transmission import transmit
        >>> def encode(img, num_symbols):
        ...     return torch.view_as_complex(img.flatten()[: 2 * num_symbols].view(-1, 2))
        >>> def decode(symbols, no, size):
        ...     return torch.full((3, *size), float(symbols.abs().mean()))
        >>> system, budget = JsccSystem(functions=Jscc(encode, decode)), Budget(1 / 96, 10.0)
        >>> img, awgn = torch.rand(3, 32, 32), make_channel("awgn")
        >>> sent = transmit(system, img, budget, awgn, 10.0, [1], make_phy())
        >>> sent.prepared.ledger.used, sent.reconstruction(0).img_hat.shape
        (32, torch.Size([3, 32, 32]))
    """

    fixed: bool = False
    functions: Jscc = field(kw_only=True, metadata=PYTHON_ONLY)

    @property
    def side_information(self) -> frozenset[str]:
        """The mean Es/N0 if the encoder takes it, unless the design is fixed."""
        known = self.functions.takes_esno and not self.fixed
        return frozenset({MEAN_SNR}) if known else frozenset()

    def load(self) -> None:
        """See `System.load`."""
        if self.functions.load is not None:
            self.functions.load()

    @torch.no_grad()
    def prepare(self, img: Tensor, budget: Budget) -> Prepared:
        """See `System.prepare`; what the encoder leaves of the budget stays unused."""
        size = check_image(img)
        uses = budget.uses(size)
        if uses < 1:
            return Prepared.nothing(size, budget, "the budget holds no channel use")
        known = {"esno_db": budget.design_esno_db} if self.functions.takes_esno else {}
        with from_plugin("encode"):
            found = self.functions.encode(img.clone(), uses, **known)
        symbols = _checked_symbols(found, uses)
        return Prepared.of_symbols(symbols, 0, budget, size)

    def shown(self, prepared: Prepared, received: ReceivedSymbols) -> Tensor:
        """See `Analog.shown`."""
        symbols, no = unbiased(received)
        with from_plugin("decode"):
            found = self.functions.decode(symbols, no, prepared.size)
        # Noise may lead far outside; where there is little, it is another scale, as 0 to 255.
        slack = 10.0 if no < 1.0 else sys.float_info.max
        return as_image(found, prepared.size, "decode", slack)


def _checked_symbols(found: Any, uses: int) -> Tensor:
    """What an encoder gave, at mean power 1."""
    symbols = torch.as_tensor(found).detach().cpu()
    if symbols.ndim != 1 or not symbols.is_complex() or not 1 <= len(symbols) <= uses:
        raise ScmcError(
            f"encode gave {symbols.dtype} {list(symbols.shape)}; expected 1 to {uses} complex "
            "symbols [n] (torch.view_as_complex makes them of pairs of real numbers)"
        )
    power = float(symbols.abs().square().mean(dtype=torch.float64))
    if not 0 < power < float("inf"):
        raise ScmcError(f"encode gave symbols of mean power {power}; expected more than 0, finite")
    return (symbols / power**0.5).to(torch.complex64)
