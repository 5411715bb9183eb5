"""VVC whose receiver shows its pictures through a network: the bits are VVC's, the picture is not."""

import os
import pickle
import shutil

import pytest
import torch

from scmc_comm.baselines import enhanced
from scmc_comm.baselines.codec_curves import find_curves, load_curves
from scmc_comm.baselines.enhance_net import FINEST_QP, EnhanceConfig, EnhanceNet
from scmc_comm.baselines.enhanced import EnhancedVvc
from scmc_comm.baselines.image_codecs import (
    codec_options,
    largest_fitting,
    load_image_codec,
    make_image_codec,
)
from scmc_comm.baselines.reduced import at_divisor
from scmc_comm.baselines.scaled import ScaledCoder
from scmc_comm.baselines.vvc import VvcCodec
from scmc_comm.codec.fusion_net import FusionNet
from scmc_comm.codec.weights import save_weights
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.link.utility import Utility
from scmc_comm.metrics import measure
from scmc_comm.models import FOLDER
from scmc_comm.registry import make_system

NAME = "vvc:enhance=perceptual"


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 128)


def random_net(seed=0, scale=0.05):
    """A small network that changes every pixel a little."""
    torch.manual_seed(seed)
    net = EnhanceNet(EnhanceConfig(widths=(8, 8, 8, 8), condition=8))
    for name, value in net.named_parameters():
        if "affine.weight" in name or "second.weight" in name or name == "out.weight":
            torch.nn.init.normal_(value, std=scale)
    return net.requires_grad_(False)


@pytest.fixture(scope="module")
def codec():
    return EnhancedVvc(VvcCodec(), random_net())


def test_it_has_as_many_parameters_as_the_fusion_network():
    ours, theirs = (
        sum(p.numel() for p in net.parameters()) for net in (EnhanceNet.load(), FusionNet.load())
    )
    assert abs(ours / theirs - 1) < 0.1


def test_what_is_sent_is_vvc_at_every_resolution(codec, photo):
    plain = VvcCodec()
    for divisor in (1, 2, 8):
        ours, theirs = at_divisor(codec, divisor), at_divisor(plain, divisor)
        data = ours.encode(photo, 25.5)
        assert data == theirs.encode(photo, 25.5)
        shown, decoded = ours.decode(data, (128, 128)), theirs.decode(data, (128, 128))
        assert shown.shape == decoded.shape and not torch.equal(shown, decoded)
        assert 0 <= shown.min() and shown.max() <= 1
        assert torch.equal(shown, ours.decode(data, (128, 128)))
        assert at_divisor(codec, divisor) is ours


def test_the_network_is_told_qp_and_resolution():
    net, img, one = random_net(), torch.rand(1, 3, 32, 32), torch.ones(1)
    shown = [net(img, q * one, d * one) for q, d in ((40, 1), (50, 1), (40, 2), (40, 4))]
    assert all(not torch.equal(a, b) for i, a in enumerate(shown) for b in shown[:i])
    batch = net(img.expand(2, -1, -1, -1), torch.tensor([40.0, 50.0]), one.expand(2))
    assert torch.allclose(batch[0], shown[0][0], atol=1e-6)
    assert torch.allclose(batch[1], shown[1][0], atol=1e-6)


def test_it_does_less_below_the_qps_it_was_trained_on_and_nothing_at_the_finest():
    net, img, one = random_net(), torch.rand(1, 3, 32, 32), torch.ones(1)

    def change(qp, divisor=1):
        return float((net(img, qp * one, divisor * one) - img).abs().mean())

    assert change(0) == 0 < change(FINEST_QP / 2) < change(FINEST_QP)
    assert change(0, 2) == pytest.approx(change(FINEST_QP, 2))


@pytest.mark.parametrize("size", [(8, 8), (33, 47), (40, 17), (129, 64)])
def test_any_size_that_vvc_codes(codec, size):
    img = torch.rand(3, *size)
    shown = codec.decode(codec.encode(img, 20), size)
    assert shown.shape == (3, *size) and bool(shown.isfinite().all())


@pytest.mark.parametrize("size", [(1, 64), (64, 7), (8193, 64)])
def test_other_sizes_are_refused_in_one_line(codec, size):
    with pytest.raises(ScmcError, match="sides must be 8 to 8192"):
        codec.encode(torch.zeros(3, *size), 20)
    with pytest.raises(ScmcError, match="sides must be 8 to 8192"):
        codec.decode(bytes(9), size)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 40])
def test_damaged_bytes_are_one_line(codec, data):
    with pytest.raises(ScmcError):
        codec.decode(data, (64, 64))


def test_large_pictures_come_in_tiles_without_a_seam(codec, monkeypatch):
    img = torch.rand(3, 16 * 24, 16 * 20)
    whole = codec._enhanced(img, 40)
    monkeypatch.setattr("scmc_comm.codec.tiles.TILE", 2)  # far below the 20 and 24 cells
    tiled = codec._enhanced(img, 40)
    assert torch.allclose(whole, tiled, atol=1e-6)
    monkeypatch.setattr(enhanced, "HALO", 1)  # the halo is what makes it so
    assert not torch.allclose(whole, codec._enhanced(img, 40), atol=1e-6)


def test_the_shipped_network_looks_better_and_stays_near_the_truth(photo):
    plain, ours = make_image_codec("vvc"), make_image_codec(NAME)
    for quality in (15, 25):
        data = plain.encode(photo, quality)
        before, after = (
            measure(photo, codec.decode(data, (128, 128)), ["psnr_db", "lpips"])
            for codec in (plain, ours)
        )
        assert after["lpips"] < 0.9 * before["lpips"]
        assert after["psnr_db"] > before["psnr_db"] - 0.7


def test_grey_stays_nearly_grey():
    ramp = torch.linspace(0, 1, 64).expand(3, 64, 64).contiguous()
    ours = make_image_codec(NAME)
    shown = ours.decode(ours.encode(ramp, 25), (64, 64))
    assert (shown - shown.mean(0)).abs().mean() < 0.03


def test_encodings_are_shared_with_plain_vvc(photo, monkeypatch):
    plain = load_image_codec("vvc:headers=slim")
    ours = load_image_codec("vvc:headers=slim,enhance=perceptual")
    found = largest_fitting(plain, photo, 300)

    def again(*args):
        raise AssertionError("encoded again")

    monkeypatch.setattr(VvcCodec, "encode", again)
    assert largest_fitting(ours, photo, 300) == found


# --- by name --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("jpeg:enhance=perceptual", "no key 'enhance'"),
        ("hevc:layers=3,enhance=perceptual", "no key 'enhance'"),
        ("vvc:enhance=photographic", "expected enhance as one of none, perceptual"),
        ("vvc:enhance=perceptual,headers=file", "leave headers=file out"),
        ("vvc:layers=3,enhance=perceptual,headers=file", "leave headers=file out"),
    ],
)
def test_names_that_make_no_sense_are_one_line(name, says):
    with pytest.raises(ScmcError) as error:
        make_system(name)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_none_is_plain_vvc():
    assert codec_options("vvc:enhance=none,headers=file") == {"enhance": "none", "slim": False}
    assert type(make_image_codec("vvc:enhance=none")) is VvcCodec
    assert make_image_codec(NAME).name == NAME
    assert make_system("vvc:enhance=none") == make_system("vvc")


def test_without_its_weights_the_fix_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    with pytest.raises(ScmcError, match="scmc-comm train enhance"):
        make_image_codec(NAME)


def test_other_weights_are_another_receiver(monkeypatch, tmp_path):
    shipped = make_system(NAME)
    before, sent = shipped.receiver_identity(), make_system("vvc").receiver_identity()
    shutil.copy(FOLDER / "enhance.safetensors", tmp_path)
    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    assert make_system(NAME).receiver_identity() == before  # it is the content that counts
    net = random_net()
    save_weights("enhance", vars(net.config), net.state_dict(), tmp_path / "enhance.safetensors")
    first = make_system(NAME).receiver_identity()
    stat = (tmp_path / "enhance.safetensors").stat()
    raw = bytearray((tmp_path / "enhance.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "enhance.safetensors").write_bytes(raw)
    os.utime(tmp_path / "enhance.safetensors", ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    second = make_system(NAME).receiver_identity()
    assert len({before, first, second, sent}) == 4
    assert make_system("vvc").receiver_identity() == sent


def test_both_forms_are_chosen_by_what_the_receiver_shows():
    curves, plain = load_curves(NAME, reduced=True), load_curves("vvc", reduced=True)
    assert find_curves("vvc:headers=slim,enhance=perceptual") is not None
    lpips = Utility.parse("lpips")
    for num_bits in (1000, 4000):
        ours, theirs = (c.at(num_bits, (256, 256), lpips).mean() for c in (curves, plain))
        assert ours > theirs  # a utility: LPIPS with its sign turned
    for name in (NAME, "vvc:layers=3,protection=optimised,enhance=perceptual"):
        system = make_system(name)
        assert pickle.loads(pickle.dumps(system)) == system
        assert "enhance=perceptual" in system._name


@pytest.mark.parametrize("more", ["", ",mcs=adaptive", ",scale=1", ",layers=2"])
def test_it_goes_over_the_link(photo, more):
    plain = make_system(f"vvc{more.replace(',', ':', 1)}")
    system = make_system(NAME + more)
    budget = Budget(1 / 12, 10.0)
    prepared = system.prepare(photo, budget)
    assert system.side_information == plain.side_information
    assert 0 < prepared.ledger.used <= budget.uses((128, 128))
    shown = system.reconstruct(prepared, frozenset(prepared.tags)).img_hat
    assert shown.shape == photo.shape and measure(photo, shown, ["psnr_db"])["psnr_db"] > 18
    lost = system.reconstruct(prepared, frozenset()).img_hat
    assert bool((lost == 0.5).all())


def test_resolutions_are_compared_as_shown(codec, photo):
    utility = Utility.parse("psnr_db")
    coder = ScaledCoder(codec)
    bits = coder.encode(photo, 8 * 60, utility)
    shown = coder.decode(bits, (128, 128))
    assert shown.shape == photo.shape and bits.size <= 8 * 60
