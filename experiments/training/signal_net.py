"""The signal layer's network as it is trained: with CompressAI's entropy models and a noisy latent.

The codec itself runs on integer tables, which :meth:`TrainedSignalNet.freeze_tables` makes of them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scmc_comm.codec.base_prior import Told, upsampled
from scmc_comm.codec.entropy_tables import EntropyTables, scale_ladder
from scmc_comm.codec.exact import to_fixed
from scmc_comm.codec.signal import GAIN_BITS
from scmc_comm.codec.signal_net import QUALITY_STEPS, SignalNet, checkerboard
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
        if self.base is not None:
            gains = [self.gains(self.level(q))[0].flatten() for q in range(QUALITY_STEPS + 1)]
            table = torch.stack(gains)[:, : self.config.base_latents]
            self.integer_gain = to_fixed(table.detach(), GAIN_BITS).int()
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
        base: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Training pass.

        Args:
            img: [b, 3, H, W] in [0, 1].
            quality: Level of each sample, [b], from LOWEST_LEVEL to Q - 1.
            lower: Lower picture, like ``img``, or None; the colour map, where that is given.
            keep: [b] of 0 and 1, see :class:`Synthesis`; of the colour map as well.
            num_channels: How many latent channels arrive, [b]; the rest take their mean.
            base: Colour map about zero [b, 3, H / 2, W / 2], or None.

        Returns:
            The picture, and bits of each sample [b] (latents that arrive, and hyper-latent).
        """
        if base is not None:
            base = base if keep is None else base * keep[:, None, None, None]
            lower = upsampled(base) + 0.5
        y_hat, bits = self.encode_decode(img, quality, num_channels, base, keep)
        return self.synthesis(y_hat, lower, keep), bits

    def encode_decode(
        self,
        img: Tensor,
        quality: Tensor,
        num_channels: Tensor | None = None,
        base: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The latent that the decoder gets [b, M, h, w], and bits; arguments as in a call."""
        gain, inverse = self.gains(quality)
        y = self.analysis(img, None if base is None else upsampled(base)).float() * gain
        z = self.hyper_analysis(y)
        with torch.autocast(z.device.type, enabled=False):
            z_hat, z_likelihood = self.bottleneck(z.float())
        arrived = None
        if num_channels is not None:
            index = torch.arange(y.shape[1], device=y.device)
            arrived = (index[None] < num_channels[:, None])[:, :, None, None]
        told = self._told(base, keep, gain)
        y_hat, y_bits = self._code(y, self.hyper_synthesis(z_hat), quality, arrived, told)
        bits = y_bits - torch.log2(z_likelihood).sum((1, 2, 3))
        return y_hat * inverse, bits

    def _told(self, base: Tensor | None, keep: Tensor | None, gain: Tensor) -> Told | None:
        """What the colour map says; zeros for the samples that have none, None without any."""
        if base is None or self.base is None:
            return None
        means, scales, features = self.base(base)
        means = means.float() * gain[:, : self.config.base_latents].repeat(1, 2, 1, 1)
        parts = (means, scales.float(), features)
        if keep is not None:
            parts = tuple(x * keep[:, None, None, None].to(x.dtype) for x in parts)
        return Told(*parts)

    def _code(
        self,
        y: Tensor,
        hyper: Tensor,
        quality: Tensor,
        arrived: Tensor | None,
        told: Told | None = None,
        seen_means: list[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The latent as decoded, and the bits of each sample [b].

        ``seen_means`` collects the means of each slice in the first field, then in the second.
        """
        first = checkerboard(y)
        level = quality[:, None, None, None].expand(-1, 1, *y.shape[2:]).to(hyper.dtype)
        nothing = hyper.new_zeros(len(y), self.config.base_channels, *y.shape[2:])
        done: list[Tensor] = []
        bits = torch.zeros(len(y), device=y.device)
        for part, net in zip(y.split(self.config.slices, 1), self.contexts, strict=True):
            known = torch.zeros_like(part)
            for number, mask in enumerate((first, 1 - first)):
                seen = (number * first).expand_as(level)
                said = nothing if told is None else told.field(number).to(hyper.dtype)
                context = torch.cat([hyper, said, level, seen, *done, known], 1)
                means, log_scales = net(context).float().chunk(2, 1)
                start = sum(d.shape[1] for d in done)
                moves = None if told is None else told.moves(number, start, part.shape[1])
                if moves is not None:
                    rest = part.shape[1] - moves[0].shape[1]
                    means, log_scales = (
                        x + F.pad(move, (0, 0, 0, 0, 0, rest))
                        for x, move in zip((means, log_scales), moves, strict=True)
                    )
                if seen_means is not None:
                    seen_means.append(means)
                scales = torch.exp2(log_scales.clamp(max=8.0))
                with torch.autocast(part.device.type, enabled=False):
                    _, likelihood = self.gaussian(part, scales, means)
                rounded = part + (torch.round(part - means) + means - part).detach()
                cost = -torch.log2(likelihood) * mask
                if arrived is not None:
                    here = arrived[:, start:][:, : part.shape[1]]
                    rounded = torch.where(here, rounded, means)
                    cost = cost * here
                known = known + rounded * mask
                bits = bits + cost.sum((1, 2, 3))
            done.append(known)
        return torch.cat(done, 1), bits
