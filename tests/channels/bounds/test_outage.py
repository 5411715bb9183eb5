"""Block fading bounds against closed forms, quadrature, Monte Carlo and the drawn channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import exp1

from channels.bounds.awgn import capacity
from channels.bounds.outage import (
    ergodic_capacity,
    ergodic_mean,
    fading_of,
    nakagami,
    num_blocks,
    outage_probability,
    outage_rate,
    rayleigh,
    rician,
)
from channels.errors import ChannelError
from channels.fading.models import Awgn, RayleighBlock, RicianBlock

LAWS = [rayleigh(), rician(6.0), nakagami(0.5), nakagami(3.0)]
NAMED = pytest.mark.parametrize("fading", LAWS, ids=lambda law: law.name)


@NAMED
def test_mean_gain_is_one(fading):
    assert fading.gain.mean() == pytest.approx(1.0)


def test_one_block_of_rayleigh_fading():
    rate, esno_db = np.array([0.5, 1.0, 4.0]), 10.0
    expected = 1 - np.exp(-(2**rate - 1) / 10)
    np.testing.assert_allclose(outage_probability(rayleigh(), rate, esno_db), expected)
    np.testing.assert_allclose(outage_rate(rayleigh(), expected, esno_db), rate)
    # eps-outage capacity: log2(1 + snr ln(1 / (1 - eps))).
    assert outage_rate(rayleigh(), 0.1, 10.0) == pytest.approx(np.log2(1 + 10 * np.log(1 / 0.9)))


def test_special_cases_agree():
    rate, esno_db = np.array([0.2, 1.0, 3.0]), 7.0
    one = outage_probability(rayleigh(), rate, esno_db)
    np.testing.assert_allclose(outage_probability(nakagami(1.0), rate, esno_db), one)
    np.testing.assert_allclose(outage_probability(rician(-60.0), rate, esno_db), one, rtol=1e-4)
    strong = outage_probability(rician(40.0), [2.3, 2.9], esno_db)  # AWGN carries 2.59
    np.testing.assert_allclose(strong, [0, 1], atol=1e-9)


@NAMED
@pytest.mark.parametrize(("rate", "esno_db"), [(0.5, 0.0), (1.0, 10.0), (3.0, 10.0), (2.0, 20.0)])
def test_two_blocks_by_quadrature(fading, rate, esno_db):
    snr = 10 ** (esno_db / 10)

    def product(g):  # with g = t^2, which removes the singularity of m = 1/2
        other = (2 ** (2 * rate) / (1 + snr * g * g) - 1) / snr
        return 2 * g * fading.gain.pdf(g * g) * fading.gain.cdf(other)

    expected = quad(product, 1e-9, np.sqrt((4**rate - 1) / snr), epsabs=0, epsrel=1e-8)[0]
    found = outage_probability(fading, rate, esno_db, blocks=2)
    assert found == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("blocks", [3, 4, 16, 64])
def test_more_blocks_by_monte_carlo(blocks):
    rng = np.random.default_rng(blocks)
    trials = 40_000
    gain = rng.exponential(size=(trials, blocks))
    mean = np.log2(1 + 10 * gain).mean(axis=1)
    for rate in (2.0, 2.7):
        share = (mean < rate).mean()
        sigma = np.sqrt(share * (1 - share) / trials)
        assert outage_probability(rayleigh(), rate, 10.0, blocks) == pytest.approx(
            share, abs=4 * sigma + 1e-4
        )


@settings(max_examples=20, deadline=None)
@given(
    which=st.sampled_from(LAWS), blocks=st.sampled_from([1, 2, 5]), esno_db=st.floats(-10, 30),
    outage=st.floats(1e-4, 0.9),
)  # fmt: skip
def test_rate_is_the_inverse_of_the_outage(which, blocks, esno_db, outage):
    rate = outage_rate(which, outage, esno_db, blocks)
    assert outage_probability(which, rate, esno_db, blocks) == pytest.approx(outage, rel=1e-3)


def test_diversity_is_the_number_of_blocks():
    for blocks in (1, 2, 3):
        low, high = outage_probability(rayleigh(), 1.0, [30.0, 40.0], blocks)
        assert np.log10(low / high) == pytest.approx(blocks, rel=0.15)


@pytest.mark.parametrize(
    ("channel", "esno_db", "rate"),
    [(RayleighBlock(), 5.0, 1.0), (RicianBlock(6.0), 3.0, 1.0), (RayleighBlock(8), 5.0, 1.5)],
    ids=str,
)
def test_outage_of_the_channels_that_are_drawn(channel, esno_db, rate):
    state = channel.draw(32, esno_db, seeds=range(4000))
    seen = np.log2(1 + np.abs(state.h.numpy()) ** 2 / state.no).mean(axis=1)
    expected = outage_probability(fading_of(channel), rate, esno_db, num_blocks(channel, 32))
    assert (seen < rate).mean() == pytest.approx(float(expected), abs=0.025)


def test_ergodic_capacity_of_rayleigh_fading():
    esno_db = np.array([-20.0, 0.0, 10.0, 30.0])
    inverse = 10 ** (-esno_db / 10)
    closed = np.exp(inverse) * exp1(inverse) / np.log(2)
    np.testing.assert_allclose(ergodic_capacity(rayleigh(), esno_db), closed, rtol=1e-10)
    assert ergodic_capacity(rayleigh(), -np.inf) == 0


@NAMED
def test_ergodic_means_agree_and_stay_below_awgn(fading):
    esno_db = np.array([-5.0, 5.0, 15.0])
    found = ergodic_capacity(fading, esno_db)
    np.testing.assert_allclose(ergodic_mean(fading, capacity, esno_db), found, atol=1e-4)
    assert (found < capacity(esno_db)).all()


def test_wrong_input_is_said():
    with pytest.raises(ChannelError, match="use channels.bounds.awgn"):
        fading_of(Awgn())
    with pytest.raises(ChannelError, match="blocks is 0"):
        outage_probability(rayleigh(), 1.0, 0.0, blocks=0)
    with pytest.raises(ChannelError, match="rate is -1"):
        outage_probability(rayleigh(), -1, 0.0)
    with pytest.raises(ChannelError, match="outage is 0"):
        outage_rate(rayleigh(), 0, 0.0)
    with pytest.raises(ChannelError, match="m is 0.2"):
        nakagami(0.2)
    with pytest.raises(ChannelError, match="k_factor_db"):
        rician(np.nan)


def test_nothing_carries_nothing():
    for blocks in (1, 3):
        assert outage_probability(rayleigh(), 0.0, 0.0, blocks) == 0
        assert outage_probability(rayleigh(), 1.0, -np.inf, blocks) == 1
