"""The signal layer's network as it is trained: with CompressAI's entropy models and a noisy latent.

The codec itself runs on integer tables, which :meth:`TrainedSignalNet.freeze_tables` makes of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scmc_comm.codec.signal import EntropyTables, scale_ladder
from scmc_comm.codec.signal_net import SignalNet, checkerboard
from scmc_comm.codec.signal_transforms import SignalConfig, zeroed


class TrainedSignalNet(SignalNet):
    """The network and the densities of its latents; sizes as of :class:`SignalNet`."""

    def __init__(self, config: SignalConfig) -> None:
        from compressai.entropy_models import EntropyBottleneck, GaussianConditional

        super().__init__(config)
        self.bottleneck = EntropyBottleneck(config.hyper_filters[0])
        self.gaussian = GaussianConditional(None)

    def freeze_tables(self) -> EntropyTables:
        """Make the entropy coder's integer tables, which ship with the weights."""
        self.gaussian.update_scale_table(scale_ladder().exp2().tolist(), force=True)
        self.bottleneck.update(force=True, update_quantiles=True)
        return EntropyTables.of(self.state_dict())

    @torch.no_grad()
    def start_from_components(self, components: Tensor) -> None:
        """Set the linear transforms to orthonormal components [M, 768] of unshuffled blocks."""
        for layer, matrix in (
            (self.analysis.linear, components),
            (self.synthesis.linear, components.T),
        ):
            zeroed(layer)
            layer.weight[:, :, 1, 1] = matrix

    def forward(
        self,
        img: Tensor,
        quality: Tensor,
        lower: Tensor | None = None,
        keep: Tensor | None = None,
        num_channels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Training pass.

        Args:
            img: [b, 3, H, W] in [0, 1].
            quality: Level of each sample, [b], from LOWEST_LEVEL to Q - 1.
            lower: Lower picture, like ``img``, or None.
            keep: [b] of 0 and 1, see :class:`Synthesis`.
            num_channels: How many latent channels arrive, [b]; the rest take their mean.

        Returns:
            The picture, and bits of each sample [b] (latents that arrive, and hyper-latent).
        """
        y_hat, bits = self.encode_decode(img, quality, num_channels)
        return self.synthesis(y_hat, lower, keep), bits

    def encode_decode(
        self, img: Tensor, quality: Tensor, num_channels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The latent that the decoder gets [b, M, h, w], and bits; arguments as in a call."""
        gain, inverse = self.gains(quality)
        y = self.analysis(img).float() * gain
        z = self.hyper_analysis(y)
        with torch.autocast("cpu", enabled=False):
            z_hat, z_likelihood = self.bottleneck(z.float())
        arrived = None
        if num_channels is not None:
            index = torch.arange(y.shape[1], device=y.device)
            arrived = (index[None] < num_channels[:, None])[:, :, None, None]
        y_hat, y_bits = self._code(y, self.hyper_synthesis(z_hat), quality, arrived)
        bits = y_bits - torch.log2(z_likelihood).sum((1, 2, 3))
        return y_hat * inverse, bits

    def _code(
        self, y: Tensor, hyper: Tensor, quality: Tensor, arrived: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The latent as decoded, and the bits of each sample [b]."""
        first = checkerboard(y)
        level = quality[:, None, None, None].expand(-1, 1, *y.shape[2:]).to(hyper.dtype)
        done: list[Tensor] = []
        bits = torch.zeros(len(y), device=y.device)
        for part, net in zip(y.split(self.config.slices, 1), self.contexts, strict=True):
            known = torch.zeros_like(part)
            for number, mask in enumerate((first, 1 - first)):
                seen = (number * first).expand_as(level)
                context = torch.cat([hyper, level, seen, *done, known], 1)
                means, log_scales = net(context).float().chunk(2, 1)
                scales = torch.exp2(log_scales.clamp(max=8.0))
                with torch.autocast("cpu", enabled=False):
                    _, likelihood = self.gaussian(part, scales, means)
                rounded = part + (torch.round(part - means) + means - part).detach()
                cost = -torch.log2(likelihood) * mask
                if arrived is not None:
                    here = arrived[:, sum(d.shape[1] for d in done) :][:, : part.shape[1]]
                    rounded = torch.where(here, rounded, means)
                    cost = cost * here
                known = known + rounded * mask
                bits = bits + cost.sum((1, 2, 3))
            done.append(known)
        return torch.cat(done, 1), bits
