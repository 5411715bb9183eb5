"""Image to content sentence: the shipped small captioner, or any image-to-text model.

``Captioner.load()`` gives the captioner that this package trained; ``Captioner.load("NAME")``
loads an image-to-text model of transformers from a local folder or the Hugging Face hub, such as
``Salesforce/blip-image-captioning-base`` or ``florence-community/Florence-2-base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from scmc_comm.codec import captioner_net as net
from scmc_comm.codec.weights import filled, load_weights, save_weights
from scmc_comm.errors import ScmcError

DEFAULT_BEAMS = 3
NOTHING = "a photo"
"""Said of a picture where nothing else is said rather than something wrong."""
_NETWORK = "captioner"


class Backend(Protocol):
    """What makes sentences of images."""

    def generate(self, imgs: torch.Tensor, beams: int) -> list[str]:
        """Raw sentences of float32 [b, 3, H, W] in [0, 1]."""
        ...


class Captioner:
    """Describes the content of images in one English sentence each; deterministic.

    Args:
        backend: The model.
        beams: Beam width; 1 is greedy.

    Example:
        >>> captioner = Captioner.load()
        >>> captioner(torch.rand(3, 64, 64)).endswith(".")
        True
    """

    def __init__(self, backend: Backend, beams: int = DEFAULT_BEAMS) -> None:
        if beams < 1:
            raise ScmcError(f"beam width is {beams}; give 1 (greedy) or more")
        self.backend, self.beams = backend, beams

    @classmethod
    def load(cls, name_or_path: str | Path | None = None, beams: int = DEFAULT_BEAMS) -> Captioner:
        """Load a captioner.

        Args:
            name_or_path: None for the shipped one, a ``.safetensors`` file of its kind, a folder
                written by transformers' ``save_pretrained``, or a hub name.
            beams: Beam width; 1 is greedy.

        Raises:
            ScmcError: The model is not there or is no image-to-text model; says what to fetch.
        """
        if name_or_path is None:
            return cls(SmallBackend.load(None), beams)
        text = str(name_or_path)
        if text.endswith(".safetensors"):
            return cls(SmallBackend.load(Path(text)), beams)
        from scmc_comm.codec.pretrained.captioners import load_captioner

        return cls(load_captioner(text), beams)

    def __call__(self, img: torch.Tensor) -> str:
        """Content sentence of one image, float32 [3, H, W] in [0, 1]."""
        if img.ndim != 3 or img.shape[0] != 3:
            raise ScmcError(f"captioner got shape {tuple(img.shape)}; give one image [3, H, W]")
        return self.describe(img[None])[0]

    def describe(self, imgs: torch.Tensor) -> list[str]:
        """Content sentences of a batch of images, float32 [b, 3, H, W] in [0, 1]."""
        if imgs.ndim != 4 or imgs.shape[1] != 3:
            raise ScmcError(f"captioner got shape {tuple(imgs.shape)}; give [b, 3, H, W]")
        with torch.inference_mode():
            return [tidy(text) for text in self.backend.generate(imgs, self.beams)]


def tidy(text: str) -> str:
    """A sentence: one line, single spaces, punctuation attached, a full stop at the end."""
    text = " ".join(text.split())
    for mark in (" ,", " :", " ;", " ."):
        text = text.replace(mark, mark[1:])
    text = text.rstrip(",:;")
    return text if not text or text[-1] in ".!?" else f"{text}."


@dataclass(frozen=True)
class Reading:
    """What the small captioner makes of a picture, however sure it is.

    Attributes:
        sentence: The likeliest words.
        confidence: Mean log-probability of these words.
        kind: Name of the likeliest kind of thing that it can name, "" for none of them.
        kind_odds: Its probability.
        image_class: Likeliest class of ImageNet.
        class_odds: Its probability.
    """

    sentence: str
    confidence: float
    kind: str
    kind_odds: float
    image_class: str
    class_odds: float


@dataclass(frozen=True)
class Trust:
    """When the small captioner says what, chosen on validation pictures.

    Attributes:
        name_from: Probability of a kind of thing from which on it is named.
        say_from: Confidence in a sentence from which on it is said.
        class_from: Probability of an ImageNet class from which on that is said in the place of a
            sentence; below it nothing is, but that it is a photo.
    """

    name_from: float = 0.5
    say_from: float = -1.05
    class_from: float = 0.6

    def say(self, seen: Reading) -> str:
        """A sentence about a picture."""
        if seen.confidence >= self.say_from:
            return seen.sentence
        return f"a photo of a {seen.image_class}" if seen.class_odds >= self.class_from else NOTHING


class SmallBackend:
    """The captioner of ``captioner_net``, which says nothing rather than what it doubts."""

    def __init__(
        self,
        model: net.SmallCaptioner,
        words: Sequence[str],
        names: Sequence[str],
        classes: Sequence[str],
        trust: Trust,
    ) -> None:
        self.model, self.trust, self._classes = model, trust, classes
        self._words, self._names = (*net.SPECIALS, *words), (*names, "")

    @classmethod
    def load(cls, path: Path | None) -> SmallBackend:
        """Read a weight file; None is the shipped one.

        Raises:
            ScmcError: If it is missing or of another layout.
        """
        config, state = load_weights(_NETWORK, path)
        source = path or "the shipped captioner"
        try:
            shape, trust = net.CaptionerShape(**config["shape"]), Trust(**config["trust"])
            words, names, classes = (config[key] for key in ("words", "names", "classes"))
        except (KeyError, TypeError) as error:
            raise ScmcError(
                f"{source} is no captioner of this version ({error}); train one with "
                "'scmc-comm train captioner'"
            ) from error
        model = filled(partial(net.SmallCaptioner, shape), state, source)
        return cls(model, words, names, classes, trust)

    def generate(self, imgs: torch.Tensor, beams: int) -> list[str]:
        """Raw sentences of float32 [b, 3, H, W] in [0, 1]."""
        imgs = net.prepare(imgs)
        seen = self.read(self.model.encoder.trunk(imgs), net.color_grid(imgs), beams)
        return [self.trust.say(reading) for reading in seen]

    def read(self, maps: torch.Tensor, colors: torch.Tensor, beams: int) -> list[Reading]:
        """Readings of the trunk's maps [b, 352, h, w] and of ``color_grid`` [b, 75]."""
        encoder = self.model.encoder
        pooled = encoder.pooled(maps)
        odds, kind = encoder.kinds(pooled).softmax(-1).max(-1)
        unnamed = len(self._names) - 1
        told = torch.where(odds >= self.trust.name_from, kind, unnamed)
        tokens = encoder.tokens(encoder.cells(maps), pooled, colors, told)
        class_odds, image_class = encoder.classes(pooled).softmax(-1).max(-1)
        return [
            Reading(
                " ".join(self._words[i] for i in words), confidence,
                self._names[k], k_odds, self._classes[c], c_odds,
            )
            for (words, confidence), k, k_odds, c, c_odds in zip(
                self.model.say(tokens, beams),
                *(x.tolist() for x in (kind, odds, image_class, class_odds)),
                strict=True,
            )
        ]  # fmt: skip


def save_small(
    model: net.SmallCaptioner,
    words: Sequence[str],
    names: Sequence[str],
    classes: Sequence[str],
    trust: Trust,
    path: Path,
) -> None:
    """Write a captioner as the file that ``Captioner.load`` reads, matrices in eight bits.

    Args:
        model: The network.
        words: That it says, in the order of their ids.
        names: Of the kinds that it names.
        classes: Names of ImageNet's classes.
        trust: When it says what.
        path: Where to.
    """
    config = {
        "shape": asdict(model.shape), "words": list(words), "names": list(names),
        "classes": list(classes), "trust": asdict(trust),
    }  # fmt: skip
    save_weights(_NETWORK, config, model.state_dict(), path, eight_bits=True)
