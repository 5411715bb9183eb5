"""The signal layer's transforms: picture to latent, and latent and lower picture to picture.

Each is a lapped linear transform of 16 x 16 blocks plus a small residual network, so that it starts
as a good transform codec from the principal components of image blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.errors import ScmcError

LATENT_STRIDE = 16
_BLOCK = 3 * LATENT_STRIDE**2


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
        detail_filters: Channels of the perceptual refinement, at 1/2 and 1/4.
        base_latents: Latent channels that are predicted from the colour map of the structure
            layer; 0 for a network that does not read it.
        base_filters: Channels inside what reads the colour map for the entropy model, and of the
            features that it gives to every slice.
    """

    slices: tuple[int, ...] = (6, 18, 40, 72, 120)
    parts: tuple[int, ...] = (2, 1, 1, 1)
    lambdas: tuple[float, ...] = (0.0006, 0.0013, 0.0028, 0.006, 0.013, 0.028, 0.06, 0.13)
    filters: tuple[int, int, int] = (32, 64, 128)
    hyper_filters: tuple[int, int] = (64, 128)
    context_filters: int = 96
    cond_filters: tuple[int, int, int] = (24, 48, 64)
    detail_filters: tuple[int, int] = (48, 96)
    base_latents: int = 0
    base_filters: tuple[int, int] = (96, 32)

    def __post_init__(self) -> None:
        if not self.slices or sum(self.slices) > _BLOCK:
            raise ScmcError(f"slices {self.slices} must have 1 to {_BLOCK} channels in all")
        if sum(self.parts) != len(self.slices):
            raise ScmcError(f"parts {self.parts} do not add up to {len(self.slices)} slices")

    @property
    def num_latents(self) -> int:
        """Channels of the latent."""
        return sum(self.slices)

    @property
    def base_channels(self) -> int:
        """Channels that the colour map adds to the context of every slice."""
        return self.base_latents + self.base_filters[1] if self.base_latents else 0


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
    """Picture [b, 3, H, W], perhaps with its colour map, to latent [b, M, H / 16, W / 16]."""

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
        self.base = zeroed(conv3(12, a)) if config.base_latents else None

    def forward(self, img: Tensor, base: Tensor | None = None) -> Tensor:
        """Latent of a picture in [0, 1].

        Args:
            img: [b, 3, H, W] in [0, 1].
            base: The colour map at the picture's size, about zero and zero where it is missing.
        """
        x = img - 0.5
        first, *rest = self.layers
        deep = first(F.pixel_unshuffle(x, 2))
        if base is not None and self.base is not None:
            deep = deep + self.base(F.pixel_unshuffle(base, 2))
        for layer in rest:
            deep = layer(deep)
        return self.linear(F.pixel_unshuffle(x, LATENT_STRIDE)) + deep


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
            realism: Share of the perceptual refinement, 0 to 1.

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
