"""The analog baseline: deep joint source-channel coding as a system.

The network is in :mod:`scmc_comm.baselines.deepjscc_net`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from channels.phy.waveform import limit_peak
from channels.ranges import Range
from channels.types import ReceivedSymbols
from scmc_comm.baselines.deepjscc_net import PILOT_SPACING, DeepJsccConfig, DeepJsccNet
from scmc_comm.codec.signal_transforms import LATENT_STRIDE
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.weights import load_weights
from scmc_comm.device import on_device
from scmc_comm.link.budget import MEAN_SNR, Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.models import weights_state
from scmc_comm.systems.analog import Analog
from scmc_comm.systems.base import PYTHON_ONLY, check_image

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class DeepJscc(Analog):
    """An image's latent sent as it is, one network for every SNR and bandwidth.

    The sender knows the mean Es/N0 of the link, the receiver that and, as it knows h and the
    noise, what Es/N0 this transmission had.

    Attributes:
        fixed: Both ends assume the design Es/N0 whatever the link's is: a fixed input, not a
            network trained at one SNR.
        peak_db: Largest ratio of peak to mean power of the waveform, a single carrier's or the
            OFDM link's: the symbols are spread over the transmission (`spread`) and their
            waveform is clipped (`channels.phy.waveform`); not limited if not given.
        net: A network in place of the one that ships.

    Source: E. Bourtsoulatze, D. Burth Kurka, D. Gunduz, "Deep joint source-channel coding for
    wireless image transmission", IEEE TCCN 5(3), 2019.

    Example:
        >>> from channels.fading.models import make_channel
        >>> from channels.phy.names import make_phy
        >>> from scmc_comm.transmission import transmit
        >>> system = DeepJscc(net=DeepJsccNet(DeepJsccConfig(16, (4, 4, 8), 8)))
        >>> img, budget = torch.rand(3, 32, 32), Budget(1 / 192, 10.0)
        >>> sent = transmit(system, img, budget, make_channel("awgn"), 10.0, [1, 2], make_phy())
        >>> sent.prepared.ledger.used, sent.reconstruction(1).img_hat.shape
        (16, torch.Size([3, 32, 32]))
    """

    fixed: bool = False
    peak_db: Annotated[float, Range(0, 100, open_low=True)] | None = None
    net: DeepJsccNet | None = field(default=None, metadata=PYTHON_ONLY)

    @property
    def side_information(self) -> frozenset[str]:
        """The mean Es/N0, unless the design is fixed."""
        return frozenset() if self.fixed else frozenset({MEAN_SNR})

    @torch.no_grad()
    def prepare(self, img: Tensor, budget: Budget) -> Prepared:
        """The first symbols that the budget holds, most important first.

        A budget of no channel use is infeasible. Uses that the network has no symbols for (above
        rho 0.17 with the shipped one) stay unused.
        """
        net, size = self.network(), check_image(img)
        padded = pad_to(img[None], LATENT_STRIDE)
        blocks = padded[0, 0].numel() // LATENT_STRIDE**2
        uses = min(budget.uses(size), sum(net.num_symbols(blocks)))
        if uses < 1:
            return Prepared.nothing(size, budget, "deepjscc: the budget holds no channel use")
        esno_db, count = torch.tensor([budget.design_esno_db]), torch.tensor([uses])
        symbols = on_device(net.encode, padded, esno_db, count)[0, _order(net, uses, blocks)]
        if self.peak_db is not None:
            symbols = limit_peak(spread(symbols), self.peak_db, budget.phy)
        return Prepared.of_symbols(symbols, uses // PILOT_SPACING, budget, size)

    def shown(self, prepared: Prepared, received: ReceivedSymbols) -> Tensor:
        """See `Analog.shown`."""
        assert prepared.design_esno_db is not None
        net, (height, width) = self.network(), prepared.size
        rows, cols = -(-height // LATENT_STRIDE), -(-width // LATENT_STRIDE)
        x_hat = received.symbols if self.peak_db is None else gather(received.symbols)
        full = torch.zeros(1, sum(net.num_symbols(rows * cols)), dtype=torch.complex64)
        full[0, _order(net, len(x_hat), rows * cols)] = x_hat
        assumed = torch.tensor([prepared.design_esno_db])
        found = 10 * torch.tensor([received.esno]).clamp(min=1e-3).log10()
        whole = (rows * LATENT_STRIDE, cols * LATENT_STRIDE)
        count = torch.tensor([len(x_hat)])
        known = assumed, assumed if self.fixed else found, count
        shown = on_device(net.decode, full, whole, *known)
        return shown[0, :, :height, :width].clamp(0, 1)

    def load(self) -> None:
        """See `System.load`."""
        self.network()

    def network(self) -> DeepJsccNet:
        """The network, loaded once a process for each state of its file."""
        return self.net.eval() if self.net is not None else _shipped_net(weights_state())


def _order(net: DeepJsccNet, uses: int, blocks: int) -> Tensor:
    """Which of the network's symbols are sent, in the order of sending."""
    return net.sent(torch.tensor([uses]), blocks)[0].nonzero()[:, 0][interleaver(uses)]


@functools.lru_cache(maxsize=1)
def _shipped_net(_: str) -> DeepJsccNet:
    return load_net().eval()


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
