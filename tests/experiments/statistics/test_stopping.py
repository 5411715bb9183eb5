"""Stopping on the width of intervals: reached, out of reach, and not on luck."""

import numpy as np
import pytest

from experiments.statistics.means import bootstrap_interval
from experiments.statistics.stopping import stop_decision
from scmc_comm.errors import ScmcError


@pytest.mark.parametrize("shape", [(20, 50), (1, 200)])
def test_width_is_that_of_the_bootstrap(shape):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 2, (shape[0], 1)) + rng.normal(0, 1, shape)
    found = bootstrap_interval(values, rng, 4000)
    decision = stop_decision(values, 0.1, span=10)
    assert decision.half_width == pytest.approx(float(found.high - found.low) / 2, rel=0.1)
    assert decision.done == decision.limited_by_images == (shape[0] > 1)


def test_more_trials_that_would_not_help_are_not_asked_for():
    rng = np.random.default_rng(1)
    images = rng.normal(0, 3, (10, 1))
    few = stop_decision(images + rng.normal(0, 6, (10, 8)), 0.5, span=20)
    many = stop_decision(images + rng.normal(0, 6, (10, 2000)), 0.5, span=20)
    assert not few.done and not few.limited_by_images
    assert many.done and many.limited_by_images and many.half_width > 0.5


def test_a_failure_that_was_not_seen_yet_may_still_come():
    decision = stop_decision(np.full((2, 5, 30), [[[30.0]], [[31.0]]]), 0.1, span=18)
    np.testing.assert_allclose(decision.half_width, 18 * (1 - 0.05 ** (1 / 150)))
    assert not decision.done.any()
    assert stop_decision(np.full((5, 3000), 30.0), 0.1, span=18).done


def test_points_stop_one_by_one_and_stopped_trials_count():
    rng = np.random.default_rng(2)
    values = np.full((2, 4, 400), np.nan)
    values[0] = rng.normal(0, 1, (4, 400))
    values[1, :, :10] = rng.normal(0, 1, (4, 10))
    done = stop_decision(values, 0.25, span=5).done
    assert done.tolist() == [True, False]


def test_stopping_at_doublings_keeps_the_coverage():
    rng = np.random.default_rng(3)
    runs, hits, trials = 300, 0, []
    for _ in range(runs):
        values = rng.normal(0, 1, (1, 16))
        while not stop_decision(values, 0.15, span=10).done:
            values = np.concatenate([values, rng.normal(0, 1, values.shape)], axis=1)
        decision = stop_decision(values, 0.15, span=10)
        hits += abs(values.mean()) <= decision.half_width
        trials.append(values.shape[1])
    assert 0.92 <= hits / runs <= 0.98
    assert set(trials) <= {64, 128, 256, 512} and np.median(trials) == 256


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="no trial yet"):
        stop_decision([[1.0], [np.nan]], 0.1, span=1)
    with pytest.raises(ScmcError, match="positive"):
        stop_decision([[1.0]], 0.0, span=1)
