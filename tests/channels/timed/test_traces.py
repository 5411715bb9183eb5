"""Es/N0 over time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import j0

from channels.errors import ChannelError
from channels.fading.clarke import draw_steady_waves, draw_waves
from channels.fading.trace import ReplayTrace
from channels.timed.traces import ClarkeTrace, ConstantTrace, SnrTrace


def clarke(seed: int, speed_mps: float = 10.0) -> ClarkeTrace:
    return ClarkeTrace(7.0, speed_mps, carrier_hz=2e9, seed=seed)


@pytest.mark.parametrize("draw", [draw_waves, draw_steady_waves])
def test_waves_have_mean_power_one_and_the_autocorrelation_of_bessel(draw) -> None:  # type: ignore[no-untyped-def]
    doppler_hz = clarke(0).doppler_hz
    lags_s = np.linspace(0, 1.5, 7) / doppler_hz
    gains = np.array(
        [
            [waves.gain(t + 0.3) for t in lags_s]
            for waves in (draw(doppler_hz, s) for s in range(4000))
        ]
    )
    correlation = (gains * gains[:, :1].conj()).mean(axis=0)
    expected = j0(2 * np.pi * doppler_hz * lags_s)
    np.testing.assert_allclose(correlation, expected, atol=4 / math.sqrt(4000))


def test_clarke_fades_are_exponential_in_power_also_over_time() -> None:
    trace = clarke(3)
    times = np.arange(20_000) * 0.37 / trace.doppler_hz
    power = np.array([10 ** ((trace.esno_db(t) - 7.0) / 10) for t in times])
    assert power.mean() == pytest.approx(1.0, abs=0.03)
    for quantile in (0.1, 0.5, 0.9):
        assert (power < -math.log1p(-quantile)).mean() == pytest.approx(quantile, abs=0.03)


def test_a_receiver_at_rest_sees_one_fade() -> None:
    trace = clarke(1, speed_mps=0.0)
    assert trace.esno_db(0.0) == trace.esno_db(1e3) != clarke(2, speed_mps=0.0).esno_db(0.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConstantTrace(3.0),
        lambda: clarke(5),
        lambda: ReplayTrace((0.0, 0.4, 1.0), (1.0, 9.0, 4.0)),
    ],
)
def test_the_order_of_questions_does_not_matter(make) -> None:  # type: ignore[no-untyped-def]
    times = np.random.default_rng(0).uniform(0, 300, 200).tolist()
    one: SnrTrace = make()
    other: SnrTrace = make()
    forward = {t: one.esno_db(t) for t in sorted(times)}
    assert all(other.esno_db(t) == forward[t] for t in times)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ChannelError, match="speed_mps is -1"):
        clarke(1, speed_mps=-1.0)
    with pytest.raises(ChannelError, match="carrier_hz is 0"):
        ClarkeTrace(7.0, 1.0, 0.0, seed=1)
    with pytest.raises(ChannelError, match="inf dB"):
        ConstantTrace(math.inf)
