"""Image quality: `measure` one pair of images, `measure_many` pairs at once.

| name | meaning | better |
|---|---|---|
| ``mse`` | mean squared error, values in [0, 1] | lower |
| ``psnr_db`` | peak signal-to-noise ratio in dB, at most 100 | higher |
| ``ssim`` | structural similarity | higher |
| ``ms_ssim`` | five-scale SSIM; NaN for sides below 161 pixels | higher |
| ``lpips`` | LPIPS v0.1, AlexNet | lower |
| ``dists`` | DISTS | lower |
| ``lpips_vgg`` | LPIPS v0.1, VGG16 | lower |
| ``vmaf`` | VMAF of luma, 0 to 100 | higher |
| ``caption_f1`` | F1 of the content words of the captions of both, in [0, 1] | higher |
| ``layout_agreement`` | share of the layout's cells that keep their colour's name | higher |
| ``sentence_similarity`` | cosine of the captions' sentence embeddings, in [-1, 1] | higher |
| ``caption_similarity`` | the same of the shown picture's caption and people's captions | higher |
| ``flower_kind``, ``bird_kind`` | 1 if a classifier sees the stated kind, else 0 | higher |

Those from ``lpips_vgg`` on are measured only when asked for by name. The last three are held
against what the data set states of the original, an `Annotation`, and NaN where that says nothing.
What each is not is in ``docs/metrics.md``.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence

import torch

from channels.registry import Registry
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.added import Metric, plugin_metric
from scmc_comm.metrics.distortion import (
    check_pair,
    ms_ssim,
    mse,
    psnr_db,
    ssim,
)
from scmc_comm.metrics.distribution import OF_SETS
from scmc_comm.metrics.kinds import KINDS, require_kinds
from scmc_comm.metrics.libvmaf import require_vmaf, vmaf
from scmc_comm.metrics.perceptual import load_dists, load_lpips, perceptual_metric
from scmc_comm.metrics.picture_features import vgg16_trunk
from scmc_comm.metrics.semantic import SEMANTIC, caption_similarity
from scmc_comm.types import UNANNOTATED, Annotation
from scmc_comm.zoo.sentence import require_sentence_model

__all__ = [
    "METRICS",
    "Metric",
    "OF_SETS",
    "default_metrics",
    "load_dists",
    "load_lpips",
    "measure",
    "measure_many",
    "ms_ssim",
    "mse",
    "psnr_db",
    "ssim",
    "unavailable",
]

logger = logging.getLogger(__name__)

_DISTORTION: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse": mse,
    "psnr_db": psnr_db,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
}
_PERCEPTUAL = ("lpips", "dists")
STATED: dict[str, Callable[[torch.Tensor, Sequence[Annotation]], torch.Tensor]] = {
    "caption_similarity": caption_similarity,
    **KINDS,
}
"""Metrics of a reconstruction against what the data set states of the original."""
_LOWER = ("mse", *_PERCEPTUAL, "lpips_vgg")
METRICS: Registry[Metric] = Registry(
    "metric",
    {
        name: Metric(
            None, "lower" if name in _LOWER else "higher", "dB" if name == "psnr_db" else ""
        )
        for name in (*_DISTORTION, *_PERCEPTUAL, "lpips_vgg", "vmaf", *SEMANTIC, *STATED)
    },
    plugin_metric,
)
"""All that `measure` knows, by name."""

_BATCH_PIXELS = 16 * 256 * 256
"""Of the pictures that go through a network together: VGG16 takes some 500 bytes for each."""


@functools.cache
def default_metrics() -> tuple[str, ...]:
    """What `measure` reports unless told: ``lpips`` and ``dists`` only if weights are reachable.

    Looked up once a process; what is missing is logged with the fix.
    """
    missing = unavailable(_PERCEPTUAL)
    for name, reason in missing.items():
        logger.warning("%s will not be reported: %s", name, reason)
    return tuple(name for name in (*_DISTORTION, *_PERCEPTUAL) if name not in missing)


def unavailable(names: Iterable[str]) -> dict[str, str]:
    """Which of the metrics cannot be measured on this machine, and what to do about it.

    Example:
        >>> unavailable(["psnr_db", "layout_agreement"])
        {}
    """
    missing = {}
    for name in names:
        try:
            if name in (*_PERCEPTUAL, "lpips_vgg"):
                perceptual_metric(name)
            elif name in ("sentence_similarity", "caption_similarity"):
                require_sentence_model()
            elif name in KINDS:
                require_kinds()
            elif name in OF_SETS:
                vgg16_trunk()
            elif name == "vmaf":
                require_vmaf()
        except ScmcError as error:
            missing[name] = str(error)
    return missing


def measure(
    img: torch.Tensor,
    img_hat: torch.Tensor,
    names: Sequence[str] | None = None,
    annotation: Annotation = UNANNOTATED,
) -> dict[str, float]:
    """Quality of one reconstruction.

    Args:
        img: float [3, H, W] in [0, 1], the original.
        img_hat: the same shape, the reconstruction, not rounded or compressed again.
        names: which metrics, from `METRICS`; by default `default_metrics`.
        annotation: what the data set states of the original.

    Returns:
        One float per name, in the order asked for; NaN where a metric is undefined.

    Raises:
        ScmcError: for images that cannot be compared, an unknown name, or a metric asked for by
            name whose weights cannot be reached.

    Example:
        >>> grey = torch.full((3, 64, 64), 0.5)
        >>> measure(grey, grey, ["mse", "psnr_db"])
        {'mse': 0.0, 'psnr_db': 100.0}
    """
    return measure_many([img], [img_hat], names, [annotation])[0]


def measure_many(
    imgs: Sequence[torch.Tensor] | torch.Tensor,
    imgs_hat: Sequence[torch.Tensor] | torch.Tensor,
    names: Sequence[str] | None = None,
    annotations: Sequence[Annotation] | None = None,
) -> list[dict[str, float]]:
    """Quality of many reconstructions; neighbours of equal size go through the networks together.

    Args:
        imgs: float [b, 3, H, W], or a sequence of [3, H, W] that may differ in size.
        imgs_hat: the same number and shapes.
        names: as for `measure`.
        annotations: what the data set states of each original; None for nothing.

    Returns:
        One dict per pair, in order.
    """
    if len(imgs) != len(imgs_hat):
        raise ScmcError(f"{len(imgs)} images but {len(imgs_hat)} reconstructions")
    stated = [UNANNOTATED] * len(imgs) if annotations is None else annotations
    if len(stated) != len(imgs):
        raise ScmcError(f"{len(imgs)} images but {len(stated)} annotations")
    chosen = default_metrics() if names is None else tuple(names)
    if unknown := [name for name in chosen if name not in METRICS]:
        raise ScmcError(f"no metric {unknown[0]!r}; there are {', '.join(METRICS)}")
    results: list[dict[str, float]] = []
    start = 0
    while start < len(imgs):
        stop, most = start + 1, max(1, 3 * _BATCH_PIXELS // max(1, imgs[start].numel()))
        while (
            stop < min(len(imgs), start + most)
            and imgs[stop].shape == imgs[start].shape
            and imgs_hat[stop].shape == imgs_hat[start].shape
        ):
            stop += 1
        pair = _stack(imgs, start, stop), _stack(imgs_hat, start, stop)
        results += _measure_batch(*pair, chosen, stated[start:stop])
        start = stop
    return results


def _stack(imgs: Sequence[torch.Tensor] | torch.Tensor, start: int, stop: int) -> torch.Tensor:
    return torch.stack([imgs[i].detach().cpu() for i in range(start, stop)])


@torch.no_grad()
def _measure_batch(
    img: torch.Tensor,
    img_hat: torch.Tensor,
    names: Sequence[str],
    annotations: Sequence[Annotation],
) -> list[dict[str, float]]:
    check_pair(img, img_hat)  # the networks themselves admit any float, as training needs
    columns: dict[str, list[float]] = {}
    for name in names:
        if name in _DISTORTION:
            values = _DISTORTION[name](img, img_hat)
        elif name == "vmaf":
            values = vmaf(img, img_hat)
        elif name in SEMANTIC:
            values = SEMANTIC[name](img, img_hat)
        elif name in STATED:
            values = STATED[name](img_hat, annotations)
        elif METRICS.plugin(name) is not None:
            values = METRICS[name].values(img.float(), img_hat.float())
        else:
            values = on_device(perceptual_metric(name), img.float(), img_hat.float())
        columns[name] = values.tolist()
    return [{name: column[i] for name, column in columns.items()} for i in range(img.shape[0])]
