"""Random pipelines of the published classes, small enough to make and run in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ("red", "rose", "cat", "photo")
TEXT_WIDTH = 32


def save_stable_diffusion(folder: Path, xl: bool = False, turbo: bool = True) -> Path:
    """A pipeline that paints 32 x 32, as ``save_pretrained`` writes it."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    parts = {"vae": _vae(), "unet": _unet(xl), "scheduler": _scheduler(xl, turbo)}
    parts |= {"tokenizer": _clip_tokenizer(folder), "text_encoder": _clip_text()}
    if xl:
        parts |= {"tokenizer_2": _clip_tokenizer(folder), "text_encoder_2": _clip_text(True)}
        pipe: Any = StableDiffusionXLPipeline(**parts, add_watermarker=False)
    else:
        pipe = StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.save_pretrained(folder)
    return folder


def controlnet(xl: bool = False) -> Any:
    from diffusers import ControlNetModel

    net = ControlNetModel.from_unet(_unet(xl), conditioning_embedding_out_channels=(8, 16))
    for conv in net.controlnet_down_blocks:  # zero before training: give the edges a voice
        torch.nn.init.normal_(conv.weight)
    torch.nn.init.normal_(net.controlnet_cond_embedding.conv_out.weight)
    return net


def adapter(xl: bool = False) -> Any:
    from diffusers import T2IAdapter

    kind = "full_adapter_xl" if xl else "full_adapter"
    torch.manual_seed(0)
    return T2IAdapter(
        in_channels=3 if xl else 1, channels=[8, 16, 16, 16] if xl else [8, 16],
        num_res_blocks=1, downscale_factor=4 if xl else 2, adapter_type=kind,
    )  # fmt: skip


def save_florence(folder: Path) -> Path:
    from transformers import (
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    tokenizer = _bart_tokenizer(folder)
    image = CLIPImageProcessor(
        size={"height": 32, "width": 32}, do_center_crop=False, image_seq_length=5
    )
    image.image_seq_length = 5  # 2 x 2 cells and their mean
    Florence2Processor(image_processor=image, tokenizer=tokenizer).save_pretrained(folder)
    text = {"model_type": "bart", "vocab_size": len(tokenizer), "d_model": 16}
    text |= {f"{end}_{key}": n for end in ("encoder", "decoder")
             for key, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))}  # fmt: skip
    text |= {"max_position_embeddings": 64, "bos_token_id": 0, "pad_token_id": 1}
    text |= {"eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2}
    vision = {"depths": (1, 1), "patch_size": (7, 3), "patch_stride": (4, 4)}
    vision |= {"patch_padding": (3, 1), "patch_prenorm": (False, True), "embed_dim": (8, 16)}
    vision |= {"num_heads": (2, 2), "num_groups": (2, 2), "window_size": 2, "projection_dim": 16}
    torch.manual_seed(0)
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.image_token_id
    )
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def _unet(xl: bool) -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    down = ["CrossAttnDownBlock2D", "DownBlock2D"]  # as in the models themselves
    more: dict[str, Any] = {}
    if xl:
        down = ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"]
        more = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8}
        more |= {"projection_class_embeddings_input_dim": 6 * 8 + TEXT_WIDTH}
        more |= {"transformer_layers_per_block": (1, 1, 2), "use_linear_projection": True}
    return UNet2DConditionModel(
        sample_size=16, block_out_channels=(8, 16, 16)[: len(down)], layers_per_block=1,
        norm_num_groups=4, down_block_types=tuple(down),
        up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
        cross_attention_dim=2 * TEXT_WIDTH if xl else TEXT_WIDTH, attention_head_dim=2, **more,
    )  # fmt: skip


def _vae() -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4, sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def _scheduler(xl: bool, turbo: bool) -> Any:
    """SDXL-Turbo's, SD-Turbo's, or that of an undistilled model."""
    from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    if not turbo:
        return DDIMScheduler(**betas, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    kind = EulerAncestralDiscreteScheduler if xl else EulerDiscreteScheduler
    return kind(**betas, timestep_spacing="trailing", steps_offset=1)


def _clip_text(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=60, hidden_size=TEXT_WIDTH, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, projection_dim=TEXT_WIDTH, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _clip_tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer; its vocabulary is the letters and a few words."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [*letters, *(f"{piece}</w>" for piece in (*letters, *WORDS))]
    path = _write_vocabulary(folder, [*pieces, "<|startoftext|>", "<|endoftext|>"])
    return CLIPTokenizer.from_pretrained(path, model_max_length=77)


def _bart_tokenizer(folder: Path) -> Any:
    from transformers import BartTokenizer

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    path = _write_vocabulary(
        folder, ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *letters]
    )
    tokenizer = BartTokenizer.from_pretrained(path, extra_special_tokens={"image_token": "<image>"})
    return tokenizer


def _write_vocabulary(folder: Path, pieces: list[str]) -> Path:
    path = folder.with_name(f"{folder.name}-vocabulary")
    path.mkdir(parents=True, exist_ok=True)
    (path / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    return path
