"""The SNR that tables go by where the receiver knows the gains wrongly."""

from __future__ import annotations

import pytest
import torch

from channels.ofdm.mismatch import effective_sinr
from channels.rng import generator

GEN = generator(0, "mismatch")
BELIEVED = 10 * torch.rand(50, 600, generator=GEN)


@pytest.mark.parametrize("level", [1e-6, 1e-2, 1.0, 1e3, 1e8])
def test_true_beliefs_are_left_as_they_are(level: float) -> None:
    sinr = BELIEVED * level
    assert torch.allclose(effective_sinr(sinr, sinr + 0j, sinr), sinr, rtol=1e-4)


def test_one_gain_gives_the_ratio_of_its_true_powers() -> None:
    believed = torch.full((1, 300), 5.0)
    for factor in (0.4, 1.7):  # a wrong amplitude of all symbols is no noise
        got = effective_sinr(believed, factor * believed + 0j, 3 * believed)
        assert torch.allclose(got, 5 * factor**2 / 3 + 0 * got, rtol=1e-3)


def test_errors_that_the_receiver_counts_on_cost_nothing_more() -> None:
    # z = b s + noise of variance b, of which the error is a part.
    shape, noise_share = BELIEVED.shape, 0.4
    parts = (
        torch.randn(*shape, 2, generator=GEN) * (BELIEVED * (1 - noise_share) / 2).sqrt()[..., None]
    )
    signal = BELIEVED + torch.view_as_complex(parts)
    got = effective_sinr(BELIEVED, signal, noise_share * BELIEVED)
    assert float((got / BELIEVED).mean()) == pytest.approx(1.0, abs=0.03)


def test_a_phase_error_costs_and_a_wrong_sign_leaves_nothing() -> None:
    believed = torch.full((1, 300), 100.0)
    sinr = [
        float(effective_sinr(believed, torch.polar(believed, believed * 0 + turn), believed)[0, 0])
        for turn in (0.0, 0.1, 0.5, 1.5, 3.0)
    ]
    assert sinr == sorted(sinr, reverse=True)
    assert sinr[1] == pytest.approx(50, rel=0.02)  # 1 / (1 / 100 + 0.1^2)
    assert sinr[3] < 0.05 and sinr[4] < 1e-9


def test_silence_and_short_frames() -> None:
    zero = torch.zeros(2, 5)
    assert float(effective_sinr(zero, zero + 0j, zero).max()) < 1e-9
    one = torch.tensor([[2.0]])
    assert float(effective_sinr(one, one + 0j, one)[0, 0]) == pytest.approx(2.0)
