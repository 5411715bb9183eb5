"""The ImageNet feature extractors under LPIPS and DISTS: names, shapes and their numbers' hash."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from scmc_comm.errors import ScmcError

StateDict = dict[str, torch.Tensor]


@dataclass(frozen=True)
class FeatureNet:
    """One feature extractor: where its convolutions sit and what shape they have.

    Attributes:
        name: What the package calls it.
        url: torchvision's file.
        flax_name: Its key in the PyPI source package.
        digest: `tensor_digest` of the published numbers.
        convs: Of each convolution the index in ``features`` and the shape of its weight.
    """

    name: str
    url: str
    flax_name: str
    digest: str
    convs: tuple[tuple[int, tuple[int, int, int, int]], ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, by torchvision's name."""
        out: dict[str, tuple[int, ...]] = {}
        for index, shape in self.convs:
            out[f"features.{index}.weight"] = shape
            out[f"features.{index}.bias"] = shape[:1]
        return out


_VGG_WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG_INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

ALEXNET = FeatureNet(
    name="alexnet",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    flax_name="AlexNet_0",
    digest="44534cd66e37ce9a6258bb5e845ef8cd47c33aa68024441c7e616d63c0c1c41a",
    convs=(
        (0, (64, 3, 11, 11)),
        (3, (192, 64, 5, 5)),
        (6, (384, 192, 3, 3)),
        (8, (256, 384, 3, 3)),
        (10, (256, 256, 3, 3)),
    ),
)
VGG16 = FeatureNet(
    name="vgg16",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    flax_name="VGG16_0",
    digest="02ea23240491c2589ec6c79346a0cd2cde49db15b57118399c02f252fb928f83",
    convs=tuple(
        (i, (_VGG_WIDTHS[n + 1], _VGG_WIDTHS[n], 3, 3)) for n, i in enumerate(_VGG_INDICES)
    ),
)


def tensor_digest(state: StateDict) -> str:
    """SHA-256 in hex of names and float32 numbers, whatever file they came in."""
    digest = sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def flax_to_torch(net: FeatureNet, params: dict[str, Any]) -> StateDict:
    """Rename and transpose flax convolutions [kh, kw, in, out] to torch's [out, in, kh, kw]."""
    state: StateDict = {}
    try:
        for n, (index, _) in enumerate(net.convs):
            conv = params[net.flax_name][f"Conv_{n}"]
            weight = np.ascontiguousarray(np.transpose(conv["kernel"], (3, 2, 0, 1)))
            state[f"features.{index}.weight"] = torch.from_numpy(weight)
            state[f"features.{index}.bias"] = torch.from_numpy(conv["bias"].copy())
    except (KeyError, TypeError, ValueError) as e:
        raise ScmcError(f"weight file is not {net.flax_name} in flax layout ({e})") from e
    return state
