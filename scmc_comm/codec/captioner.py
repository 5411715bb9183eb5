"""Image to content sentence: the shipped small captioner, or any image-to-text model.

``Captioner.load()`` gives the captioner that this package trained; ``Captioner.load("NAME")``
loads an image-to-text model of transformers from a local folder or the Hugging Face hub, such as
``Salesforce/blip-image-captioning-base`` or ``florence-community/Florence-2-base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from scmc_comm.codec import captioner_net as net
from scmc_comm.codec.weights import filled, load_weights, save_weights
from scmc_comm.errors import ScmcError

DEFAULT_BEAMS = 3
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
            return [_tidy(text) for text in self.backend.generate(imgs, self.beams)]


def _tidy(text: str) -> str:
    """One line, single spaces, punctuation attached, a full stop at the end."""
    text = " ".join(text.split())
    for mark in (" ,", " :", " ;", " ."):
        text = text.replace(mark, mark[1:])
    text = text.rstrip(",:;")
    return text if not text or text[-1] in ".!?" else f"{text}."


class SmallBackend:
    """The captioner of ``captioner_net``."""

    def __init__(self, model: net.SmallCaptioner, words: Sequence[str]) -> None:
        self._model = model
        self._words = dict(enumerate(words, start=len(net.SPECIALS)))

    @classmethod
    def load(cls, path: Path | None) -> SmallBackend:
        """Read a weight file; None is the shipped one."""
        config, state = load_weights(_NETWORK, path)
        build = partial(net.build, len(config["words"]), config["num_kinds"])
        return cls(filled(build, state, path or "the shipped captioner"), config["words"])

    def generate(self, imgs: torch.Tensor, beams: int) -> list[str]:
        """Raw sentences of float32 [b, 3, H, W] in [0, 1]."""
        sentences = self._model.generate(net.prepare(imgs), beams)
        return [" ".join(self._words[i] for i in ids if i in self._words) for ids in sentences]


def save_small(model: torch.nn.Module, words: list[str], path: Path) -> None:
    """Write a captioner as the half-precision file that ``Captioner.load`` reads."""
    state = model.state_dict()
    config = {"words": words, "num_kinds": len(state["encoder.kind.weight"])}
    save_weights(_NETWORK, config, state, path)
