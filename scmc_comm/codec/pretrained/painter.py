"""SD-Turbo, SDXL-Turbo and their like as the generator of the semantic layer.

The content sentence is the prompt. The layout sentence is not for a text encoder: its colours,
blurred to a picture, are where the noise starts from, so that they lie where the sentence says.

Source: C. Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential
Equations", ICLR 2022; A. Sauer et al., "Adversarial Diffusion Distillation", 2023 (SD-Turbo).
"""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor
from torch.nn import functional as F

from scmc_comm.codec.layout import parse_layout, split_caption
from scmc_comm.codec.pretrained.diffusion import (
    TEXT_TO_IMAGE,
    load_pipeline,
    preset_of,
    render_size,
    run,
    show_progress,
)
from scmc_comm.codec.pretrained.hub import quiet
from scmc_comm.codec.tensors import resize

CLASSES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")


class DiffusionPainter:
    """A :class:`scmc_comm.codec.semantic.Painter` around a pipeline of diffusers.

    Args:
        pipeline: A ``StableDiffusionPipeline`` or ``StableDiffusionXLPipeline``.
    """

    def __init__(self, pipeline: Any) -> None:
        from diffusers import AutoPipelineForImage2Image

        self._paint = pipeline
        with quiet():
            self._repaint = AutoPipelineForImage2Image.from_pipe(pipeline)  # shares the weights
        show_progress(self._repaint)
        self.preset = preset_of(pipeline)

    @classmethod
    def load(cls, name: str, dtype: str = "float32") -> Self:
        """Load by hub name (``stabilityai/sd-turbo``, ``stabilityai/sdxl-turbo``) or folder.

        Args:
            name: Which.
            dtype: As for `load_pipeline`.

        Raises:
            ScmcError: The model is missing or is no such pipeline.
        """
        return cls(load_pipeline(name, TEXT_TO_IMAGE, CLASSES, dtype))

    def __call__(self, caption: str, size: tuple[int, int], seed: int) -> Tensor:
        """Picture of a caption, float32 [3, H, W] in [0, 1]; the same for the same seed."""
        prompt, _ = split_caption(caption)
        layout = parse_layout(caption)
        target = render_size(self._paint, size)
        options: dict[str, Any] = {
            "num_inference_steps": self.preset.steps,
            "guidance_scale": self.preset.guidance,
        }
        if layout is None:
            img = run(self._paint, prompt, seed, height=target[0], width=target[1], **options)
        else:
            start = F.interpolate(layout[None], target, mode="bicubic").clamp(0, 1)
            options["strength"] = self.preset.strength
            img = run(self._repaint, prompt, seed, image=start, **options)
        return resize(img, size)
