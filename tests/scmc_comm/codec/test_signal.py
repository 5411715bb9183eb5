"""The signal layer: exactness of its entropy model, rate control, hostile bytes."""

from dataclasses import astuple, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.exact import ACTIVATION_BITS, BAND_ROWS, ExactNetwork, to_fixed
from scmc_comm.codec.signal import QUALITY_STEPS, SignalCodec
from scmc_comm.codec.signal_transforms import SignalConfig
from scmc_comm.codec.tensors import pad_to
from scmc_comm.codec.tiles import HALO, TILE
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo

SMALL = SignalConfig(
    slices=(2, 2, 4, 4),
    parts=(1, 1, 2),
    filters=(4, 8, 8),
    hyper_filters=(4, 8),
    context_filters=8,
    cond_filters=(4, 4, 8),
)


@pytest.fixture(scope="module")
def codec():
    return SignalCodec.load()


@pytest.fixture(scope="module")
def photo():
    return load_photo("chelsea", 128)


def psnr(a, b):
    return -10 * (a - b).square().mean().log10().item()


def test_integer_network_follows_the_float_one():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.ConvTranspose2d(4, 6, 5, 2, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1)
    )
    x = torch.randint(-9, 10, (1, 4, 5, 7))
    exact = ExactNetwork(net)(to_fixed(x)) / 2**ACTIVATION_BITS
    with torch.no_grad():
        assert (exact - net(x.float())).abs().max() < 0.05
    assert torch.equal(exact * 2**ACTIVATION_BITS, (exact * 2**ACTIVATION_BITS).round())


def test_integer_network_does_not_depend_on_the_order_of_sums():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(64, 16, 3, padding=1))
    order = torch.randperm(64)
    shuffled = nn.Sequential(nn.Conv2d(64, 16, 3, padding=1))
    shuffled[0].weight.data = net[0].weight.data[:, order]
    shuffled[0].bias.data = net[0].bias.data
    x = to_fixed(torch.randn(1, 64, 9, 9) * 30)
    assert torch.equal(ExactNetwork(net)(x), ExactNetwork(shuffled)(x[:, order]))


def test_bytes_decode_alike_with_other_threads_and_precision(codec, photo):
    """A stream made with 2 threads in bfloat16 decodes to the same latent with 1 in float32."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch.autocast("cpu", torch.bfloat16):
            parts = codec.encode(photo, 40)
            here = codec.latent(parts, (128, 128))
        torch.set_num_threads(1)
        there = codec.latent(parts, (128, 128))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(here, there)
    assert psnr(codec.decode(parts, (128, 128)), photo) > 22


def test_rate_and_quality_rise_together(codec, photo):
    coded = [codec.encode(photo, q) for q in (0, 24, 48, 72, QUALITY_STEPS)]
    sizes = [sum(len(part) for part in parts) for parts in coded]
    scores = [psnr(codec.decode(parts, (128, 128)), photo) for parts in coded]
    assert sizes == sorted(sizes) and sizes[-1] > 5 * sizes[0]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 3


def test_the_lower_picture_changes_the_picture_but_not_the_bytes(codec, photo):
    parts = codec.encode(photo, 10)
    alone = codec.decode(parts, (128, 128))
    helped = codec.decode(parts, (128, 128), photo)
    assert not torch.equal(alone, helped)
    assert psnr(helped, photo) > psnr(alone, photo)


def test_realism_is_a_choice_of_the_receiver(codec, photo):
    parts = codec.encode(photo, 24)
    least_error, between, best_look = (
        codec.decode(parts, (128, 128), realism=r) for r in (0.0, 0.5, 1.0)
    )
    assert psnr(least_error, photo) > psnr(best_look, photo)
    inside = (least_error > 0.01) & (least_error < 0.99) & (best_look > 0.01) & (best_look < 0.99)
    halfway = (least_error + best_look) / 2
    assert torch.allclose(between[inside], halfway[inside], atol=1e-3)


@pytest.mark.parametrize(("quality", "share"), [(0, 1.0), (12, 0.875), (60, 0.75)])
def test_without_a_choice_realism_falls_with_the_quality(codec, photo, quality, share):
    parts = codec.encode(photo, quality)
    shown = codec.decode(parts, (128, 128))
    assert torch.equal(shown, codec.decode(parts, (128, 128), realism=share))
    assert not torch.equal(shown, codec.decode(parts, (128, 128), realism=0.5))


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (64, 100)])
def test_any_size(codec, size):
    img = torch.rand(3, *size)
    assert codec.decode(codec.encode(img, 20), size).shape == (3, *size)


def test_quality_out_of_range_names_the_range(codec, photo):
    with pytest.raises(ScmcError, match=f"quality is 97; expected 0 to {QUALITY_STEPS}"):
        codec.encode(photo, 97)


@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=300))
def test_hostile_bytes_give_a_picture_or_an_error(data):
    codec = hostile_codec()
    try:
        img = codec.decode([data[:100], data[100:]], (40, 64))
    except ScmcError:
        return
    assert img.shape == (3, 40, 64) and torch.isfinite(img).all()


def test_truncated_and_flipped_payloads_never_crash(codec, photo):
    first, *rest = codec.encode(photo, 30)
    for cut in (0, 1, 4, 7, len(first) // 2, len(first) - 1):
        try:
            assert codec.decode([first[:cut], *rest], (128, 128)).shape == (3, 128, 128)
        except ScmcError as error:
            assert "signal payload" in str(error)
    flipped = bytearray(first)
    flipped[len(first) // 2] ^= 0x10
    assert codec.decode([bytes(flipped), *rest], (128, 128)).shape == (3, 128, 128)


def test_every_part_adds_quality_and_none_needs_a_later_one(codec, photo):
    parts = codec.encode(photo, 60)
    assert len(parts) == codec.num_parts >= 4
    whole = codec.latent(parts, (128, 128))
    scores = []
    for n in range(1, len(parts) + 1):
        scores.append(psnr(codec.decode(parts[:n], (128, 128)), photo))
        sure = sum(codec.net.config.slices[: sum(codec.net.config.parts[:n])])
        assert torch.equal(codec.latent(parts[:n], (128, 128))[:, :sure], whole[:, :sure])
    assert scores == sorted(scores) and scores[-1] > scores[0] + 2


def test_parts_that_say_nothing_are_left_out(codec):
    parts = codec.encode(torch.full((3, 128, 128), 0.4), 0)
    assert len(parts) < codec.num_parts
    assert sum(len(part) for part in parts) < 60


def test_no_parts_or_too_many_are_an_error(codec):
    for parts in ([], [b""], [b"\x10ab"] * 5, [b"\xffabc"]):
        with pytest.raises(ScmcError, match="signal payload"):
            codec.latent(parts, (128, 128))


def test_tiles_change_nothing_that_is_coded_and_nothing_that_is_seen():
    codec = hostile_codec()
    img = torch.rand(3, 1300, 96, generator=torch.Generator().manual_seed(5))
    assert 1300 // 16 > TILE + 2 * HALO
    padded = pad_to(img[None], 64)
    with torch.no_grad():
        assert torch.allclose(codec.analyse(img), codec.net.analysis(padded), atol=1e-5)
        parts = codec.encode(img, 50)
        y_hat = codec.latent(parts, (1300, 96))
        direct = codec.net.synthesis(y_hat)[0, :, :1300, :96].clamp(0, 1)
    assert torch.allclose(codec.decode(parts, (1300, 96)), direct, atol=1e-5)


def test_bands_of_rows_change_no_integer():
    torch.manual_seed(6)
    net = ExactNetwork(
        nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1))
    )
    x = to_fixed(torch.randn(1, 4, 2 * BAND_ROWS + 7, 9))
    assert torch.equal(net(x), net._run(x))


_HOSTILE = []


def hostile_codec():
    """A tiny random codec, made once."""
    if not _HOSTILE:
        torch.manual_seed(2)
        net = TrainedSignalNet(SMALL)
        _HOSTILE.append(SignalCodec(net, net.freeze_tables()))
    return _HOSTILE[0]


@pytest.mark.parametrize("base_latents", [0, 4])
def test_training_pass_has_gradients_everywhere(base_latents):
    torch.manual_seed(3)
    net = TrainedSignalNet(replace(SMALL, base_latents=base_latents))
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1)
    img = torch.rand(2, 3, 64, 64)
    base = torch.rand(2, 3, 32, 32) - 0.5 if base_latents else None
    img_hat, bits = net(img, torch.tensor([0.5, 6.5]), img, torch.tensor([1.0, 0.0]), base=base)
    ((img_hat - img).square().mean() + bits.mean() * 1e-4).backward()
    apart = ("quantiles", "detail")  # the tables' loss and the correction have their own
    missing = [
        n for n, p in net.named_parameters() if p.grad is None and not any(a in n for a in apart)
    ]
    assert bits.shape == (2,) and missing == []


@pytest.fixture(scope="module")
def with_map():
    """A tiny random codec that reads colour maps, and one that is told nothing by them."""
    torch.manual_seed(5)
    net = TrainedSignalNet(replace(SMALL, base_latents=4, base_filters=(6, 3)))
    nn.init.normal_(net.base.linear.weight, std=2.0)
    return SignalCodec(net, net.freeze_tables())


def test_a_colour_map_is_needed_where_it_was_used_and_gives_the_same_latent(with_map):
    img, colours = torch.rand(3, 64, 128), torch.randint(0, 256, (3, 32, 64), dtype=torch.uint8)
    parts = with_map.encode(img, 90, colours)
    latent = with_map.latent(parts, (64, 128), colours)
    gain, inverse = with_map.net.gains(with_map.net.level(90))
    wanted = with_map.analyse(img, colours)
    assert ((latent - wanted * gain * inverse) / inverse).abs().max() < 0.6  # half a step, rounded
    assert with_map.decode(parts, (64, 128), colours=colours).shape == img.shape
    with pytest.raises(ScmcError, match="coded without a colour map"):
        with_map.latent(parts, (64, 128))
    plain = with_map.encode(img, 90)
    assert plain != parts
    with pytest.raises(ScmcError, match="coded with a colour map"):
        with_map.latent(plain, (64, 128), colours)


def test_a_colour_map_is_refused_where_it_does_not_fit(with_map):
    img = torch.rand(3, 64, 64)
    with pytest.raises(ScmcError, match=r"uint8 \(3, 32, 32\)"):
        with_map.encode(img, 10, torch.zeros(3, 64, 64, dtype=torch.uint8))
    net = TrainedSignalNet(SMALL)
    plain = SignalCodec(net, net.freeze_tables())
    assert with_map.reads_colours and not plain.reads_colours
    with pytest.raises(ScmcError, match="reads no colour map"):
        plain.encode(img, 10, torch.zeros(3, 32, 32, dtype=torch.uint8))


def test_integers_expect_of_a_colour_map_what_the_trained_network_does(with_map):
    net, colours = with_map.net, torch.randint(0, 256, (3, 32, 64), dtype=torch.uint8)
    like = torch.zeros(1, 8, 4, 8)
    exact = with_map._told(colours, like.double(), 60)
    base = (colours[None].float() - 128) / 256
    trained = net._told(base, None, net.gains(net.level(60))[0])
    assert trained.means.abs().max() > 1
    for mine, theirs in zip(astuple(exact), astuple(trained), strict=True):
        assert (mine / 2**ACTIVATION_BITS - theirs).abs().max() < 0.05


def test_latents_that_do_not_arrive_cost_no_bits():
    torch.manual_seed(4)
    net = TrainedSignalNet(SMALL).eval()
    img = torch.rand(2, 3, 64, 64)
    quality = torch.tensor([3.0, 3.0])
    _, bits = net(img.repeat(1, 1, 1, 1), quality, num_channels=torch.tensor([2, 12]))
    _, whole = net(img, quality)
    assert bits[0] < whole[0] and torch.isclose(bits[1], whole[1])
