"""Write what the upper layers are trained on: what a receiver has of the lower ones.

    python -m experiments.training.lower sketches --data DIR --out LOWER --count 1500
    python -m experiments.training.lower pictures --data DIR --out LOWER

``sketches`` writes, for the first ``count`` pictures of each training set in a fixed random
order, their index, the decoded edge and colour maps and the caption's picture. ``pictures`` adds
the fused picture. All arrays of pictures are uint8.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import SETS, CaptionedImages, load_split, to_float, to_uint8
from experiments.training.generator import content_of
from experiments.training.precision import mixed_precision
from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.generator import Generator
from scmc_comm.codec.layout import layout_grid
from scmc_comm.codec.structure import COLOURS, LEVELS, StructureCodec, colour_maps, edge_maps
from scmc_comm.codec.vvc import decode_batch, encode_batch
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

BATCH = 8
LEVEL_SHARES = (0.35, 0.65)
"""Shares of the pictures that are sketched at each level, from the coarsest."""
assert len(LEVEL_SHARES) == len(LEVELS)


@dataclass(frozen=True)
class Lower:
    """Lower layers of ``count`` pictures of one set; ``index`` points into the set."""

    index: np.ndarray
    edges: np.ndarray
    colours: np.ndarray
    semantic: np.ndarray
    fused: np.ndarray | None

    def __len__(self) -> int:
        return len(self.index)

    def maps(self, rows: slice | np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Caption pictures, edges [b, 1, h, w] and colours, float32 in [0, 1]."""
        edges = torch.from_numpy(self.edges[rows]).float().div(255)[:, None]
        return to_float(self.semantic[rows]), edges, to_float(self.colours[rows])


def load_lower(folder: Path, name: str) -> Lower:
    """Read what this script wrote; ``fused`` is None before ``pictures`` ran."""

    def array(part: str) -> np.ndarray:
        path = folder / f"{name}-{part}.npy"
        if not path.is_file():
            raise ScmcError(f"no {path}; run 'python -m experiments.training.lower sketches' first")
        return np.load(path, mmap_mode="r")

    fused = array("fused") if (folder / f"{name}-fused.npy").is_file() else None
    return Lower(array("index"), array("edges"), array("colours"), array("semantic"), fused)


def write_sketches(data: CaptionedImages, name: str, out: Path, count: int) -> None:
    """Edges, colours and caption pictures of ``count`` pictures."""
    detector, generator = EdgeDetector.load(), Generator.load()
    index = np.random.default_rng(0).permutation(len(data))[:count]
    maps, semantic = [], []
    for start in tqdm(range(0, len(index), BATCH), desc=f"{name} sketches"):
        rows = index[start : start + BATCH]
        imgs = data.batch(rows)
        with mixed_precision():
            maps.append((edge_maps(detector, imgs), colour_maps(imgs)))
        texts = [content_of(data, int(i)) for i in rows]
        layouts, _ = layout_grid(imgs)
        with mixed_precision():
            semantic.append(to_uint8(generator.paint(texts, list(layouts), seed=0).float()))
    edges, colours = coded_maps(
        np.concatenate([m[0] for m in maps]), np.concatenate([m[1] for m in maps])
    )
    arrays: dict[str, np.ndarray] = {
        "index": index,
        "edges": edges,
        "colours": colours,
        "semantic": np.concatenate(semantic),
    }
    for part, value in arrays.items():
        np.save(out / f"{name}-{part}.npy", value)


def coded_maps(edges: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a receiver has of edge and colour maps, the first share at the coarsest level.

    The order of the pictures is taken to be random already.

    Args:
        edges: uint8 [n, h, w].
        colours: uint8 [n, h, w, 3].

    Returns:
        The decoded maps, of the same shapes.
    """
    ends = np.round(np.cumsum(LEVEL_SHARES) * len(edges)).astype(int)
    seen_edges, seen_colours = np.zeros_like(edges), np.empty_like(colours)
    for number, (how, start, end) in enumerate(zip(LEVELS, [0, *ends], ends, strict=False)):
        part, edge_slims = slice(start, end), [b""]
        if start == end:
            continue
        if how.edge_qp is not None:
            edge_slims = encode_batch(edges[part], how.edge_qp)
            seen_edges[part] = decode_batch(edge_slims, edges.shape[1:])
        colour_slims = encode_batch(colours[part], how.colour_qp, COLOURS)
        seen_colours[part] = decode_batch(colour_slims, colours.shape[1:3], COLOURS)
        logger.info(
            "level %d: edges %.0f bytes, colours %.0f bytes of %d pictures",
            number, np.mean(list(map(len, edge_slims))), np.mean(list(map(len, colour_slims))),
            end - start,
        )  # fmt: skip
    return seen_edges, seen_colours


def write_pictures(name: str, out: Path) -> None:
    """Fused pictures of what :func:`write_sketches` wrote."""
    fusion = StructureCodec.load().fusion
    lower = load_lower(out, name)
    pictures = []
    for start in tqdm(range(0, len(lower), BATCH), desc=f"{name} pictures"):
        rows = slice(start, start + BATCH)
        semantic, edges, colours = lower.maps(rows)
        with torch.no_grad(), mixed_precision():
            img = fusion(semantic, torch.ones(len(semantic)), edges, colours)
        pictures.append(to_uint8(img.float()))
    np.save(out / f"{name}-fused.npy", np.concatenate(pictures))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("what", choices=("sketches", "pictures"))
    parser.add_argument("--count", type=int, default=1500, help="pictures of each set")
    args = script_arguments(parser, argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        if args.what == "pictures":
            write_pictures(name, args.out)
            continue
        data = load_split(args.data, name, "train", args.cache)
        write_sketches(data, name, args.out, args.count)


if __name__ == "__main__":
    main()
