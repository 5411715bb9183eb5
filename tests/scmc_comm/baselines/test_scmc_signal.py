"""The control: the signal layer alone as an image codec, over one frame."""

import numpy as np
import pytest
import torch

from scmc_comm.baselines.image_codecs import largest_fitting
from scmc_comm.baselines.scmc_signal import ScmcSignalCodec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.metrics import measure
from scmc_comm.registry import make_system
from scmc_comm.systems.separate import Separate


@pytest.fixture(scope="module")
def codec():
    return ScmcSignalCodec()


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 96)[:, :90, :70]


def test_it_shows_what_the_layer_itself_shows_at_a_few_bytes_more(codec, photo):
    for quality in (0, 30, 70):
        parts = codec.codec.encode(photo, quality)
        data = codec.encode(photo, quality)
        assert 0 < len(data) - sum(map(len, parts)) <= 1 + 2 * (len(parts) - 1)
        shown = codec.decode(data, (90, 70))
        assert torch.equal(shown, codec.codec.decode(parts, (90, 70)))


def test_quality_buys_bytes_and_psnr(codec, photo):
    coded = [codec.encode(photo, quality) for quality in (5.0, 35.0, 65.0)]
    psnrs = [measure(photo, codec.decode(c, (90, 70)), ["psnr_db"])["psnr_db"] for c in coded]
    assert [len(c) for c in coded] == sorted({len(c) for c in coded}) and psnrs == sorted(psnrs)
    fit = largest_fitting(codec, photo, 700)
    assert 550 < len(fit.data) <= 700
    for quality in (-1, 0.5, 97):
        with pytest.raises(ScmcError, match="no quality"):
            codec.encode(photo, quality)


def test_damaged_bytes_give_a_picture_or_one_line(codec, photo):
    data = codec.encode(photo, 30)
    rng, refused = np.random.default_rng(1), 0
    for bad in (b"", data[:1], data[:9], bytes(40), b"\xff" * 40, rng.bytes(60), data[:-3]):
        try:
            shown = codec.decode(bad, (90, 70))
        except ScmcError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert shown.shape == (3, 90, 70) and 0 <= shown.min() <= shown.max() <= 1
    assert refused >= 3


def test_it_is_a_system_that_arrives_whole_or_not_at_all(photo):
    system = make_system("scmc-signal")
    assert isinstance(system, Separate) and system.side_information == {"channel"}
    prepared = system.prepare(photo, Budget(1 / 12, 10.0))
    assert prepared.tags == ("image",) and 0.9 < prepared.ledger.used / prepared.ledger.budget_uses
    shown = system.reconstruct(prepared, frozenset({"image"}))
    assert measure(photo, shown.img_hat, ["psnr_db"])["psnr_db"] > 24
    assert system.reconstruct(prepared, frozenset()).level is None
