"""Named generators, and Sionna's fence."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from channels.errors import ChannelError
from channels.rng import generator, preserve_torch_rng, sionna_seed


def _draw(*args: int | str) -> torch.Tensor:
    return torch.randn(64, generator=generator(*args))  # type: ignore[arg-type]


def test_same_names_give_the_same_stream() -> None:
    assert torch.equal(_draw(3, "noise"), _draw(3, "noise"))


def test_stream_is_fixed_across_versions() -> None:
    # First 64 bits of sha256('1\x1fstr:noise'): stored results rely on it.
    assert generator(1, "noise").initial_seed() == 9820199668611898330


@pytest.mark.parametrize("other", [(4, "noise"), (3, "gain"), (3,), (3, "noise", 0), (-3, "noise")])
def test_other_names_give_other_streams(other: tuple[int | str, ...]) -> None:
    assert not torch.equal(_draw(3, "noise"), _draw(*other))


def test_names_are_not_glued_together() -> None:
    assert not torch.equal(_draw(1, "a", "b"), _draw(1, "ab"))
    assert not torch.equal(_draw(1, "2"), _draw(1, 2))


def test_seed_must_be_an_integer() -> None:
    with pytest.raises(ChannelError, match="expected an integer"):
        generator(1.5)  # type: ignore[arg-type]


def test_global_rng_is_preserved_also_on_errors() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(RuntimeError), preserve_torch_rng():
        torch.manual_seed(99)
        raise RuntimeError
    assert torch.equal(torch.rand(3), expected)


def test_sionna_is_seeded_and_torch_is_not() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draws = []
    for seed in (1, 1, 2):
        with sionna_seed(seed):
            from sionna.phy.mapping import BinarySource

            draws.append(BinarySource(device="cpu")([64]))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.rand(3), expected)
    with pytest.raises(ChannelError, match="expected 0 to"), sionna_seed(-1):
        pass


def test_a_first_transmission_leaves_the_global_rng_alone() -> None:
    code = """
import numpy as np, torch
torch.manual_seed(5)
expected = torch.rand(3)
torch.manual_seed(5)
from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.types import Frame, Mcs
import sys
assert not any(name.split(".")[0] == "sionna" for name in sys.modules), "import has side effects"
frame = Frame("a", np.ones(40, np.uint8), Mcs(2, 0.5))
report = BitTruePhy("sionna").send([frame], make_channel("rayleigh_block"), 20.0, [1])
assert "sionna" in sys.modules
assert torch.equal(torch.rand(3), expected), "the global generator moved"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
