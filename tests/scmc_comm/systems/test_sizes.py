"""Pictures of a size that cannot be coded are refused before any work, and the reason told."""

import pytest
import torch

from experiments.rd import run as rd
from experiments.sweep.components import Components, check_sizes
from experiments.sweep.spec import SweepSpec
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.baselines.scaled import ScaledCoder
from scmc_comm.errors import ScmcError
from scmc_comm.link.utility import Utility
from scmc_comm.registry import make_system

WIDE = (32, 17_000)


@pytest.mark.parametrize(
    ("system", "said"),
    [("scmc", "structure layer cannot code a picture of 32 x 17000: sides must be up to 16384"),
     ("vvc:scale=1", "VVC cannot code a picture of 32 x 17000: sides must be 8 to 8192"),
     ("hevc:scale=1", "HEVC"), ("webp:scale=1", "WebP"), ("jpeg:scale=1", None),
     ("vvc", None), ("webp", None), ("vvc:layers=2", None), ("deepjscc", None)],
)  # fmt: skip
def test_a_system_says_what_it_cannot_code(system, said):
    made = make_system(system)
    made.check_size((64, 64))
    if said is None:
        made.check_size(WIDE)
    else:
        with pytest.raises(ScmcError, match=said):
            made.check_size(WIDE)


def test_a_reduced_resolution_is_taken_where_the_full_one_cannot_be_coded():
    coder = ScaledCoder(make_image_codec("webp"))
    assert coder.divisors(WIDE) == [2, 4] and coder.divisors((64, 64))[0] == 1
    img = torch.full((3, *WIDE), 0.25)
    bits = coder.encode(img, 40_000, Utility.parse("psnr_db"))
    assert (coder.decode(bits, WIDE) - img).abs().max() < 0.05


def test_a_sweep_and_a_comparison_name_the_picture_before_they_start(tmp_path, monkeypatch):
    sizes = {"small": (64, 64), "wide.png": WIDE}
    spec = SweepSpec("demo", ("jpeg", "vvc:scale=1"), ("awgn",), (0.0,), (1 / 24,))
    said = "system vvc:scale=1, picture wide.png: VVC cannot code"
    with pytest.raises(ScmcError, match=said):
        Components().check_sizes(spec, sizes)
    spec = SweepSpec("demo", ("jpeg",), ("awgn",), (0.0,), (1 / 24,), bounds=("webp",))
    with pytest.raises(ScmcError, match="bound webp, picture wide.png"):
        Components().check_sizes(spec, sizes)
    with pytest.raises(ScmcError, match="codec hevc, picture wide.png: HEVC"):
        rd._check("hevc", sizes)
    check_sizes("codec jpeg", make_image_codec("jpeg"), sizes)
