"""The memory, the generator that paints from it, and the painter around both."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.training.generator import choose, main, principal_components, vocabulary
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.generator import Generator, coarse_map
from scmc_comm.codec.layout import GRID, layout_grid
from scmc_comm.codec.memory import SIDE, Memory, beyond_layout, words_of
from scmc_comm.codec.semantic import SmallPainter
from scmc_comm.codec.weights import save_weights
from scmc_comm.errors import ScmcError

TEXTS = ("a red rose", "a blue rose", "a red car", "a yellow tulip")
VOCABULARY = ("blue", "car", "red", "rose", "tulip", "yellow")


def scenes():
    """Smooth colours, darker on the left, so that mirror images differ."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.rand(len(TEXTS), 3, 4, 4, generator=rng) * torch.linspace(0.2, 1, 4)
    return torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")


@pytest.fixture(scope="module")
def memory():
    basis = principal_components(beyond_layout(scenes()), 8)  # eight for four and their mirrors
    return Memory.of(scenes(), TEXTS, VOCABULARY, basis)


@pytest.fixture(scope="module")
def generator(memory):
    torch.manual_seed(0)
    return Generator(memory, FusionNet(FusionConfig(widths=(8, 8, 8, 8), half_width=8)))


def test_words_are_lower_case_and_without_punctuation():
    assert words_of("A Red-rose, 2 of them.") == ["a", "red", "rose", "2", "of", "them"]


def test_with_all_components_detail_is_remembered_to_eight_bits(memory):
    error = (memory.detail(range(len(memory))) - beyond_layout(scenes())).abs()
    assert error.max() < 0.02


def test_detail_leaves_the_layout_s_cells_as_they_are(memory):
    cells = torch.nn.functional.adaptive_avg_pool2d(memory.detail(range(len(memory))), GRID)
    assert cells.abs().mean() < 0.005


def test_components_are_orthonormal_and_of_falling_strength():
    detail = torch.randn(50, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    detail[:, 0] *= 5
    basis = principal_components(detail, 20)
    assert torch.allclose(basis @ basis.T, torch.eye(20), atol=1e-5)
    both = torch.cat([detail, detail.flip(3)]).flatten(1)
    strength = (both @ basis.T).square().sum(0)
    assert bool((strength.diff() <= 1e-3 * strength[0]).all())


def test_likeness_is_one_for_the_same_words_and_zero_for_none_of_them(memory):
    assert memory.likeness("rose red red unheard") == pytest.approx(
        [1, memory.likeness("a red rose")[1], memory.likeness("a red rose")[2], 0]
    )
    assert 0 < memory.likeness("a red rose")[1] < 1
    assert memory.likeness("") == pytest.approx(np.zeros(4))


def test_rare_words_count_for_more(memory):
    """'car' is said of one picture, 'red' of two."""
    likeness = memory.likeness("a red car")
    assert likeness[2] == pytest.approx(1) and likeness[0] < 0.5
    assert memory.likeness("car")[2] > memory.likeness("red")[2]


@pytest.mark.parametrize("index", range(len(TEXTS)))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_layout_recalls_its_own_picture_the_right_way_round(memory, index, mirrored):
    img = scenes()[index : index + 1]
    layout = layout_grid(img.flip(3) if mirrored else img)[0][0]
    found = memory.recall("", layout)
    assert (found.index, found.mirrored) == (index, mirrored)


@pytest.mark.parametrize(("text", "index"), [("yellow tulip", 3), ("a blue one", 1), ("car", 2)])
def test_words_alone_recall_what_they_name(memory, text, index):
    assert memory.recall(text, None).index == index


@given(place=st.integers(0, 40))
def test_every_place_recalls_another_one_round_and_round(memory, place):
    n = len(memory)
    around = [memory.recall("a rose", torch.full((3, GRID, GRID), 0.4), p) for p in range(n)]
    assert {found.index for found in around} == set(range(n))
    again = memory.recall("a rose", torch.full((3, GRID, GRID), 0.4), place)
    assert again == around[place % n]


def test_painted_colours_lie_where_the_layout_wants_them(generator):
    layout = torch.rand(3, GRID, GRID, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.3
    painted = generator.colour_map("a rose", layout, 0)
    cells = torch.nn.functional.adaptive_avg_pool2d(painted, GRID)
    assert (cells - layout).abs().mean() < 0.03


def test_a_scene_whose_own_layout_was_sent_is_shown_as_it_was(generator):
    img = scenes()[2:3]
    cells = torch.nn.functional.adaptive_avg_pool2d(img, GRID)
    shown = coarse_map(cells, generator.memory.detail([2]), 1.0)
    assert (shown - img).abs().mean() < 0.01


def test_words_layout_and_seed_each_change_the_picture(generator):
    layout = torch.rand(3, GRID, GRID, generator=torch.Generator().manual_seed(1))

    def run(text, colours, seed):
        return generator.paint([text], [colours], seed)

    base = run("red rose", layout, 0)
    assert base.shape == (1, 3, 256, 256)
    assert not torch.equal(base, run("red rose", 1 - layout, 0))
    assert not torch.equal(base, run("red rose", layout, 1))
    assert not torch.equal(run("red car", None, 0), run("blue rose", None, 0))


def test_the_painter_repeats_itself_by_seed(generator):
    painter = SmallPainter(generator)
    words = "a rose. From top to bottom: red; green."
    first = painter(words, (64, 96), 7)
    assert first.shape == (3, 64, 96)
    assert torch.equal(first, painter(words, (64, 96), 7))
    assert not torch.equal(first, painter(words, (64, 96), 8))


def test_batch_and_single_painting_agree(generator):
    layouts = list(torch.rand(2, 3, GRID, GRID))
    batch = generator.paint(["red rose", "blue"], layouts, 3)
    single = generator.paint(["blue"], layouts[1:], 3)
    assert torch.allclose(single[0], batch[1], atol=1e-4)


def test_a_file_gives_the_generator_back(generator, tmp_path):
    generator.save(tmp_path / "g.safetensors")
    back = Generator.load(tmp_path / "g.safetensors")
    first, second = (g.paint(["a red car"], [None], 0) for g in (generator, back))
    assert torch.allclose(first, second, atol=2e-2)  # weights in half precision
    assert back.memory.recall("a red car", None) == generator.memory.recall("a red car", None)


@pytest.mark.parametrize(
    "config", [{"channels": (8,)}, {"vocabulary": ("a",), "renderer": {"widths": (8, 8, 8, 8)}}]
)
def test_a_file_of_another_kind_is_one_clear_line(tmp_path, config):
    save_weights("generator", config, {"a": torch.zeros(2)}, tmp_path / "g.safetensors")
    with pytest.raises(ScmcError, match="is no generator .*'scmc-comm train generator'"):
        Generator.load(tmp_path / "g.safetensors")


# --- filling it


def test_the_vocabulary_leaves_out_what_was_said_once():
    assert vocabulary(TEXTS, 2) == ("a", "red", "rose")


@given(kinds=st.lists(st.sampled_from("abc"), min_size=1, max_size=40), count=st.integers(1, 50))
def test_every_kind_is_remembered_and_no_picture_twice(kinds, count):
    layouts = np.random.default_rng(0).random((len(kinds), 6), np.float32)
    chosen = choose(layouts, kinds, count)
    assert chosen == sorted(set(chosen))
    assert {kinds[i] for i in chosen} == set(kinds)
    assert len(chosen) <= min(count + len(set(kinds)), len(kinds))


def test_those_chosen_stand_for_the_others():
    """Three tight groups of one kind: one of each is chosen."""
    groups = np.repeat(np.eye(3, dtype=np.float32), 10, 0)
    layouts = groups + np.random.default_rng(0).normal(0, 0.01, groups.shape).astype(np.float32)
    assert [i // 10 for i in choose(layouts, ["a"] * 30, 3)] == [0, 1, 2]


@pytest.mark.parametrize(("flag", "value"), [("--count", "0"), ("--keep", "1"), ("--keep", "-0.1")])
def test_what_cannot_be_is_one_clear_line_before_any_work(tmp_path, flag, value):
    with pytest.raises(ScmcError, match=rf"got {flag} {value}; expected"):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), flag, value])
    assert not (tmp_path / "out").exists()
