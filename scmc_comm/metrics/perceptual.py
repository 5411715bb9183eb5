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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.errors import ScmcError
from scmc_comm.zoo.feature_nets import ALEXNET, VGG16, FeatureNet, StateDict
from scmc_comm.zoo.sources import alexnet_features, vgg16_features

MIN_SIDE = 32  # four pooling steps need a pixel left
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LPIPS_SHIFT, _LPIPS_SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

_KEPT_PIXELS = 2**20
"""Of the largest original whose features are kept: VGG16's take some 500 bytes a pixel."""

_CHUNK = 2**17
"""Numbers that a sum over pixels takes at once: they stay in a core's cache."""

Features = list[tuple[Tensor, ...]]
"""What a comparison needs of one side, a tuple a stage."""


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
        self.weights = nn.ParameterList(
            features[f"features.{i}.weight"].contiguous(memory_format=torch.channels_last)
            for i in indices
        )
        self.biases = nn.ParameterList(features[f"features.{i}.bias"] for i in indices)

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        """Features [b, c, h, w] after each stage, channels last in memory, one at a time."""
        x = x.contiguous(memory_format=torch.channels_last)
        for weight, bias, pooled, end in zip(
            self.weights, self.biases, self.pools, self.ends, strict=True
        ):
            x = self.pool(x) if pooled else x
            side = weight.shape[-1]  # AlexNet's first kernel alone strides
            stride, padding = (4, 2) if side == 11 else (1, side // 2)
            x = F.relu_(F.conv2d(x, weight, bias, stride, padding))
            if end:
                yield x


class PerceptualMetric(nn.Module):
    """A frozen metric network: never trained, always in eval mode, gradients reach the images.

    Call it with two float tensors [b, 3, H, W] in [0, 1]; the result is float [b]. It may sit
    inside a model that is trained: its parameters ask for no gradient and `train()` is ignored.
    Where no gradient is asked for, the features of the last original are kept, since the next
    reconstruction is mostly one of the same picture.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self._kept: tuple[Tensor, Features] | None = None

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
        return self._distance(self._of_original(img), img_hat).reshape(img.shape[0])

    def _of_original(self, img: Tensor) -> Features:
        if torch.is_grad_enabled():
            return self._features(img)
        if torch.equal(img, img[:1].expand_as(img)):
            img = img[:1]  # one original beside many pictures takes the network once
        kept = self._kept
        if kept is not None and kept[0].device == img.device and torch.equal(kept[0], img):
            return kept[1]
        features = self._features(img)
        keep = img.shape[0] == 1 and img[0, 0].numel() <= _KEPT_PIXELS
        self._kept = (img.clone(), features) if keep else None
        return features

    def _features(self, img: Tensor) -> Features:
        raise NotImplementedError

    def _distance(self, original: Features, img_hat: Tensor) -> Tensor:
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

    def _stages(self, img: Tensor) -> Iterator[Tensor]:
        return map(_unit, self.trunk(_standard(2 * img - 1, _LPIPS_SHIFT, _LPIPS_SCALE)))

    def _features(self, img: Tensor) -> Features:
        return [(stage,) for stage in self._stages(img)]

    def _distance(self, original: Features, img_hat: Tensor) -> Tensor:
        total = img_hat.new_zeros(len(img_hat), 1, 1, 1)
        for head, (one,), other in zip(self.heads, original, self._stages(img_hat), strict=True):
            total = total + F.conv2d((one - other).square(), head).mean((2, 3), keepdim=True)
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

    def _stages(self, img: Tensor) -> Iterator[Tensor]:
        yield img
        yield from self.trunk(_standard(img, IMAGENET_MEAN, IMAGENET_STD))

    def _features(self, img: Tensor) -> Features:
        """Of each stage the mean [b, c], the variance [b, c] and the deviations [b, h w, c]."""
        found: Features = []
        for stage in map(_by_pixel, self._stages(img)):
            mean = stage.mean(1)
            deviation = stage - mean[:, None]
            found.append((mean, _moments(stage, mean, deviation)[0], deviation))
        return found

    def _distance(self, original: Features, img_hat: Tensor) -> Tensor:
        total, start = self.alpha.sum() + self.beta.sum(), 0
        score = img_hat.new_zeros(len(img_hat))
        for (x_mean, x_variance, x), y in zip(
            original, map(_by_pixel, self._stages(img_hat)), strict=True
        ):
            stop = start + y.shape[2]
            y_mean = y.mean(1)
            y_variance, covariance = _moments(y, y_mean, x)
            texture = (2 * x_mean * y_mean + 1e-6) / (x_mean**2 + y_mean**2 + 1e-6)
            structure = (2 * covariance + 1e-6) / (x_variance + y_variance + 1e-6)
            alpha, beta = (w[0, start:stop, 0, 0] / total for w in (self.alpha, self.beta))
            score = score + (alpha * texture + beta * structure).sum(1)
            start = stop
        return 1 - score


def _by_pixel(x: Tensor) -> Tensor:
    """[b, c, h, w], channels last in memory, as [b, h w, c]."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _moments(y: Tensor, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Variance [b, c] of y [b, n, c], and its covariance with deviations [1 or b, n, c]."""
    n, step = y.shape[1], max(1, _CHUNK // y.shape[2])
    variance = covariance = torch.zeros_like(mean)
    for at in range(0, n, step):
        part = y[:, at : at + step] - mean[:, None]
        covariance = covariance + (part * deviation[:, at : at + step]).sum(1)
        variance = variance + part.square().sum(1)
    return variance / n, covariance / n


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
