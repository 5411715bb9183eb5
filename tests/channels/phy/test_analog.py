"""The analog link: the same draws as the coded one, the equaliser's error, the peak limit."""

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.fading.models import make_channel, noise
from channels.phy.analog import equalise, send_symbols
from channels.phy.bit_true import BitTruePhy
from channels.phy.equivalent import EquivalentPhy
from channels.phy.ofdm import OfdmPhy
from channels.phy.table import TablePhy


def symbols(n=4096, seed=0):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=draw) * torch.rand(n, 1, generator=draw).mul(2).exp()
    x = torch.view_as_complex(x)
    return x / x.abs().square().mean(dtype=torch.float64).sqrt().float()


def test_noise_over_awgn_is_that_of_the_request_and_of_the_coded_link():
    x, seeds = symbols(20_000), [3, 4]
    x_hat, esno, uses = send_symbols(x, make_channel("awgn"), 7.0, seeds)
    assert uses == len(x)
    no = 10**-0.7
    z = x_hat * (1 + no) - x
    torch.testing.assert_close(z, noise(len(x), no, seeds), atol=2e-5, rtol=0)
    measured = 10 * np.log10(1 / z.abs().square().mean().item())
    assert abs(measured - 7.0) < 0.05
    np.testing.assert_allclose(esno, [10**0.7] * 2, rtol=1e-4)


def test_a_trial_depends_on_its_seed_alone():
    x, channel = symbols(500), make_channel("rayleigh_block:coherence_symbols=50")
    batch = send_symbols(x, channel, 5.0, [1, 2, 3])
    alone = send_symbols(x, channel, 5.0, [2])
    close = {"rtol": 1e-6, "atol": 1e-6}  # vector units round the last bit by their lane
    torch.testing.assert_close(batch[0][1], alone[0][0], **close)
    torch.testing.assert_close(batch[1][1:2], alone[1], **close)
    assert (batch[0][1] - batch[0][2]).abs().mean() > 0.3
    for phy in (BitTruePhy(), TablePhy()):
        assert torch.equal(phy.send_symbols(x, channel, 5.0, [2])[0], alone[0])


def test_equalised_rayleigh_fades_leave_the_error_that_theory_says():
    """Mean error no / (abs(h)^2 + no), over one fade; its phase is gone."""
    x = symbols(20_000)
    x_hat, esno, _ = send_symbols(x, make_channel("rayleigh_block"), 10.0, range(12))
    h = make_channel("rayleigh_block").draw(len(x), 10.0, range(12)).h[:, 0].abs().square()
    np.testing.assert_allclose(esno, h / 0.1, rtol=1e-3)
    error = (x_hat - x).abs().square().mean(1)
    np.testing.assert_allclose(error, 0.1 / (h + 0.1), rtol=0.05)
    correlation = (x_hat * x.conj()).mean(1)
    assert (correlation.imag.abs() < 0.03 * correlation.real).all()


def test_esno_after_many_fades_is_that_of_their_mean_error():
    h = torch.tensor([[1.0, 0.5j, -2.0, 0.1]]) + 0j
    no = torch.tensor([0.2])
    _, esno = equalise(torch.zeros_like(h), h, no)
    error = np.mean(0.2 / (np.array([1, 0.25, 4, 0.01]) + 0.2))
    assert esno.item() == pytest.approx(1 / error - 1, rel=1e-5)


@pytest.mark.parametrize("spec", ["antennas=1x2", "antennas=2x2,csi=ls", "csi=lmmse"])
def test_over_ofdm_the_error_is_what_the_esno_says_and_pilots_are_charged(spec):
    x, phy = symbols(3001), OfdmPhy.from_spec(spec)
    x_hat, esno, uses = phy.send_symbols(x, make_channel("tdl:model=C"), 6.0, range(40))
    pilots = phy.grid.pilot_uses(3001, phy.num_tx)
    assert x_hat.shape == (40, 3001) and uses == 3001 + pilots
    error = (x_hat - x).abs().square().mean(1)
    assert float(error.mean()) == pytest.approx(float((1 / (1 + esno)).mean()), rel=0.1)
    assert np.corrcoef(error, 1 / (1 + esno))[0, 1] > 0.7
    again = EquivalentPhy(phy).send_symbols(x, make_channel("tdl:model=C"), 6.0, [5])
    torch.testing.assert_close(again[0][0], x_hat[5], rtol=1e-3, atol=1e-3)


def test_over_ofdm_of_one_antenna_and_known_gains_it_is_the_flat_link():
    x, channel = symbols(1500), make_channel("tdl:model=A")
    flat = send_symbols(x, channel, 8.0, range(6))[1]
    over = OfdmPhy().send_symbols(x, channel, 8.0, range(6))[1]
    torch.testing.assert_close(over, flat, rtol=1e-3, atol=1e-3)
    worse = OfdmPhy(csi="ls").send_symbols(x, channel, 8.0, range(6))[1]
    assert (worse < over).all()
    with pytest.raises(ChannelError, match="mean power 4"):
        OfdmPhy().send_symbols(2 * x, channel, 8.0, [1])


def test_what_cannot_be_sent():
    x = symbols(8)
    with pytest.raises(ChannelError, match="mean power 4"):
        send_symbols(2 * x, make_channel("awgn"), 5.0, [1])
    with pytest.raises(ChannelError, match="no seeds"):
        send_symbols(x, make_channel("awgn"), 5.0, [])
