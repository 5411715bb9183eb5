"""Which kind of flower or bird is seen: a classifier that no network of the codec has a part in.

A linear head on features of a frozen VGG16 for each question, trained on real pictures and on
blurred and coarsely coded ones by ``experiments.training.kinds``. Its accuracy on originals stands
in ``docs/metrics.md``: read a share of kinds recovered beside it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scmc_comm.codec.weights import load_weights
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.picture_features import NUM_KIND, picture_features, vgg16_trunk
from scmc_comm.types import Annotation

NETWORK = "kinds"


@dataclass(frozen=True)
class KindHead:
    """A linear classifier of kinds.

    Attributes:
        names: The kinds, in lower-case words.
        weight: float32 [kinds, NUM_KIND].
        bias: float32 [kinds].
    """

    names: tuple[str, ...]
    weight: Tensor
    bias: Tensor

    def __post_init__(self) -> None:
        shapes = (tuple(self.weight.shape), tuple(self.bias.shape))
        if shapes != ((len(self.names), NUM_KIND), (len(self.names),)):
            raise ScmcError(
                f"a head of {len(self.names)} kinds has weights {shapes[0]} and {shapes[1]}; "
                f"train it again with 'scmc-comm train {NETWORK}'"
            )

    def __call__(self, features: Tensor) -> Tensor:
        """Number of the kind that is seen, int64 [b], from features [b, NUM_KIND or more]."""
        return (features[:, :NUM_KIND] @ self.weight.T + self.bias).argmax(1)

    def number(self, class_name: str) -> int | None:
        """Number of a kind by the name that a data set has for it; None if it is not known.

        Example:
            >>> head = KindHead(("lazuli bunting",), torch.zeros(1, NUM_KIND), torch.zeros(1))
            >>> head.number("Lazuli-Bunting"), head.number("rose")
            (0, None)
        """
        name = kind_name(class_name)
        return self.names.index(name) if name in self.names else None


def kind_name(class_name: str) -> str:
    """A class name in the form in which kinds are compared."""
    return " ".join(class_name.lower().replace("-", " ").replace("_", " ").strip("?").split())


@functools.cache
def load_heads(path: Path | None = None) -> dict[str, KindHead]:
    """The heads by metric, read once a process.

    Args:
        path: A file in place of the one in use.

    Raises:
        ScmcError: if the file is missing or not what it should be.
    """
    config, state = load_weights(NETWORK, path)
    return {
        metric: KindHead(tuple(names), state[f"{metric}.weight"], state[f"{metric}.bias"])
        for metric, names in config["kinds"].items()
    }


def require_kinds() -> None:
    """Load all that kinds are told by.

    Raises:
        ScmcError: if the heads or VGG16's weights are not here and cannot be fetched.
    """
    load_heads()
    vgg16_trunk()


def kind_recovered(metric: str, img_hat: Tensor, annotations: Sequence[Annotation]) -> Tensor:
    """Does a classifier see the kind that the data set states?

    Args:
        metric: ``flower_kind`` or ``bird_kind``.
        img_hat: float [b, 3, H, W] in [0, 1].
        annotations: What the data set states of each original.

    Returns:
        float64 [b]: 1 or 0; NaN where the data set states no kind that the classifier knows.

    Raises:
        ScmcError: as `require_kinds`.
    """
    head = load_heads()[metric]
    stated = [head.number(annotation.class_name) for annotation in annotations]
    known = [i for i, number in enumerate(stated) if number is not None]
    values = torch.full((len(stated),), torch.nan, dtype=torch.float64)
    if known:
        seen = head(picture_features(img_hat[known]))
        values[known] = (seen == torch.tensor([stated[i] for i in known])).double()
    return values


KINDS: dict[str, Callable[[Tensor, Sequence[Annotation]], Tensor]] = {
    name: functools.partial(kind_recovered, name) for name in ("flower_kind", "bird_kind")
}
"""The metrics of this module by name."""
