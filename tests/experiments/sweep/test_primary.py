"""Primary endpoints: how they are written, and that a sweep has what they name."""

import dataclasses

import pytest
from fakes import TOY

from experiments.sweep.primary import Endpoint
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError


def test_it_is_read_from_text_and_yaml():
    text = "ms_ssim rayleigh_block 1/24 0:10"
    assert Endpoint.parse(text) == Endpoint("ms_ssim", "rayleigh_block", 1 / 24, 0.0, 10.0)
    spec = dataclasses.replace(TOY, primary=(text,))
    assert SweepSpec.from_yaml(spec.to_yaml()) == spec


@pytest.mark.parametrize("text", ["lpips", "lpips awgn 1/24", "lpips awgn 1/0 0:5", "a b c d:e"])
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(ScmcError, match="expected METRIC CHANNEL RHO LOW:HIGH"):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    ["dists awgn 1/24 0:10", "psnr_db tdl 1/24 0:10", "psnr_db awgn 1/12 0:10",
     "psnr_db awgn 1/24 20:30"],
)  # fmt: skip
def test_an_endpoint_that_the_sweep_does_not_measure_is_refused_before_it_runs(text):
    with pytest.raises(ScmcError, match="the sweep's own metrics, channels, rho and esno_db"):
        dataclasses.replace(TOY, primary=(text,))
