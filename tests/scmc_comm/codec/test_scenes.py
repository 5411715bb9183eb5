"""Captions painted as remembered scenes: the right one, the right way round, in the sent colours."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from experiments.training.generator import principal_components
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.generator import Generator
from scmc_comm.codec.layout import GRID, describe_layout, join_caption, layout_grid
from scmc_comm.codec.memory import SIDE, Memory, beyond_layout
from scmc_comm.codec.scenes import ScenePainter, recoloured
from scmc_comm.codec.semantic import SemanticCodec, SmallPainter, load_painter
from scmc_comm.codec.structure import COLOURS, colour_maps, join_streams, read_sketch
from scmc_comm.codec.vvc import encode_slim
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo

TEXTS = ("a red rose", "a yellow car", "a tulip")
TINY = FusionConfig(widths=(8, 8, 8, 8), half_width=8)


class Shown(torch.nn.Module):
    """In the place of the fusion network: shows the colours that it is given."""

    def forward(self, semantic, present, edges, colours):
        assert not semantic.any() and not present.any() and edges.shape[1:] == (1, 128, 128)
        return F.interpolate(colours, scale_factor=2, mode="bilinear")


def scenes():
    return torch.stack([load_photo(name, 256) for name in ("astronaut", "coffee", "chelsea")])


@pytest.fixture(scope="module")
def generator():
    small = F.adaptive_avg_pool2d(scenes(), SIDE)
    basis = principal_components(beyond_layout(small), 6)
    memory = Memory.of(small, TEXTS, ("car", "red", "rose", "tulip", "yellow"), basis)
    sketches = [join_streams(b"", encode_slim(c, 46, COLOURS)) for c in colour_maps(scenes())]
    torch.manual_seed(0)
    return Generator(memory, FusionNet(TINY), sketches)


@pytest.mark.parametrize("index", range(len(TEXTS)))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_that_is_remembered_is_shown_again(generator, index, mirrored):
    img = scenes()[index].flip(2) if mirrored else scenes()[index]
    shown = ScenePainter(generator, Shown())(describe_layout(img), (256, 256), 0)
    assert (shown - img).square().mean() < 0.02, "in the layout's 48 named colours, at half size"
    assert (shown - img).square().mean() < 0.5 * (shown.flip(2) - img).square().mean()


def test_words_alone_recall_what_they_name_in_its_own_colours(generator):
    painter = ScenePainter(generator, Shown())
    colours = read_sketch(generator.sketches[1], (256, 256)).colours
    shown = painter("a yellow car.", (256, 256), 0)
    assert torch.allclose(shown, F.interpolate(colours[None], scale_factor=2, mode="bilinear")[0])
    assert not torch.equal(shown, painter("a yellow car.", (256, 256), 1))
    assert painter("a yellow car.", (64, 96), 0).shape == (3, 64, 96)


@given(seed=st.integers(0, 2**31))
def test_a_recoloured_scene_is_nearer_to_the_layout(seed):
    rng = torch.Generator().manual_seed(seed)
    colours = F.interpolate(torch.rand(1, 3, 8, 8, generator=rng), size=(40, 40))[0]
    layout = torch.rand(3, GRID, GRID, generator=rng)
    moved = recoloured(colours, layout)
    assert 0 <= moved.min() and moved.max() <= 1

    def distance(x):
        return (F.adaptive_avg_pool2d(x[None], GRID)[0] - layout).square().mean()

    assert distance(moved) < distance(colours)


def test_a_scene_in_its_own_layout_s_colours_stays_as_it_is():
    colours = F.avg_pool2d(scenes()[:1], 2)[0]
    own = F.adaptive_avg_pool2d(colours[None], GRID)[0]
    assert (recoloured(colours, own) - colours).abs().max() < 1e-5


def test_a_shift_of_all_colours_is_followed_exactly():
    colours = F.avg_pool2d(scenes()[:1], 2)[0] * 0.5
    own = F.adaptive_avg_pool2d(colours[None], GRID)[0]
    assert torch.allclose(recoloured(colours, own + 0.3), colours + 0.3, atol=1e-5)


def test_a_file_gives_the_sketches_back(generator, tmp_path):
    generator.save(tmp_path / "g.safetensors")
    assert Generator.load(tmp_path / "g.safetensors").sketches == generator.sketches


def test_a_memory_without_sketches_says_so(generator):
    bare = Generator(generator.memory, generator.renderer)
    with pytest.raises(ScmcError, match="painting=expected"):
        ScenePainter(bare, Shown())
    with pytest.raises(ScmcError, match="2 sketches of 3 scenes"):
        Generator(generator.memory, generator.renderer, generator.sketches[:2])


def test_both_paintings_ship(monkeypatch):
    sample, expected = load_painter(), load_painter("expected")
    assert isinstance(sample, ScenePainter) and isinstance(expected, SmallPainter)
    assert len(sample.generator.sketches) == len(sample.generator.memory) > 5000
    captioner, errors, sharpness = SemanticCodec.load(painter=expected).captioner, [], []
    for name in ("coffee", "flower", "rocket"):
        img = load_photo(name, 256)
        caption = join_caption(captioner(img), describe_layout(img))
        soft, sharp = expected(caption, (256, 256), 0), sample(caption, (256, 256), 0)
        errors.append([(x - img).square().mean() for x in (soft, sharp)])
        sharpness.append([x.diff(dim=2).abs().mean() for x in (soft, sharp)])
    error, edges = torch.tensor(errors).mean(0), torch.tensor(sharpness).mean(0)
    assert error[0] < error[1], "the mean of what fits has the smaller squared error"
    assert edges[1] > 1.5 * edges[0]
    assert layout_grid(sharp[None])[0].shape == (1, 3, GRID, GRID)
