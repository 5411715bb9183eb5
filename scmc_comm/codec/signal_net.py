"""The signal layer's network: a transform with a linear core, and a context model in slices.

A mean-scale hyperprior (Minnen et al., NeurIPS 2018) with what makes it trainable in hours on a
small machine and decodable in parts:

* Analysis and synthesis are each a lapped linear transform of 16 x 16 blocks plus a small
  residual network. The linear part starts as the principal components of image blocks, so the
  network starts as a good transform codec, and its latent channels are ordered by importance.
* One model for every rate: the latent is multiplied by a gain of each channel that depends on
  the quality, and divided again (Cui et al., "Asymmetric gained deep image compression", CVPR
  2021).
* Latent channels are coded in slices, each given the ones before it, and each slice in two
  passes of a checkerboard (He et al., "ELIC", CVPR 2022). A slice never needs a later one, so
  every prefix of the slices decodes.
* The synthesis also sees the picture that the lower layers make, at three scales. The entropy
  model never does, so the bits decode whatever was lost below. Its networks are plain
  convolutions and ReLUs that can run in exact integers (:mod:`scmc_comm.codec.exact`), so the
  tables that the entropy decoder picks are the same on every machine.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scmc_comm.codec.signal_transforms import Analysis, SignalConfig, Synthesis, conv3, zeroed

LOWEST_LEVEL = -2.0  # gains below the first level go on along its slope
SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 256.0, 64
HYPER_STRIDE = 64
_FIRST_GAIN = 50.0  # over sqrt(lambda): uniform quantisation of the blocks is about best here


def context_net(inputs: int, filters: int, channels: int) -> nn.Sequential:
    """Predicts mean and log2 of the scale of one slice; plain, so that it has an integer form."""
    return nn.Sequential(
        conv3(inputs, filters), nn.ReLU(),
        conv3(filters, filters), nn.ReLU(),
        nn.Conv2d(filters, 2 * channels, 1),
    )  # fmt: skip


def checkerboard(like: Tensor) -> Tensor:
    """1 on the fields that are coded first, 0 on the others: [1, 1, h, w]."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None]
    cols = torch.arange(like.shape[-1], device=like.device)
    return ((rows + cols) % 2 == 0).to(like.dtype)[None, None]


class SignalNet(nn.Module):
    """Analysis, entropy model, and synthesis conditioned on the lower layers' picture.

    Sizes: images are float32 [b, 3, H, W] in [0, 1] with H and W multiples of 64; the latent is
    [b, M, H / 16, W / 16], the hyper-latent [b, N, H / 64, W / 64].
    """

    def __init__(self, config: SignalConfig) -> None:
        from compressai.entropy_models import EntropyBottleneck, GaussianConditional

        super().__init__()
        self.config = config
        n, h = config.hyper_filters
        self.analysis, self.synthesis = Analysis(config), Synthesis(config)
        self.hyper_analysis = nn.Sequential(
            conv3(config.num_latents, h), nn.ReLU(), conv3(h, h, 2), nn.ReLU(), conv3(h, n, 2)
        )
        self.hyper_synthesis = nn.Sequential(
            nn.ConvTranspose2d(n, h, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(h, h, 4, 2, 1), nn.ReLU(),
        )  # fmt: skip
        starts = [sum(config.slices[:i]) for i in range(len(config.slices))]
        self.contexts = nn.ModuleList(
            context_net(h + start + size + 2, config.context_filters, size)
            for start, size in zip(starts, config.slices, strict=True)
        )
        lam = torch.tensor(config.lambdas)
        start = (_FIRST_GAIN * lam.sqrt()).log()[:, None].repeat(1, config.num_latents)
        self.log_gain = nn.Parameter(start)
        self.log_inverse_gain = nn.Parameter(-start)
        self.bottleneck = EntropyBottleneck(n)
        self.gaussian = GaussianConditional(None)

    @torch.no_grad()
    def start_from_components(self, components: Tensor) -> None:
        """Set the linear transforms to orthonormal components [M, 768] of unshuffled blocks."""
        for layer, matrix in (
            (self.analysis.linear, components),
            (self.synthesis.linear, components.T),
        ):
            zeroed(layer)
            layer.weight[:, :, 1, 1] = matrix

    def gains(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and inverse gain at levels [b] in [LOWEST_LEVEL, Q - 1], each [b, M, 1, 1]."""
        low = quality.floor().long().clamp(0, len(self.config.lambdas) - 2)
        t = (quality - low)[:, None]

        def blend(table: Tensor) -> Tensor:
            return ((1 - t) * table[low] + t * table[low + 1]).exp()[:, :, None, None]

        return blend(self.log_gain), blend(self.log_inverse_gain)

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
