"""Image codec + FEC: fills the budget, falls off the cliff, declares what is infeasible."""

import numpy as np
import pytest
import torch

from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.jpeg import JpegCodec
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.mcs import choose_mcs, required_esno_db
from scmc_comm.registry import make_system
from scmc_comm.systems.separate import TAG, Separate
from scmc_comm.transmission import Transmission, send, transmit
from scmc_comm.types import LayerKind

AWGN = make_channel("awgn")


class ToyCodec(ImageCodec):
    """Quality q takes 10 q bytes and decodes to the grey level q / 1000."""

    name, qualities = "toy", tuple(range(1, 1000))

    def __init__(self):
        self.num_decodes = 0

    def encode(self, img, quality):
        return bytes([quality & 0xFF]) * (10 * quality)

    def decode(self, data, size):
        self.num_decodes += 1
        return torch.full((3, *size), len(data) / 10_000)


def image(size=(64, 96), seed=0):
    gen = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 4, 4, generator=gen)
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)[0]


@pytest.mark.parametrize("rho", [1 / 96, 1 / 24, 1 / 6])
@pytest.mark.parametrize("design", [0.0, 10.0, 20.0])
def test_the_finest_quality_that_fits_is_sent(rho, design):
    img = torch.zeros(3, 256, 256)
    prepared = Separate(ToyCodec(), law="awgn", scale="1").prepare(img, Budget(rho, design))
    uses = prepared.ledger.budget_uses
    mcs = choose_mcs(design, num_uses=uses)
    assert prepared.ledger.used <= uses
    num_bytes = prepared.frames[0].bits.size // 8
    if num_bytes == 9990:  # the finest quality: what it leaves over makes it more robust
        sent = prepared.frames[0].mcs
        assert required_esno_db(sent, 79_920) <= required_esno_db(mcs, 79_920)
    else:
        assert prepared.frames[0].mcs == mcs
    if num_bytes < 9990:  # one quality more would not fit: 80 bits, and a CRC or a symbol
        assert prepared.ledger.unused < (80 + 48) / mcs.bits_per_use + 2
    assert prepared.bpp == 8 * num_bytes / 256**2


def test_cliff_and_grey_failure():
    img = image((256, 256))
    budget = Budget(1 / 24, 10.0)
    codec = ToyCodec()
    system = Separate(codec, law="awgn", scale="1")
    good = transmit(system, img, budget, AWGN, 11.0, range(5), BitTruePhy())
    assert good.delivered == (frozenset({TAG}),) * 5
    assert {good.reconstruction(t).level for t in range(5)} == {LayerKind.SIGNAL}
    assert codec.num_decodes == 1
    bad = transmit(system, img, budget, AWGN, 7.0, range(5), BitTruePhy())
    recon = bad.reconstruction(0)
    assert (
        bad.delivered == (frozenset(),) * 5
        and recon.level is None
        and bad.prepared.infeasible is None
    )
    mse = float((recon.img_hat - img).square().mean())
    assert mse == pytest.approx(float(((img - 0.5) ** 2).mean()))


def test_infeasible_is_declared_and_kept():
    img = image((256, 256))
    for budget in (Budget(1 / 20_000, 0.0), Budget(1 / 24, -40.0), Budget(1e-7, 10.0)):
        system = Separate(ToyCodec(), law="awgn", scale="1")
        prepared = system.prepare(img, budget)
        assert prepared.infeasible and prepared.frames == () and prepared.bpp == 0.0
        assert prepared.ledger.used == 0
        report = send(prepared, AWGN, 20.0, range(3), BitTruePhy())
        sent = Transmission(system, prepared, report)
        assert sent.delivered == (frozenset(),) * 3
        assert torch.equal(sent.reconstruction(2).img_hat, torch.full((3, 256, 256), 0.5))
        assert sent.reconstruction(2).level is None


def test_jpeg_over_the_link_is_what_jpeg_gives():
    img = image((96, 96))
    system = make_system("jpeg:scale=1")
    sent = transmit(system, img, Budget(1 / 12, 15.0), AWGN, 20.0, [3], BitTruePhy())
    data = np.packbits(sent.prepared.frames[0].bits).tobytes()
    assert torch.equal(sent.reconstruction(0).img_hat, JpegCodec().decode(data, (96, 96)))
    assert float((sent.reconstruction(0).img_hat - img).square().mean()) < 0.002


def test_foreign_tags_are_errors():
    system = Separate(ToyCodec(), law="awgn", scale="1")
    prepared = system.prepare(image(), Budget(1 / 6, 10.0))
    with pytest.raises(ScmcError, match=r"never sent; expected a subset of \['image'\]"):
        system.reconstruct(prepared, frozenset({"semantic"}))


def test_modulation_coding_and_quality_chosen_by_the_caller():
    img, budget = torch.zeros(3, 256, 256), Budget(1 / 24, 10.0)
    system = Separate(ToyCodec(), law="awgn", scale="1")
    robust, fast = (choose_mcs(esno_db, num_uses=8192) for esno_db in (0.0, 20.0))
    finest = system.prepare_with(img, budget, robust)
    assert finest.frames[0].mcs == robust != system.prepare(img, budget).frames[0].mcs
    coarse = system.prepare_with(img, budget, fast, max_bits=567)
    assert coarse.frames[0].bits.size == 560 and coarse.frames[0].mcs == fast
    too_few = system.prepare_with(img, budget, robust, max_bits=79)
    assert too_few.frames == () and "no quality fits 9 bytes" in too_few.infeasible
