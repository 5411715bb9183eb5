"""Cliff metrics of curves that are known, their properties, and the coverage of their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.cliff import (
    cliff,
    crossing_esno_db,
    fall_width_db,
    largest_drop,
    mean_over_range,
)
from experiments.statistics.tables import crossing_text
from scmc_comm.errors import ScmcError

ESNO_DB = np.arange(-5.0, 16.0)
CURVES = st.lists(st.floats(10, 40), min_size=21, max_size=21).map(np.array)


def sigmoid(middle, slope):
    return 12 + 18 / (1 + np.exp(-(ESNO_DB - middle) / slope))


def test_a_straight_fall():
    curve = np.clip(12 + 2 * (ESNO_DB - 1), 12, 30)  # 12 at 1 dB, 30 at 10 dB
    assert crossing_esno_db(ESNO_DB, curve, 21.0) == pytest.approx(5.5)
    assert fall_width_db(ESNO_DB, curve, 12.0) == pytest.approx(0.8 * 9)
    assert largest_drop(ESNO_DB, curve) == pytest.approx(2.0)
    area = (6 * 12 + 9 * 21 + 5 * 30) / 20
    assert mean_over_range(ESNO_DB, curve) == pytest.approx(area)
    # The same with a metric of which less is better.
    down = 42 - curve
    assert crossing_esno_db(ESNO_DB, down, 21.0, False) == pytest.approx(5.5)
    assert fall_width_db(ESNO_DB, down, 30.0, False) == pytest.approx(0.8 * 9)
    assert largest_drop(ESNO_DB, down, False) == pytest.approx(2.0)


@given(curve=CURVES, threshold=st.floats(5, 45))
def test_crossing_is_the_last_point_where_the_curve_is_worse(curve, threshold):
    found = float(crossing_esno_db(ESNO_DB, curve, threshold))
    fine = np.linspace(-5, 15, 2001)
    good = np.interp(fine, ESNO_DB, curve) >= threshold
    if np.isinf(found):
        assert good.all() if found < 0 else curve[-1] < threshold
    else:
        assert good[fine > found + 1e-6].all()
        assert np.interp(found, ESNO_DB, curve) == pytest.approx(threshold, abs=1e-6)


@given(curve=CURVES)
def test_largest_drop_is_that_of_a_fine_search(curve):
    starts = np.linspace(-5, 14, 1901)
    rises = np.interp(starts + 1, ESNO_DB, curve) - np.interp(starts, ESNO_DB, curve)
    assert largest_drop(ESNO_DB, curve) == pytest.approx(max(rises.max(), 0))
    uneven = np.r_[ESNO_DB[:5], ESNO_DB[5:7] + 0.3, ESNO_DB[7:]]
    rises = np.interp(starts + 1, uneven, curve) - np.interp(starts, uneven, curve)
    assert largest_drop(uneven, curve) >= max(rises.max(), 0) - 1e-9


@given(curve=CURVES, shift=st.floats(-10, 10))
def test_moving_a_curve_moves_its_crossing_alone(curve, shift):
    moved, threshold = ESNO_DB + shift, 25.0
    before, after = (crossing_esno_db(x, curve, threshold) for x in (ESNO_DB, moved))
    assert after == pytest.approx(before + shift, abs=1e-9) or np.isinf(before)
    for metric in (largest_drop, mean_over_range):
        assert metric(moved, curve) == pytest.approx(metric(ESNO_DB, curve), abs=1e-8)


def test_width_tells_a_cliff_from_grace():
    steep, gentle = fall_width_db(ESNO_DB, [sigmoid(5, 0.2), sigmoid(5, 2.0)], 12.0)
    assert steep < 2 and gentle == pytest.approx(2 * np.log(81), rel=0.03)
    assert fall_width_db(ESNO_DB, np.full(21, 30.0), 12.0) == np.inf
    assert np.isnan(fall_width_db(ESNO_DB, np.full(21, 12.0), 12.0))


def test_many_curves_at_once():
    curves = np.stack([sigmoid(m, 1.0) for m in (0, 5, 10)])[None]
    found = crossing_esno_db(ESNO_DB, curves, 21.0)
    np.testing.assert_allclose(found, [[0, 5, 10]], atol=1e-9)
    assert largest_drop(ESNO_DB, curves).shape == (1, 3)


def test_intervals_cover_the_true_values():
    rng = np.random.default_rng(0)
    esno_db = np.arange(0.0, 10.0)
    fall = np.clip(12 + 3 * (esno_db - 2), 12, 30)[:, None, None]
    runs, hits = 200, np.zeros(3)
    for _ in range(runs):
        values = fall + rng.normal(0, 2, (1, 12, 1)) + rng.normal(0, 2, (1, 12, 20))
        found = cliff(esno_db, values, 21.0, 12.0, rng, num_resamples=200)
        parts = (found.threshold_esno_db, found.mean_quality, found.largest_drop)
        truths = (5.0, float(mean_over_range(esno_db, fall[:, 0, 0])), 3.0)
        for i, (part, truth) in enumerate(zip(parts, truths, strict=True)):
            hits[i] += part.low - 1e-9 <= truth <= part.high + 1e-9
    assert (hits[:2] / runs >= 0.92).all() and (hits[:2] / runs <= 0.985).all()
    assert hits[2] == runs  # what all SNRs share drops out of differences between them


def test_thresholds_that_are_never_crossed_are_said():
    values = np.full((21, 6, 3), 20.0)
    above = cliff(ESNO_DB, values, 15.0, 12.0, np.random.default_rng(0), num_resamples=20)
    below = cliff(ESNO_DB, values, 25.0, 12.0, np.random.default_rng(0), num_resamples=20)
    assert crossing_text(above.threshold_esno_db, ESNO_DB) == "held down to -5 dB"
    assert crossing_text(below.threshold_esno_db, ESNO_DB) == "not reached up to 15 dB"
    assert above.fall_width_db.mean == np.inf and above.largest_drop.high == 0


def test_a_threshold_crossed_in_some_resamples_opens_the_interval():
    rng = np.random.default_rng(0)
    values = np.tile(rng.normal(20, 3, (1, 10, 1)), (21, 1, 1))
    found = cliff(ESNO_DB, values, 20.0, 12.0, rng, num_resamples=200)
    assert found.threshold_esno_db.low == -np.inf and found.threshold_esno_db.high == np.inf
    assert "below -5 to above 15" in crossing_text(found.threshold_esno_db, ESNO_DB)


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="rising"):
        crossing_esno_db([0, 0], [1, 2], 1)
    with pytest.raises(ScmcError, match="NaN"):
        largest_drop([0, 5], [1, np.nan])
    with pytest.raises(ScmcError, match="span 0.5 dB"):
        largest_drop([0, 0.5], [1, 2])


@pytest.mark.parametrize(
    ("images", "trials", "known"), [(1, 1, 0), (1, 9, 1), (4, 9, 0), (5, 1, 1)]
)
def test_intervals_stand_only_where_they_hold(images, trials, known):
    values = np.linspace(12.0, 30.0, 6)[:, None, None] + np.random.default_rng(0).normal(
        0, 1, (6, images, trials)
    )
    found = cliff(np.arange(6.0), values, 21.0, 12.0, np.random.default_rng(0))
    assert np.isfinite(found.threshold_esno_db.mean)
    assert bool(np.isfinite(found.threshold_esno_db.low)) == bool(known)
