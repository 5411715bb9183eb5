"""Intervals of Bjontegaard deltas: coverage, pairing, and what has no delta or was seen once."""

from functools import partial

import numpy as np
import pytest

from experiments.statistics.bjontegaard import BdDelta, bd_rate, bd_snr
from experiments.statistics.bjontegaard_intervals import bd_interval, bd_of_images, bd_of_trials
from experiments.statistics.means import percentile_interval
from scmc_comm.errors import ScmcError

RATES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
LINE = 30 + 6 * np.log2(RATES)  # dB, 6 an octave


def of_images(spread, factors=1.0):
    """Curves [images, points] on parallel lines, their offsets up to so many dB."""
    offsets = np.linspace(-spread, spread, 8)[:, None]
    return np.broadcast_to(factors, (8, 1)) * RATES, LINE + offsets


@pytest.mark.parametrize(("images", "runs"), [(3, 600), (10, 300)])
def test_interval_covers_the_true_rate_factor(images, runs):
    def factor(rate_a, quality_a, rate_b, quality_b, higher_is_better):
        """What `bd_rate` is for curves that differ by a factor alone, without its integrals."""
        return BdDelta(100 * (np.mean(rate_b) / np.mean(rate_a) - 1))

    rng = np.random.default_rng(5)
    hits = 0
    settings = np.array([1.0, 2.0, 4.0, 8.0])
    for run in range(runs):
        size = np.exp(rng.normal(0, 0.5, (images, 1)))
        own = rng.normal(0.9, 0.1, (images, 1))  # b's rate over a's, image by image
        quality = np.tile([30.0, 33.0, 36.0, 39.0], (images, 1))
        curves = (size * settings, quality), (own * size * settings, quality)
        found = bd_of_images(factor, *curves, rng, num_resamples=300)
        hits += found.low <= -10 <= found.high
        if run < 3:
            exact = bd_of_images(bd_rate, *curves, rng, num_resamples=5)
            assert exact.value == pytest.approx(found.value)
    assert 0.92 <= hits / runs <= 0.985


def test_what_the_images_share_cancels():
    factors = np.linspace(0.7, 0.9, 8)[:, None]  # every image saves 10 to 30 %
    curves = of_images(6.0), of_images(6.0, factors)
    found = bd_of_images(bd_rate, *curves, np.random.default_rng(7))
    assert -32 < found.low < found.value < found.high < -8
    # The spread of 12 dB between images cancels; unpaired it would be some +- 100 %.
    assert found.high - found.low < 25
    assert bd_of_images(bd_rate, *curves, np.random.default_rng(7)) == found
    lower = partial(bd_rate, window=(0.0, 0.2))
    assert bd_of_images(lower, *curves, np.random.default_rng(7)).common[1] < found.common[1]


def test_what_was_seen_once_has_no_interval():
    one = RATES[None], LINE[None]
    found = bd_of_images(bd_rate, one, one, np.random.default_rng(0))
    assert found.value == 0 and np.isnan(found.low) and np.isnan(found.high)
    trial = np.arange(0.0, 20.0, 5.0), np.array([12.0, 20.0, 26.0, 30.0])[:, None, None]
    found = bd_of_trials(bd_snr, trial, trial, np.random.default_rng(0))
    assert found.value == 0 and np.isnan(found.low) and np.isnan(found.high)


def test_resamples_without_overlap_open_the_interval():
    x = np.array([1.0, 2.0])
    draws_a = np.tile([[30.0], [31.0]], 100)
    draws_b = draws_a.copy()
    limits = partial(percentile_interval, tail=0.025)
    draws_b[:, :40] += 5  # in 40 of 100 resamples the curves share nothing
    found = bd_interval(bd_rate, (x, [30, 31]), (x, [30, 31]), (x, draws_a), (x, draws_b), limits)
    assert found.value == pytest.approx(0) and found.undefined == pytest.approx(0.4)
    assert found.low == -np.inf and found.high == np.inf
    draws_b[:, 1:40] -= 5  # in one of 100: below the tail, so the limits stand
    found = bd_interval(bd_rate, (x, [30, 31]), (x, [30, 31]), (x, draws_a), (x, draws_b), limits)
    assert found.low == pytest.approx(0) and found.high == pytest.approx(0)


def test_systems_of_a_sweep_share_images_and_fades():
    rng = np.random.default_rng(6)
    esno_db = np.arange(0.0, 10.0)
    shared = rng.normal(0, 4, (1, 10, 1)) + rng.normal(0, 2, (1, 10, 20))
    straight = np.linspace(12, 30, 10)[:, None, None] + shared  # 2 dB a dB
    better = straight + 1 + rng.normal(0, 0.2, (1, 10, 20))
    found = bd_of_trials(
        bd_snr, (esno_db, straight), (esno_db[1:], better[1:]), rng, num_resamples=100
    )
    assert found.low < -0.5 < found.high and found.high - found.low < 0.1
    cbr = bd_of_trials(
        bd_rate, (esno_db + 1, straight), (0.5 * (esno_db + 1), straight), rng, num_resamples=20
    )
    assert cbr.value == pytest.approx(-50) and cbr.undefined == 0
    with pytest.raises(ScmcError, match="same images and trials"):
        bd_of_trials(bd_snr, (esno_db, straight), (esno_db, better[:, :5]), rng)


@pytest.mark.parametrize("count", [1, 3])
def test_curves_of_fewer_than_four_points_have_no_delta(count):
    rng, few = np.random.default_rng(0), slice(0, count)
    rates, quality = of_images(1.0)
    found = bd_of_images(bd_rate, (rates[:, few], quality[:, few]), (rates, quality), rng)
    assert np.isnan(found.value) and found.reason == f"{count} points on a curve, fewer than 4"
    trials = RATES, LINE[:, None, None] + np.zeros((6, 8, 2))
    found = bd_of_trials(bd_rate, trials, (RATES[few], trials[1][few]), rng)
    assert np.isnan(found.value) and "fewer than 4" in found.reason


def test_few_images_with_exact_means_have_a_paired_t_interval():
    """The images' own deltas are 1, 2 and 3 dB; what they share cancels."""
    esno_db = np.arange(0.0, 12.0, 2.0)
    shared = np.array([0.0, 7.0, -4.0])[:, None]
    straight = 2 * esno_db[:, None, None] + shared
    gain = np.array([2.0, 4.0, 6.0])[:, None]
    found = bd_of_trials(
        bd_snr, (esno_db, straight), (esno_db, straight + gain), np.random.default_rng(0)
    )
    half = 4.302653 * 1 / np.sqrt(3)
    assert found.value == pytest.approx(-2.0)
    assert [found.low, found.high] == pytest.approx([-2 - half, -2 + half], rel=1e-5)


def test_other_images_are_refused():
    with pytest.raises(ScmcError, match="same images"):
        bd_of_images(bd_rate, ([[1, 2]], [[1, 2]]), ([[1, 2]] * 2, [[1, 2]] * 2),
                     np.random.default_rng(0))  # fmt: skip
