"""Folders of models as users have them: loaded, or one line when they are."""

import json
import pickle
import shutil

import pytest
import tiny_models as tiny
import torch
from safetensors.torch import load_file, save_file

from scmc_comm.codec.pretrained.painter import DiffusionPainter
from scmc_comm.errors import ScmcError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.save_stable_diffusion(tmp_path_factory.mktemp("models") / "sd")


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "sd")


def pipeline(folder):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)


def painted(folder):
    return DiffusionPainter.load(str(folder))("a red rose", (64, 64), 1)


def test_files_of_half_precision_alone_and_shards_are_loaded(whole, tmp_path):
    pipeline(whole).to(torch.float16).save_pretrained(tmp_path / "half", variant="fp16")
    pipeline(whole).save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    shards = sorted((tmp_path / "shards" / "unet").glob("*-of-*.safetensors"))
    assert len(shards) > 2
    right = painted(whole)
    # Weights of other files lie elsewhere in memory, for which some processors add in another order.
    torch.testing.assert_close(painted(tmp_path / "shards"), right, atol=1e-4, rtol=0)
    half = painted(tmp_path / "half")
    assert half.dtype == torch.float32 and (half - right).abs().mean() < 0.02
    shards[1].unlink()
    with pytest.raises(ScmcError, match="holds no text-to-image pipeline"):
        DiffusionPainter.load(str(tmp_path / "shards"))


def no_tokenizer(folder, ran):
    shutil.rmtree(folder / "tokenizer")


def truncated(folder, ran):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def without(part, pattern="*.safetensors"):
    def change(folder, ran):
        (path,) = (folder / part).glob(pattern)
        state = load_file(path)
        del state[min(state)]
        save_file(state, path, metadata={"format": "pt"})

    return change


class Runs:
    """Pickled, it writes a file where it is read."""

    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return (open, (str(self.ran), "w"))


def pickled(name):
    def change(folder, ran):
        (path,) = (folder / "unet").glob("*.safetensors")
        path.unlink()
        (folder / "unet" / name).write_bytes(pickle.dumps(Runs(ran)))

    return change


def own_code(folder, ran):
    index = folder / "model_index.json"
    told = json.loads(index.read_text()) | {"unet": ["mine", "Mine"]}
    index.write_text(json.dumps(told))
    (folder / "unet" / "mine.py").write_text(f"open({str(ran)!r}, 'w')\nclass Mine: pass\n")


def auto_map(folder, ran):
    config = folder / "text_encoder" / "config.json"
    told = json.loads(config.read_text()) | {"auto_map": {"AutoModel": "mine.Mine"}}
    config.write_text(json.dumps(told | {"model_type": "mine", "vocab_size": "many"}))
    (folder / "text_encoder" / "mine.py").write_text(f"open({str(ran)!r}, 'w')\n")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (no_tokenizer, "tokenizer of .* knows 2 of the text encoder's 60 tokens"),
        (truncated, "holds no text-to-image pipeline"),
        (without("unet"), "lack 1 tensors of UNet2DConditionModel"),
        (without("text_encoder"), "lack 1 tensors of CLIPTextModel"),
        (pickled("diffusion_pytorch_model.bin"), "holds no text-to-image pipeline"),
        (pickled("diffusion_pytorch_model.safetensors"), "holds no text-to-image pipeline"),
        (own_code, "holds no text-to-image pipeline"),
        (auto_map, "holds no text-to-image pipeline"),
    ],
)
def test_what_is_no_whole_model_is_one_line_when_loading(folder, tmp_path, change, word):
    change(folder, tmp_path / "ran")
    with pytest.raises(ScmcError, match=word) as raised:
        DiffusionPainter.load(str(folder))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()
