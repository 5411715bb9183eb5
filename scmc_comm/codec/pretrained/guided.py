"""ControlNet and T2I-Adapter in the place of the structure layer's fusion network.

The caption's content sentence is the prompt, the decoded edge map the control image. The decoded
colour map corrects what comes out: its low frequencies are put in the place of the painted ones,
as upscalers based on diffusion mend their colours.

Source: L. Zhang et al., "Adding Conditional Control to Text-to-Image Diffusion Models", ICCV
2023; C. Mou et al., "T2I-Adapter", AAAI 2024; colours as in J. Wang et al., "Exploiting Diffusion
Prior for Real-World Image Super-Resolution", IJCV 2024, with a box for the wavelet.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scmc_comm.codec.layout import split_caption
from scmc_comm.codec.pretrained.diffusion import (
    TEXT_TO_IMAGE,
    class_of,
    load_pipeline,
    preset_of,
    render_size,
    run,
    show_progress,
)
from scmc_comm.codec.pretrained.hub import check_whole, full_or_half, load_model, quiet
from scmc_comm.codec.structure import STRIDE, Sketch, SketchCodec
from scmc_comm.codec.tensors import pad_to, resize
from scmc_comm.errors import ScmcError

WHAT = "ControlNet, T2I-Adapter, or pipeline with one of them"
CELL = 8
_GUIDES = ("ControlNetModel", "T2IAdapter")
_PLAIN, _XL = "StableDiffusionPipeline", "StableDiffusionXLPipeline"
# (guide, base) to the pipeline that joins them.
_JOINED = {
    ("ControlNetModel", _PLAIN): "StableDiffusionControlNetPipeline",
    ("ControlNetModel", _XL): "StableDiffusionXLControlNetPipeline",
    ("T2IAdapter", _PLAIN): "StableDiffusionAdapterPipeline",
    ("T2IAdapter", _XL): "StableDiffusionXLAdapterPipeline",
}
# Width of the text embedding that a ControlNet was trained with, to the model that has it.
DEFAULT_BASES = {
    768: "stable-diffusion-v1-5/stable-diffusion-v1-5",
    1024: "stabilityai/sd-turbo",
    2048: "stabilityai/sdxl-turbo",
}


class GuidedStructureCodec(SketchCodec):
    """The structure layer with a pipeline of diffusers that follows edges.

    Args:
        detector: Edge detector, of the encoder.
        pipeline: One of the ControlNet or T2I-Adapter pipelines.
        edge_coder: As for :class:`SketchCodec`.
    """

    reads_picture = False

    def __init__(self, detector: nn.Module, pipeline: Any, edge_coder: str = "vvc") -> None:
        super().__init__(detector, edge_coder)
        self.pipeline = pipeline
        self.preset = preset_of(pipeline)
        adapter = pipeline.components.get("adapter")
        self._multiple = 1 if adapter is None else int(adapter.total_downscale_factor)
        self._channels = 3 if adapter is None else int(adapter.config.in_channels)

    def decode(
        self,
        payload: bytes,
        size: tuple[int, int],
        semantic: Tensor | None,
        caption: str | None = None,
        seed: int = 0,
    ) -> Tensor:
        """Picture of the lower two layers; see :meth:`SketchCodec.decode`."""
        sketch = self.sketch(payload, size)
        prompt = "" if caption is None else split_caption(caption)[0]
        target = render_size(self.pipeline, size, self._multiple)
        img = run(
            self.pipeline,
            prompt,
            seed,
            image=edge_image(sketch, size, target).expand(1, self._channels, -1, -1),
            height=target[0],
            width=target[1],
            num_inference_steps=self.preset.steps,
            guidance_scale=self.preset.guidance,
        )
        return match_colours(resize(img, size), sketch.colours)


def edge_image(sketch: Sketch, size: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """White edges on black, as ControlNets want them: [1, 1, h, w] of a picture of (H, W)."""
    padded = [-(-side // STRIDE) * STRIDE for side in size]
    edges = F.interpolate(sketch.edges[None], padded, mode="bilinear")[..., : size[0], : size[1]]
    return F.interpolate(edges, target, mode="bilinear").clamp(0, 1)


def match_colours(img: Tensor, colours: Tensor) -> Tensor:
    """Give a picture the low frequencies of a colour map.

    Args:
        img: float32 [3, H, W] in [0, 1].
        colours: float32 [3, h, w] in [0, 1], the padded picture made smaller. Only its means over
            cells of ``CELL`` pixels count: what is finer is as coarse coding left it.

    Returns:
        float32 [3, H, W] in [0, 1].

    Example:
        >>> match_colours(torch.zeros(3, 64, 64), torch.full((3, 8, 8), 0.5)).mean().item()
        0.5
    """
    padded = pad_to(img[None], STRIDE)
    cells = (padded.shape[2] // CELL, padded.shape[3] // CELL)
    error = F.adaptive_avg_pool2d(colours[None], cells) - F.adaptive_avg_pool2d(padded, cells)
    padded = padded + F.interpolate(error, padded.shape[-2:], mode="bicubic")
    return padded[0, :, : img.shape[1], : img.shape[2]].clamp(0, 1)


def load_guided(name: str, base: str | None = None, dtype: str = "float32") -> Any:
    """A pipeline that follows edges.

    Args:
        name: Hub name or folder: a ControlNet (``lllyasviel/sd-controlnet-hed``), a T2I-Adapter
            (``TencentARC/t2i-adapter-canny-sdxl-1.0``), or a whole pipeline with one in it.
        base: The text-to-image model under it, by hub name or folder. By default the one that
            it was trained for (``DEFAULT_BASES``); a whole pipeline has its own.
        dtype: Of their numbers, as for `load_pipeline`.

    Raises:
        ScmcError: A model is missing, is something else, or does not fit the other one.
    """
    guide = load_model(name, WHAT, functools.partial(_load_guide, dtype))
    if guide is None:
        if base is not None:
            raise ScmcError(f"{name} is a whole pipeline; leave the base {base} out")
        return load_pipeline(name, WHAT, tuple(_JOINED.values()), dtype)
    wanted = base or _default_base(name, guide)
    under = load_pipeline(wanted, TEXT_TO_IMAGE, (_PLAIN, _XL), dtype)
    return _join(name, guide, under)


def _load_guide(dtype: str, source: str, local_files_only: bool) -> Any:
    """The ControlNet or adapter; None if it is a whole pipeline."""
    import diffusers

    options = {"local_files_only": local_files_only}
    try:
        found = class_of(source, "config.json", **options)
    except OSError:
        found = class_of(source, "model_index.json", **options)
        if found in _JOINED.values():
            return None
    if found not in _GUIDES:
        raise ScmcError(f"{source} is a {found}; expected a {WHAT}")
    kind = getattr(diffusers, found)
    read = functools.partial(kind.from_pretrained, source, dtype=getattr(torch, dtype), **options)
    guide = full_or_half(read)
    check_whole(guide, source)
    return guide


def _default_base(name: str, guide: Any) -> str:
    if type(guide).__name__ == "T2IAdapter":
        return DEFAULT_BASES[2048 if guide.config.adapter_type == "full_adapter_xl" else 768]
    width = guide.config.cross_attention_dim
    if width not in DEFAULT_BASES:
        raise ScmcError(
            f"{name} reads text embeddings of width {width}, and no base with that width is known "
            "here; name the text-to-image model that it was trained for as its base"
        )
    return DEFAULT_BASES[width]


def _join(name: str, guide: Any, under: Any) -> Any:
    import diffusers

    kind, base = type(guide).__name__, type(under).__name__
    if kind == "ControlNetModel":
        wanted, given = guide.config.cross_attention_dim, under.unet.config.cross_attention_dim
        fits = wanted == given
    else:
        fits = (guide.config.adapter_type == "full_adapter_xl") == (base == _XL)
        wanted, given = guide.config.adapter_type, base
    if not fits:
        raise ScmcError(
            f"{name} ({wanted}) was not made for this base ({given}); name the text-to-image "
            "model that it was trained for"
        )
    slot = "controlnet" if kind == "ControlNetModel" else "adapter"
    joined = getattr(diffusers, _JOINED[kind, base])
    with quiet():
        pipeline = joined.from_pipe(under, dtype=under.dtype, **{slot: guide})
    show_progress(pipeline)
    return pipeline
