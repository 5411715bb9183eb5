"""The signal layer's network: a variable-rate mean-scale hyperprior with a conditioned synthesis.

Balle et al., "Variational image compression with a scale hyperprior", ICLR 2018, and Minnen et
al., NeurIPS 2018, built from CompressAI's parts. Three things differ:

* One model for every rate: the latent is multiplied by a gain of each channel that depends on
  the quality, and divided again (Cui et al., "Asymmetric gained deep image compression", CVPR
  2021).
* The synthesis also sees the picture that the lower layers make, at three scales. The entropy
  model never does, so the bits decode whatever was lost below.
* The hyper-synthesis can run in exact integer arithmetic (:mod:`scmc_comm.codec.exact`), so the
  tables that the entropy decoder picks are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.errors import ScmcError

LOWEST_LEVEL = -2.0  # gains below the first level go on along its slope
SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 64.0, 64


@dataclass(frozen=True)
class SignalConfig:
    """Shape of the network.

    Attributes:
        num_filters: Channels of the transforms (CompressAI's N).
        num_latents: Channels of the latent (CompressAI's M).
        chunks: Latent channels in each of the payload's chunks, most important first.
        lambdas: Rate-distortion weight of each quality, lowest rate first, for
            ``lambda * 255^2 * MSE + bpp``.
        cond_filters: Channels of the lower picture's features at 1/2, 1/4 and 1/8.
    """

    num_filters: int = 96
    num_latents: int = 160
    chunks: tuple[int, ...] = (16, 32, 48, 64)
    lambdas: tuple[float, ...] = (0.0006, 0.0013, 0.0028, 0.006, 0.013, 0.028, 0.06, 0.13)
    cond_filters: tuple[int, int, int] = (24, 40, 64)

    def __post_init__(self) -> None:
        if sum(self.chunks) != self.num_latents:
            raise ScmcError(f"chunks {self.chunks} do not add up to {self.num_latents} channels")


class SignalNet(nn.Module):
    """Analysis, hyperprior, and synthesis conditioned on the lower layers' picture.

    Sizes: images are float32 [b, 3, H, W] in [0, 1] with H and W multiples of 64; the latent is
    [b, M, H / 16, W / 16], the hyper-latent [b, N, H / 64, W / 64].
    """

    def __init__(self, config: SignalConfig) -> None:
        from compressai.entropy_models import EntropyBottleneck, GaussianConditional
        from compressai.layers import GDN
        from compressai.models.utils import conv, deconv

        super().__init__()
        self.config = config
        n, m = config.num_filters, config.num_latents
        c2, c4, c8 = config.cond_filters
        self.analysis = nn.Sequential(
            conv(3, n), GDN(n), conv(n, n), GDN(n), conv(n, n), GDN(n), conv(n, m)
        )
        self.hyper_analysis = nn.Sequential(
            conv(m, n, stride=1, kernel_size=3), nn.ReLU(), conv(n, n), nn.ReLU(), conv(n, n)
        )
        self.hyper_synthesis = nn.Sequential(
            deconv(n, n),
            nn.ReLU(),
            deconv(n, m),
            nn.ReLU(),
            conv(m, 2 * m, stride=1, kernel_size=3),
        )
        self.synthesis = nn.ModuleList([deconv(m, n), deconv(n, n), deconv(n, n), deconv(n, 3)])
        self.igdn = nn.ModuleList([GDN(n, inverse=True) for _ in range(3)])
        self.cond = nn.ModuleList([conv(3, c2), conv(c2, c4), conv(c4, c8)])
        self.inject = nn.ModuleList([nn.Conv2d(c, n, 3, padding=1) for c in (c8, c4, c2)])
        self.cond_out = nn.Conv2d(c2 + n, 12, 3, padding=1)
        for layer in (*self.inject, self.cond_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        q = len(config.lambdas)
        start = torch.tensor(config.lambdas).div(config.lambdas[q // 2]).sqrt().log()
        self.log_gain = nn.Parameter(start[:, None].repeat(1, m) + 1.5)
        self.log_inverse_gain = nn.Parameter(-start[:, None].repeat(1, m) - 1.5)
        self.bottleneck = EntropyBottleneck(n)
        self.gaussian = GaussianConditional(None)

    def gains(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and inverse gain at levels [b] in [LOWEST_LEVEL, Q - 1], each [b, M, 1, 1]."""
        low = quality.floor().long().clamp(0, len(self.config.lambdas) - 2)
        t = (quality - low)[:, None]

        def blend(table: Tensor) -> Tensor:
            return ((1 - t) * table[low] + t * table[low + 1]).exp()[:, :, None, None]

        return blend(self.log_gain), blend(self.log_inverse_gain)

    def entropy_parameters(self, z_hat: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and mean of the (gained) latent, each [b, M, h, w]."""
        scales, means = self.hyper_synthesis(z_hat).chunk(2, 1)
        return scales, means

    def cond_features(self, lower: Tensor) -> list[Tensor]:
        """Features of the lower picture at 1/8, 1/4 and 1/2."""
        x = lower - 0.5
        out = []
        for layer in self.cond:
            x = F.leaky_relu(layer(x), 0.1)
            out.append(x)
        return out[::-1]

    def synthesize(self, y_hat: Tensor, lower: Tensor | None, keep: Tensor | None = None) -> Tensor:
        """Picture from the latent.

        Args:
            y_hat: Latent after the inverse gain, [b, M, h, w].
            lower: The lower layers' picture [b, 3, 16 h, 16 w], or None.
            keep: [b] of 0 and 1; where 0, that sample's lower picture is ignored.

        Returns:
            Picture [b, 3, 16 h, 16 w], not clamped.
        """
        features = self.cond_features(lower) if lower is not None else None
        mask = 1.0 if keep is None else keep[:, None, None, None]
        x = y_hat
        for i in range(3):
            x = self.igdn[i](self.synthesis[i](x))
            if features is not None:
                x = x + mask * self.inject[i](features[i])
        img = self.synthesis[3](x)
        if features is not None:
            detail = self.cond_out(torch.cat([features[2], x], 1))
            img = img + mask * F.pixel_shuffle(detail, 2)
        return img

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
            keep: [b] of 0 and 1, see :meth:`synthesize`.
            num_channels: How many latent channels arrive, [b]; the rest take their mean.

        Returns:
            The picture, and bits of each sample [b] (latents that arrive, and hyper-latent).
        """
        gain, inverse = self.gains(quality)
        y = self.analysis(img) * gain
        z = self.hyper_analysis(y)
        with torch.autocast("cpu", enabled=False):
            z_hat, z_likelihood = self.bottleneck(z.float())
            scales, means = self.entropy_parameters(z_hat)
            y = y.float()
            _, y_likelihood = self.gaussian(y, scales, means)
            rounded = y + (torch.round(y - means) + means - y).detach()
            bits = -torch.log2(y_likelihood)
            if num_channels is not None:
                index = torch.arange(y.shape[1], device=y.device)
                arrived = (index[None] < num_channels[:, None])[:, :, None, None]
                rounded = torch.where(arrived, rounded, means)
                bits = bits * arrived
            total = bits.sum((1, 2, 3)) - torch.log2(z_likelihood).sum((1, 2, 3))
        return self.synthesize(rounded * inverse, lower, keep), total
