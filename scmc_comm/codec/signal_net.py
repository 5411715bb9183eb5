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

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.errors import ScmcError

LOWEST_LEVEL = -2.0  # gains below the first level go on along its slope
SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 256.0, 64
LATENT_STRIDE, HYPER_STRIDE = 16, 64
_BLOCK = 3 * LATENT_STRIDE**2
_FIRST_GAIN = (
    50.0  # gain over sqrt(lambda) at which uniform quantisation of the blocks is about best
)


@dataclass(frozen=True)
class SignalConfig:
    """Shape of the network.

    Attributes:
        slices: Latent channels in each slice, most important first.
        parts: Number of slices in each part of the payload.
        lambdas: Rate-distortion weight of each quality, lowest rate first, for
            ``lambda * 255^2 * MSE + bpp``.
        filters: Channels of the residual networks at 1/2, 1/4 and 1/8.
        hyper_filters: Channels of the hyper-latent and of what is made of it.
        context_filters: Channels inside the context networks.
        cond_filters: Channels of the lower picture's features at 1/2, 1/4 and 1/8.
        detail_filters: Channels of the correction for looks, at 1/2 and 1/4.
    """

    slices: tuple[int, ...] = (6, 18, 40, 72, 120)
    parts: tuple[int, ...] = (2, 1, 1, 1)
    lambdas: tuple[float, ...] = (0.0006, 0.0013, 0.0028, 0.006, 0.013, 0.028, 0.06, 0.13)
    filters: tuple[int, int, int] = (32, 64, 128)
    hyper_filters: tuple[int, int] = (64, 128)
    context_filters: int = 96
    cond_filters: tuple[int, int, int] = (24, 48, 64)
    detail_filters: tuple[int, int] = (48, 96)

    def __post_init__(self) -> None:
        if not self.slices or sum(self.slices) > _BLOCK:
            raise ScmcError(f"slices {self.slices} must have 1 to {_BLOCK} channels in all")
        if sum(self.parts) != len(self.slices):
            raise ScmcError(f"parts {self.parts} do not add up to {len(self.slices)} slices")

    @property
    def num_latents(self) -> int:
        """Channels of the latent."""
        return sum(self.slices)


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with all weights 0: a branch that starts as if it were not there."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def act(x: Tensor) -> Tensor:
    """The nonlinearity of the transforms."""
    return F.leaky_relu(x, 0.1)


class Residual(nn.Module):
    """Two 3 x 3 convolutions around which the input is carried."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3(channels, channels), zeroed(conv3(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.second(act(self.first(x)))


class Analysis(nn.Module):
    """Picture [b, 3, H, W] to latent [b, M, H / 16, W / 16]."""

    def __init__(self, config: SignalConfig) -> None:
        super().__init__()
        a, b, c = config.filters
        self.linear = conv3(_BLOCK, config.num_latents)
        self.layers = nn.Sequential(
            conv3(12, a), nn.LeakyReLU(0.1),
            conv3(a, b, 2), nn.LeakyReLU(0.1), Residual(b),
            conv3(b, c, 2), nn.LeakyReLU(0.1), Residual(c),
            zeroed(conv3(c, config.num_latents, 2)),
        )  # fmt: skip

    def forward(self, img: Tensor) -> Tensor:
        """Latent of a picture in [0, 1]."""
        x = img - 0.5
        return self.linear(F.pixel_unshuffle(x, LATENT_STRIDE)) + self.layers(
            F.pixel_unshuffle(x, 2)
        )


class Detail(nn.Module):
    """What a picture of least error lacks to look like a photograph, at half resolution."""

    def __init__(self, config: SignalConfig) -> None:
        super().__init__()
        a, b = config.detail_filters
        self.enter = conv3(config.filters[0] + 24, a)
        self.down = conv3(a, b, 2)
        self.deep = nn.Sequential(Residual(b), Residual(b), Residual(b))
        self.up = nn.Conv2d(b, 4 * a, 1)
        self.high = Residual(a)
        self.out = zeroed(conv3(a, 12))

    def forward(self, features: Tensor, img: Tensor, lower: Tensor) -> Tensor:
        """Correction [b, 12, h, w] from features, picture and lower picture, all at 1/2."""
        x = act(self.enter(torch.cat([features, img, lower], 1)))
        deep = self.up(self.deep(act(self.down(x))))
        return self.out(self.high(act(x + F.pixel_shuffle(deep, 2))))


class Synthesis(nn.Module):
    """Latent, and the lower layers' picture if there is one, to picture.

    It gives the picture of least squared error and, apart from it, a correction that makes the
    picture look better at the price of some error. The receiver chooses how much of it to add:
    the bits are the same (cf. Agustsson et al., "Multi-realism image compression with a
    conditional generator", CVPR 2023).
    """

    def __init__(self, config: SignalConfig) -> None:
        super().__init__()
        a, b, c = config.filters
        ca, cb, cc = config.cond_filters
        self.linear = conv3(config.num_latents, _BLOCK)
        self.up8 = nn.Sequential(
            conv3(config.num_latents, c), nn.LeakyReLU(0.1), nn.Conv2d(c, 4 * c, 1)
        )
        self.at8 = Residual(c)
        self.up4 = nn.Conv2d(c, 4 * b, 1)
        self.at4 = nn.Sequential(Residual(b), Residual(b))
        self.up2 = nn.Conv2d(b, 4 * a, 1)
        self.join = conv3(a + 12, a)
        self.at2 = Residual(a)
        self.out = zeroed(conv3(a, 12))
        self.detail = Detail(config)
        self.cond = nn.ModuleList([conv3(12, ca), conv3(ca, cb, 2), conv3(cb, cc, 2)])
        self.inject = nn.ModuleList(
            [zeroed(nn.Conv2d(ca + 12, a, 1)), zeroed(nn.Conv2d(cb, b, 1)),
             zeroed(nn.Conv2d(cc, c, 1))]
        )  # fmt: skip

    def forward(
        self,
        y_hat: Tensor,
        lower: Tensor | None = None,
        keep: Tensor | None = None,
        realism: float = 0.0,
    ) -> Tensor:
        """Picture from the latent.

        Args:
            y_hat: Latent after the inverse gain, [b, M, h, w].
            lower: The lower layers' picture [b, 3, 16 h, 16 w], or None.
            keep: [b] of 0 and 1; where 0, that sample's lower picture is ignored.
            realism: Share of the correction for looks, 0 to 1.

        Returns:
            Picture [b, 3, 16 h, 16 w], not clamped.
        """
        img, features = self.base(y_hat, lower, keep)
        return img + realism * self.correction(img, features, lower, keep) if realism else img

    def correction(
        self, img: Tensor, features: Tensor, lower: Tensor | None, keep: Tensor | None
    ) -> Tensor:
        """What :class:`Detail` adds to a picture and features of :meth:`base`: like the picture."""
        half = F.pixel_unshuffle(img - 0.5, 2)
        hint = torch.zeros_like(half)
        if lower is not None:
            hint = F.pixel_unshuffle(lower - 0.5, 2)
            hint = hint if keep is None else hint * keep[:, None, None, None]
        return F.pixel_shuffle(self.detail(features, half, hint), 2)

    def base(
        self, y_hat: Tensor, lower: Tensor | None = None, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The picture of least squared error, and the features at 1/2 that it was made from."""
        img = F.pixel_shuffle(self.linear(y_hat), LATENT_STRIDE)
        hints = self._hints(lower, keep)
        x = act(F.pixel_shuffle(self.up8(y_hat), 2) + hints[2])
        x = act(F.pixel_shuffle(self.up4(self.at8(x)), 2) + hints[1])
        x = F.pixel_shuffle(self.up2(self.at4(x)), 2)
        x = act(self.join(torch.cat([x, F.pixel_unshuffle(img, 2)], 1)) + hints[0])
        x = self.at2(x)
        return img + 0.5 + F.pixel_shuffle(self.out(x), 2), x

    def _hints(self, lower: Tensor | None, keep: Tensor | None) -> list[Tensor | float]:
        """What the lower picture adds at 1/2, 1/4 and 1/8; nothing where it is missing."""
        if lower is None:
            return [0.0, 0.0, 0.0]
        raw = F.pixel_unshuffle(lower - 0.5, 2)
        x, features = raw, []
        for layer in self.cond:
            x = act(layer(x))
            features.append(x)
        features[0] = torch.cat([features[0], raw], 1)
        mask = 1.0 if keep is None else keep[:, None, None, None]
        return [mask * layer(f) for layer, f in zip(self.inject, features, strict=True)]


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
