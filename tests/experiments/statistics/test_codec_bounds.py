"""Codec + bound: published rate-distortion curves at capacity, and outage against realisations."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bounds.awgn import normal_bits
from channels.fading.models import RayleighBlock
from experiments.statistics.bounds import (
    RateQuality,
    at_capacity,
    at_normal_approximation,
    at_outage,
)
from scmc_comm.errors import ScmcError

PIXELS = 768 * 512

# Mean over Kodak: bits per pixel and PSNR in dB of the points around those that are tested, from
# results/image/kodak of InterDigitalInc/CompressAI.
PUBLISHED = {
    "jpeg": ([0.58787, 0.66013, 1.23985, 1.36883], [29.7847, 30.3783, 33.7926, 34.3943]),
    "bpg_444_x265_ycbcr": (
        [0.06777, 0.16102, 0.35155, 0.6847, 1.19967, 1.92971],
        [26.1951, 28.6815, 31.5947, 34.8575, 38.2599, 41.4789],
    ),
    "vtm": (
        [0.04824, 0.1125, 0.24582, 0.49055, 0.87481, 1.43085],
        [26.1448, 28.493, 31.1999, 34.2615, 37.4198, 40.4244],
    ),
}
# rho, Es/N0 in dB, PSNR in dB at capacity.
AT_CAPACITY = [
    ("jpeg", 1 / 16, 10, 30.29), ("jpeg", 1 / 8, 10, 34.07),
    ("bpg_444_x265_ycbcr", 1 / 48, 1, 26.43), ("bpg_444_x265_ycbcr", 1 / 48, 10, 29.78),
    ("bpg_444_x265_ycbcr", 1 / 16, 1, 29.85), ("bpg_444_x265_ycbcr", 1 / 16, 10, 34.59),
    ("bpg_444_x265_ycbcr", 1 / 8, 10, 38.79),
    ("vtm", 1 / 48, 1, 27.31), ("vtm", 1 / 48, 10, 30.76), ("vtm", 1 / 16, 1, 30.82),
    ("vtm", 1 / 16, 10, 35.79), ("vtm", 1 / 8, 10, 39.83),
]  # fmt: skip
OUTSIDE = [("jpeg", 1 / 48, 1), ("jpeg", 1 / 48, 10), ("jpeg", 1 / 16, 1)]


def published_curve(bpp, psnr_db):
    return RateQuality(np.array(bpp) * PIXELS, np.array(psnr_db), failure=12.0)


@pytest.mark.parametrize(("codec", "rho", "esno_db", "psnr_db"), AT_CAPACITY)
def test_published_curves_at_capacity(codec, rho, esno_db, psnr_db):
    curve = published_curve(*PUBLISHED[codec])
    assert at_capacity(curve, 3 * rho * PIXELS, esno_db) == pytest.approx(psnr_db, abs=0.05)


@pytest.fixture(scope="module")
def anchors():
    folder = os.environ.get("SCMC_ANCHORS")
    if not folder:
        pytest.skip("SCMC_ANCHORS does not name a folder with kodak_rd.json")
    return json.loads((Path(folder) / "kodak_rd.json").read_text())["curves"]


@pytest.mark.parametrize(
    ("codec", "rho", "esno_db", "psnr_db"),
    [*AT_CAPACITY, ("paper-elic2022_mse", 1 / 48, 10, 31.07),
     ("paper-elic2022_mse", 1 / 16, 1, 31.15), ("paper-elic2022_mse", 1 / 16, 10, 36.05)],
)  # fmt: skip
def test_whole_published_curves_at_capacity(anchors, codec, rho, esno_db, psnr_db):
    curve = published_curve(anchors[codec]["bpp"], anchors[codec]["psnr_db"])
    assert at_capacity(curve, 3 * rho * PIXELS, esno_db) == pytest.approx(psnr_db, abs=0.05)


@pytest.mark.parametrize(("codec", "rho", "esno_db"), OUTSIDE)
def test_rates_below_the_published_curve_are_failures(anchors, codec, rho, esno_db):
    curve = published_curve(anchors[codec]["bpp"], anchors[codec]["psnr_db"])
    assert at_capacity(curve, 3 * rho * PIXELS, esno_db) == 12.0


POINTS = st.lists(
    st.tuples(st.floats(10, 1e6), st.floats(15, 50)), min_size=1, max_size=8
)  # fmt: skip


@given(points=POINTS, bits=st.floats(1, 1e7), more=st.floats(1, 10))
def test_more_bits_never_show_less_in_either_direction_of_a_metric(points, bits, more):
    rate, quality = np.array(points).T
    up = RateQuality(rate, quality, failure=12.0)
    down = RateQuality(rate, -quality, failure=-12.0, higher_is_better=False)
    assert up.at(bits) <= up.at(more * bits)
    assert down.at(bits) == pytest.approx(-up.at(bits))
    assert up.at(1e7) == quality.max() and (up.at(rate) >= quality - 1e-9).all()


def test_normal_approximation_lies_below_capacity_and_counts_its_errors():
    curve = published_curve(*PUBLISHED["vtm"])
    esno_db, uses = np.array([-10.0, 0, 5, 10]), 16384
    ideal, real = at_capacity(curve, uses, esno_db), at_normal_approximation(curve, uses, esno_db)
    assert (real <= ideal).all() and real[-1] < ideal[-1]
    expected = 0.9 * curve.at(normal_bits(uses, 5.0, 0.1)) + 0.1 * 12.0
    assert at_normal_approximation(curve, uses, 5.0, error=0.1) == pytest.approx(expected)


@pytest.mark.parametrize("coherence", [None, 4], ids=["one block", "four blocks"])
def test_outage_bound_is_the_best_fixed_rate_on_drawn_fades(coherence):
    curve = RateQuality(np.array([8.0, 40.0, 80.0]), np.array([20.0, 30.0, 34.0]), failure=12.0)
    channel, uses, draws = RayleighBlock(coherence), 16, 4000
    state = channel.draw(uses, 10.0, range(draws))
    realised = np.log2(1 + np.abs(state.h.numpy().astype(complex)) ** 2 / state.no).mean(axis=-1)
    rates = np.linspace(0.5, 5, 200)[:, None]
    shown = np.where(realised >= rates, curve.at(uses * rates), curve.failure)
    best = shown.mean(axis=1).argmax()
    sigma = shown[best].std() / np.sqrt(draws)
    bound = at_outage(curve, channel, uses, 10.0)
    assert shown[best].mean() == pytest.approx(float(bound), abs=4 * sigma)


def test_the_outage_bound_rises_with_the_snr_in_either_direction_of_a_metric():
    curve = RateQuality(np.array([8.0, 40.0, 80.0]), np.array([0.6, 0.3, 0.2]), 0.95, False)
    found = at_outage(curve, RayleighBlock(), 16, np.array([0.0, 10.0]))
    assert found[1] < found[0] < 0.95  # LPIPS: lower is better


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="shapes"):
        RateQuality(np.array([1.0, 2.0]), np.array([1.0]), 0.0)
    with pytest.raises(ScmcError, match="more than 0 bits"):
        RateQuality(np.array([0.0]), np.array([1.0]), 0.0)
