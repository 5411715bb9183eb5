"""SNR over time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import j0

from channels.errors import ChannelError
from channels.fading.timed_gain import (
    ClarkeTrace,
    ConstantTrace,
    GilbertElliottTrace,
    ReplayTrace,
    SnrTrace,
)


def clarke(seed: int, speed_mps: float = 10.0) -> ClarkeTrace:
    return ClarkeTrace(7.0, speed_mps, carrier_hz=2e9, seed=seed)


def test_clarke_has_mean_power_one_and_the_autocorrelation_of_bessel() -> None:
    doppler_hz = clarke(0).doppler_hz
    lags_s = np.linspace(0, 1.5, 13) / doppler_hz
    gains = np.stack([clarke(seed).gain(lags_s + 0.3) for seed in range(4000)])
    correlation = (gains * gains[:, :1].conj()).mean(axis=0)
    np.testing.assert_allclose(
        correlation.real, j0(2 * np.pi * doppler_hz * lags_s), atol=4 / math.sqrt(4000)
    )
    np.testing.assert_allclose(correlation.imag, 0, atol=4 / math.sqrt(4000))


def test_clarke_fades_are_exponential_in_power_also_over_time() -> None:
    trace = clarke(3)
    times = np.arange(20_000) * 0.37 / trace.doppler_hz
    power = np.array([10 ** ((trace.esno_db(t) - 7.0) / 10) for t in times])
    assert power.mean() == pytest.approx(1.0, abs=0.03)
    for quantile in (0.1, 0.5, 0.9):
        assert (power < -math.log1p(-quantile)).mean() == pytest.approx(quantile, abs=0.03)
    np.testing.assert_allclose(power[:50], np.abs(trace.gain(times[:50])) ** 2, rtol=1e-6)


def test_a_receiver_at_rest_sees_one_fade() -> None:
    trace = clarke(1, speed_mps=0.0)
    assert trace.esno_db(0.0) == trace.esno_db(1e3) != clarke(2, speed_mps=0.0).esno_db(0.0)


def test_gilbert_elliott_stays_for_exponential_times() -> None:
    trace = GilbertElliottTrace(10.0, -5.0, mean_good_s=0.3, mean_bad_s=0.1, seed=1)
    levels = np.array([trace.esno_db(t) for t in np.arange(0, 600, 0.005)])
    assert (levels == 10.0).mean() == pytest.approx(0.75, abs=0.03)
    switches = (np.diff(levels) != 0).sum()
    assert switches / 600 == pytest.approx(2 / 0.4, rel=0.08)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConstantTrace(3.0),
        lambda: clarke(5),
        lambda: GilbertElliottTrace(10.0, -5.0, 0.3, 0.1, seed=2),
        lambda: ReplayTrace((0.0, 0.4, 1.0), (1.0, 9.0, 4.0)),
    ],
)
def test_the_order_of_questions_does_not_matter(make) -> None:  # type: ignore[no-untyped-def]
    times = np.random.default_rng(0).uniform(0, 300, 200).tolist()
    one: SnrTrace = make()
    other: SnrTrace = make()
    forward = {t: one.esno_db(t) for t in sorted(times)}
    assert all(other.esno_db(t) == forward[t] for t in times)


def test_a_replayed_trace_goes_round() -> None:
    trace = ReplayTrace((0.0, 1.0, 3.0), (10.0, 20.0, 0.0))
    assert [trace.esno_db(t) for t in (0.0, 0.5, 2.0, 3.0, 3.5)] == [10, 15, 10, 10, 15]


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ChannelError, match="speed_mps is -1"):
        clarke(1, speed_mps=-1.0)
    with pytest.raises(ChannelError, match="carrier_hz is 0"):
        ClarkeTrace(7.0, 1.0, 0.0, seed=1)
    with pytest.raises(ChannelError, match="num_paths is 2"):
        ClarkeTrace(7.0, 1.0, 1e9, seed=1, num_paths=2)
    with pytest.raises(ChannelError, match="mean_bad_s is 0"):
        GilbertElliottTrace(1.0, 0.0, 1.0, 0.0, seed=1)
    with pytest.raises(ChannelError, match="inf dB"):
        ConstantTrace(math.inf)
    with pytest.raises(ChannelError, match="two or more"):
        ReplayTrace((0.0,), (1.0,))
    with pytest.raises(ChannelError, match="must start at 0 and rise"):
        ReplayTrace((0.0, 0.0), (1.0, 2.0))
