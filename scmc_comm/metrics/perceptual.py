"""Learned full-reference metrics: LPIPS and DISTS, as frozen differentiable networks.

LPIPS: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
CVPR 2018 (version 0.1 heads of the ``lpips`` package). DISTS: Ding et al., "Image Quality
Assessment: Unifying Structure and Texture Similarity", TPAMI 2022 (``dists-pytorch``). Lower is
better for both, 0 for equal images. The weights are those that the libraries carry, on the
convolutions of `scmc_comm.zoo.sources`; the forward pass is written out here, because the
libraries import torchvision, which takes longer than measuring a picture.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.errors import ScmcError
from scmc_comm.zoo.feature_nets import ALEXNET, VGG16, FeatureNet, StateDict
from scmc_comm.zoo.sources import alexnet_features, vgg16_features

MIN_SIDE = 32  # four pooling steps need a pixel left
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LPIPS_SHIFT, _LPIPS_SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Trunk(nn.Module):
    """The convolutions of AlexNet or VGG16, whose stages end where the metrics look.

    Args:
        net: Which of the two.
        features: Its weights by torchvision's names.
        pool: What halves the size between stages, [b, c, h, w] to [b, c, h / 2, w / 2].
    """

    def __init__(
        self, net: FeatureNet, features: StateDict, pool: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.pool = pool
        indices = [index for index, _ in net.convs]
        # A gap of three leaves room for a ReLU and a pooling layer, one of two for a ReLU.
        self.pools = [b - a == 3 for a, b in itertools.pairwise([indices[0], *indices])]
        self.ends = [*self.pools[1:], True] if net is VGG16 else [True] * len(indices)
        self.weights = nn.ParameterList(features[f"features.{i}.weight"] for i in indices)
        self.biases = nn.ParameterList(features[f"features.{i}.bias"] for i in indices)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features [b, c, h, w] after each stage."""
        out = []
        for weight, bias, pooled, end in zip(
            self.weights, self.biases, self.pools, self.ends, strict=True
        ):
            x = self.pool(x) if pooled else x
            side = weight.shape[-1]  # AlexNet's first kernel alone strides
            stride, padding = (4, 2) if side == 11 else (1, side // 2)
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            if end:
                out.append(x)
        return out


class PerceptualMetric(nn.Module):
    """A frozen metric network: never trained, always in eval mode, gradients reach the images.

    Call it with two float tensors [b, 3, H, W] in [0, 1]; the result is float [b]. It may sit
    inside a model that is trained: its parameters ask for no gradient and `train()` is ignored.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def train(self, mode: bool = True) -> PerceptualMetric:
        """Stay in eval mode whatever a surrounding model does."""
        return super().train(False)

    def forward(self, img: Tensor, img_hat: Tensor) -> Tensor:
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

    def _distance(self, img: Tensor, img_hat: Tensor) -> Tensor:
        raise NotImplementedError


class Lpips(PerceptualMetric):
    """LPIPS v0.1. Inputs in [0, 1]; the rescaling to the network's [-1, 1] happens here.

    Args:
        trunk: AlexNet's or VGG16's.
        heads: Weights [1, c, 1, 1] of each stage, by the names of the ``lpips`` package.
    """

    def __init__(self, trunk: Trunk, heads: StateDict) -> None:
        super().__init__(trunk)
        self.heads = nn.ParameterList(heads[f"lin{i}.model.1.weight"] for i in range(len(heads)))
        self.eval().requires_grad_(False)

    def _distance(self, img: Tensor, img_hat: Tensor) -> Tensor:
        stages = (
            self.trunk(_standard(2 * x - 1, _LPIPS_SHIFT, _LPIPS_SCALE)) for x in (img, img_hat)
        )
        total = torch.zeros(len(img), 1, 1, 1, device=img.device)
        for head, one, other in zip(self.heads, *stages, strict=True):
            difference = (_unit(one) - _unit(other)).square()
            total = total + F.conv2d(difference, head).mean((2, 3), keepdim=True)
        return total


class Dists(PerceptualMetric):
    """DISTS at the images' own resolution, without the optional resize to 256 pixels.

    Args:
        trunk: VGG16's, with :func:`l2_pool`.
        weights: ``alpha`` and ``beta`` [1, 1475, 1, 1] of the ``dists-pytorch`` package.
    """

    def __init__(self, trunk: Trunk, weights: StateDict) -> None:
        super().__init__(trunk)
        self.alpha, self.beta = nn.Parameter(weights["alpha"]), nn.Parameter(weights["beta"])
        self.eval().requires_grad_(False)

    def _stages(self, img: Tensor) -> list[Tensor]:
        return [img, *self.trunk(_standard(img, _IMAGENET_MEAN, _IMAGENET_STD))]

    def _distance(self, img: Tensor, img_hat: Tensor) -> Tensor:
        if torch.equal(img, img[:1].expand_as(img)):
            img = img[:1]  # one original beside many pictures takes the network once
        ours, theirs = self._stages(img), self._stages(img_hat)
        sizes = [stage.shape[1] for stage in ours]
        total = self.alpha.sum() + self.beta.sum()
        textures = structures = torch.zeros(len(img_hat), 1, 1, 1, device=img.device)
        for x, y, alpha, beta in zip(
            ours, theirs, (self.alpha / total).split(sizes, 1), (self.beta / total).split(sizes, 1),
            strict=True,
        ):  # fmt: skip
            x_mean, y_mean = _mean(x), _mean(y)
            texture = (2 * x_mean * y_mean + 1e-6) / (x_mean**2 + y_mean**2 + 1e-6)
            variances = _mean((x - x_mean) ** 2) + _mean((y - y_mean) ** 2)
            structure = (2 * (_mean(x * y) - x_mean * y_mean) + 1e-6) / (variances + 1e-6)
            textures = textures + (alpha * texture).sum(1, keepdim=True)
            structures = structures + (beta * structure).sum(1, keepdim=True)
        return 1 - (textures + structures)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _standard(x: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    shift, scale = (x.new_tensor(values)[:, None, None] for values in (mean, std))
    return (x - shift) / scale


def l2_pool(x: Tensor) -> Tensor:
    """DISTS' pooling: the root of the squares under a Hann window, at half the size."""
    hann = torch.hann_window(5, periodic=False, device=x.device)[1:-1]
    window = hann[:, None] * hann
    kernel = (window / window.sum()).to(x.dtype).expand(x.shape[1], 1, 3, 3)
    squares = F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1])
    return (squares + 1e-12).sqrt()


def load_lpips(net: Literal["alex", "vgg"] = "alex") -> Lpips:
    """A new LPIPS network on the CPU.

    Args:
        net: "alex" for reporting (the paper's choice), "vgg" for training losses.

    Raises:
        ScmcError: if the ImageNet weights cannot be found or fetched.
    """
    if net not in ("alex", "vgg"):
        raise ScmcError(f"LPIPS network {net!r} is unknown; choose 'alex' or 'vgg'")
    if net == "alex":
        trunk = Trunk(
            ALEXNET, alexnet_features(), functools.partial(F.max_pool2d, kernel_size=3, stride=2)
        )
    else:
        trunk = Trunk(VGG16, vgg16_features(), functools.partial(F.max_pool2d, kernel_size=2))
    return Lpips(trunk, _library_weights("lpips", f"weights/v0.1/{net}.pth"))


def load_dists() -> Dists:
    """A new DISTS network on the CPU.

    Raises:
        ScmcError: if the ImageNet weights cannot be found or fetched.
    """
    trunk = Trunk(VGG16, vgg16_features(), l2_pool)
    return Dists(trunk, _library_weights("DISTS_pytorch", "weights.pt"))


def _library_weights(package: str, file: str) -> StateDict:
    """Tensors that lie in an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        project = {"lpips": "lpips", "DISTS_pytorch": "dists-pytorch"}[package]
        raise ScmcError(f"the metric's weights come with {project}; pip install {project}")
    state: StateDict = torch.load(
        Path(spec.origin).parent / file, map_location="cpu", weights_only=True
    )
    return state


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
