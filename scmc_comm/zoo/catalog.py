"""All weights that the package can use: where each lies, how it is fetched and how verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scmc_comm.errors import ScmcError
from scmc_comm.zoo import sentence, sources

NETWORKS = ("captioner", "edges", "fusion", "generator", "signal", "text_model")
"""The codec's own, in one file each, without which it does not work."""


@dataclass(frozen=True)
class Weights:
    """One set of weights.

    Attributes:
        name: What the command line calls it.
        purpose: What it is for.
        path: File it is in, there or not; None if its package is not installed.
        fix: What to do where it is missing.
        fetch: Brings it here, ScmcError if that cannot be; None for what only pip brings.
        verify: Checks what is here and says how; ScmcError if it is not as it should be.
    """

    name: str
    purpose: str
    path: Callable[[], Path | None]
    fix: str
    fetch: Callable[[], object] | None
    verify: Callable[[], str]

    @property
    def found(self) -> Path | None:
        """The file, if it is there."""
        path = self.path()
        return path if path is not None and path.is_file() else None


def catalog() -> dict[str, Weights]:
    """Every set of weights by name: the metric networks', then the package's own."""
    entries = [
        _features("alexnet", "LPIPS-Alex; training of captioner, generator, fusion and signal"),
        _features("vgg16", "LPIPS-VGG, DISTS, kinds, KID; training of edges, generator and others"),
        Weights(
            "sentence",
            "sentence_similarity (all-MiniLM-L6-v2)",
            sentence.sentence_weights,
            sentence.FIX,
            None,
            lambda: f"SHA-256 {sentence.verify_sentence_model()[:12]}...",
        ),
        *(_own(name) for name in dict.fromkeys((*NETWORKS, *_shipped_networks()))),
    ]
    return {entry.name: entry for entry in entries}


def _features(name: str, purpose: str) -> Weights:
    load = {"alexnet": sources.alexnet_features, "vgg16": sources.vgg16_features}[name]
    return Weights(
        name,
        purpose,
        lambda: sources.kept_path(name),
        f"scmc-comm weights fetch {name}",
        load,
        lambda: f"SHA-256 of the numbers {sources.verify_features(name)[:12]}...",
    )


def _shipped_networks() -> list[str]:
    from scmc_comm.models import FOLDER

    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def _own(name: str) -> Weights:
    from scmc_comm.codec.text_coder import text_model_path
    from scmc_comm.models import model_path

    text = name == "text_model"
    return Weights(
        name,
        "flower_kind and bird_kind" if name == "kinds" else "codec",
        text_model_path if text else lambda: model_path(f"{name}.safetensors"),
        f"reinstall the package, or scmc-comm train {name}",
        None,
        _verify_text_model if text else lambda: _verify_network(name),
    )


def _verify_text_model() -> str:
    from scmc_comm.codec.text_coder import TextCoder

    coder, text = TextCoder.load(), "a red rose."
    if coder.decode(coder.encode(text)) != text:
        raise ScmcError("the text model does not give back what it coded; reinstall the package")
    return "codes and decodes"


def _verify_network(name: str) -> str:
    from scmc_comm.codec.weights import load_weights

    _, state = load_weights(name)
    wrong = [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]
    if wrong:
        raise ScmcError(f"weights of {name} hold numbers that are not finite, at {wrong[0]!r}")
    return f"{len(state)} tensors, all finite"
