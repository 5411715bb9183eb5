"""Tests of differences against scipy, and Holm's correction against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.statistics.paired import holm, paired_t


@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=30))
def test_the_paired_test_is_scipys(differences):
    found = paired_t(differences)
    if np.ptp(differences) == 0:
        assert found.p == pytest.approx(0.0 if differences[0] else 1.0, abs=1e-9)
        return
    expected = stats.ttest_1samp(differences, 0.0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    limits = expected.confidence_interval(0.95)
    assert found.difference.low == pytest.approx(limits.low, rel=1e-6, abs=1e-9)
    assert found.difference.high == pytest.approx(limits.high, rel=1e-6, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_rule_rejects(p):
    """Step down: compare the i-th smallest with level / (n - i) and stop at the first failure."""
    corrected, order = holm(p), np.argsort(p, kind="stable")
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for i, at in enumerate(order):
            if p[at] * (len(p) - i) > level:
                break
            rejected.add(int(at))
        assert {int(at) for at in np.flatnonzero(corrected <= level)} == rejected


def test_what_was_not_compared_does_not_count():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])


def test_many_true_nulls_are_seldom_called_different():
    rng, runs, rows = np.random.default_rng(1), 400, 20
    false = [
        min(holm([paired_t(rng.normal(size=6)).p for _ in range(rows)])) < 0.05 for _ in range(runs)
    ]
    assert np.mean(false) < 0.08  # plain tests would err in 64 % of the runs


def test_rounding_errors_are_no_difference():
    assert paired_t([1e-15, 1.1e-15, 0.9e-15]).p == 1.0


def test_images_without_a_difference_are_left_out():
    assert paired_t([1.0, np.nan, 2.0, 4.0]) == paired_t([1.0, 2.0, 4.0])
    nothing = paired_t([np.nan, np.nan])
    assert nothing.num_images == 0 and np.isnan([nothing.difference.mean, nothing.p]).all()
