"""Published image-to-text models: BLIP and its like, and Florence-2."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from scmc_comm.codec.captioner_net import MAX_NEW_TOKENS
from scmc_comm.codec.pretrained.hub import full_or_half, load_model
from scmc_comm.device import on_device
from scmc_comm.errors import ScmcError

WHAT = "image-to-text model with image processor and tokenizer"
FLORENCE_TASK = "<CAPTION>"  # one sentence; Florence-2 has longer kinds, which cost bytes


class PublishedBackend:
    """A model of transformers that describes an image, such as BLIP, GIT, ViT-GPT2 or Florence-2.

    Args:
        model: The model.
        processor: Makes inputs of images, and of the task if there is one.
        tokenizer: Makes words of tokens.
        task: What the model is told to do, for one that is told its task in words, as Florence-2.

    Source: B. Xiao et al., "Florence-2: Advancing a Unified Representation for a Variety of
    Vision Tasks", CVPR 2024.
    """

    def __init__(self, model: Any, processor: Any, tokenizer: Any, task: str | None = None) -> None:
        self._model, self._processor, self._tokenizer = model.eval(), processor, tokenizer
        self.task = task

    def generate(self, imgs: torch.Tensor, beams: int) -> list[str]:
        """Raw sentences of float32 [b, 3, H, W] in [0, 1]."""
        pixels = imgs.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        images = [np.array(image) for image in pixels]
        if self.task is None:
            inputs = self._processor(images=images, return_tensors="pt")
            inputs = {"pixel_values": inputs["pixel_values"]}
        else:
            text = [self.task] * len(images)
            inputs = self._processor(images=images, text=text, return_tensors="pt")
        tokens = on_device(
            self._model.generate, **inputs, max_new_tokens=MAX_NEW_TOKENS, num_beams=beams,
            do_sample=False,
        )  # fmt: skip
        return list(self._tokenizer.batch_decode(tokens, skip_special_tokens=True))


def load_captioner(name: str) -> PublishedBackend:
    """Load from a folder or the hub; code that comes with a model never runs.

    Args:
        name: ``Salesforce/blip-image-captioning-base``, ``florence-community/Florence-2-base``,
            or a folder of such a model.

    Raises:
        ScmcError: The model is missing, is no image-to-text model, or lacks weights.
    """
    return load_model(name, WHAT, _load)


def _load(source: str, local_files_only: bool) -> PublishedBackend:
    from transformers import (
        AutoImageProcessor,
        AutoModelForImageTextToText,
        AutoProcessor,
        AutoTokenizer,
    )

    options: dict[str, Any] = {"local_files_only": local_files_only, "trust_remote_code": False}
    read = functools.partial(
        AutoModelForImageTextToText.from_pretrained, source, dtype=torch.float32,
        output_loading_info=True, **options,
    )  # fmt: skip
    loaded: Any = full_or_half(read)
    model, told = loaded
    if told["missing_keys"]:  # transformers would draw them at random and only warn
        raise ScmcError(
            f"the weights of {source} lack {len(told['missing_keys'])} tensors, such as "
            f"{min(told['missing_keys'])}: they are not in the layout of transformers' own "
            f"{type(model).__name__} (for Florence-2 take florence-community/Florence-2-base)"
        )
    if model.config.model_type == "florence2":
        processor = AutoProcessor.from_pretrained(source, **options)
        return PublishedBackend(model, processor, processor, FLORENCE_TASK)
    return PublishedBackend(
        model,
        AutoImageProcessor.from_pretrained(source, **options),
        AutoTokenizer.from_pretrained(source, **options),
    )
