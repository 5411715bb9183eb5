"""Limits of probabilities against scipy, exact coverage and clustered simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from channels.bler.table import wilson_interval
from experiments.statistics.proportions import (
    clustered_interval,
    known_within,
    upper_bound_without_errors,
)
from scmc_comm.errors import ScmcError


@given(n=st.integers(1, 10_000), data=st.data())
def test_wilson_equals_scipy(n, data):
    k = data.draw(st.integers(0, n))
    low, high = wilson_interval(k, n)
    peer = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert low == pytest.approx(peer.low, abs=1e-12)
    assert high == pytest.approx(peer.high, abs=1e-12)


def test_no_error_seen():
    n = np.array([1, 10, 100, 10_000])
    found = upper_bound_without_errors(n)
    np.testing.assert_allclose((1 - found) ** n, 0.05)  # the chance to see none is 5 %
    assert found[3] == pytest.approx(3 / 10_000, rel=0.01)
    assert upper_bound_without_errors(0) == 1


def test_a_failure_that_was_not_seen_yet_may_still_come():
    for successes in (0, 100):
        assert not known_within(successes, 100, 0.0295) and known_within(successes, 100, 0.0296)
    assert known_within([0, 30, 60], 60, 0.05).tolist() == [True, False, True]


@given(n=st.integers(1, 3000), data=st.data(), half_width=st.floats(0.005, 0.4))
def test_known_is_never_wider_than_asked_for(n, data, half_width):
    k = data.draw(st.integers(0, n))
    low, high = wilson_interval(k, n)
    if known_within(k, n, half_width):
        assert high - low <= 2 * half_width
    elif 0 < k < n:
        assert high - low > 2 * half_width


def test_stopping_at_doublings_keeps_the_coverage():
    rng = np.random.default_rng(3)
    runs, hits, trials = 400, 0, []
    for _ in range(runs):
        events = rng.random(16) < 0.9
        while not known_within(events.sum(), len(events), 0.05):
            events = np.concatenate([events, rng.random(len(events)) < 0.9])
        low, high = wilson_interval(events.sum(), len(events))
        hits += low <= 0.9 <= high
        trials.append(len(events))
    assert 0.92 <= hits / runs <= 0.98
    assert set(trials) <= {64, 128, 256} and np.median(trials) == 256


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
    for successes, trials, half_width in ((3, 2, 0.1), (0, 0, 0.1), (1, 2, 0.0)):
        with pytest.raises(ScmcError, match="expected at least one trial"):
            known_within(successes, trials, half_width)
    with pytest.raises(ScmcError, match="0 or more"):
        upper_bound_without_errors(-1)
