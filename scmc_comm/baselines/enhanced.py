"""VVC whose receiver shows its pictures through an enhancement network.

The control for what the layered codec's painting networks add: the bits are those of VVC, and the
receiver has a network of the same size, trained on the same pictures with the same losses.
"""

from __future__ import annotations

import torch

from scmc_comm.baselines.enhance_net import CELL, EnhanceNet
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.reduced import ReducedCodec, at_divisor
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.tiles import in_tiles
from scmc_comm.device import on_device

HALO = 9
"""Cells that the network sees in each direction, 130 pixels, rounded up."""


class EnhancedVvc(ReducedCodec):
    """Slim VVC, and an enhancement network behind its decoder.

    The network is told QP and resolution, which the receiver knows.

    Args:
        codec: Slim VVC.
        net: The network; the shipped one if not given.
        divisor: How many times smaller the coded pictures are.

    Raises:
        ScmcError: There are no weights.

    Example:
        >>> from scmc_comm.baselines.vvc import VvcCodec
        >>> from scmc_comm.baselines.enhance_net import EnhanceConfig
        >>> codec = EnhancedVvc(VvcCodec(), EnhanceNet(EnhanceConfig(widths=(4, 4, 4, 4))))
        >>> img = torch.full((3, 40, 56), 0.25)
        >>> data = codec.encode(img, 20)
        >>> data == VvcCodec().encode(img, 20), codec.decode(data, (40, 56)).shape
        (True, torch.Size([3, 40, 56]))
    """

    def __init__(self, codec: ImageCodec, net: EnhanceNet | None = None, divisor: int = 1) -> None:
        super().__init__(codec, divisor)
        self.net = (net or EnhanceNet.load()).eval()
        at = f" at 1/{divisor}" if divisor > 1 else ""
        self.name = f"{codec.name}:enhance=perceptual{at}"

    def decode(self, data: bytes, size: tuple[int, int]) -> torch.Tensor:
        """See `ImageCodec.decode`."""
        from scmc_comm.codec.vvc import qp_of

        return self._enhanced(super().decode(data, size), qp_of(data))

    def num_parameters(self, quality: float) -> int:
        """Those of the network, which only the receiver holds."""
        return sum(p.numel() for p in self.net.parameters())

    def at(self, divisor: int) -> EnhancedVvc:
        """See `ReducedCodec.at`; the network sees the enlarged picture."""
        return EnhancedVvc(self.codec, self.net, divisor)

    @property
    def source(self) -> ImageCodec:
        """VVC: both share what is encoded."""
        return at_divisor(self.codec, self.divisor)

    @torch.no_grad()
    def _enhanced(self, img: torch.Tensor, qp: int) -> torch.Tensor:
        """A decoded picture float32 [3, H, W] in [0, 1] as the network shows it."""
        padded = pad_to(img[None], CELL)
        known = torch.tensor([float(qp)]), torch.tensor([float(self.divisor)])
        cells = padded.shape[2] // CELL, padded.shape[3] // CELL
        shown = in_tiles(lambda tile: on_device(self.net, tile, *known), [padded], cells, HALO)
        return shown[0, :, : img.shape[1], : img.shape[2]].clamp(0, 1).contiguous()
