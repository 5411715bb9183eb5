"""The analog baseline: deep joint source-channel coding (:mod:`.deepjscc_net`) as a system."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from channels.phy.analog import limit_peak
from scmc_comm.baselines.deepjscc_net import PILOT_SPACING, DeepJsccConfig, DeepJsccNet
from scmc_comm.codec.signal_transforms import LATENT_STRIDE
from scmc_comm.codec.weights import load_weights
from scmc_comm.systems.analog import analog
from scmc_comm.systems.base import Budget, Prepared, System, check_image, infeasible

_GOLDEN = (math.sqrt(5) - 1) / 2


class DeepJsccSystem(System):
    """An image's latent sent as it is, one network for every SNR and bandwidth.

    The sender is told the mean Es/N0 of the link, the receiver that and, as it knows h and the
    noise, what Es/N0 this transmission had. A fixed design is the same network with both ends told
    the design Es/N0 whatever the link's is: a fixed input, not a network trained at one SNR.

    Args:
        net: The network; the shipped one by default.
        fixed: Tell both ends the design Es/N0.
        peak_db: Largest ratio of peak to mean power of the symbols in dB: they are spread over
            the transmission (`spread`), clipped, and normalised again. None does not.
        name: Name in results.

    Example:
        >>> from channels.fading.models import make_channel
        >>> from channels.phy.bit_true import BitTruePhy
        >>> system = DeepJsccSystem(DeepJsccNet(DeepJsccConfig(16, (4, 4, 8), 8)))
        >>> img, budget = torch.rand(3, 32, 32), Budget(1 / 192, 10.0)
        >>> sent = system.transmit(img, make_channel("awgn"), 10.0, budget, [1, 2], BitTruePhy())
        >>> sent.prepared.ledger.used, sent.reconstruction(1).img_hat.shape
        (16, torch.Size([3, 32, 32]))
    """

    def __init__(
        self,
        net: DeepJsccNet | None = None,
        fixed: bool = False,
        peak_db: float | None = None,
        name: str = "deepjscc",
    ) -> None:
        self.net = (net or load_net()).eval()
        self.fixed, self.peak_db, self.name = fixed, peak_db, name
        self.knows = frozenset() if fixed else frozenset({"esno_db"})

    @torch.no_grad()
    def prepare(self, img: Tensor, budget: Budget) -> Prepared:
        """The first symbols that the budget holds, most important first.

        A budget of no channel use is infeasible. Uses that the network has no symbols for (above
        rho 0.17 with the shipped one) stay unused.
        """
        size = check_image(img)
        padded = pad(img)
        whole = (int(padded.shape[1]), int(padded.shape[2]))
        blocks = whole[0] * whole[1] // LATENT_STRIDE**2
        uses = min(budget.uses(size), sum(self.net.num_symbols(blocks)))
        if uses < 1:
            return infeasible(size, budget, f"{self.name}: the budget holds no channel use")
        told, count = torch.tensor([budget.design_esno_db]), torch.tensor([uses])
        sent = self.net.sent(count, blocks)[0].nonzero()[:, 0][interleaver(uses)]
        symbols = self.net.encode(padded[None], told, count)[0, sent]
        if self.peak_db is not None:
            symbols = limit_peak(spread(symbols), self.peak_db)

        @torch.no_grad()
        def receive(x_hat: Tensor, esno: Tensor) -> Tensor:
            b = len(x_hat)
            full = torch.zeros(b, sum(self.net.num_symbols(blocks)), dtype=torch.complex64)
            full[:, sent] = x_hat if self.peak_db is None else gather(x_hat)
            known = told.expand(b)
            found = known if self.fixed else 10 * esno.clamp(min=1e-3).log10()
            shown = self.net.decode(full, whole, known, found, count.expand(b))
            return shown[:, :, : size[0], : size[1]].clamp(0, 1)

        return analog(symbols, receive, size, budget.uses(size), uses // PILOT_SPACING)


def pad(img: Tensor) -> Tensor:
    """The image [3, H, W] with its last rows and columns repeated up to multiples of 16."""
    height, width = img.shape[1], img.shape[2]
    padding = (0, -width % LATENT_STRIDE, 0, -height % LATENT_STRIDE)
    return F.pad(img[None], padding, mode="replicate")[0]


def interleaver(num_symbols: int) -> Tensor:
    """Order of sending that puts neighbours far apart, so that a fade takes a little of everything.

    Example:
        >>> interleaver(5).tolist()
        [0, 2, 4, 1, 3]
    """
    return torch.argsort((torch.arange(num_symbols).double() * _GOLDEN) % 1.0, stable=True)


def spread(symbols: Tensor) -> Tensor:
    """A unitary transform after which each symbol [..., n] carries a little of every one before it.

    A few symbols of a picture carry most of its power: to clip them would cost it its colours.
    After a chirp, against regular patterns, and a discrete Fourier transform none stands out.

    Source: U. Sorger, I. De Broeck, M. Schnell, "Interleaved FDMA - a new spread-spectrum
    multiple-access scheme", IEEE ICC 1998 (spreading by a DFT to lower peaks).

    Example:
        >>> x = torch.zeros(64, dtype=torch.complex64)
        >>> x[3] = 8
        >>> y = spread(x)
        >>> round(float(y.abs().max()), 4), round(float((gather(y) - x).abs().max()), 4)
        (1.0, 0.0)
    """
    return torch.fft.fft(symbols * _chirp(symbols.shape[-1]), norm="ortho")


def gather(symbols: Tensor) -> Tensor:
    """The inverse of `spread`."""
    return torch.fft.ifft(symbols, norm="ortho") * _chirp(symbols.shape[-1]).conj()


def _chirp(num_symbols: int) -> Tensor:
    """Unit symbols with phases that grow quadratically, an irrational part of a turn."""
    turns = (torch.arange(num_symbols).double().square() * (_GOLDEN / 2)) % 1.0
    return torch.polar(torch.ones(num_symbols), (2 * math.pi * turns).float())


def load_net(path: Path | None = None) -> DeepJsccNet:
    """The trained network; errors as `scmc_comm.codec.weights.load_weights`'s."""
    config, state = load_weights("deepjscc", path)
    net = DeepJsccNet(DeepJsccConfig(**config))
    net.load_state_dict(state)
    return net.requires_grad_(False)
