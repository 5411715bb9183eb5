"""Block fading bounds against closed forms, quadrature, Monte Carlo and the drawn channels."""

import numpy as np
import pytest
from scipy.integrate import quad

from channels.bounds.outage import outage_probability
from channels.errors import ChannelError
from channels.fading.block import NakagamiBlock
from channels.fading.models import Awgn, RayleighBlock, RicianBlock

RAYLEIGH = RayleighBlock()
LAWS = [RayleighBlock(8), RicianBlock(6.0, 8), NakagamiBlock(0.5, 8), NakagamiBlock(3.0, 8)]
NAMED = pytest.mark.parametrize("channel", LAWS, ids=str)


def test_one_block_of_rayleigh_fading():
    rate, esno_db = np.array([0.5, 1.0, 4.0]), 10.0
    expected = 1 - np.exp(-(2**rate - 1) / 10)
    np.testing.assert_allclose(outage_probability(RAYLEIGH, rate, esno_db, 1000), expected)


def test_special_cases_agree():
    rate, esno_db = np.array([0.2, 1.0, 3.0]), 7.0
    one = outage_probability(RAYLEIGH, rate, esno_db)
    np.testing.assert_allclose(outage_probability(NakagamiBlock(1.0), rate, esno_db), one)
    np.testing.assert_allclose(
        outage_probability(RicianBlock(-60.0), rate, esno_db), one, rtol=1e-4
    )
    strong = outage_probability(RicianBlock(40.0), [2.3, 2.9], esno_db)  # AWGN carries 2.59
    np.testing.assert_allclose(strong, [0, 1], atol=1e-9)


@NAMED
@pytest.mark.parametrize(("rate", "esno_db"), [(0.5, 0.0), (1.0, 10.0), (3.0, 10.0), (2.0, 20.0)])
@pytest.mark.parametrize("num_uses", [16, 12, 9])
def test_two_blocks_by_quadrature(channel, rate, esno_db, num_uses):
    """A whole block and a whole, half or eighth of one."""
    snr, part, law = 10 ** (esno_db / 10), num_uses / 8 - 1, channel.power_law

    def product(g):  # with g = t^2, which removes the singularity of m = 1/2
        left = rate * (1 + part) - np.log2(1 + snr * g * g)
        return 2 * g * law.pdf(g * g) * law.cdf((2 ** (left / part) - 1) / snr)

    end = np.sqrt((2 ** (rate * (1 + part)) - 1) / snr)
    expected = quad(product, 1e-9, end, epsabs=0, epsrel=1e-8, limit=200)[0]
    found = outage_probability(channel, rate, esno_db, num_uses)
    assert found == pytest.approx(expected, rel=2e-5 if part == 1 else 2e-3)


@pytest.mark.parametrize("blocks", [3, 4, 16, 64])
def test_more_blocks_by_monte_carlo(blocks):
    rng = np.random.default_rng(blocks)
    trials = 40_000
    gain = rng.exponential(size=(trials, blocks))
    mean = np.log2(1 + 10 * gain).mean(axis=1)
    for rate in (2.0, 2.7):
        share = (mean < rate).mean()
        sigma = np.sqrt(share * (1 - share) / trials)
        found = outage_probability(RayleighBlock(10), rate, 10.0, 10 * blocks)
        assert found == pytest.approx(share, abs=4 * sigma + 1e-4)


def test_diversity_is_the_number_of_blocks():
    for blocks in (1, 2, 3):
        low, high = outage_probability(RayleighBlock(10), 1.0, [30.0, 40.0], 10 * blocks)
        assert np.log10(low / high) == pytest.approx(blocks, rel=0.15)


@pytest.mark.parametrize(
    ("channel", "esno_db", "rate"),
    [(RAYLEIGH, 5.0, 1.0), (RicianBlock(6.0), 3.0, 1.0), (NakagamiBlock(2.0), 3.0, 1.0),
     (RayleighBlock(8), 5.0, 1.5), (RayleighBlock(30), 5.0, 1.0), (NakagamiBlock(0.7, 21), 5.0, 1.0)],
    ids=str,
)  # fmt: skip
def test_outage_of_the_channels_that_are_drawn(channel, esno_db, rate):
    state = channel.draw(32, esno_db, seeds=range(4000))
    seen = np.log2(1 + np.abs(state.h.numpy()) ** 2 / state.no).mean(axis=1)
    expected = outage_probability(channel, rate, esno_db, 32)
    assert (seen < rate).mean() == pytest.approx(float(expected), abs=0.025)


def test_a_last_block_that_is_hardly_begun_is_hardly_there():
    whole = outage_probability(RayleighBlock(1000), 1.0, 20.0, 1000)
    begun = outage_probability(RayleighBlock(1000), 1.0, 20.0, 1001)
    assert begun == pytest.approx(whole, rel=0.02)
    assert outage_probability(RayleighBlock(1000), 1.0, 20.0, 2000) < whole / 5


def test_wrong_input_is_said():
    with pytest.raises(ChannelError, match="use channels.bounds.awgn"):
        outage_probability(Awgn(), 1.0, 0.0)
    with pytest.raises(ChannelError, match="see 200 fades"):
        outage_probability(RayleighBlock(1), 1.0, 0.0, 200)
    with pytest.raises(ChannelError, match="rate is -1"):
        outage_probability(RAYLEIGH, -1, 0.0)


def test_nothing_carries_nothing():
    for num_uses in (8, 20):
        assert outage_probability(RayleighBlock(8), 0.0, 0.0, num_uses) == 0
        assert outage_probability(RayleighBlock(8), 1.0, -np.inf, num_uses) == 1
