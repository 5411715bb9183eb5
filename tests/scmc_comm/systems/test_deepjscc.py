"""The analog baseline: budget, power, peaks, one law of noise for all, no cliff."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.phy.names import make_phy
from channels.phy.waveform import limit_peak
from scmc_comm.baselines.deepjscc_net import DeepJsccConfig, DeepJsccNet, scattered
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import make_system
from scmc_comm.systems.deepjscc import DeepJscc, gather, interleaver, spread
from scmc_comm.transmission import transmit

TINY = DeepJsccConfig(24, (4, 4, 8), 8)  # at most 12 symbols a block and pilots, rho 1/63


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return DeepJsccNet(TINY)


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 96)


@pytest.fixture(scope="module")
def real():
    return make_system("deepjscc")


def psnr(img, sent):
    trials = range(sent.report.num_trials)
    errors = [float((img - sent.reconstruction(k).img_hat).square().mean()) for k in trials]
    return -10 * np.log10(np.mean(errors))


# --- what is sent ---------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(32, 70), st.integers(32, 70), st.floats(1e-4, 0.3), st.sampled_from([None, 3.0]))
def test_power_is_one_per_image_and_the_budget_is_kept(tiny, height, width, rho, peak_db):
    system = DeepJscc(net=tiny, peak_db=peak_db)
    prepared = system.prepare(torch.rand(3, height, width), Budget(rho, 5.0))
    budget = Budget(rho, 5.0).uses((height, width))
    if budget == 0:
        assert prepared.infeasible and prepared.symbols is None
        return
    blocks = -(-height // 16) * -(-width // 16)
    most = 12 * blocks + 12 * blocks // 47
    assert prepared.ledger.entries[0].header == prepared.ledger.used // 48  # the pilots
    assert prepared.ledger.used == len(prepared.symbols) == min(budget, most)
    assert prepared.ledger.unused == max(0, budget - most)
    power = float((np.abs(prepared.symbols) ** 2).mean(dtype=float))
    assert power == pytest.approx(1, abs=1e-5)
    if peak_db is not None:
        assert prepared.papr_db <= peak_db + 0.011


def test_images_of_a_batch_do_not_lend_each_other_power(tiny):
    img = torch.rand(2, 3, 32, 32) * torch.tensor([1.0, 0.02])[:, None, None, None]
    esno_db, uses = torch.tensor([5.0, 5.0]), torch.tensor([20, 44])
    both = tiny.encode(img, esno_db, uses)
    sent = tiny.sent(uses, 4)
    assert sent.sum(1).tolist() == [20, 44]
    for i in range(2):
        alone = tiny.encode(img[i : i + 1], esno_db[:1], uses[i : i + 1])
        torch.testing.assert_close(both[i], alone[0], rtol=1e-4, atol=1e-5)
        assert both[i, sent[i]].abs().square().mean().item() == pytest.approx(1, abs=1e-5)
        assert not both[i, ~sent[i]].any()


def test_more_budget_sends_the_same_symbols_and_more(tiny):
    """Up to the power that they share and what the modules make of the rate."""
    img = torch.rand(1, 3, 48, 32)
    few, many = (tiny.encode(img, torch.tensor([5.0]), torch.tensor([n])) for n in (49, 72))
    ratio = many[0, 1:49] / few[0, 1:49]
    torch.testing.assert_close(ratio, ratio[:1].expand(48), rtol=1e-3, atol=1e-4)
    assert few[0, 0] == few[0, 0].abs() > 0  # the pilot


def test_the_order_of_blocks_and_of_sending_are_permutations():
    for size in ((32, 32), (48, 80)):
        rows, columns = scattered(*size)
        cells = set(zip(rows.tolist(), columns.tolist(), strict=True))
        assert cells == {(r, c) for r in range(size[0] // 16) for c in range(size[1] // 16)}
    order = interleaver(1000)
    assert sorted(order.tolist()) == list(range(1000))
    near = (order[1:] - order[:-1]).abs().min()
    assert near > 100  # what is sent in a row comes from far apart


@given(st.integers(1, 200))
def test_spreading_keeps_power_and_noise(n):
    x = torch.view_as_complex(torch.randn(3, n, 2))
    y = spread(x)
    torch.testing.assert_close(y.abs().square().sum(1), x.abs().square().sum(1))
    torch.testing.assert_close(gather(y), x, rtol=1e-4, atol=1e-5)


def test_symbols_come_back_where_they_were(tiny):
    seen = {}

    def spy(symbols, told, no, per_block):
        seen["symbols"] = symbols
        return torch.zeros(len(symbols), 3, 16 * symbols.shape[2], 16 * symbols.shape[3])

    img, esno_db = torch.rand(1, 3, 32, 48), torch.tensor([5.0])
    uses = torch.tensor([sum(tiny.num_symbols(6))])
    symbols = tiny.encode(img, esno_db, uses)
    told = torch.stack([(esno_db - 7.5) / 12.5, torch.tensor([12.0]).log2() / 2.5 - 1.8], 1)
    z = tiny.encoder(img, told)
    original, tiny.decoder.forward = tiny.decoder.forward, spy
    try:
        tiny.decode(symbols, (32, 48), esno_db, esno_db, uses)
    finally:
        tiny.decoder.forward = original
    ratio = seen["symbols"] / z
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=1e-4)


def test_pilots_tell_the_scale_as_well_as_theory_says(tiny):
    """The estimate of least error for a scale of known mean and variance in noise."""
    draw = torch.Generator().manual_seed(1)
    count, no = torch.tensor(5), torch.tensor(0.4)
    scale = 1 + 0.15 * torch.randn(20_000, generator=draw)
    z = torch.view_as_complex(torch.randn(20_000, 8, 2, generator=draw)) * (no / 2).sqrt()
    pilots = (scale[:, None] + z) / (1 + no) * (torch.arange(8) < count)
    found = tiny.decoder.scale(pilots, count.expand(20_000), no.expand(20_000))
    error = (found - scale).square().mean().item()
    assert error == pytest.approx(1 / (1 / 0.15**2 + 2 * 5 / 0.4), rel=0.05)
    none = tiny.decoder.scale(0 * pilots[:2], torch.zeros(2), no.expand(2))
    assert none.tolist() == [1.0, 1.0]


# --- what is received -----------------------------------------------------------------------


def test_a_trial_depends_on_its_seed_alone_and_a_fixed_design_on_no_snr(tiny):
    img, channel = torch.rand(3, 40, 33), make_channel("rayleigh_block")
    budget, phy = Budget(1 / 96, 10.0), BitTruePhy()
    system = DeepJscc(net=tiny)
    batch = transmit(system, img, budget, channel, 10.0, range(11), phy)
    again = transmit(system, img, budget, channel, 10.0, [9], phy)
    torch.testing.assert_close(
        batch.reconstruction(9).img_hat, again.reconstruction(0).img_hat, rtol=0, atol=1e-5
    )
    assert batch.delivered == (frozenset({"symbols"}),) * 11
    shown = batch.reconstruction(0)
    assert shown.img_hat.shape == img.shape and 0 <= shown.img_hat.min() <= shown.img_hat.max() <= 1
    fixed = DeepJscc(net=tiny, fixed=True)
    assert fixed.side_information == set() and system.side_information == {"esno_db"}


def test_links_of_bits_alone_are_refused(tiny):
    class Frames:
        def send(self, frames, channel, esno_db, seeds):
            raise AssertionError

    system = DeepJscc(net=tiny)
    args = (system, torch.rand(3, 32, 32), Budget(1 / 96, 5.0), make_channel("awgn"), 5.0)
    with pytest.raises(ScmcError, match="Frames sends frames of bits"):
        transmit(*args, [1], Frames())
    over = "ofdm:antennas=1x2,csi=ls,num_subcarriers=12"
    budget = Budget(1 / 12, 5.0, phy=over)
    sent = transmit(args[0], args[1], budget, *args[3:], [1, 2], make_phy(over))
    ledger = sent.prepared.ledger  # of a slot of 168 elements 6 are pilots
    assert len(sent.prepared.symbols) <= budget.uses((32, 32)) < 256 and ledger.pilots == (6,)
    assert ledger.used == len(sent.prepared.symbols) + 6
    assert sent.reconstruction(1).img_hat.shape == (3, 32, 32)
    with pytest.raises(ScmcError, match="one seed per trial"):
        transmit(*args, [], BitTruePhy())
    with pytest.raises(ScmcError, match="budget is 8"):
        Prepared.of_symbols(torch.ones(9) + 0j, 0, Budget(1 / 384, 5.0), (32, 32))


# --- the trained network --------------------------------------------------------------------


def test_quality_rises_gracefully_with_snr_and_has_no_cliff(real, photo):
    budget_of = {e: Budget(1 / 12, e) for e in (-4.0, 0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 60.0)}
    channel, phy = make_channel("awgn"), BitTruePhy()
    found = [
        psnr(photo, transmit(real, photo, budget, channel, e, [1, 2], phy))
        for e, budget in budget_of.items()
    ]
    steps = np.diff(found[:-1])
    assert (steps > 0.3).all() and steps.max() < 2.5  # 4 dB of SNR never give more than that
    assert found[0] > 17 and found[-2] > 26
    assert found[-1] > found[-2] - 0.1  # noiseless, beyond what it was trained for


def test_a_fixed_design_is_best_near_its_design(real, photo):
    fixed, channel, phy = make_system("deepjscc:fixed=true"), make_channel("awgn"), BitTruePhy()
    adapted = {
        e: psnr(photo, transmit(real, photo, Budget(1 / 24, e), channel, e, [1, 2], phy))
        for e in (-2, 10)
    }
    frozen = {
        e: psnr(photo, transmit(fixed, photo, Budget(1 / 24, 10.0), channel, e, [1, 2], phy))
        for e in (-2, 10)
    }
    assert frozen[10] == pytest.approx(adapted[10], abs=0.02)
    assert 0.2 < adapted[-2] - frozen[-2] < 8  # worse, yet a picture


def test_more_bandwidth_and_a_known_fade_help(real, photo):
    channel, phy = make_channel("rayleigh_block"), BitTruePhy()
    at = [
        psnr(photo, transmit(real, photo, Budget(rho, 10.0), channel, 10.0, range(6), phy))
        for rho in (1 / 192, 1 / 48, 1 / 6)
    ]
    assert at == sorted(at) and at[2] > at[0] + 2
    budget = Budget(1 / 12, 10.0)
    sent = transmit(real, photo, budget, channel, 10.0, range(12), phy)
    gains = channel.draw(budget.uses((96, 96)), 10.0, range(12)).h[:, 0].abs().numpy()
    errors = [float((photo - sent.reconstruction(k).img_hat).square().mean()) for k in range(12)]
    assert np.corrcoef(np.argsort(np.argsort(gains)), np.argsort(np.argsort(errors)))[0, 1] < -0.9


def test_clipped_peaks_cost_little(real, photo):
    peak, channel, phy = make_system("deepjscc:peak_db=6"), make_channel("awgn"), BitTruePhy()
    budget = Budget(1 / 12, 10.0)
    free, clipped = (transmit(s, photo, budget, channel, 10.0, [1, 2], phy) for s in (real, peak))
    assert free.prepared.papr_db > 8 > clipped.prepared.papr_db
    assert clipped.prepared.papr_db == pytest.approx(6.0, abs=0.02)
    assert -0.1 < psnr(photo, free) - psnr(photo, clipped) < 1.0
    order = torch.tensor(real.prepare(photo, budget).symbols)
    hard = limit_peak(order, 6.0)  # without spreading, the few strong symbols would be lost
    assert (hard - order).abs().square().mean() > 4 * (
        (limit_peak(spread(order), 6.0) - spread(order)).abs().square().mean()
    )
