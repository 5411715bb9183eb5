"""Learned full-reference metrics: LPIPS and DISTS, as frozen differentiable networks.

LPIPS: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018 (version 0.1 heads of the ``lpips`` package). DISTS: Ding et al., "Image Quality
Assessment: Unifying Structure and Texture Similarity", TPAMI 2022 (``dists-pytorch``). Lower is
better for both, 0 for equal images. The libraries' own constructors download torchvision
weights; here the networks are built empty and given the weights of `scmc_comm.zoo.sources`.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from scmc_comm.errors import ScmcError
from scmc_comm.zoo.feature_nets import StateDict
from scmc_comm.zoo.sources import alexnet_features, vgg16_features

MIN_SIDE = 32  # four pooling steps need a pixel left


class PerceptualMetric(nn.Module):
    """A frozen metric network: never trained, always in eval mode, gradients reach the images.

    Call it with two float tensors [b, 3, H, W] in [0, 1]; the result is float [b]. It may sit
    inside a model that is trained: its parameters ask for no gradient and `train()` is ignored.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> PerceptualMetric:
        """Stay in eval mode whatever a surrounding model does."""
        return super().train(False)

    def forward(self, img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
        """Distance of each pair of the batch, float [b]."""
        if img.shape != img_hat.shape or img.ndim != 4 or img.shape[1] != 3:
            raise ScmcError(
                f"perceptual metrics compare two [b, 3, H, W] tensors, got {tuple(img.shape)} "
                f"and {tuple(img_hat.shape)}"
            )
        if not (img.is_floating_point() and img_hat.is_floating_point()):
            raise ScmcError(
                f"perceptual metrics need floats in [0, 1], got {img.dtype} and {img_hat.dtype}; "
                "divide 8-bit images by 255"
            )
        if min(img.shape[2:]) < MIN_SIDE:
            raise ScmcError(f"images of {tuple(img.shape[2:])} are smaller than {MIN_SIDE} pixels")
        return self._distance(img, img_hat).reshape(img.shape[0])

    def _distance(self, img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class Lpips(PerceptualMetric):
    """LPIPS v0.1. Inputs in [0, 1]; the rescaling to the network's [-1, 1] happens here."""

    def _distance(self, img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
        distance: torch.Tensor = self.net(img, img_hat, normalize=True)
        return distance


class Dists(PerceptualMetric):
    """DISTS at the images' own resolution, without the optional resize to 256 pixels."""

    def _distance(self, img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
        if torch.equal(img, img[:1].expand_as(img)):
            img = img[:1]  # one original beside many pictures takes the network once
        distance: torch.Tensor = self.net(img, img_hat, require_grad=torch.is_grad_enabled())
        return distance


def load_lpips(net: Literal["alex", "vgg"] = "alex") -> Lpips:
    """A new LPIPS network on the CPU.

    Args:
        net: "alex" for reporting (the paper's choice), "vgg" for training losses.

    Raises:
        ScmcError: if the ImageNet weights cannot be found or fetched.
    """
    if net not in ("alex", "vgg"):
        raise ScmcError(f"LPIPS network {net!r} is unknown; choose 'alex' or 'vgg'")
    features = alexnet_features() if net == "alex" else vgg16_features()
    import lpips

    # On "meta" nothing is allocated or drawn: the library would first fill all of VGG16's
    # classifier (480 MB) from torch's global generator.
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore", UserWarning)  # torchvision's "pretrained" is deprecated
        model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    model.to_empty(device="cpu")
    model.scaling_layer = lpips.ScalingLayer()  # constants made by the constructor, not weights
    heads = torch.load(
        Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth",
        map_location="cpu",
        weights_only=True,
    )
    model.load_state_dict(_lpips_state(model.state_dict(), features, heads))
    return Lpips(model)


def _lpips_state(empty: StateDict, features: StateDict, heads: StateDict) -> StateDict:
    """The library's names: heads ``lin0..4`` (also listed as ``lins.0..4``), trunk in slices."""
    state: StateDict = {}
    for name in empty:
        first, *rest = name.split(".")
        if first == "net":  # net.slice2.3.weight is features.3.weight
            state[name] = features[".".join(["features", *rest[1:]])]
        elif first == "lins":
            state[name] = heads[f"lin{'.'.join(rest)}"]
        elif first.startswith("lin"):
            state[name] = heads[name]
        else:
            state[name] = empty[name]
    return state


def load_dists() -> Dists:
    """A new DISTS network on the CPU.

    Raises:
        ScmcError: if the ImageNet weights cannot be found or fetched.
    """
    features = vgg16_features()
    from DISTS_pytorch import DISTS
    from DISTS_pytorch.DISTS_pt import L2pooling
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):
        layers = make_layers(cfgs["D"], batch_norm=False)
    layers.load_state_dict(
        {k.removeprefix("features."): v for k, v in features.items()}, assign=True
    )

    class OfflineDists(DISTS):  # type: ignore[misc]
        """The library's forward; its constructor would download VGG16."""

        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.stage1 = nn.Sequential(*layers[0:4])
            self.stage2 = nn.Sequential(L2pooling(channels=64), *layers[5:9])
            self.stage3 = nn.Sequential(L2pooling(channels=128), *layers[10:16])
            self.stage4 = nn.Sequential(L2pooling(channels=256), *layers[17:23])
            self.stage5 = nn.Sequential(L2pooling(channels=512), *layers[24:30])
            for name, value in (("mean", _IMAGENET_MEAN), ("std", _IMAGENET_STD)):
                self.register_buffer(name, torch.tensor(value).view(1, 3, 1, 1))
            self.chns = [3, 64, 128, 256, 512, 512]
            weights = torch.load(_dists_weights(), map_location="cpu", weights_only=True)
            self.alpha = nn.Parameter(weights["alpha"])
            self.beta = nn.Parameter(weights["beta"])

    return Dists(OfflineDists())


_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


def _dists_weights() -> Path:
    spec = importlib.util.find_spec("DISTS_pytorch")
    if spec is None or spec.origin is None:
        raise ScmcError("DISTS needs the package dists-pytorch; pip install dists-pytorch")
    return Path(spec.origin).parent / "weights.pt"


@functools.cache
def perceptual_metric(name: str) -> PerceptualMetric:
    """The shared CPU network "lpips" (Alex), "lpips_vgg" or "dists", loaded once a process.

    Raises:
        ScmcError: for another name, or if the weights cannot be found or fetched.
    """
    if name == "lpips":
        return load_lpips("alex")
    if name == "lpips_vgg":
        return load_lpips("vgg")
    if name == "dists":
        return load_dists()
    raise ScmcError(f"no perceptual metric {name!r}; there are lpips, lpips_vgg and dists")
