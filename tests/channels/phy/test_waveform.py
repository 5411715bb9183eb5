"""Peaks of what is on air: closed forms, an independent oversampling, and the limit."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.errors import ChannelError
from channels.modulation.qam import constellation
from channels.phy.waveform import limit_peak, papr_db

LINKS = ("flat", "ofdm:num_subcarriers=48", "ofdm:antennas=2x1,num_subcarriers=48")


def gaussian(n: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.view_as_complex(torch.randn(n, 2, generator=draw))


def test_a_tone_has_no_peaks_and_two_beat() -> None:
    n = torch.arange(96)
    one, two = (torch.exp(2j * math.pi * k * n / 96) for k in (5, -7))
    assert papr_db(one) == pytest.approx(0, abs=1e-4)
    assert papr_db(one + two) == pytest.approx(10 * math.log10(2), abs=1e-3)


def test_equal_elements_of_an_ofdm_symbol_add_up() -> None:
    # Symbols 0 and 1 have no pilots: all 48 subcarriers in phase peak at 48 times the mean.
    data = torch.zeros(300, dtype=torch.complex64)
    data[:48] = 1.0
    unit = data * math.sqrt(300 / 48)
    found = papr_db(unit, LINKS[1])
    assert found == pytest.approx(10 * math.log10(48 * 300 / 48), abs=0.01)


def test_qpsk_over_the_pulse_against_a_convolution() -> None:
    """The pulse in time, its closed form, 40 symbols to each side (Proakis, 9.2-3)."""
    n, beta = 512, 0.25
    points = constellation(2)[torch.randint(4, (n,), generator=torch.Generator().manual_seed(2))]
    t = np.arange(-160, 161) / 4 + 1e-9
    pulse = (np.sin(np.pi * t * (1 - beta)) + 4 * beta * t * np.cos(np.pi * t * (1 + beta))) / (
        np.pi * t * (1 - (4 * beta * t) ** 2)
    )
    sent = np.zeros(4 * n, complex)
    sent[::4] = points.numpy()
    wave = np.convolve(np.tile(sent, 3), pulse, "same")[4 * n : 8 * n]
    power = np.abs(wave) ** 2
    assert papr_db(points) == pytest.approx(10 * np.log10(power.max() / power.mean()), abs=0.05)


@pytest.mark.parametrize("link", LINKS)
def test_symbols_limited_at_their_points_peak_higher_on_air(link: str) -> None:
    x = gaussian(2000)
    x = x / x.abs().square().mean().sqrt()
    hard = x * (10**0.25 / x.abs()).clamp(max=1)  # 5 dB over the old mean
    assert papr_db(hard, link) > 7.5
    assert papr_db(limit_peak(x, 6.0, link), link) <= 6.01


@settings(max_examples=25, deadline=None)
@given(
    limit_db=st.floats(4.5, 14), n=st.integers(1, 400), seed=st.integers(0, 99),
    link=st.sampled_from(LINKS),
)  # fmt: skip
def test_limited_symbols_keep_power_and_stay_where_no_peak_is(
    limit_db: float, n: int, seed: int, link: str
) -> None:
    x = gaussian(n, seed)
    y = limit_peak(x, limit_db, link)
    assert y.abs().square().mean(dtype=torch.float64).item() == pytest.approx(1, abs=1e-5)
    assert papr_db(y, link) <= limit_db + 0.011
    if papr_db(x, link) <= limit_db:
        unit = x / x.abs().square().mean().sqrt()
        torch.testing.assert_close(y, unit, rtol=1e-5, atol=1e-6)


def test_limits_that_cannot_be_met_are_refused() -> None:
    with pytest.raises(ChannelError, match="more than 0"):
        limit_peak(gaussian(8), 0.0)
    with pytest.raises(ChannelError, match="all symbols are 0"):
        limit_peak(0 * gaussian(8), 3.0)
    with pytest.raises(ChannelError, match="raise the limit"):
        limit_peak(gaussian(64), 2.0, LINKS[2])
    with pytest.raises(ChannelError, match="there are flat, ofdm"):
        papr_db(gaussian(8), "radio")
