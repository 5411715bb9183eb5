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
  model never does. Its networks are plain convolutions and ReLUs that can run in exact integers
  (:mod:`scmc_comm.codec.exact`), so the tables that the entropy decoder picks are the same on
  every machine.
* With ``base_latents``, transforms and entropy model read the colour map of the structure layer,
  which VVC decodes to the same integers everywhere: latents are predicted from it, and the signal
  codes what it does not say. The bits then decode with that map alone; a picture may be coded
  without it, and then everything is as in a network that knows no map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scmc_comm.codec.base_prior import BasePrior
from scmc_comm.codec.signal_transforms import Analysis, SignalConfig, Synthesis, conv3

QUALITY_STEPS = 96
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
    """Analysis, context model, and synthesis conditioned on the lower layers' picture.

    The tables of the entropy coder are not part of it (:mod:`scmc_comm.codec.signal`).

    Sizes: images are float32 [b, 3, H, W] in [0, 1] with H and W multiples of 64; the latent is
    [b, M, H / 16, W / 16], the hyper-latent [b, N, H / 64, W / 64].
    """

    def __init__(self, config: SignalConfig) -> None:
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
            context_net(h + start + size + 2 + config.base_channels, config.context_filters, size)
            for start, size in zip(starts, config.slices, strict=True)
        )
        self.base: BasePrior | None = BasePrior(config) if config.base_latents else None
        self.integer_gain: Tensor
        if self.base is not None:
            table = torch.zeros(QUALITY_STEPS + 1, config.base_latents, dtype=torch.int32)
            self.register_buffer("integer_gain", table)  # made when the weights ship
        lam = torch.tensor(config.lambdas)
        start = (_FIRST_GAIN * lam.sqrt()).log()[:, None].repeat(1, config.num_latents)
        self.log_gain = nn.Parameter(start)
        self.log_inverse_gain = nn.Parameter(-start)

    def level(self, quality: int) -> Tensor:
        """Level [1] of a quality, 0 to ``QUALITY_STEPS``."""
        top = len(self.config.lambdas) - 1
        return torch.tensor([LOWEST_LEVEL + quality / QUALITY_STEPS * (top - LOWEST_LEVEL)])

    def gains(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and inverse gain at levels [b] in [LOWEST_LEVEL, Q - 1], each [b, M, 1, 1]."""
        low = quality.floor().long().clamp(0, len(self.config.lambdas) - 2)
        t = (quality - low)[:, None]

        def blend(table: Tensor) -> Tensor:
            return ((1 - t) * table[low] + t * table[low + 1]).exp()[:, :, None, None]

        return blend(self.log_gain), blend(self.log_inverse_gain)
