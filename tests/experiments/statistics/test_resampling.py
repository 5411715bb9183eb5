"""The bootstrap from counts is the nested bootstrap of the trials, in less time."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from experiments.statistics.means import bootstrap_interval, bootstrap_means
from experiments.statistics.resampling import interval, nested_means

RNG = np.random.default_rng(5)
QUALITY = RNG.normal(20, 5, (2, 7, 4))  # metric, image, set
TRIALS = RNG.choice(4, p=(0.1, 0.2, 0.65, 0.05), size=(7, 40))
COUNTS = np.stack([(TRIALS == k).sum(axis=1) for k in range(4)], axis=1)


def values(metric):
    return np.take_along_axis(QUALITY[metric], TRIALS, axis=1)


def test_resampled_means_have_the_same_distribution():
    drawn = nested_means(QUALITY, COUNTS, np.random.default_rng(1), 4000)
    for metric in range(2):
        plain = bootstrap_means(values(metric), np.random.default_rng(2), 4000)
        assert ks_2samp(drawn[metric], plain).pvalue > 1e-3
        assert drawn[metric].std() == pytest.approx(plain.std(), rel=0.05)


def test_intervals_agree():
    found = interval(QUALITY, COUNTS, np.random.default_rng(1), 20_000)
    for metric in range(2):
        plain = bootstrap_interval(values(metric), np.random.default_rng(2), 20_000)
        width = float(plain.high - plain.low)
        assert found.mean[metric] == pytest.approx(float(plain.mean), rel=1e-12)
        assert found.low[metric] == pytest.approx(float(plain.low), abs=0.04 * width)
        assert found.high[metric] == pytest.approx(float(plain.high), abs=0.04 * width)


def test_a_single_image_gives_an_interval_over_its_trials():
    found = interval(QUALITY[:1, :1], np.array([[50, 50, 0, 0]]), np.random.default_rng(1), 20_000)
    spread = abs(QUALITY[0, 0, 0] - QUALITY[0, 0, 1]) / 2 / np.sqrt(99)
    width = float(found.high[0] - found.low[0])
    assert width == pytest.approx(2 * 1.984 * spread, rel=0.06)


def test_what_never_occurred_plays_no_part():
    holes = np.where(COUNTS == 0, np.nan, QUALITY)
    holes = np.concatenate([holes, np.full((2, 7, 1), np.nan)], axis=-1)
    counts = np.pad(COUNTS, ((0, 0), (0, 1)))
    found = nested_means(holes, counts, np.random.default_rng(1), 50)
    np.testing.assert_array_equal(
        found, nested_means(QUALITY, COUNTS, np.random.default_rng(1), 50)
    )
