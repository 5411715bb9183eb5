"""Limits of probabilities against scipy, exact coverage and clustered simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics.means import wilson_interval
from experiments.statistics.proportions import (
    clopper_pearson_interval,
    clustered_interval,
    upper_bound_without_errors,
)
from scmc_comm.errors import ScmcError


@given(n=st.integers(1, 5000), data=st.data(), confidence=st.floats(0.5, 0.999))
def test_clopper_pearson_equals_scipy(n, data, confidence):
    k = data.draw(st.integers(0, n))
    low, high = clopper_pearson_interval(k, n, confidence)
    peer = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    assert low == pytest.approx(peer.low, abs=1e-9)
    assert high == pytest.approx(peer.high, abs=1e-9)


@pytest.mark.parametrize("probability", [0.002, 0.03, 0.3])
def test_exact_coverage_of_both_intervals(probability):
    counts = np.arange(201)
    weight = stats.binom.pmf(counts, 200, probability)
    covered = {}
    for interval in (clopper_pearson_interval, wilson_interval):
        low, high = interval(counts, 200)
        covered[interval] = weight[(low <= probability) & (probability <= high)].sum()
    assert covered[clopper_pearson_interval] >= 0.95
    assert 0.92 <= covered[wilson_interval] <= 0.99


def test_no_error_seen():
    n = np.array([1, 10, 100, 10_000])
    found = upper_bound_without_errors(n)
    np.testing.assert_allclose((1 - found) ** n, 0.05)  # the chance to see none is 5 %
    assert found[3] == pytest.approx(3 / 10_000, rel=0.01)
    assert upper_bound_without_errors(0) == 1
    # One-sided at 97.5 % is the upper half of the exact two-sided interval.
    assert upper_bound_without_errors(50, 0.975) == pytest.approx(
        clopper_pearson_interval(0, 50)[1]
    )
    low, high = clopper_pearson_interval([0, 0, 7], [0, 7, 7])
    assert (low[:2] == 0).all() and (high[[0, 2]] == 1).all() and high[1] < 1


def test_images_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    runs, hits, independent = 200, 0, 0
    for _ in range(runs):
        probability = rng.beta(0.5, 1.5, size=(10, 1))  # mean 1/4, very different images
        events = (rng.random((10, 40)) < probability).astype(float)
        found = clustered_interval(events, rng, num_resamples=300)
        low, high = wilson_interval(events.sum(), events.size)
        hits += found.low <= 0.25 <= found.high
        independent += low <= 0.25 <= high
    # Ten skewed clusters: a little below nominal, but far from the half that Wilson's covers.
    assert 0.90 <= hits / runs <= 0.99
    assert independent / runs < 0.6


def test_without_events_the_upper_limit_is_not_zero():
    for value in (0.0, 1.0):
        found = clustered_interval(np.full((2, 5, 20), value), np.random.default_rng(0), 50)
        low, high = wilson_interval(100 * value, 100)
        np.testing.assert_allclose(found.low, low)
        np.testing.assert_allclose(found.high, high)


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="0 or 1"):
        clustered_interval([[0.5]], np.random.default_rng(0))
    with pytest.raises(ScmcError, match="between 0 and"):
        clopper_pearson_interval(3, 2)
    with pytest.raises(ScmcError, match="0 or more"):
        upper_bound_without_errors(-1)
