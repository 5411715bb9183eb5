"""Trains the edge detector on BSDS500: ``python -m experiments.training.edges --data D --out O``.

Class-balanced cross-entropy on every side output and the fused map, pixels that fewer than
``eta`` of the annotators marked left out (Liu et al., CVPR 2017, eq. 1). The learning rate
follows a cosine over the budget of processor time, so a busy machine changes only how long it
takes. Stopped runs resume from ``O/checkpoint.pt``; the result is ``O/edges.safetensors``.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from experiments.training.loop import Run, descend
from experiments.training.precision import mixed_precision
from scmc_comm.codec.edges import EdgeConfig, EdgeDetector, thin
from scmc_comm.codec.weights import save_weights
from scmc_comm.errors import ScmcError
from scmc_comm.zoo.feature_nets import VGG16

log = logging.getLogger(__name__)

_TOLERANCE = 0.0075  # of the diagonal, as in the BSDS500 benchmark


@dataclass(frozen=True)
class TrainConfig:
    """Everything that shapes a run.

    Attributes:
        cpu_minutes: Budget of processor time.
        batch: Crops per step.
        crop: Side of a crop.
        lr: Peak learning rate of new layers; pretrained ones take a tenth.
        weight_decay: AdamW's.
        eta: Least share of annotators for a positive.
        negative_weight: Lambda of the balanced cross-entropy.
        checkpoint_s: Seconds between checkpoints.
        seed: Of every random draw.
    """

    cpu_minutes: float = 12.0
    batch: int = 4
    crop: int = 144
    lr: float = 1e-3
    weight_decay: float = 2e-4
    eta: float = 0.3
    negative_weight: float = 1.1
    checkpoint_s: float = 120.0
    seed: int = 0


Sample = tuple[np.ndarray, np.ndarray]


def load_split(data: Path, split: str) -> list[Sample]:
    """Pictures uint8 [H, W, 3] and mean boundary maps uint8 [H, W] of ``bsds500/split``."""
    paths = sorted((data / "bsds500" / split).glob("*.jpg"))
    if not paths:
        raise ScmcError(f"no BSDS500 pictures in {data / 'bsds500' / split}")
    return [
        (np.asarray(Image.open(p).convert("RGB")), np.asarray(Image.open(p.with_suffix(".png"))))
        for p in paths
    ]


def random_crops(
    samples: list[Sample], cfg: TrainConfig, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Scaled, turned, mirrored crops: img [b, 3, c, c], share [b, 1, c, c], both in [0, 1]."""
    imgs, shares = [], []
    for _ in range(cfg.batch):
        index = int(torch.randint(len(samples), (), generator=rng))
        img, share = samples[index]
        scale = math.exp(float(torch.empty(()).uniform_(-0.6, 0.4, generator=rng)))
        side = min(round(cfg.crop / scale), *img.shape[:2])
        top, left = (int(torch.randint(n - side + 1, (), generator=rng)) for n in img.shape[:2])
        box = (left, top, left + side, top + side)
        turn, mirror = (int(torch.randint(n, (), generator=rng)) for n in (4, 2))
        size = (cfg.crop, cfg.crop)
        out = []
        for array, how in ((img, Image.Resampling.BICUBIC), (share, Image.Resampling.BOX)):
            small = np.asarray(Image.fromarray(array).resize(size, how, box=box, reducing_gap=3))
            small = np.rot90(small, turn)
            out.append(torch.from_numpy((small[:, ::-1] if mirror else small).copy()))
        gain = float(torch.empty(()).uniform_(0.8, 1.2, generator=rng))
        imgs.append((out[0].permute(2, 0, 1) / 255 * gain).clamp(0, 1))
        shares.append(out[1][None] / 255)
    return torch.stack(imgs), torch.stack(shares)


def balanced_loss(logits: Tensor, share: Tensor, cfg: TrainConfig) -> Tensor:
    """Class-balanced cross-entropy, mean over pixels; pixels with 0 < share < eta do not count."""
    positive, negative = share >= cfg.eta, share == 0
    num_pos, num_neg = positive.sum(), negative.sum()
    total = (num_pos + num_neg).clamp(min=1)
    weight = positive * (num_neg / total) + negative * (cfg.negative_weight * num_pos / total)
    loss = functional.binary_cross_entropy_with_logits(
        logits.float(), positive.float(), weight, reduction="sum"
    )
    return loss / total


def init_from_vgg16(detector: EdgeDetector, path: Path) -> None:
    """Copies the VGG16 convolutions (torchvision's names) wherever the shapes agree."""
    features, own = load_file(path), detector.state_dict()
    names = [n for n in own if n.startswith("conv") and "down" not in n and n.endswith("weight")]
    for name, (index, _) in zip(names, VGG16.convs, strict=False):
        weight = features[f"features.{index}.weight"]
        if own[name].shape == weight.shape:
            own[name].copy_(weight)
            own[name.replace("weight", "bias")].copy_(features[f"features.{index}.bias"])


def train(data: Path, out: Path, cfg: TrainConfig, vgg16: Path | None) -> EdgeDetector:
    """Runs or resumes training; returns the detector, which is in ``out/edges.safetensors``."""
    torch.manual_seed(cfg.seed)
    detector = EdgeDetector(EdgeConfig())
    if vgg16 is not None:
        init_from_vgg16(detector, vgg16)
    groups: dict[float, list[Tensor]] = {cfg.lr: [], 0.1 * cfg.lr: []}
    for name, value in detector.named_parameters():
        pretrained = name[:5] in ("conv1", "conv2", "conv3") and "down" not in name
        groups[0.1 * cfg.lr if pretrained and vgg16 is not None else cfg.lr].append(value)
    optimizer = torch.optim.AdamW(
        [{"params": p, "lr": lr, "base_lr": lr} for lr, p in groups.items()],
        weight_decay=cfg.weight_decay,
    )
    samples = load_split(data, "train")
    state = {"detector": detector, "optimizer": optimizer}
    run = Run(out, cfg, cfg.cpu_minutes, state, cfg.checkpoint_s, clock=time.process_time)
    rng = torch.Generator().manual_seed(cfg.seed + run.step)
    detector.train().to(memory_format=torch.channels_last)
    while run.goes_on():
        img, share = random_crops(samples, cfg, rng)
        with mixed_precision():
            logits = detector.logits(img.contiguous(memory_format=torch.channels_last))
        loss = torch.stack([balanced_loss(score, share, cfg) for score in logits]).sum()
        descend(loss, optimizer)
        run.step_done(loss=loss.item())
    save_weights("edges", asdict(detector.config), detector.state_dict(), out / "edges.safetensors")
    return detector.eval()


@torch.inference_mode()
def ods(detector: EdgeDetector, samples: list[Sample]) -> tuple[float, float]:
    """Best F-measure over one threshold for all pictures, and that threshold.

    Simpler and kinder than the benchmark: matching by distance (0.75 % of the diagonal), not one
    to one. A thinned detection is right if any annotator marked a pixel near it; a pixel that at
    least 30 % marked is found if a detection is near.
    """
    thresholds = torch.linspace(0.05, 0.95, 19)
    counts = torch.zeros(4, len(thresholds))
    for img, share in tqdm(samples, desc="evaluating"):
        x = torch.from_numpy(img.copy()).permute(2, 0, 1)[None] / 255
        with mixed_precision():
            ridge = thin(detector(x))
        marks = torch.from_numpy(share.copy())[None, None] / 255
        radius = round(_TOLERANCE * math.hypot(*share.shape))
        anyone, wanted = _dilate(marks > 0, radius), marks >= 0.3
        for i, threshold in enumerate(thresholds):
            found = ridge > threshold
            counts[0, i] += (found & anyone).sum()
            counts[1, i] += found.sum()
            counts[2, i] += (wanted & _dilate(found, radius)).sum()
            counts[3, i] += wanted.sum()
    precision, recall = counts[0] / counts[1].clamp(min=1), counts[2] / counts[3].clamp(min=1)
    f = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
    return float(f.max()), float(thresholds[f.argmax()])


def _dilate(mask: Tensor, radius: int) -> Tensor:
    return functional.max_pool2d(mask.float(), 2 * radius + 1, 1, radius) > 0


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with bsds500/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--vgg16", type=Path, help="VGG16 convolutions (safetensors) to start from")
    parser.add_argument("--cpu-minutes", type=float, default=TrainConfig.cpu_minutes)
    parser.add_argument("--evaluate", type=int, default=40, help="validation pictures at the end")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.nice(15)
    torch.set_num_threads(1)
    cfg = TrainConfig(cpu_minutes=args.cpu_minutes)
    detector = train(args.data, args.out, cfg, args.vgg16)
    if args.evaluate:
        score, threshold = ods(detector, load_split(args.data, "val")[: args.evaluate])
        log.info("F-measure %.3f at threshold %.2f", score, threshold)


if __name__ == "__main__":
    main()
