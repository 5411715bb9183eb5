"""What text-to-image pipelines of diffusers have in common here: loading, presets, sizes.

Noise comes from a ``torch.Generator`` on the processor seeded with the container's seed, whatever
the device, so the same versions of the libraries repeat a picture exactly on the same device.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scmc_comm.codec.pretrained.hub import check_whole, full_or_half, load_model, quiet
from scmc_comm.device import chosen_device
from scmc_comm.errors import ScmcError

logger = logging.getLogger(__name__)

TEXT_TO_IMAGE = "text-to-image pipeline (StableDiffusionPipeline or StableDiffusionXLPipeline)"
_LEAST_LATENT_SIDE = 8  # what three halvings inside a UNet want
_MAX_ASPECT = 2.0


@dataclass(frozen=True)
class Preset:
    """How a family of models is run.

    Attributes:
        steps: Denoising steps.
        guidance: Classifier-free guidance scale; up to 1 is none, and half the work.
        strength: Share of the steps taken when the colours of the layout sentence are the start.
    """

    steps: int
    guidance: float
    strength: float


TURBO = Preset(steps=4, guidance=0.0, strength=0.75)
PLAIN = Preset(steps=30, guidance=7.5, strength=0.9)


def preset_of(pipeline: Any) -> Preset:
    """``TURBO`` for distilled models, ``PLAIN`` for the others.

    Models that were distilled to a few steps (SD-Turbo, SDXL-Turbo) start at the very last time
    step, and say so in their scheduler: ``timestep_spacing`` is "trailing".
    """
    spacing = pipeline.scheduler.config.get("timestep_spacing")
    return TURBO if spacing == "trailing" else PLAIN


def load_pipeline(name: str, what: str, classes: tuple[str, ...], dtype: str = "float32") -> Any:
    """A pipeline of one of these classes, ready to run.

    Args:
        name: Folder or hub name.
        what: What is looked for, for messages.
        classes: Names of the classes of diffusers that will do.
        dtype: Of its numbers, ``float32``, ``float16`` or ``bfloat16``.

    Raises:
        ScmcError: It is missing or of another class.
    """

    def load(source: str, local_files_only: bool) -> Any:
        import diffusers

        options = {"local_files_only": local_files_only}
        found = class_of(source, "model_index.json", **options)
        if found not in classes:
            raise ScmcError(f"{name} is a {found}; expected a {what}")

        def read(**variant: str) -> Any:
            how = {**options, **variant, "dtype": getattr(torch, dtype)}
            encoders = _text_encoders(source, **how)
            return getattr(diffusers, found).from_pretrained(source, **encoders, **how)

        made = full_or_half(read)
        for part in made.components.values():
            if isinstance(part, nn.Module):
                check_whole(part, name)
        _check_tokenizers(made, name)
        return made

    pipeline = load_model(name, what, load)
    show_progress(pipeline)
    return pipeline


def _text_encoders(source: str, **how: Any) -> dict[str, Any]:
    """The text encoders of a pipeline by name; diffusers would not tell what they lack."""
    import transformers
    from diffusers import DiffusionPipeline

    config = DiffusionPipeline.load_config(source, local_files_only=how["local_files_only"])
    found = {}
    for name, made_of in config.items():
        if not (name.startswith("text_encoder") and made_of[0] == "transformers"):
            continue
        kind = getattr(transformers, made_of[1])
        made, told = kind.from_pretrained(source, subfolder=name, output_loading_info=True, **how)
        check_whole(made, f"{source}/{name}", told["missing_keys"])
        found[name] = made
    return found


def _check_tokenizers(pipeline: Any, name: str) -> None:
    """Refuses a tokenizer without its vocabulary; gives one without a length the encoder's."""
    for part, tokenizer in pipeline.components.items():
        encoder = pipeline.components.get(part.replace("tokenizer", "text_encoder"))
        if not part.startswith("tokenizer") or encoder is None:
            continue
        known, words = 0 if tokenizer is None else len(tokenizer), encoder.config.vocab_size
        if 2 * known < words:
            raise ScmcError(
                f"the {part} of {name} knows {known} of the text encoder's {words} tokens: its "
                f"files are missing; get the folder {name}/{part} again"
            )
        most = encoder.config.max_position_embeddings
        tokenizer.model_max_length = min(tokenizer.model_max_length, most)


def class_of(source: str, file: str, local_files_only: bool) -> str:
    """Name of the class that a configuration file of diffusers states."""
    from diffusers import ControlNetModel, DiffusionPipeline

    reader = DiffusionPipeline if file == DiffusionPipeline.config_name else ControlNetModel
    config = reader.load_config(source, local_files_only=local_files_only)
    return str(config.get("_class_name"))


def show_progress(pipeline: Any) -> None:
    """A bar over the denoising steps where a person watches, and none in a log."""
    pipeline.set_progress_bar_config(disable=None, leave=False)


def render_size(pipeline: Any, size: tuple[int, int], multiple: int = 1) -> tuple[int, int]:
    """(H, W) at which a pipeline paints a picture of ``size``.

    The short side is the one that the model was trained for; the long side keeps the aspect up
    to 2 : 1, beyond which a picture is painted narrower and stretched.

    Args:
        pipeline: With a UNet and a VAE.
        size: (H, W) that is asked for.
        multiple: Another number that both sides must be multiples of.
    """
    grain = max(pipeline.vae_scale_factor * _LEAST_LATENT_SIDE, multiple)
    native = int(pipeline.unet.config.sample_size) * pipeline.vae_scale_factor
    short = min(size)
    height, width = (
        max(grain, round(native * min(side / short, _MAX_ASPECT) / grain) * grain) for side in size
    )
    return height, width


def run(pipeline: Any, prompt: str, seed: int, **options: Any) -> Tensor:
    """One picture of a pipeline, float32 [3, h, w] in [0, 1]; the same for the same seed."""
    limit = pipeline.tokenizer.model_max_length
    if len(pipeline.tokenizer(prompt).input_ids) > limit:
        logger.warning("the text encoder reads the first %d tokens of %r only", limit, prompt)
    if pipeline.device != (device := chosen_device()):
        pipeline.to(device)
    with torch.inference_mode(), quiet(bars=True):
        made = pipeline(
            prompt=prompt,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",  # what all of them can do
            **options,
        )
    if any(getattr(made, "nsfw_content_detected", None) or ()):
        logger.warning("the model's own safety checker blanked the picture of %r", prompt)
    return torch.from_numpy(made.images[0]).permute(2, 0, 1).float().clamp(0, 1)
