"""The one-step generator and the painter around it."""

import pytest
import torch

from scmc_comm.codec.generator import NOISE_SIDE, Generator, GeneratorConfig, words_of
from scmc_comm.codec.semantic import SmallPainter, paint

CONFIG = GeneratorConfig(
    ("blue", "red", "rose"),
    max_words=6,
    text_width=16,
    channels=(16, 16, 16),
    decoder_channels=(8, 8),
)


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return Generator(CONFIG).eval()


def test_words_are_lower_case_and_without_punctuation():
    assert words_of("A Red-rose, 2 of them.") == ["a", "red", "rose", "2", "of", "them"]


def test_tokens_know_their_words_and_end_the_sentence(generator):
    ids = generator.tokens(["red rose", "a blue " * 9, ""])
    assert ids.shape == (3, 7)
    assert ids[0].tolist() == [4, 5, 2, 0, 0, 0, 0]
    assert ids[1].tolist() == [1, 3, 1, 3, 1, 3, 2]
    assert ids[2].tolist() == [2, 0, 0, 0, 0, 0, 0]


def test_words_layout_and_noise_each_change_the_picture(generator):
    layout = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(1, 1, NOISE_SIDE, NOISE_SIDE, generator=torch.Generator().manual_seed(2))

    def run(text, colours, present, n):
        with torch.no_grad():
            return generator(generator.tokens([text]), colours, torch.tensor([present]), n)

    base = run("red rose", layout, 1.0, noise)
    assert base.shape == (1, 3, 256, 256)
    assert not torch.equal(base, run("blue rose", layout, 1.0, noise))
    assert not torch.equal(base, run("red rose", 1 - layout, 1.0, noise))
    assert not torch.equal(base, run("red rose", layout, 1.0, -noise))
    absent = run("red rose", layout, 0.0, noise)
    assert torch.equal(absent, run("red rose", 1 - layout, 0.0, noise))


def test_the_painter_repeats_itself_by_seed(generator):
    painter = SmallPainter(generator)
    words = "a rose. From top to bottom: red; green."
    first = painter(words, (64, 96), 7)
    assert first.shape == (3, 64, 96)
    assert torch.equal(first, painter(words, (64, 96), 7))
    assert not torch.equal(first, painter(words, (64, 96), 8))


def test_batch_and_single_painting_agree(generator):
    from scmc_comm.codec.layout import parse_layout

    text = "From top to bottom: red, blue; green, white."
    single = SmallPainter(generator)(f"red rose. {text}", (256, 256), 3)
    batch = paint(generator, ["red rose", "blue"], parse_layout(text).repeat(2, 1, 1, 1), 3)
    assert torch.allclose(single, batch[0], atol=1e-4)
