"""Reduced resolution: what is sent, what the receiver knows of it, and what it is good for."""

import numpy as np
import pytest
import torch

from scmc_comm.baselines import scaled
from scmc_comm.baselines.codec_curves import load_curves
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.baselines.reduced import DIVISORS, ReducedCodec, reduced_size, resized
from scmc_comm.baselines.scaled import ScaledCoder
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.link.utility import Utility
from scmc_comm.registry import make_system

PSNR = Utility.parse("psnr_db")


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 256)


def psnr(img, img_hat):
    return -10 * np.log10(float((img_hat - img).square().mean()))


def test_jpeg_no_longer_stands_at_grey_at_261_bytes(photo):
    whole, reduced = (ScaledCoder(make_image_codec("jpeg"), scales) for scales in (False, True))
    assert whole.encode(photo, 8 * 261, PSNR) is None
    bits = reduced.encode(photo, 8 * 261, PSNR)
    assert bits.size <= 8 * 261
    assert psnr(photo, reduced.decode(bits, (256, 256))) > 17


@pytest.mark.parametrize("num_bytes", [40, 150, 700, 3000, 12_000])
@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_the_resolution_sent_is_the_best_there_is_and_the_bits_say_which(codec, num_bytes, photo):
    made = make_image_codec(codec)
    coder, max_bits = ScaledCoder(made), 8 * num_bytes + 3
    bits = coder.encode(photo, max_bits, PSNR)
    divisor = DIVISORS[int(bits[:3] @ [4, 2, 1])]
    alone = ReducedCodec(made, divisor)
    data = np.packbits(bits[3:]).tobytes()
    shown = coder.decode(bits, (256, 256))
    assert torch.equal(shown, alone.decode(data, (256, 256)))
    for curves in (load_curves(codec, reduced=True),):  # those never tried are worse on average
        assert divisor in curves.best_divisors(8 * num_bytes, (256, 256), PSNR)
    full = ScaledCoder(made, scales=False).encode(photo, 8 * num_bytes, PSNR)
    if full is not None:
        there = ScaledCoder(made, scales=False).decode(full, (256, 256))
        assert psnr(photo, shown) >= psnr(photo, there) - 0.3
    assert (divisor == 1) == (num_bytes >= 3000)


def test_it_is_charged_and_can_be_switched_off(photo):
    auto, off = make_system("jpeg"), make_system("jpeg:scale=1")
    sent = [system.prepare(photo, Budget(1 / 12, 10.0)) for system in (auto, off)]
    assert [prepared.ledger.entries[0].header for prepared in sent] == [3, 0]
    assert [prepared.frames[0].bits.size % 8 for prepared in sent] == [3, 0]
    tight = [system.prepare(photo, Budget(1 / 384, 10.0)) for system in (auto, off)]
    assert tight[0].frames and tight[1].infeasible
    shown = auto.reconstruct(tight[0], frozenset({"image"})).img_hat
    assert shown.shape == photo.shape and psnr(photo, shown) > 15
    assert auto.identity() != off.identity()


def test_what_a_file_shows_is_measured_once(photo, monkeypatch):
    made, measured = make_image_codec("webp"), []
    coder = ScaledCoder(made)
    true_score = scaled._score
    monkeypatch.setattr(scaled, "_score", lambda *what: measured.append(what) or true_score(*what))
    first = coder.encode(photo, 8 * 700, PSNR)
    assert len(measured) > 1
    count = len(measured)
    np.testing.assert_array_equal(coder.encode(photo, 8 * 700, PSNR), first)
    assert len(measured) == count
    coder.encode(photo.flip(2), 8 * 700, PSNR)  # another picture
    assert len(measured) > count
    count = len(measured)
    scaled.forget_scores()
    coder.encode(photo, 8 * 700, PSNR)
    assert len(measured) > count


def test_small_and_odd_pictures(photo):
    assert reduced_size((65, 48), 16) == (5, 3)
    for size in ((32, 47), (65, 33)):
        img = resized(photo, size)
        coder = ScaledCoder(make_image_codec("webp"))
        bits = coder.encode(img, 8 * 60, PSNR)
        assert coder.decode(bits, size).shape == img.shape


def test_damaged_bits_are_one_clear_line():
    coder = ScaledCoder(make_image_codec("jpeg"))
    with pytest.raises(ScmcError, match="no resolution 7: damaged"):
        coder.decode(np.ones(83, np.uint8), (64, 64))


def test_curves_with_reduced_resolution_are_nowhere_below_those_without():
    for codec in ("jpeg", "vvc", "webp", "avif", "jpeg2000", "hevc"):
        full, both = load_curves(codec), load_curves(codec, reduced=True)
        for num_bits in np.geomspace(400, 40_000, 7):
            one, best = (c.at(num_bits, (256, 256), PSNR) for c in (full, both))
            assert (best >= np.nan_to_num(one, nan=-1.0)).all()
        assert np.isfinite(both.at(1600, (256, 256), PSNR)).all()
