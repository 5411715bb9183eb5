"""The layout sentence: exact round trips, tolerance of edits, and how much picture it carries."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm.codec import layout
from scmc_comm.errors import ScmcError

grids = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 47), min_size=size[1], max_size=size[1]),
        min_size=size[0],
        max_size=size[0],
    )
)


def test_palette_is_named_uniquely_and_aliases_point_into_it() -> None:
    assert len(set(layout.NAMES)) == len(set(layout.PALETTE.values())) == 48
    assert set(layout.ALIASES.values()) <= set(layout.NAMES)
    assert not set(layout.ALIASES) & set(layout.NAMES)


@given(grids)
@settings(max_examples=60, deadline=None)
def test_every_grid_survives_the_sentence(cells: list[list[int]]) -> None:
    idx = torch.tensor(cells)
    text = layout.join_caption("a rose", layout.layout_from_indices(idx))
    back = layout.parse_indices(text)
    assert back is not None and torch.equal(back, idx)
    grid = layout.parse_layout(text)
    assert grid is not None and grid.shape == (3, 5, 5) and 0 <= grid.min() <= grid.max() <= 1


def test_describe_then_parse_is_the_quantised_grid() -> None:
    img = torch.rand(3, 70, 90, generator=torch.Generator().manual_seed(1))
    img = F.interpolate(img[None, :, :5, :5], (70, 90))
    rgb, idx = layout.layout_grid(img)
    text = layout.describe_layout(img[0])
    parsed = layout.parse_layout(text)
    assert parsed is not None and torch.equal(parsed, rgb[0])
    assert torch.equal(layout.palette_rgb()[idx[0]].permute(2, 0, 1), rgb[0])


def test_palette_cells_are_fixed_points() -> None:
    cells = layout.palette_rgb()[:25].reshape(5, 5, 3).permute(2, 0, 1)
    img = F.interpolate(cells[None], (50, 50))
    assert torch.equal(layout.layout_grid(img)[1][0].flatten(), torch.arange(25))


def test_natural_picture_is_sketched_better_than_by_its_mean_colour() -> None:
    data = pytest.importorskip("skimage.data")
    img = torch.from_numpy(data.coffee()).permute(2, 0, 1).float().div(255)
    img = F.interpolate(img[None], (256, 256), mode="area")[0]
    grid = layout.parse_layout(layout.describe_layout(img))
    assert grid is not None
    sketch = F.interpolate(grid[None], (256, 256), mode="bicubic")[0].clamp(0, 1)
    mean = img.mean((1, 2), keepdim=True)
    assert (sketch - img).square().mean() < 0.6 * (mean - img).square().mean()


def test_edits_are_understood() -> None:
    a = layout.parse_indices("x. FROM top  to bottom : Two GRAY, and pink; navy, 2 light-blue")
    names = [[layout.NAMES[i] for i in row] for row in (a.tolist() if a is not None else [])]
    assert names == [["grey", "grey", "dusty pink"], ["dark violet", "light blue", "light blue"]]


def test_other_sizes_are_resampled() -> None:
    grid = layout.parse_layout("From top to bottom: black; white.")
    assert grid is not None
    means = grid.mean((0, 2))
    assert torch.all(means.diff() >= 0) and means[-1] - means[0] > 0.7
    assert torch.allclose(grid, grid[:, :, :1].expand_as(grid), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("From top to bottom: grean, red.", "'grean'.*nearest known: .*green"),
        ("From top to bottom: red, red; red.", "row 2 of the layout has 1 cells but row 1 has 2"),
        ("From top to bottom: eight red, blue.", "over 8 cells"),
        ("From top to bottom: " + "red; " * 9, "9 rows"),
        ("From top to bottom: two.", "unknown colour 'two'"),
        ("From top to bottom: " + "z" * 5000, "unknown colour"),
    ],
)
def test_bad_edits_are_explained(text: str, says: str) -> None:
    with pytest.raises(ScmcError, match=says):
        layout.parse_layout(text)


def test_no_layout_sentence_is_none() -> None:
    for text in ("", "a red rose", "from top to bottom", "From top to bottom: ;."):
        assert layout.parse_layout(text) is None


def test_split_and_join() -> None:
    sentence = layout.describe_layout(torch.zeros(3, 32, 32))
    text = layout.join_caption("rose: red", sentence)
    assert layout.split_caption(text) == ("rose: red.", sentence)
    assert layout.split_caption("only words") == ("only words", None)
    assert layout.join_caption("only words", None) == "only words"
    assert layout.split_caption(f"{sentence} A rose.") == ("A rose.", sentence)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ScmcError, match="one image"):
        layout.describe_layout(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ScmcError, match="give"):
        layout.layout_grid(torch.zeros(3, 8, 8))


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_parses_or_is_explained(text: str) -> None:
    try:
        grid = layout.parse_layout("From top to bottom: " + text)
    except ScmcError as e:
        assert "\n" not in str(e)
    else:
        assert grid is None or grid.shape == (3, 5, 5)
