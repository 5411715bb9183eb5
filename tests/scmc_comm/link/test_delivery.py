"""What a plan expects of its channel reaches as far as every plan that fits the budget."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.fading import states
from scmc_comm.link.allocation import Allocator
from scmc_comm.link.budget import Budget
from scmc_comm.link.delivery import make_link
from scmc_comm.link.layer_curves import load_quality
from scmc_comm.link.mcs import MCS_GRID
from scmc_comm.link.utility import Utility

SOME_SCHEMES = MCS_GRID[::8]
LINKS = [
    ("awgn", "flat"),
    ("rayleigh_block", "flat"),
    *((f"rayleigh_block:coherence_symbols={n}", "flat") for n in (1, 7, 64, 256, 5000)),
    ("rician_block:coherence_symbols=100", "flat"),
    ("nakagami_block:m=0.5,coherence_symbols=33", "flat"),
    ("gilbert_elliott", "flat"),
    ("clarke", "flat"),
    ("tdl:model=A", "flat"),
    ("awgn", "ofdm"),
    ("rayleigh_block:coherence_symbols=100", "ofdm"),
    ("clarke", "ofdm:csi=lmmse"),
    ("clarke", "ofdm:antennas=2x2,csi=lmmse"),
]


@lru_cache(maxsize=4)
def curves(side):
    return load_quality((side, side))


@settings(max_examples=25)
@given(
    st.sampled_from(LINKS),
    st.sampled_from([64, 96, 256]),
    st.floats(np.log(1 / 200), np.log(1 / 3)),
    st.integers(0, 2**32 - 1),
)
def test_every_plan_over_every_channel_has_probabilities(link, side, log_rho, seed):
    """Also where the signal's rate lies between two of the model's, far apart for small pictures."""
    channel, phy = link
    budget, size, quality = (
        Budget(np.exp(log_rho), 8.0, channel, phy=phy),
        (side, side),
        curves(side),
    )
    expected = make_link(channel, budget.uses(size), (8.0,), num_states=2, phy=phy)
    rates = tuple(quality.rates(Utility.parse("psnr_db"), sent) for sent in (False, True))
    allocator = Allocator(budget.uses(size), quality.lower_bits, rates, expected, SOME_SCHEMES)
    plans = np.random.default_rng(seed).integers(-1, len(SOME_SCHEMES), (40, 6))
    plans[:, 2:] = np.where(np.minimum.accumulate(plans[:, 2:], axis=1) < 0, -1, plans[:, 2:])
    outcome = allocator.evaluate(plans)
    assert (outcome.delivery >= 0).all() and (outcome.delivery <= 1 + 1e-12).all()
    assert not np.isnan(outcome.value).any()


@pytest.mark.parametrize("channel", ["clarke", "tdl:model=A", "rayleigh_block:coherence_symbols=9"])
def test_one_draw_of_the_fades_serves_every_mean(channel, monkeypatch):
    means, counted = (-3.0, 3.0, 9.0), []
    draw = states.channel_states
    monkeypatch.setattr(states, "channel_states", lambda *args: counted.append(1) or draw(*args))
    together = make_link(channel, 3000, means, num_states=8)
    assert len(counted) == 1
    alone = [make_link(channel, 3000, (mean,), num_states=8) for mean in means]
    for mcs in SOME_SCHEMES:
        apart = [link.delivery(80, mcs, 3, 0.0) for link in alone]
        assert np.array_equal(together.delivery(80, mcs, 3, 0.0), np.concatenate(apart))


@pytest.mark.parametrize("scale", [1.0, 1e308, 1e-310])
def test_weights_are_shares_in_any_unit(scale):
    link = make_link("awgn", 1000, (3.0, 9.0), (scale, scale / 2))
    assert link.weights.tolist() == pytest.approx([2 / 3, 1 / 3])
