"""``scmc-comm metrics``, ``codecs``, ``planners``, ``datasets`` and ``phys``: what has a name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from channels.registry import Registry
from experiments.commands.common import AddVerb, listed

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "metrics": {
        "mse": "mean squared error of values in [0, 1]",
        "psnr_db": "peak signal-to-noise ratio, at most 100",
        "ssim": "structural similarity (Wang et al., 2004)",
        "ms_ssim": "SSIM of five scales (Wang et al., 2003); undefined below 161 pixels",
        "lpips": "LPIPS v0.1, AlexNet (Zhang et al., 2018)",
        "dists": "DISTS (Ding et al., 2020)",
        "lpips_vgg": "LPIPS v0.1, VGG16 (Zhang et al., 2018)",
        "vmaf": "VMAF of luma, 0 to 100 (Netflix, by libvmaf)",
        "caption_f1": "F1 of the content words of the captions of both pictures",
        "layout_agreement": "share of the layout's cells that keep their colour's name",
        "sentence_similarity": "cosine of both captions' embeddings (MiniLM, Reimers & Gurevych)",
        "caption_similarity": "the same of the shown picture's caption and people's captions",
        "flower_kind": "1 if a classifier sees the stated kind of flower, else 0",
        "bird_kind": "1 if a classifier sees the stated kind of bird, else 0",
    },
    "codecs": {
        "jpeg": "JPEG (ITU-T T.81), optimised Huffman tables, by libjpeg",
        "webp": "WebP, lossy, by libwebp",
        "jpeg2000": "JPEG 2000 (ITU-T T.800), by OpenJPEG",
        "avif": "AVIF, intra AV1, by libavif",
        "hevc": "HEVC intra (ITU-T H.265), by x265",
        "vvc": "VVC intra (ITU-T H.266), by VVenC",
        "hyperprior": "scale hyperprior (Balle et al., 2018), CompressAI",
        "factorized": "factorised prior (Balle et al., 2018), CompressAI",
        "mbt2018-mean": "mean and scale hyperprior (Minnen et al., 2018), CompressAI",
        "mbt2018": "joint autoregressive and hyperprior (Minnen et al., 2018), CompressAI",
        "cheng2020-anchor": "Gaussian mixtures (Cheng et al., 2020), CompressAI",
        "cheng2020-attn": "the same with attention (Cheng et al., 2020), CompressAI",
        "scmc-signal": "the signal layer of SCMC alone",
    },
    "planners": {
        "unequal": "by rule: lower layers with more margin in dB",
        "equal": "by rule: the same margin for all layers",
        "optimised": "best expected quality over the channel's law, the mean SNR known",
        "range": "the same over a stated range of mean SNRs",
    },
    "phys": {
        "flat": "a fade a symbol, known to the receiver; bit-true, or by block error tables",
        "ofdm": "a 5G-like resource grid with pilots, estimation and antennas",
    },
    "datasets": {"photos": "photographs of scikit-image, cut square; photos@N has N x N pixels"},
}
"""What each built-in component is; `channels` and `systems` tell of those themselves."""


def _print_all(verb: str, registry: Registry[Any]) -> None:
    told = MEANINGS[verb]
    width = max(map(len, registry))
    for name in registry:
        print(listed(registry, name, told.get(name, ""), width))


def metrics(args: argparse.Namespace) -> None:
    """List the metrics, which way is better, and where each comes from."""
    from scmc_comm.metrics import METRICS

    width = max(map(len, METRICS))
    for name, metric in METRICS.items():
        unit = f" in {metric.unit}" if metric.unit else ""
        better = f"{metric.better} is better{unit}"
        told = MEANINGS["metrics"].get(name)
        print(listed(METRICS, name, f"{told}; {better}" if told else better, width))


def codecs(args: argparse.Namespace) -> None:
    """List the image codecs and where each comes from; every one is a system too."""
    from scmc_comm.baselines.image_codecs import IMAGE_CODECS

    _print_all("codecs", IMAGE_CODECS)


def planners(args: argparse.Namespace) -> None:
    """List what protects the layers (scmc:protection=NAME) and where each comes from."""
    from scmc_comm.link.planners import PROTECTIONS

    _print_all("planners", PROTECTIONS)


def datasets(args: argparse.Namespace) -> None:
    """List the sets of pictures that have a name and where each comes from."""
    from scmc_comm.datasets.named_sets import DATASETS

    _print_all("datasets", DATASETS)
    print("and any folder of pictures, see docs/datasets.md")


def phys(args: argparse.Namespace) -> None:
    """List the physical layers and where each comes from; their keys are told by channels."""
    from channels.phy.names import PHYS

    _print_all("phys", PHYS)


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    for run in (metrics, codecs, planners, datasets, phys):
        verb(run.__name__, run, run.__name__)
