"""Deep joint source-channel coding: from a picture straight to channel symbols, and back.

Bourtsoulatze, Burth Kurka, Gunduz, "Deep joint source-channel coding for wireless image
transmission", IEEE TCCN 2019: an autoencoder whose latent *is* the transmitted signal, so there is
no bit, no code and no cliff. One network serves every SNR by attention feature modules (Xu et
al., "Wireless image transmission using deep source channel coding with attention modules", IEEE
TCSVT 2022), which scale each channel of a feature map by what it holds and by the SNR; here they
have the rate as side information too, since one network also serves every bandwidth: its latent
channels are ordered, and the first of them are sent until the budget is used (cf. Kurka, Gunduz,
"Bandwidth-agile image transmission with deep joint source-channel coding", IEEE TWC 2021). The
power of each image is normalised, so its scale is lost; one use in 48 is a pilot that tells it.

The transforms have the shape of the signal layer's (:mod:`scmc_comm.codec.signal_transforms`): a
lapped linear transform of 16 x 16 blocks plus a residual network, so they can start from its
weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.signal_transforms import (
    LATENT_STRIDE,
    Analysis,
    Residual,
    SignalConfig,
    Synthesis,
    act,
)
from scmc_comm.errors import ScmcError

_GOLDEN = (math.sqrt(5) - 1) / 2
PILOT_SPACING = 48
"""One channel use in so many carries a pilot: what normalising an image's power did to it."""


@dataclass(frozen=True)
class DeepJsccConfig:
    """Shape of the network.

    Attributes:
        channels: Real latent channels of each 16 x 16 block, two of which make a complex symbol.
        filters: Channels of the residual networks at 1/2, 1/4 and 1/8.
        attention: Hidden units of the modules whose side information is SNR and rate.
    """

    channels: int = 256
    filters: tuple[int, int, int] = (32, 64, 128)
    attention: int = 48

    def __post_init__(self) -> None:
        if self.channels < 2 or self.channels % 2:
            raise ScmcError(f"channels is {self.channels}; expected an even number above 0")

    @property
    def transform(self) -> SignalConfig:
        """The signal layer's transform of this shape."""
        return SignalConfig(slices=(self.channels,), parts=(1,), filters=self.filters)


class Attention(nn.Module):
    """Attention feature module: a factor for each channel, from its mean and side information.

    Args:
        channels: Channels of the feature map.
        num_side: Numbers of side information.
        hidden: Hidden units.
        gain: Factors ``exp`` of any size, for latents, in place of 0 to 2, for features.
    """

    def __init__(self, channels: int, num_side: int, hidden: int, gain: bool = False) -> None:
        super().__init__()
        self.gain = gain
        self.first = nn.Linear(channels + num_side, hidden)
        self.second = nn.Linear(hidden, channels)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor, side: Tensor) -> Tensor:
        """Scaled features, like ``x`` [b, c, h, w]; ``side`` is [b, n]."""
        pooled = torch.cat([x.mean((2, 3)), side.to(x.dtype)], 1)
        raw = self.second(act(self.first(pooled)))
        factor = raw.float().clamp(-6, 6).exp() if self.gain else 2 * torch.sigmoid(raw)
        return x * factor[:, :, None, None]


class Encoder(nn.Module):
    """Picture and transmitter side information to unnormalised symbols."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        _, b, c = config.filters
        self.analysis = Analysis(config.transform)
        self.attend4, self.attend8 = (Attention(n, 2, config.attention) for n in (b, c))
        self.log_gain = nn.Parameter(torch.zeros(config.channels))
        self.mean = nn.Parameter(torch.zeros(config.channels))
        self.gain = Attention(config.channels, 2, 2 * config.attention, gain=True)

    def forward(self, img: Tensor, side: Tensor) -> Tensor:
        """Real symbols [b, channels, H / 16, W / 16] of pictures [b, 3, H, W] in [0, 1]."""
        layers = self.analysis.layers
        x = F.pixel_unshuffle(img - 0.5, 2)
        x = self.attend4(layers[:5](x), side)
        x = self.attend8(layers[5:8](x), side)
        y = self.analysis.linear(F.pixel_unshuffle(img - 0.5, LATENT_STRIDE)) + layers[8](x)
        y = (y.float() - self._wide(self.mean)) * self._wide(self.log_gain.exp())
        return self.gain(y, side)

    @staticmethod
    def _wide(x: Tensor) -> Tensor:
        return x[None, :, None, None]


class Decoder(nn.Module):
    """Equalised symbols and receiver side information to picture."""

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        a, b, c = config.filters
        like = Synthesis(config.transform)
        self.linear, self.up8, self.at8 = like.linear, like.up8, like.at8
        self.up4, self.at4, self.up2 = like.up4, like.at4, like.up2
        self.join, self.at2, self.out = like.join, like.at2, like.out
        self.more8, self.more4 = Residual(c), Residual(b)
        self.attend8, self.attend4, self.attend2 = (
            Attention(n, 3, config.attention) for n in (c, b, a)
        )
        self.log_gain = nn.Parameter(torch.zeros(config.channels))
        self.log_power = nn.Parameter(torch.zeros(config.channels))
        self.mean = nn.Parameter(torch.zeros(config.channels))
        self.gain = Attention(config.channels, 3, 2 * config.attention, gain=True)
        self.usual_scale = nn.Parameter(torch.tensor(1.0))
        self.log_scale_spread = nn.Parameter(torch.tensor(0.15).log())

    def forward(self, symbols: Tensor, side: Tensor, no: Tensor, per_block: Tensor) -> Tensor:
        """Pictures, not clamped.

        Args:
            symbols: Equalised real symbols [b, channels, H / 16, W / 16].
            side: Receiver side information, [b, 3].
            no: Noise variance after equalisation, [b].
            per_block: Complex symbols sent of each block, [b].
        """
        scale = self.shrinkage(no, per_block) * self.log_gain.exp()
        y = self.gain(symbols, side) * scale[:, :, None, None] + self.mean[None, :, None, None]
        img = F.pixel_shuffle(self.linear(y), LATENT_STRIDE)
        x = act(F.pixel_shuffle(self.up8(y), 2))
        x = self.attend8(self.more8(self.at8(x)), side)
        x = act(F.pixel_shuffle(self.up4(x), 2))
        x = self.attend4(self.more4(self.at4(x)), side)
        x = F.pixel_shuffle(self.up2(x), 2)
        x = act(self.join(torch.cat([x, F.pixel_unshuffle(img, 2)], 1)))
        x = self.attend2(self.at2(x), side)
        return img.float() + 0.5 + F.pixel_shuffle(self.out(x), 2).float()

    def mean_power(self, per_block: Tensor) -> Tensor:
        """Mean power of the real channels that are sent, usual for a picture: [b, 1]."""
        power = self.log_power.exp()
        share = (2 * per_block[:, None] - torch.arange(len(power), device=power.device)).clamp(0, 1)
        return (share * power).sum(1, keepdim=True) / share.sum(1, keepdim=True)

    def shrinkage(self, no: Tensor, per_block: Tensor) -> Tensor:
        """Wiener factor of each channel, [b, channels], where normalisation is undone too.

        The equaliser took every symbol for one of power 1; a channel of power p among those that
        are sent is rather to be scaled by ``p / (p + no)``, thus by ``p (1 + no) / (p + no)`` more.
        """
        mean, noise = self.mean_power(per_block), no[:, None]
        relative = self.log_power.exp() / mean
        return relative * (1 + noise) / (relative + noise) * (2 * mean).sqrt()

    def scale(self, pilots: Tensor, count: Tensor, no: Tensor) -> Tensor:
        """What normalisation multiplied an image's symbols by, [b]: the pilots' mean and the prior.

        The linear estimate of least error for a scale of known mean and spread, pilots of value
        scale and real noise of variance ``no / 2`` each; without a pilot it is the usual scale.

        Args:
            pilots: Equalised pilots, complex64 [b, p], those that were not sent being 0.
            count: How many were sent, [b].
            no: Noise variance after equalisation, [b].
        """
        mean = pilots.real.sum(1) * (1 + no) / count.clamp(min=1)
        spread = (2 * self.log_scale_spread).exp()
        trust = torch.where(count > 0, spread / (spread + no / (2 * count.clamp(min=1))), 0.0)
        return (self.usual_scale + trust * (mean - self.usual_scale)).clamp(0.2, 5)


class DeepJsccNet(nn.Module):
    """Encoder and decoder, and the order in which symbols are sent.

    Example:
        >>> net = DeepJsccNet(DeepJsccConfig(16, (4, 4, 8), 8))
        >>> symbols = net.encode(torch.rand(1, 3, 32, 48), torch.tensor([10.0]), torch.tensor([20]))
        >>> symbols.shape, int((symbols != 0).sum()), round(float(symbols.abs().square().sum()), 3)
        (torch.Size([1, 49]), 20, 20.0)
    """

    def __init__(self, config: DeepJsccConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    @torch.no_grad()
    def start_from(self, analysis: dict[str, Tensor], synthesis: dict[str, Tensor]) -> None:
        """Take the transforms from states of the signal layer's; what it lacks stays as it is."""
        self.encoder.analysis.load_state_dict(analysis)
        mine = self.decoder.state_dict()
        self.decoder.load_state_dict(mine | {k: v for k, v in synthesis.items() if k in mine})

    @torch.no_grad()
    def balance(self, img: Tensor) -> None:
        """Set means and gains from pictures: amplitude ``lambda ** (-1/4)`` for variance lambda.

        The best linear code for independent Gaussian components of these variances in white
        noise (Lee, Petersen, "Optimal linear coding for vector channels", IEEE Trans. Commun.
        1976), where none is left out.
        """
        zeros = img.new_zeros(len(img), 2)
        y = self.encoder(img, zeros)
        mean, std = y.mean((0, 2, 3)), y.std((0, 2, 3)).clamp(min=1e-4)
        log_gain = -0.5 * std.log()
        self.encoder.mean.copy_(mean)
        self.encoder.log_gain.copy_(log_gain)
        self.decoder.mean.copy_(mean)
        self.decoder.log_gain.copy_(-log_gain)
        self.decoder.log_power.copy_(std.log())

    def num_symbols(self, blocks: int) -> tuple[int, int]:
        """The most pilots and the most symbols of data of a picture of so many 16 x 16 blocks."""
        data = self.config.channels // 2 * blocks
        return data // (PILOT_SPACING - 1), data

    def sent(self, uses: Tensor, blocks: int) -> Tensor:
        """Flags of the symbols that are sent in so many uses [b]: bool [b, pilots + data]."""
        pilots, data = self.num_symbols(blocks)
        count = uses[:, None] // PILOT_SPACING
        first, others = (torch.arange(n, device=uses.device) for n in (pilots, data))
        return torch.cat([first < count, others < uses[:, None] - count], 1)

    def encode(self, img: Tensor, esno_db: Tensor, uses: Tensor) -> Tensor:
        """Pilots, then symbols, most important first.

        Args:
            img: float32 [b, 3, H, W] in [0, 1], H and W multiples of 16.
            esno_db: Mean Es/N0 in dB that the sender designs for, [b].
            uses: Channel uses of each image, [b], at most all of `num_symbols`.

        Returns:
            complex64 [b, pilots + data], those that are not sent (`sent`) being 0; mean power over
            those that are sent exactly 1 per image.
        """
        blocks = img.shape[2] * img.shape[3] // LATENT_STRIDE**2
        per_block = self._per_block(uses, blocks)
        side = torch.stack([_snr(esno_db), _rate(per_block)], 1)
        z = self.encoder(img, side).float()[..., *scattered(img.shape[2], img.shape[3])]
        z = z / (2 * self.decoder.mean_power(per_block)).sqrt()[..., None]
        pairs = z.unflatten(1, (-1, 2)).movedim(2, -1).flatten(1, 2)
        pilots = z.new_tensor([1.0, 0.0]).expand(len(z), self.num_symbols(blocks)[0], 2)
        pairs = torch.cat([pilots, pairs], 1) * self.sent(uses, blocks)[..., None]
        power = pairs.double().square().sum((1, 2), keepdim=True) / uses[:, None, None]
        return torch.view_as_complex((pairs / power.sqrt().clamp(min=1e-9).float()).contiguous())

    def decode(
        self,
        symbols: Tensor,
        size: tuple[int, int],
        esno_db: Tensor,
        received_db: Tensor,
        uses: Tensor,
    ) -> Tensor:
        """Pictures from equalised symbols.

        Args:
            symbols: complex64 [b, pilots + data], as `encode` gives them, those that were not
                sent being 0.
            size: ``(H, W)``, multiples of 16.
            esno_db: Mean Es/N0 in dB, that the sender designed for, [b].
            received_db: Es/N0 in dB of this transmission after equalisation, [b].
            uses: Channel uses of each image, [b].

        Returns:
            float32 [b, 3, H, W], not clamped.
        """
        rows, columns = size[0] // LATENT_STRIDE, size[1] // LATENT_STRIDE
        num_pilots, _ = self.num_symbols(rows * columns)
        pilots, data = symbols[:, :num_pilots], symbols[:, num_pilots:]
        no = 10 ** (-received_db.float() / 10)
        scale = self.decoder.scale(pilots, uses // PILOT_SPACING, no)
        pairs = torch.view_as_real(data).unflatten(1, (-1, rows * columns))
        flat = pairs.movedim(-1, 2).flatten(1, 2) / scale[:, None, None]
        z = torch.empty_like(flat).unflatten(2, (rows, columns))
        z[..., *scattered(*size)] = flat
        seen = _snr(received_db, -20.0, 25.0)  # fades reach further than the mean
        per_block = self._per_block(uses, rows * columns)
        side = torch.stack([_snr(esno_db), seen, _rate(per_block)], 1)
        return self.decoder(z, side, no, per_block)

    @staticmethod
    def _per_block(uses: Tensor, blocks: int) -> Tensor:
        return (uses - uses // PILOT_SPACING) / blocks


def scattered(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Blocks of a picture in the order in which the symbols of one channel are sent.

    Steps of the golden ratio spread any first part of them evenly, so that a channel for which
    the budget only partly suffices is sharp everywhere in part and not in one part of the picture.

    Returns:
        Row and column of each block, int64 [blocks] each.
    """
    rows, columns = height // LATENT_STRIDE, width // LATENT_STRIDE
    index = torch.arange(rows * columns)
    order = torch.argsort((index.double() * _GOLDEN) % 1.0)
    return order // columns, order % columns


def _snr(esno_db: Tensor, low: float = -5.0, high: float = 20.0) -> Tensor:
    """Side information of the modules, held within what they were trained for."""
    return (esno_db.float().clamp(low, high) - 7.5) / 12.5


def _rate(per_block: Tensor) -> Tensor:
    return per_block.log2() / 2.5 - 1.8
