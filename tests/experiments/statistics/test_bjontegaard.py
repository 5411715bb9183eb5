"""Bjontegaard deltas against closed forms, plain integration and the coverage of intervals."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.bjontegaard import (
    BdDelta,
    bd_quality,
    bd_rate,
    bd_snr,
    num_dominated,
)
from experiments.statistics.bjontegaard_intervals import bd_interval, bd_of_images, bd_of_trials
from scmc_comm.errors import ScmcError

# The four-point curves that are passed around with implementations of the metric.
RATE_A = np.array([686.76, 309.58, 157.11, 85.95])
PSNR_A = np.array([40.28, 37.18, 34.24, 31.42])
RATE_B = np.array([893.34, 407.8, 204.93, 112.75])
PSNR_B = np.array([40.39, 37.21, 34.17, 31.24])

RATES = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
LINE = 30 + 6 * np.log2(RATES)  # dB, 6 an octave


def of_images(spread, factors=1.0):
    """Curves [images, points] on parallel lines, their offsets up to so many dB."""
    offsets = np.linspace(-spread, spread, 8)[:, None]
    return np.broadcast_to(factors, (8, 1)) * RATES, LINE + offsets


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
    with pytest.raises(ScmcError, match="same images"):
        bd_of_images(bd_rate, ([[1, 2]], [[1, 2]]), ([[1, 2]] * 2, [[1, 2]] * 2),
                     np.random.default_rng(0))  # fmt: skip


def test_interval_covers_the_true_rate_factor():
    def factor(rate_a, quality_a, rate_b, quality_b, higher_is_better):
        """What `bd_rate` is for curves that differ by a factor alone, without its integrals."""
        return BdDelta(100 * (np.mean(rate_b) / np.mean(rate_a) - 1))

    rng = np.random.default_rng(5)
    hits, runs, images = 0, 300, 10
    settings = np.array([1.0, 2.0, 4.0])
    for run in range(runs):
        size = np.exp(rng.normal(0, 0.5, (images, 1)))
        own = rng.normal(0.9, 0.1, (images, 1))  # b's rate over a's, image by image
        quality = np.tile([30.0, 33.0, 36.0], (images, 1))
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
    trial = np.array([0.0, 5.0]), np.array([12.0, 30.0])[:, None, None]
    found = bd_of_trials(bd_snr, trial, trial, np.random.default_rng(0))
    assert found.value == 0 and np.isnan(found.low) and np.isnan(found.high)


def test_resamples_without_overlap_open_the_interval():
    x = np.array([1.0, 2.0])
    draws_a = np.tile([[30.0], [31.0]], 100)
    draws_b = draws_a.copy()
    draws_b[:, :40] += 5  # in 40 of 100 resamples the curves share nothing
    found = bd_interval(bd_rate, (x, [30, 31]), (x, [30, 31]), (x, draws_a), (x, draws_b), 0.025)
    assert found.value == pytest.approx(0) and found.undefined == pytest.approx(0.4)
    assert found.low == -np.inf and found.high == np.inf
    draws_b[:, 1:40] -= 5  # in one of 100: below the tail, so the limits stand
    found = bd_interval(bd_rate, (x, [30, 31]), (x, [30, 31]), (x, draws_a), (x, draws_b), 0.025)
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
