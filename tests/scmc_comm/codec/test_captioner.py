"""The captioner: the shipped one, files of its kind, transformers folders, and plain errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.training.caption_text import sentence, spelling_fixes, words_of
from scmc_comm.codec.captioner import NOTHING, Captioner, Reading, Trust, save_small
from scmc_comm.codec.captioner_net import CaptionerShape, SmallCaptioner
from scmc_comm.codec.text_coder import TextCoder
from scmc_comm.errors import ScmcError

WORDS = [",", ":", "a", "flower", "pink", "rose"]


@pytest.fixture(scope="module")
def shipped() -> Captioner:
    return Captioner.load()


def _flower() -> torch.Tensor:
    datasets = pytest.importorskip("sklearn.datasets")
    img = torch.from_numpy(datasets.load_sample_image("flower.jpg").copy())
    return img.permute(2, 0, 1).float().div(255)


def test_shipped_captioner_describes_a_flower(shipped: Captioner) -> None:
    img = _flower()
    text = shipped(img)
    assert text == shipped(img), "the same picture must give the same sentence"
    assert text.endswith(".") and 3 <= len(text.split()) <= 28 and "<" not in text
    assert any(w in text for w in ("flower", "petal")), text
    assert len(TextCoder.load().encode(text)) <= 30


def test_greedy_and_batches_agree(shipped: Captioner) -> None:
    greedy = Captioner(shipped.backend, beams=1)
    img = _flower()[None, :, :256, :256]
    two = greedy.describe(torch.cat([img, img.flip(-1)]))
    assert len(two) == 2 and two[0] == greedy(img[0])


def test_shipped_file_is_small() -> None:
    from scmc_comm.models import FOLDER

    assert (FOLDER / "captioner.safetensors").stat().st_size < 11_000_000


def small(trust: Trust, path: Path) -> Path:
    """A file of a captioner with random weights."""
    torch.manual_seed(0)
    shape = CaptionerShape(words=len(WORDS), kinds=2, width=16, layers=1, heads=2)
    classes = [f"thing{i}" for i in range(1000)]
    save_small(SmallCaptioner(shape).eval(), WORDS, ["rose", "crow"], classes, trust, path)
    return path


@pytest.mark.parametrize("beams", [1, 3])
def test_own_file_round_trip(tmp_path: Path, beams: int) -> None:
    path = small(Trust(say_from=-100), tmp_path / "mine.safetensors")
    before = torch.get_rng_state()
    text = Captioner.load(path, beams=beams)(torch.full((3, 40, 60), 0.5))
    assert torch.equal(before, torch.get_rng_state()), "loading and captioning draw nothing"
    assert set(text.replace(",", " ").replace(":", " ").replace(".", " ").split()) <= set(WORDS)


def test_nothing_is_said_rather_than_what_is_doubted(tmp_path: Path) -> None:
    path = small(Trust(say_from=0, class_from=1), tmp_path / "mine.safetensors")
    assert Captioner.load(path)(torch.full((3, 40, 60), 0.5)) == f"{NOTHING}."


def test_a_class_stands_in_for_a_doubted_sentence() -> None:
    trust = Trust(say_from=-2, class_from=0.6)
    assert trust.say(Reading("a dog runs", -1.5, "", 0.9, "tabby", 0.9)) == "a dog runs"
    assert trust.say(Reading("a dog runs", -2.5, "", 0.9, "tabby", 0.9)) == "a photo of a tabby"
    assert trust.say(Reading("a dog runs", -2.5, "", 0.9, "tabby", 0.5)) == NOTHING


def test_a_captioner_of_an_older_layout_is_explained(tmp_path: Path) -> None:
    from scmc_comm.codec.weights import save_weights

    path = tmp_path / "old.safetensors"
    save_weights("captioner", {"words": WORDS, "num_kinds": 3}, {"x": torch.zeros(1)}, path)
    with pytest.raises(ScmcError, match="no captioner of this version"):
        Captioner.load(path)


def test_wrong_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ScmcError, match="no weights at"):
        Captioner.load(tmp_path / "none.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(ScmcError, match="not a readable"):
        Captioner.load(tmp_path / "junk.safetensors")


def _save_tiny_blip(folder: Path) -> None:
    from transformers import (
        BertTokenizer,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
    )

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "rose", "cat", "dog"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    text = {"vocab_size": 10, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"intermediate_size": 16, "encoder_hidden_size": 16, "bos_token_id": 2}
    text |= {"sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0, "projection_dim": 16}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 32, "patch_size": 16, "intermediate_size": 16, "projection_dim": 16}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16)
    BlipForConditionalGeneration(config).save_pretrained(folder)


def test_transformers_folder(tmp_path: Path) -> None:
    _save_tiny_blip(tmp_path / "blip")
    captioner = Captioner.load(str(tmp_path / "blip"), beams=2)
    img = torch.rand(3, 48, 40, generator=torch.Generator().manual_seed(0))
    text = captioner(img)
    assert text == captioner(img) and isinstance(text, str) and "[" not in text
    assert len(captioner.describe(torch.stack([img, img]))) == 2


def test_missing_models_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ScmcError, match="there is no folder"):
        Captioner.load(str(tmp_path / "none"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ScmcError, match="holds no image-to-text model") as caught:
        Captioner.load(str(empty))
    assert "\n" not in str(caught.value)
    with pytest.raises(ScmcError, match="hf download nobody/no-such-captioner") as caught:
        Captioner.load("nobody/no-such-captioner")
    assert "\n" not in str(caught.value)


def test_wrong_shapes_and_beams_are_refused(shipped: Captioner) -> None:
    with pytest.raises(ScmcError, match="give one image"):
        shipped(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ScmcError, match="give"):
        shipped.describe(torch.zeros(3, 8, 8))
    with pytest.raises(ScmcError, match="beam width is 0"):
        Captioner(shipped.backend, beams=0)


def test_training_text_is_cleaned() -> None:
    raw = [words_of("This flower has yellow petals, and a Pistil.")] * 50
    raw.append(words_of("the yelow pedals of this flower"))
    fixes = spelling_fixes(raw)
    assert fixes == {"yelow": "yellow"}
    assert sentence(["rose", ":", "red", ",", "round"]) == "rose: red, round"
