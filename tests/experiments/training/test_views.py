"""Views of one picture, and the network that paints every place alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.training.fusion import Agreement, Inputs, main, paint_twice
from experiments.training.views import View, disagreement, random_views
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.generator import Generator
from scmc_comm.errors import ScmcError

SEEDS = st.integers(0, 10_000)
RNG = np.random.default_rng(0)


@given(seed=SEEDS)
def test_views_of_a_picture_agree_with_themselves(seed):
    img = torch.rand(1, 3, 64, 64)
    one, other = random_views(np.random.default_rng(seed), 64, 48)
    turned = other.of(img, 2)
    assert turned.shape == (1, 3, 48, 48)
    assert disagreement(one.of(img, 2), one, other.upright(turned), other, margin=2) == 0


@given(seed=SEEDS)
def test_a_map_of_half_the_size_has_the_same_views(seed):
    small = torch.rand(1, 3, 32, 32)
    img = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for view in random_views(np.random.default_rng(seed), 64, 48):
        seen = view.of(small, 1)
        assert torch.equal(view.of(img, 2), seen.repeat_interleave(2, 2).repeat_interleave(2, 3))


def inputs(edges: float) -> Inputs:
    """Two sketches; the second has edges of that strength."""
    shown = Inputs(*(torch.rand(2, c, n, n) for c, n in ((3, 64), (1, 32), (1, 32), (3, 32))))
    return shown._replace(
        present=torch.ones(2),
        edges=torch.tensor([0.0, edges]).view(2, 1, 1, 1).expand(2, 1, 32, 32),
    )


AGREEMENT = Agreement(view=48, margin=4, coarse=10, fine=1)


def test_who_paints_what_the_sketch_says_pays_nothing():
    torch.manual_seed(0)
    shown = inputs(edges=1.0)
    painted, view, penalty = paint_twice(lambda semantic, *_: semantic, shown, AGREEMENT, RNG)
    assert torch.equal(painted, view.of(shown.semantic, 2)) and penalty == 0


@pytest.mark.parametrize(("edges", "weight"), [(0.0, 10), (1.0, 5.5)])
def test_what_is_made_up_without_edges_costs_more(edges, weight):
    """A "network" that paints the first view white and the second black."""

    def contrary(semantic, *_):
        return torch.cat([torch.ones_like(x) * i for i, x in enumerate(semantic.chunk(2))])

    penalty = paint_twice(contrary, inputs(edges), AGREEMENT, RNG)[2]
    assert float(penalty) == pytest.approx(weight)


@pytest.mark.parametrize("wrong", [[], ["--start", "old.pt", "--without", "gan"]])
def test_only_a_whole_network_is_made_steady(tmp_path, wrong):
    out = str(tmp_path / "out")
    with pytest.raises(ScmcError, match="--steady goes on from a whole network"):
        main(["--data", "D", "--lower", "L", "--out", out, "--steady", *wrong])


SHIFTED = View(1, 3, 24)
MIRRORED = View(0, 0, 24, flips=(2,))


@pytest.mark.parametrize(
    ("period", "other", "expected"),
    [(2, SHIFTED, 0), (2, MIRRORED, 1), (4, SHIFTED, 1), (4, MIRRORED, 1), (8, SHIFTED, 0.5)],
)
def test_a_pattern_locked_to_the_lattice_is_a_disagreement(period, other, expected):
    """A "network" that paints the same stripes wherever it looks; a shift is of two pixels."""
    stripes = (torch.arange(48) % period < period // 2).float()[:, None].expand(1, 3, 48, 48)
    found = disagreement(stripes, View(0, 0, 24), other.upright(stripes), other, margin=4)
    assert float(found) == pytest.approx(expected, abs=0.05)


def even_picture(net: FusionNet) -> torch.Tensor:
    with torch.no_grad():
        return net.from_colours(torch.tensor([0.7, 0.3, 0.4]).view(1, 3, 1, 1).expand(1, 3, 64, 64))


def differs_over(img: torch.Tensor, period: int) -> float:
    img = img[:, :, 16:-16]  # beyond, a border repeats one of the four shuffled pixels
    return float((img[:, :, period:] - img[:, :, :-period]).abs().max())


def test_a_lattice_free_network_tells_no_place_of_an_even_picture_from_another():
    """But for the four pixels that pixel shuffling makes of one."""
    torch.manual_seed(0)
    small = FusionConfig(widths=(8, 8, 8, 8), half_width=8)
    locked = even_picture(FusionNet(small))
    free = even_picture(FusionNet(replace(small, lattice_free=True)))
    assert differs_over(free, 4) < 1e-5 < differs_over(locked, 4)


def test_the_shipped_renderer_paints_an_even_colour_evenly():
    img = even_picture(Generator.load().renderer)
    assert img.std((2, 3)).max() < 0.01
