"""Published networks at their full size, with random weights: ``python -m benchmarks.published``.

Each is built from its public configuration, saved in the hub's layout in half precision in a
temporary folder and loaded as the command line loads it. What is stated is size, memory and time on
this machine; what the networks say or paint is noise by construction, as nothing was learned.

    python -m benchmarks.published --only blip-base
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from experiments.execution.machine import describe_machine
from experiments.execution.stopwatch import Stopwatch, peak_kib
from scmc_comm.images import load_photo

SIDE = 512
_PUNCTUATION = [chr(code) for code in range(ord("!"), ord("~") + 1)]


def save_blip(folder: Path) -> None:
    """``Salesforce/blip-image-captioning-base``."""
    from transformers import (
        BertTokenizerFast,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
    )

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_PUNCTUATION]
    words += [f"word{n}" for n in range(30_522 - len(words))]
    path = folder.with_name("vocabulary.txt")
    path.write_text("\n".join([*words, "[DEC]", "[ENC]"]), encoding="utf-8")
    BertTokenizerFast.from_pretrained(_folder_of(path, "vocab.txt")).save_pretrained(folder)
    BlipImageProcessor().save_pretrained(folder)
    text = {"num_attention_heads": 12, "vocab_size": 30_524}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text))
    model.half().save_pretrained(folder)


def save_florence(folder: Path) -> None:
    """``florence-community/Florence-2-base``."""
    from transformers import (
        BartTokenizer,
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *_PUNCTUATION]
    tokenizer = BartTokenizer.from_pretrained(
        _byte_pairs(folder, [*pieces, *(f"word{n}" for n in range(51_288 - len(pieces)))]),
        extra_special_tokens={"image_token": "<image>"},
    )
    processor = CLIPImageProcessor(size={"height": 768, "width": 768}, do_center_crop=False)
    processor.image_seq_length = 577
    Florence2Processor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)
    text: dict[str, Any] = {
        "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 768,
        "max_position_embeddings": 4096, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 2, "forced_eos_token_id": 2,
    }  # fmt: skip
    for end in ("encoder", "decoder"):
        text |= {f"{end}_layers": 6, f"{end}_attention_heads": 12, f"{end}_ffn_dim": 3072}
    vision = {"projection_dim": 768}  # of the large one it is 1024
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.image_token_id
    )
    Florence2ForConditionalGeneration(config).half().save_pretrained(folder)


def save_sd_turbo(folder: Path) -> None:
    """``stabilityai/sd-turbo``."""
    from diffusers import EulerDiscreteScheduler

    unet = _unet(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20),
                 use_linear_projection=True)  # fmt: skip
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip
    text = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
            "num_attention_heads": 16, "hidden_act": "gelu"}  # fmt: skip
    _save_pipeline(folder, unet, scheduler, text)


def save_sd15(folder: Path) -> None:
    """``stable-diffusion-v1-5/stable-diffusion-v1-5``."""
    from diffusers import PNDMScheduler

    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
        steps_offset=1,
    )  # fmt: skip
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
            "num_attention_heads": 12, "hidden_act": "quick_gelu"}  # fmt: skip
    _save_pipeline(folder, _unet(cross_attention_dim=768, attention_head_dim=8), scheduler, text)


def save_controlnet(folder: Path) -> None:
    """``lllyasviel/sd-controlnet-hed``, with the base that it goes on beside it."""
    from diffusers import ControlNetModel

    ControlNetModel(cross_attention_dim=768).half().save_pretrained(folder)
    save_sd15(_base_of(folder))


def _unet(**options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(sample_size=64, **options)


def _save_pipeline(folder: Path, unet: Any, scheduler: Any, text: dict[str, Any]) -> None:
    from diffusers import AutoencoderKL, StableDiffusionPipeline
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters)]
    pieces += [f"word{n}</w>" for n in range(49_406 - len(pieces))]
    path = _byte_pairs(folder, [*pieces, "<|startoftext|>", "<|endoftext|>"])
    sizes = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
    vae = AutoencoderKL(
        **sizes, latent_channels=4, sample_size=SIDE,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    config = CLIPTextConfig(vocab_size=49_408, bos_token_id=49_406, eos_token_id=49_407, **text)
    StableDiffusionPipeline(
        vae=vae.half(), unet=unet.half(), scheduler=scheduler,
        tokenizer=CLIPTokenizer.from_pretrained(path, model_max_length=77),
        text_encoder=CLIPTextModel(config).half(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


def _byte_pairs(folder: Path, pieces: list[str]) -> Path:
    """A folder with a made-up vocabulary, and no pairs."""
    path = folder.with_name(f"{folder.name}-vocabulary")
    path.mkdir()
    (path / "vocab.json").write_text(
        json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8"
    )
    (path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return path


def _folder_of(file: Path, name: str) -> Path:
    """A folder that holds a file under the name that a loader wants."""
    folder = file.with_suffix("")
    folder.mkdir()
    file.rename(folder / name)
    return folder


def _base_of(folder: Path) -> Path:
    return folder.with_name("base")


def caption(folder: Path, dtype: str) -> Callable[[], str]:
    """Loads a captioner as the command line does."""
    from scmc_comm.codec.pretrained.captioners import load_captioner

    backend, img = load_captioner(str(folder)), load_photo("chelsea", SIDE)[None]
    return lambda: f"says {backend.generate(img, beams=1)[0][:60]!r}"


def paint(folder: Path, dtype: str) -> Callable[[], str]:
    """Loads a generator as the command line does."""
    from scmc_comm.codec.pretrained.painter import DiffusionPainter

    painter = DiffusionPainter.load(str(folder), dtype)
    return lambda: _look(painter("a red flower", (SIDE, SIDE), 1))


def follow(folder: Path, dtype: str) -> Callable[[], str]:
    """Loads a ControlNet and its base as the command line does."""
    from scmc_comm.codec.edges import EdgeDetector
    from scmc_comm.codec.pretrained.guided import GuidedStructureCodec, load_guided

    pipeline = load_guided(str(folder), str(_base_of(folder)), dtype)
    codec, img = GuidedStructureCodec(EdgeDetector.load(), pipeline), load_photo("chelsea", SIDE)
    return lambda: _look(codec.decode(codec.encode(img), (SIDE, SIDE), None, "a red flower", 1))


def _look(img: torch.Tensor) -> str:
    return f"paints {list(img.shape)}, mean {float(img.mean()):.2f}, spread {float(img.std()):.2f}"


NETWORKS = {
    "blip-base": (save_blip, caption),
    "florence-2-base": (save_florence, caption),
    "sd-turbo": (save_sd_turbo, paint),
    "controlnet-hed": (save_controlnet, follow),
}


def measure(name: str, dtype: str) -> str:
    """One network: size on disk, time to load and to run, peak of the resident memory."""
    save, load = NETWORKS[name]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / name
        folder.mkdir()
        save(folder)
        size = sum(f.stat().st_size for f in Path(root).rglob("*") if f.is_file())
        watch = Stopwatch()
        work = load(folder, dtype)
        loading = watch.lap()
        found = work()
        took = watch.lap()
    peak = peak_kib() / 2**20
    return (
        f"{name}: {size / 2**30:.2f} GiB on disk (half precision), loaded in {loading.wall_s:.0f} "
        f"s, one picture {took.wall_s:.0f} s (CPU {took.cpu_s:.0f} s), peak of the process, "
        f"building it included, {peak:.1f} GiB; {found}: noise by construction, random weights"
    )


def main() -> None:
    """Prints a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=NETWORKS, help="one of them (all)")
    parser.add_argument(
        "--dtype", default="float32", choices=("float32", "float16", "bfloat16"),
        help="of generators while they run (float32)",
    )  # fmt: skip
    args = parser.parse_args()
    print(describe_machine())
    for name in [args.only] if args.only else NETWORKS:
        print(measure(name, args.dtype), flush=True)


if __name__ == "__main__":
    main()
