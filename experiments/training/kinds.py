"""Train the heads that tell kinds of flowers and birds, which the metrics of those names use.

    python -m experiments.training.kinds --data DIR --out runs/kinds

Features of a frozen VGG16 of training pictures, each as it is, blurred, coded by JPEG or enlarged
from few pixels, one as likely as another; then multinomial logistic regression. Nothing of the
codec is used. Features stay in CACHE, so a run that was stopped goes on with the next pictures.
OUT/kinds.json says how accurate each head is on test pictures, as they are and degraded.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from tqdm import tqdm

from experiments.training.arguments import script_arguments, script_parser
from experiments.training.data import CaptionedImages, load_split, to_float
from experiments.training.precision import has_fast_bfloat16
from scmc_comm.codec.weights import save_weights
from scmc_comm.datasets import PUBLISHED
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.kinds import NETWORK, KindHead, kind_name, load_heads
from scmc_comm.metrics.picture_features import NUM_KIND, SIDE, compute_features, vgg16_trunk
from scmc_comm.models import FOLDER

logger = logging.getLogger(__name__)

SETS = {
    "flower_kind": ("flowers256", "oxford-102"),
    "bird_kind": ("birds224", "cub-200-2011"),
}
"""Data sets of each metric's kinds, the first that is there."""

_BATCH = 8
_SCALE = 64.0  # of the features, so that the penalty is that of numbers around one
_PENALTY = 1e-5
_STEPS = 200

Degrade = Callable[[Image.Image, np.random.Generator], Image.Image]


def _as_it_is(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    return img


def _blurred(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    return img.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))


def _coded(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    img.save(buffer, "JPEG", quality=int(rng.integers(5, 40)))
    return Image.open(buffer).convert("RGB")


def _enlarged(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(rng.integers(48, 160))
    few = img.resize((side, side), Image.Resampling.LANCZOS)
    return few.resize(img.size, Image.Resampling.BICUBIC)


def _any_way(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    ways: tuple[Degrade, ...] = (_blurred, _coded, _enlarged, _as_it_is)
    return ways[int(rng.integers(4))](img, rng)


def _blur_of_two_pixels(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    return img.filter(ImageFilter.GaussianBlur(2))


def _jpeg_at_ten(img: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    img.save(buffer, "JPEG", quality=10)
    return Image.open(buffer).convert("RGB")


JUDGED: dict[str, Degrade] = {
    "original": _as_it_is,
    "blurred, sigma 2 pixels": _blur_of_two_pixels,
    "JPEG, quality 10": _jpeg_at_ten,
}
"""Views of test pictures that accuracy is stated for."""


def features_of(
    data: CaptionedImages, indices: Sequence[int], view: str, degrade: Degrade, path: Path
) -> Tensor:
    """Features of pictures in one view, float32 [n, NUM_KIND], kept in a file.

    Args:
        data: The pictures.
        indices: Which of them.
        view: Name of the view, which its random draws follow from.
        degrade: How pictures are shown in it.
        path: The file.
    """
    if path.is_file():
        return torch.from_numpy(np.load(path))
    trunk = copy.deepcopy(vgg16_trunk())
    trunk = trunk.to(torch.bfloat16) if has_fast_bfloat16() else trunk
    rng, rows = np.random.default_rng(list(view.encode())), []
    for start in tqdm(range(0, len(indices), _BATCH), desc=path.stem):
        pixels = data.pixels[list(indices[start : start + _BATCH])]
        shown = [np.asarray(degrade(Image.fromarray(one), rng)) for one in pixels]
        rows.append(compute_features(trunk, to_float(np.stack(shown)))[:, :NUM_KIND])
    found = torch.cat(rows)
    part = path.with_suffix(".part.npy")
    np.save(part, found.numpy())
    part.replace(path)
    return found


def fit(features: Tensor, kinds: Tensor, names: tuple[str, ...]) -> KindHead:
    """Multinomial logistic regression with a squared penalty, by L-BFGS.

    Args:
        features: float32 [n, NUM_KIND].
        kinds: int64 [n], numbers of the names.
        names: The kinds.
    """
    mean = features.mean(0)
    x = _SCALE**0.5 * (features - mean)
    weight = torch.zeros(len(names), x.shape[1], requires_grad=True)
    bias = torch.zeros(len(names), requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weight.T + bias, kinds)
        value = value + _PENALTY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[arg-type]
    w = _SCALE**0.5 * weight.detach()
    return KindHead(names, w, bias.detach() - w @ mean)


def train_head(
    data: Path, metric: str, every: int, cache: Path
) -> tuple[KindHead, dict[str, dict[str, float]]] | None:
    """A head and its accuracy on test pictures by view; None if its data set is not there.

    Args:
        data: Folder of the data sets, or of one.
        metric: Which head.
        every: Take every so many-th picture.
        cache: Folder of decoded pictures and features.
    """
    found = known_sets(data).get(metric)
    if found is None:
        return None
    train = load_split(data, found, "train", cache)
    names = tuple(sorted({kind_name(name) for name in train.class_names if name}))
    if len(names) < 2:
        raise ScmcError(f"{data} names {len(names)} kinds for {metric}; expected 2 or more")
    features, kinds = _rows(train, names, f"{found}-train", "any", _any_way, every, cache)
    head = fit(features, kinds, names)
    test, accuracy = load_split(data, found, "test", cache), {}
    for view, degrade in JUDGED.items():
        features, kinds = _rows(test, names, f"{found}-test", view, degrade, every, cache)
        right = float((head(features) == kinds).float().mean())
        accuracy[view] = {"accuracy": right, "pictures": float(len(kinds))}
    return head, accuracy


def known_sets(data: Path) -> dict[str, str]:
    """By metric the name of its data set, of those that a folder holds or is itself."""
    known: dict[str, str] = {}
    for metric, names in SETS.items():
        for name in names:
            folders = (name, *PUBLISHED.get(name, ()))
            if data.resolve().name in folders or any((data / f).is_dir() for f in folders):
                known.setdefault(metric, name)
    return known


def _rows(
    data: CaptionedImages,
    names: tuple[str, ...],
    stem: str,
    view: str,
    degrade: Degrade,
    every: int,
    cache: Path,
) -> tuple[Tensor, Tensor]:
    """Features and kinds, in one view, of every so many-th picture whose kind is known."""
    kinds = [kind_name(name) for name in data.class_names]
    chosen = [i for i, kind in enumerate(kinds) if kind in names][::every]
    made_of = sha256("\0".join(data.files[i] for i in chosen).encode()).hexdigest()[:8]
    path = cache / f"kinds-{stem}-{re.sub(r'[^a-zA-Z0-9]+', '-', view)}-{SIDE}-{made_of}.npy"
    features = features_of(data, chosen, view, degrade, path)
    return features, torch.tensor([names.index(kinds[i]) for i in chosen])


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = script_parser(__doc__)
    parser.add_argument("--every", type=int, default=1, help="take every N-th picture (1)")
    args = script_arguments(parser, argv)
    if args.every < 1:
        raise ScmcError(f"got --every {args.every}; expected 1 or more")
    found = {metric: train_head(args.data, metric, args.every, args.cache) for metric in SETS}
    if not any(found.values()):
        wanted = " or ".join(name for names in SETS.values() for name in names)
        raise ScmcError(f"no data set of flowers or birds in {args.data}; expected {wanted}")
    kinds: dict[str, tuple[str, ...]] = {}
    state: dict[str, Tensor] = {}
    report: dict[str, dict[str, dict[str, float]]] = {}
    for metric, trained in found.items():
        if trained is None:
            logger.warning("no set of %s in %s; the shipped head is kept", metric, args.data)
            head = load_heads(FOLDER / f"{NETWORK}.safetensors")[metric]
        else:
            head, report[metric] = trained
        kinds[metric] = head.names
        state |= {f"{metric}.weight": head.weight, f"{metric}.bias": head.bias}
    save_weights(NETWORK, {"kinds": kinds}, state, args.out / f"{NETWORK}.safetensors")
    text = json.dumps(report, indent=1)
    (args.out / f"{NETWORK}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
