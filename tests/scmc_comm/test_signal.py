"""The signal layer: exactness of its entropy model, rate control, hostile bytes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scmc_comm.codec.exact import ACTIVATION_BITS, ExactNetwork, to_fixed
from scmc_comm.codec.signal import QUALITY_STEPS, SignalCodec
from scmc_comm.codec.signal_net import SignalConfig, SignalNet
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo

SMALL = SignalConfig(num_filters=8, num_latents=12, chunks=(2, 2, 4, 4), cond_filters=(4, 4, 8))


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
            payload = codec.encode(photo, 40)
            here = codec.latent(payload, (128, 128))
        torch.set_num_threads(1)
        there = codec.latent(payload, (128, 128))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(here, there)
    assert psnr(codec.decode(payload, (128, 128)), photo) > 18


def test_rate_and_quality_rise_together(codec, photo):
    payloads = [codec.encode(photo, q) for q in (0, 24, 48, 72, QUALITY_STEPS)]
    sizes = [len(p) for p in payloads]
    scores = [psnr(codec.decode(p, (128, 128)), photo) for p in payloads]
    assert sizes == sorted(sizes) and sizes[-1] > 5 * sizes[0]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 3


def test_the_lower_picture_changes_the_picture_but_not_the_bytes(codec, photo):
    payload = codec.encode(photo, 10)
    alone = codec.decode(payload, (128, 128))
    helped = codec.decode(payload, (128, 128), photo)
    assert not torch.equal(alone, helped)
    assert psnr(helped, photo) > psnr(alone, photo)


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
        img = codec.decode(data, (40, 64))
    except ScmcError:
        return
    assert img.shape == (3, 40, 64) and torch.isfinite(img).all()


def test_truncated_and_flipped_payloads_never_crash(codec, photo):
    payload = codec.encode(photo, 30)
    for cut in (1, 4, 7, len(payload) // 2, len(payload) - 1):
        broken = payload[:cut]
        try:
            assert codec.decode(broken, (128, 128)).shape == (3, 128, 128)
        except ScmcError as error:
            assert "signal payload" in str(error)
    flipped = bytearray(payload)
    flipped[len(payload) // 2] ^= 0x10
    assert codec.decode(bytes(flipped), (128, 128)).shape == (3, 128, 128)


_HOSTILE = []


def hostile_codec():
    """A tiny random codec, made once."""
    if not _HOSTILE:
        torch.manual_seed(2)
        net = SignalNet(SMALL)
        SignalCodec.freeze_tables(net)
        _HOSTILE.append(SignalCodec(net))
    return _HOSTILE[0]


def test_training_pass_has_gradients_everywhere():
    torch.manual_seed(3)
    net = SignalNet(SMALL)
    for layer in (*net.inject, net.cond_out):
        nn.init.normal_(layer.weight, std=0.1)
    img = torch.rand(2, 3, 64, 64)
    img_hat, bits = net(img, torch.tensor([0.5, 6.5]), img, torch.tensor([1.0, 0.0]))
    ((img_hat - img).square().mean() + bits.mean() * 1e-4).backward()
    missing = [n for n, p in net.named_parameters() if p.grad is None and "quantiles" not in n]
    assert bits.shape == (2,) and missing == []


def test_latents_that_do_not_arrive_cost_no_bits():
    torch.manual_seed(4)
    net = SignalNet(SMALL).eval()
    img = torch.rand(2, 3, 64, 64)
    quality = torch.tensor([3.0, 3.0])
    _, bits = net(img.repeat(1, 1, 1, 1), quality, num_channels=torch.tensor([2, 12]))
    _, whole = net(img, quality)
    assert bits[0] < whole[0] and torch.isclose(bits[1], whole[1])
