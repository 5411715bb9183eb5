"""What of the meaning survives: captions and colours of the reconstruction against the original.

The captioner that ships with the codec looks at both pictures; what it says of the original is the
reference. So these metrics judge by that captioner's eyes: they are blind to what it cannot name
and inherit its mistakes, a wrong caption kept counts as kept meaning, and they are no human
judgement. Fidelity and naturalness are other metrics' business.
"""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import torch

from scmc_comm.device import chosen_device
from scmc_comm.metrics.distortion import check_pair
from scmc_comm.types import Annotation
from scmc_comm.zoo.sentence import load_sentence_model

if TYPE_CHECKING:
    from scmc_comm.codec.captioner import Captioner

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+")
_EMPTY_WORDS = frozenset(
    _WORD.findall(
        "a an the this that these those it its they their them he she his her him we our you your "
        "i my is are was were be been being has have had having do does did can could will would "
        "may might and or but nor so yet if than then as of in on at by to from for with without "
        "into onto over under above below between among through around about near up down out off "
        "there here which who whom whose what where when while how both each all some any no not "
        "only very too also just photo photos photograph picture image"
    )
)
_REMEMBERED = 1024


def caption_f1(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """F1 score of the content words in the captions of both pictures.

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float64 [b] in [0, 1]; 1 if the captions have the same content words.
    """
    check_pair(img, img_hat)
    pairs = zip(captions(img), captions(img_hat), strict=True)
    return torch.tensor([content_f1(a, b) for a, b in pairs], dtype=torch.float64)


def content_f1(reference: str, text: str) -> float:
    """F1 of two texts as sets of content words, 0 to 1.

    Content words are all words and numbers but articles, pronouns, auxiliaries, prepositions and
    the like, and but "photo" and its like, which say nothing of what is seen. Precision is the
    share of the text's words that the reference has, recall the share of the reference's words
    that the text has; F1 is their harmonic mean. Word forms are not reduced: "petal" is not
    "petals".

    Example:
        >>> content_f1("a red rose with many petals", "the petals of a red tulip")
        0.5714285714285714
    """
    wanted, found = content_words(reference), content_words(text)
    if not wanted and not found:
        return 1.0
    return 2 * len(wanted & found) / (len(wanted) + len(found))


def content_words(text: str) -> set[str]:
    """Lower-case words and numbers of a text that say what is seen.

    Example:
        >>> sorted(content_words("This is a Rose, and it has 5 petals."))
        ['5', 'petals', 'rose']
    """
    return {word for word in _WORD.findall(text.lower()) if word not in _EMPTY_WORDS}


def layout_agreement(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Share of the layout sentence's 25 cells whose colour has the same name in both pictures.

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float64 [b] in [0, 1]; 1 if `scmc_comm.codec.layout.describe_layout` says the same.

    Example:
        >>> black, white = torch.zeros(1, 3, 50, 50), torch.ones(1, 3, 50, 50)
        >>> top = torch.cat([white[:, :, :20], black[:, :, 20:]], dim=2)  # two rows of five
        >>> layout_agreement(black, top).item()
        0.6
    """
    check_pair(img, img_hat)
    from scmc_comm.codec.layout import layout_grid

    same = layout_grid(img)[1] == layout_grid(img_hat)[1]
    return same.double().flatten(1).mean(1)


def sentence_similarity(img: torch.Tensor, img_hat: torch.Tensor) -> torch.Tensor:
    """Cosine of the sentence embeddings of the captions of both pictures.

    Args:
        img: float [b, 3, H, W] in [0, 1].
        img_hat: the same shape.

    Returns:
        float64 [b] in [-1, 1], in practice 0 to 1; 1 if the captions are the same.

    Raises:
        ScmcError: if the model is not installed; it comes with ``scmc-comm[semantic]``.
    """
    check_pair(img, img_hat)
    return text_similarity(captions(img), captions(img_hat))


def caption_similarity(img_hat: torch.Tensor, annotations: Sequence[Annotation]) -> torch.Tensor:
    """Mean cosine of the reconstruction's caption and each caption that people gave the original.

    Args:
        img_hat: float [b, 3, H, W] in [0, 1].
        annotations: What the data set states of each original.

    Returns:
        float64 [b] in [-1, 1], in practice 0 to 1; NaN where the data set has no captions.

    Raises:
        ScmcError: as `sentence_similarity`.
    """
    values = torch.full((len(annotations),), torch.nan, dtype=torch.float64)
    stated = [i for i, annotation in enumerate(annotations) if annotation.captions]
    people = [annotations[i].captions for i in stated]
    texts = captions(img_hat[stated]) if stated else []
    repeated = [text for text, own in zip(texts, people, strict=True) for _ in own]
    cosines = text_similarity([text for own in people for text in own], repeated)
    for i, own in zip(stated, cosines.split([len(own) for own in people]), strict=True):
        values[i] = own.mean()
    return values


def text_similarity(references: Sequence[str], texts: Sequence[str]) -> torch.Tensor:
    """Cosine of the all-MiniLM-L6-v2 embeddings of each pair of texts, float64 [b].

    Reimers and Gurevych, "Sentence-BERT", EMNLP 2019; model of the sentence-transformers project.

    Raises:
        ScmcError: if the model is not installed; it comes with ``scmc-comm[semantic]``.
    """
    model = load_sentence_model()
    unique = list(dict.fromkeys((*references, *texts)))
    with torch.inference_mode():
        vectors = model.encode(
            unique, convert_to_tensor=True, show_progress_bar=False, device=str(chosen_device())
        ).cpu()
    unit = torch.nn.functional.normalize(vectors.double(), dim=-1)  # equal texts: 1 to 15 digits
    rows = dict(zip(unique, unit, strict=True))
    cosines = [(rows[a] @ rows[b]).clamp(-1, 1) for a, b in zip(references, texts, strict=True)]
    return torch.stack(cosines) if cosines else torch.zeros(0, dtype=torch.float64)


SEMANTIC: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "caption_f1": caption_f1,
    "layout_agreement": layout_agreement,
    "sentence_similarity": sentence_similarity,
}
"""The metrics of this module by name."""


def captions(imgs: torch.Tensor) -> list[str]:
    """Content sentences of pictures float [b, 3, H, W], each looked at once.

    A sweep compares many reconstructions with the same original, and two metrics ask for the
    captions of the same pictures, so the last thousand are remembered by the picture's content.
    """
    keys = [_key(img) for img in imgs]
    new = {key: i for i, key in enumerate(keys) if key not in _memory}
    if new:
        texts = _captioner().describe(imgs[list(new.values())].float())
        _memory.update(zip(new, texts, strict=True))
    out = [_memory[key] for key in keys]
    while len(_memory) > _REMEMBERED:
        _memory.popitem(last=False)
    return out


_memory: OrderedDict[bytes, str] = OrderedDict()


def _key(img: torch.Tensor) -> bytes:
    data = img.detach().float().contiguous().numpy()
    return sha256(repr(data.shape).encode() + data.tobytes()).digest()


@functools.cache
def _captioner() -> Captioner:
    from scmc_comm.codec.captioner import Captioner

    return Captioner.load()
