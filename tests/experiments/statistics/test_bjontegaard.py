"""Bjontegaard deltas against closed forms, plain integration and scaled curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.bjontegaard import (
    bd_quality,
    bd_rate,
    bd_snr,
    num_dominated,
)
from scmc_comm.errors import ScmcError

# The four-point curves that are passed around with implementations of the metric.
RATE_A = np.array([686.76, 309.58, 157.11, 85.95])
PSNR_A = np.array([40.28, 37.18, 34.24, 31.42])
RATE_B = np.array([893.34, 407.8, 204.93, 112.75])
PSNR_B = np.array([40.39, 37.21, 34.17, 31.24])

RATES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
LINE = 30 + 6 * np.log2(RATES)  # dB, 6 an octave


def test_equals_numerical_integration_of_the_pchip_curves():
    from scipy.integrate import quad
    from scipy.interpolate import PchipInterpolator

    a = PchipInterpolator(PSNR_A[::-1], np.log(RATE_A[::-1]))
    b = PchipInterpolator(PSNR_B[::-1], np.log(RATE_B[::-1]))
    low, high = 31.42, 40.28
    mean = quad(lambda q: b(q) - a(q), low, high)[0] / (high - low)
    found = bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B)
    assert found.value == pytest.approx(100 * (np.exp(mean) - 1), abs=1e-6)
    assert found.value == pytest.approx(31.3974, abs=0.05)  # the polynomial of 2001
    assert found.overlap == pytest.approx((40.28 - 31.42) / (40.39 - 31.24))


@given(
    factor=st.floats(0.05, 20),
    rises=st.lists(st.floats(0.5, 5), min_size=2, max_size=8),
    seed=st.integers(0, 99),
)
def test_a_curve_that_costs_a_factor_more_gives_that_factor(factor, rises, seed):
    quality = 20 + np.cumsum(rises)
    rate = np.cumsum(np.random.default_rng(seed).uniform(0.1, 2, len(rises)))
    found = bd_rate(rate, quality, factor * rate, quality)
    assert found.value == pytest.approx(100 * (factor - 1), rel=1e-6, abs=1e-6)
    # Lower is better: the same curves upside down say the same.
    down = bd_rate(rate, -quality, factor * rate, -quality, higher_is_better=False)
    assert down.value == pytest.approx(found.value)
    # Order of points does not matter, and swapping the curves inverts the factor.
    order = np.random.default_rng(seed).permutation(len(rate))
    back = bd_rate(factor * rate[order], quality[order], rate, quality)
    assert (1 + back.value / 100) * (1 + found.value / 100) == pytest.approx(1)


def test_quality_delta_keeps_the_sign_of_the_metric():
    rate = [1, 2, 4, 8]
    lpips = np.array([0.7, 0.5, 0.3, 0.2])
    better = bd_quality(rate, lpips, rate, lpips - 0.1, higher_is_better=False)
    assert better.value == pytest.approx(-0.1)
    cheaper = bd_rate(rate, lpips, rate, lpips - 0.05, higher_is_better=False)
    assert cheaper.value < 0 and cheaper.overlap < 1


def test_a_dominated_point_changes_nothing_and_is_counted():
    rate, quality = [1, 2, 4, 8], [30, 33, 36, 39]
    plain = bd_rate(rate, quality, [1.5, 3, 6], [30, 33, 36])
    with_dip = bd_rate([1, 2, 2.5, 4, 8], [30, 33, 32.9, 36, 39], [1.5, 3, 3, 6], [30, 33, 31, 36])
    assert with_dip == plain
    assert num_dominated([0.4, 0.1, 0.2, 0.2], [5.0, 3.0, 2.0, 4.0]) == 1
    assert num_dominated([1, 2, 4], [0.5, 0.6, 0.4], higher_is_better=False) == 1


def test_a_shift_of_quality_on_a_line_is_known():
    found = bd_rate(RATES, LINE, RATES, LINE + 3)  # half an octave
    assert found.value == pytest.approx(100 * (2**-0.5 - 1), abs=1e-6)
    assert found.overlap == pytest.approx((30 - 3) / (30 + 3))
    assert found.common == pytest.approx((LINE[0] + 3, LINE[-1]))
    assert bd_quality(RATES, LINE, RATES, LINE + 3).value == pytest.approx(3)


def test_a_window_looks_at_those_rates_alone():
    halved = np.where(RATES <= 0.2, 0.5, 1.0) * RATES  # half the rate at the low end, equal above
    low = bd_rate(RATES, LINE, halved, LINE, window=(0.0, 0.1))
    high = bd_rate(RATES, LINE, halved, LINE, window=(0.45, np.inf))
    assert low.value == pytest.approx(-50, abs=3) and high.value == pytest.approx(0, abs=0.5)
    gaps = np.where(RATES <= 0.2, 1.0, 5.0)
    for window, gap in (((0.05, 0.2), 1.0), ((0.4, 1.6), 5.0)):
        found = bd_quality(RATES, LINE - gaps, RATES, LINE, window=window)
        assert found.value == pytest.approx(gap) and found.common == pytest.approx(window)
    outside = bd_rate(RATES, LINE, RATES, LINE, window=(7.0, 9.0))
    assert np.isnan(outside.value) and "two points" in outside.reason


def test_no_overlap_is_said_not_guessed():
    found = bd_rate([1, 2], [30, 31], [1, 2], [31, 32])
    assert np.isnan(found.value) and found.overlap == 0
    assert found.reason == "no overlap: 31 to 32 against 30 to 31 of the reference"
    barely = bd_rate(RATES, LINE, RATES, LINE + 29.9)  # 0.1 dB of 59.9 in common
    assert np.isnan(barely.value) and "no overlap" in barely.reason
    flat = bd_snr([0, 5], [12, 12], [0, 5], [12, 30])
    assert np.isnan(flat.value) and "fewer" in flat.reason


@given(shift=st.floats(-20, 20), top=st.floats(25, 40), step=st.integers(1, 6))
def test_snr_delta_of_shifted_cliffs(shift, top, step):
    esno_db = np.arange(-10.0, 21.0)
    quality = np.where(np.arange(31) < 10, 12.0, top)
    quality[10 : 10 + step] = np.linspace(12.0, top, step + 2)[1:-1]
    assert bd_snr(esno_db, quality, esno_db + shift, quality).value == pytest.approx(shift)


def test_snr_delta_with_a_level_stretch_and_a_dip():
    esno_db = np.arange(0.0, 8.0)
    quality = np.array([12, 12, 20, 20, 19, 20, 30, 30.0])
    # Inverse of the staircase: 12 to 20 rises from 1 to 2 dB, 20 to 30 from 5 to 6 dB.
    straight = bd_snr(esno_db, quality, [0, 1, 2, 3], [10, 12, 20, 20 + 1e-6])
    assert straight.overlap == pytest.approx(8 / 20, abs=1e-6)
    assert abs(straight.value) < 0.2
    late = bd_snr(esno_db, quality, [100, 101], [20, 30])
    assert late.value == pytest.approx(95, abs=0.25)


def test_what_is_wrong_is_said():
    with pytest.raises(ScmcError, match="3 abscissae and 2"):
        bd_rate([1, 2, 3], [1, 2], [1, 2], [1, 2])
    with pytest.raises(ScmcError, match="rate of 0"):
        bd_rate([0, 1], [1, 2], [1, 2], [1, 2])
    with pytest.raises(ScmcError, match="NaN"):
        bd_rate([1, 2], [1, np.nan], [1, 2], [1, 2])
