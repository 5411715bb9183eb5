"""SwinJSCC and WITT, which share their interface: a Swin encoder, its features, a Swin decoder.

Their channel sends the features as complex symbols of mean power 1, the first half of them as real
parts and the second as imaginary ones, in noise of ``10^(-SNR/10)`` per complex symbol: their SNR
is our Es/N0, and their CBR, half the number of features over 3 H W, is our rho. Over fading their
networks of channel type rayleigh are given symbols that are not equalised, which no receiver here
does: use those of awgn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from channels.ranges import Range
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import MEAN_SNR
from scmc_comm.systems.clones import load_modules, load_part, quiet, state_of
from scmc_comm.systems.published import Features, Published

Settings = dict[str, Any]
_DEPTHS = {"small": (2, 2, 2, 2), "base": (2, 2, 6, 2), "large": (2, 2, 18, 2)}
_LARGE: Settings = {
    "embed_dims": (128, 192, 256, 320),
    "num_heads": (4, 6, 8, 10),
    "window_size": 8,
}
_CIFAR: Settings = {"embed_dims": (128, 256), "num_heads": (4, 8), "window_size": 2}
RATES = (32, 64, 96, 128, 192)
"""Channels that networks of variable rate were trained to send."""
LOWEST_DB, HIGHEST_DB = 1.0, 13.0
"""SNRs that networks for many SNRs were trained for; others are taken for the nearest."""


def _kwargs(
    settings: Settings, depths: tuple[int, ...], side: int, channels: int | None
) -> Settings:
    """Arguments of ``create_encoder``; those of the decoder are the same, turned round."""
    return {
        "img_size": (side, side), "embed_dims": list(settings["embed_dims"]),
        "depths": list(depths), "num_heads": list(settings["num_heads"]), "C": channels,
        "window_size": settings["window_size"], "mlp_ratio": 4.0, "qkv_bias": True,
        "qk_scale": None, "norm_layer": torch.nn.LayerNorm, "patch_norm": True,
    }  # fmt: skip


def _turned(kwargs: Settings) -> Settings:
    turned = {key: kwargs[key][::-1] for key in ("embed_dims", "depths", "num_heads")}
    return {**kwargs, **turned}


@dataclass(frozen=True)
class SwinClone(Published):
    """What SwinJSCC and WITT have in common.

    Attributes:
        pictures: Of which the network was trained: ``large`` ones (DIV2K) or CIFAR's ``small``.
        channels: Features of each place (C), where the network does not choose among them.
    """

    pictures: Literal["large", "small"] = "large"
    channels: Annotated[int, Range(1, 1024)] = 96

    @property
    def stride(self) -> int:
        """Pixels of a side that become one place of the features."""
        return 16 if self.pictures == "large" else 4

    @property
    def multiple(self) -> int:  # type: ignore[override]
        """Sides are whole windows at the deepest stage."""
        return self.stride * (8 if self.pictures == "large" else 2)

    def _settings(self, depths: tuple[int, ...], channels: int | None) -> Settings:
        large = self.pictures == "large"
        return _kwargs(
            _LARGE if large else _CIFAR, depths if large else (2, 4), 256 if large else 32, channels
        )

    def _networks(self, encoder: Settings, extra: Settings) -> tuple[Any, Any]:
        """Encoder and decoder of the clone, filled."""
        assert self.repo is not None and self.weights is not None
        modules = load_modules(Path(self.repo), ("net.encoder", "net.decoder"))
        state = state_of(Path(self.weights))
        makers = (modules[0].create_encoder, modules[1].create_decoder)
        with quiet():
            made = (
                makers[0](**encoder, patch_size=2, in_chans=3, **extra),
                makers[1](**_turned(encoder), **extra),
            )
        for net, prefix in zip(made, ("encoder.", "decoder."), strict=True):
            load_part(net, state, prefix, Path(self.weights))
        return made

    def _resize(self, size: tuple[int, int]) -> tuple[Any, Any]:
        encoder, decoder = self.network()
        encoder.update_resolution(*size)
        decoder.update_resolution(size[0] // self.stride, size[1] // self.stride)
        return encoder, decoder

    def places(self, size: tuple[int, int]) -> int:
        """Places of the features of a picture of ``(H, W)``."""
        return (size[0] // self.stride) * (size[1] // self.stride)


def _trained(esno_db: float) -> float:
    return min(max(esno_db, LOWEST_DB), HIGHEST_DB)


@dataclass(frozen=True)
class Witt(SwinClone):
    """WITT from a clone of its authors' repository.

    Attributes:
        adaptive: Of the networks, that with the channel module (WITT); else WITT_W/O.

    Source: K. Yang, S. Wang, J. Dai et al., "WITT: A wireless image transmission transformer for
    semantic communications", IEEE ICASSP 2023; github.com/KeYang8/WITT.
    """

    COMMIT: ClassVar[str] = "2460db52264ad35d0d7521c9f505fc318134c086"

    adaptive: bool = True

    @property
    def side_information(self) -> frozenset[str]:
        """The mean Es/N0 if the network takes it."""
        return frozenset({MEAN_SNR}) if self.adaptive else frozenset()

    @property
    def _model(self) -> str:
        return "WITT" if self.adaptive else "WITT_W/O"

    def build(self) -> Any:
        """See `Published.build`."""
        return self._networks(self._settings((2, 2, 6, 2), self.channels), {})

    def num_bits(self) -> int:
        """None besides the power."""
        return 0

    def num_values(self, size: tuple[int, int], bits: np.ndarray) -> int:
        """See `Published.num_values`."""
        return self.places(size) * self.channels

    def features(self, img: Tensor, num_values: int, esno_db: float) -> Features | int:
        """See `Published.features`."""
        size = (int(img.shape[1]), int(img.shape[2]))
        if (needed := self.num_values(size, np.zeros(0))) > num_values:
            return needed
        encoder, _ = self._resize(size)
        values = on_device(encoder, img[None], _trained(esno_db), self._model)
        return Features(values.flatten(), np.zeros(0, np.uint8))

    def picture(
        self, values: Tensor, bits: np.ndarray, size: tuple[int, int], esno_db: float
    ) -> Tensor:
        """See `Published.picture`."""
        _, decoder = self._resize(size)
        features = values.reshape(1, self.places(size), self.channels)
        shown: Tensor = on_device(decoder, features, _trained(esno_db), self._model)[0]
        return shown.clamp(0, 1)


@dataclass(frozen=True)
class SwinJscc(SwinClone):
    """SwinJSCC from a clone of its authors' repository.

    Networks of variable rate send the features of those channels that matter most for the picture;
    which they are, a bit for each of the 320, its authors' receiver is given: here it is sent.

    Attributes:
        adaptive: To what the network adapts: ``none``, ``snr`` (SA), ``rate`` (RA), ``both``.
        size: ``small``, ``base`` or ``large``.

    Source: K. Yang, S. Wang, J. Dai, X. Qin, K. Niu, P. Zhang, "SwinJSCC: Taming Swin transformer
    for deep joint source-channel coding", IEEE TCCN 11(1), 2025; github.com/semcomm/SwinJSCC.
    """

    COMMIT: ClassVar[str] = "a6d0e6da53548976acbe9317839a077ef31f190f"
    _MODELS: ClassVar[dict[str, str]] = {
        "none": "SwinJSCC_w/o_SAandRA", "snr": "SwinJSCC_w/_SA", "rate": "SwinJSCC_w/_RA",
        "both": "SwinJSCC_w/_SAandRA",
    }  # fmt: skip

    adaptive: Literal["none", "snr", "rate", "both"] = "both"
    size: Literal["small", "base", "large"] = "base"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pictures == "small" and self.adaptive in ("rate", "both"):
            raise ScmcError(
                f"adaptive is {self.adaptive!r} and pictures is 'small'; networks of variable rate "
                "are for pictures=large"
            )

    @property
    def side_information(self) -> frozenset[str]:
        """The mean Es/N0 if the network takes it."""
        return frozenset({MEAN_SNR}) if self.adaptive in ("snr", "both") else frozenset()

    @property
    def _chooses(self) -> bool:
        return self.adaptive in ("rate", "both")

    def build(self) -> Any:
        """See `Published.build`."""
        settings = self._settings(_DEPTHS[self.size], None if self._chooses else self.channels)
        return self._networks(settings, {"model": self._MODELS[self.adaptive]})

    def num_bits(self) -> int:
        """A bit for each channel of the deepest stage, where they are chosen among."""
        return int(_LARGE["embed_dims"][-1]) if self._chooses else 0

    def num_values(self, size: tuple[int, int], bits: np.ndarray) -> int:
        """See `Published.num_values`."""
        return self.places(size) * (int(bits.sum()) if self._chooses else self.channels)

    def features(self, img: Tensor, num_values: int, esno_db: float) -> Features | int:
        """See `Published.features`."""
        size = (int(img.shape[1]), int(img.shape[2]))
        fitting = [rate for rate in RATES if rate * self.places(size) <= num_values]
        if not self._chooses:
            fitting = [self.channels] * (self.channels * self.places(size) <= num_values)
        if not fitting:
            return self.places(size) * (min(RATES) if self._chooses else self.channels)
        encoder, _ = self._resize(size)
        model = self._MODELS[self.adaptive]
        found = on_device(encoder, img[None], _trained(esno_db), fitting[-1], model)
        if not self._chooses:
            return Features(found.flatten(), np.zeros(0, np.uint8))
        features, mask = found
        chosen = mask[0, 0] > 0
        return Features(features[0][:, chosen].flatten(), chosen.numpy().astype(np.uint8))

    def picture(
        self, values: Tensor, bits: np.ndarray, size: tuple[int, int], esno_db: float
    ) -> Tensor:
        """See `Published.picture`."""
        _, decoder = self._resize(size)
        if self._chooses:
            features = torch.zeros(self.places(size), self.num_bits())
            features[:, torch.from_numpy(bits.astype(bool))] = values.reshape(self.places(size), -1)
        else:
            features = values.reshape(self.places(size), self.channels)
        model = self._MODELS[self.adaptive]
        shown: Tensor = on_device(decoder, features[None], _trained(esno_db), model)[0]
        return shown.clamp(0, 1)
