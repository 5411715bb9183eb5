"""EfficientNet-Lite2 as it was published, and the captioner on top of it."""

import pytest
import torch
import torch.nn.functional as F

from scmc_comm.codec.captioner_net import SPECIALS, CaptionerShape, SmallCaptioner
from scmc_comm.codec.efficientnet_lite import EfficientNetLite2, SameConv, fold


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (5, 2, 9), (3, 1, 7), (5, 2, 4)])
def test_outputs_are_as_many_as_tensorflow_gives(kernel, stride, size):
    conv = SameConv(1, 1, kernel, stride)
    assert conv(torch.zeros(1, 1, size, size)).shape[-1] == -(-size // stride)


def test_the_larger_margin_is_at_the_end():
    conv = SameConv(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(conv.weight)
    row = torch.arange(1.0, 5).repeat(4, 1)[None, None]
    assert conv(row)[0, 0, 0].tolist() == [3 * (1 + 2 + 3), 3 * (3 + 4)]


def published(seed):
    """A state with the names of the published one and random numbers."""
    torch.manual_seed(seed)
    state = {}

    def add(conv, norm, shape):
        state[f"{conv}.weight"] = torch.randn(shape) / shape[1:].numel() ** 0.5
        for part in ("weight", "bias", "running_mean"):
            state[f"{norm}.{part}"] = torch.randn(shape[0]) * 0.1 + (part == "weight")
        state[f"{norm}.running_var"] = torch.rand(shape[0]) + 0.5

    net = EfficientNetLite2()
    add("_conv_stem", "_bn0", net.stem.weight.shape)
    for i, block in enumerate(net.blocks):
        if block.expand is not None:
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", block.expand.weight.shape)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", block.filter.weight.shape)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", block.project.weight.shape)
    add("_conv_head", "_bn1", torch.Size([1280, 352, 1, 1]))
    return state | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}


def test_folded_weights_do_what_convolution_and_normalisation_did():
    state = published(0)
    folded = fold(state)
    net = EfficientNetLite2()
    net.load_state_dict(folded["trunk"])
    x = torch.rand(1, 352, 3, 3)
    norm = [state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
    wanted = F.batch_norm(F.conv2d(x, state["_conv_head.weight"]), *norm, eps=1e-3)
    found = F.linear(x.flatten(2).transpose(1, 2), folded["head"]["weight"], folded["head"]["bias"])
    assert torch.allclose(found.transpose(1, 2).view_as(wanted), wanted, atol=1e-4)
    assert set(folded["trunk"]) == set(net.state_dict())


def test_the_captioner_says_words_without_marks_and_how_sure_it_is():
    torch.manual_seed(0)
    shape = CaptionerShape(words=20, kinds=3, width=16, layers=1, heads=2)
    net = SmallCaptioner(shape).eval()
    maps = net.encoder.trunk(torch.rand(2, 3, 64, 64))
    tokens = net.encoder.tokens(
        net.encoder.cells(maps), net.encoder.pooled(maps), torch.rand(2, 75), torch.tensor([0, 3])
    )
    assert tokens.shape == (2, 19, 16)
    for words, confidence in net.say(tokens, beams=2, max_words=5):
        assert all(len(SPECIALS) <= word < 20 + len(SPECIALS) for word in words)
        assert confidence < 0
