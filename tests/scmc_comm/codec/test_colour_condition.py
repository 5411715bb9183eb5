"""The colour map that the signal layer reads: shapes, integers, enlargement."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from scmc_comm.codec.colour_condition import colour_condition
from scmc_comm.codec.signal_net import HYPER_STRIDE
from scmc_comm.codec.structure import STRIDE
from scmc_comm.codec.tensors import working_size


def a_map(size, seed=0):
    """A smooth map for a picture of that size, as the structure layer would decode it."""
    small = working_size(size)
    half = [-(-side // STRIDE) * STRIDE // 2 for side in small]
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=half, mode="bicubic")[0].clamp(0, 1).mul(255).to(torch.uint8)


@given(st.integers(32, 700), st.integers(32, 700))
def test_shape_is_half_of_the_padded_picture(height, width):
    size = (height, width)
    got = colour_condition(a_map(size), size)
    padded = [-(-side // HYPER_STRIDE) * HYPER_STRIDE for side in size]
    assert got.dtype == torch.uint8 and got.shape == (3, padded[0] // 2, padded[1] // 2)
    grey = colour_condition(torch.full_like(a_map(size), 77), size)
    assert (grey == 77).all(), "a flat map stays flat, padding included"


@pytest.mark.parametrize("size", [(256, 256), (128, 200), (41, 97)])
def test_a_map_at_the_pictures_own_size_is_taken_as_it_is(size):
    assert torch.equal(colour_condition(a_map(size), size), a_map(size))


@pytest.mark.parametrize("size", [(512, 768), (300, 520), (1000, 257)])
def test_larger_pictures_get_a_bilinear_enlargement(size):
    """Against torch in float64: never more than a step and the weights' rounding away."""
    small, colours = working_size(size), a_map(size)
    used = colours[None, :, : (small[0] + 1) // 2, : (small[1] + 1) // 2].double()
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    want = F.interpolate(used, size=half, mode="bilinear", align_corners=False)[0]
    got = colour_condition(colours, size)[:, : half[0], : half[1]].double()
    assert (got - want).abs().max() <= 1.5
    assert abs((got - want).mean()) < 0.2, "rounded, not cut"
