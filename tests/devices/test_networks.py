"""Every network and every metric by name on a made-up CUDA device: mixed devices raise there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from fake_gpu import devices_of, fake_gpu, made
from torch import nn

import experiments.training
import scmc_comm
from scmc_comm import models
from scmc_comm.device import on_device, place_part
from scmc_comm.metrics import METRICS, OF_SETS

Case = Callable[[], Any]


def _img(count: int = 1, side: int = 64, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, channels, side, side)


def _captioner() -> Any:
    from scmc_comm.codec.captioner_net import CaptionerShape, SmallCaptioner, color_grid

    net, img = made(lambda: SmallCaptioner(CaptionerShape(20, 5))), _img(side=128)
    encoder = net.encoder
    maps = on_device(encoder.trunk, img)
    seen = on_device(encoder.cells, maps), on_device(encoder.pooled, maps), color_grid(img)
    tokens = on_device(encoder.tokens, *seen, torch.zeros(1, dtype=torch.long))
    return tokens, on_device(net, tokens, torch.zeros(1, 4, dtype=torch.long))


def _edges() -> Any:
    from scmc_comm.codec.edges import EdgeDetector

    return on_device(made(EdgeDetector), _img())


def _pidinet() -> Any:
    from scmc_comm.codec.pretrained.pidinet import PiDiNet

    return on_device(made(lambda: PiDiNet(8, 4, True)), _img())


def _fusion() -> Any:
    from scmc_comm.codec.fusion_net import FusionConfig, FusionNet

    net = made(lambda: FusionNet(FusionConfig()))
    return on_device(net, _img(), torch.ones(1), _img(side=32, channels=1), _img(side=32))


def _generator() -> Any:
    from scmc_comm.codec.fusion_net import FusionConfig, FusionNet

    net = made(lambda: FusionNet(FusionConfig()))
    blank = on_device(net.blank_branch, 64, 64)
    return on_device(net.from_colours, _img(side=32), blank)


def _signal() -> Any:
    from experiments.training.signal import rate_distortion
    from experiments.training.signal_net import TrainedSignalNet
    from scmc_comm.codec.signal_transforms import SignalConfig

    net, img = made(lambda: TrainedSignalNet(SignalConfig(base_latents=8))).train(), _img(2)
    colours = _img(2, side=32) - 0.5
    given = img, torch.ones(2), None, torch.ones(2), torch.tensor([24, 256]), colours
    img_hat, bits = on_device(net, *given)
    loss = on_device(rate_distortion, net, img, bits, img_hat, torch.ones(2))
    shown = on_device(net.synthesis, torch.rand(1, 256, 4, 4), _img(), realism=1.0)
    return img_hat, bits, loss, shown


def _enhance() -> Any:
    from scmc_comm.baselines.enhance_net import EnhanceConfig, EnhanceNet
    from scmc_comm.baselines.enhanced import EnhancedVvc
    from scmc_comm.baselines.vvc import VvcCodec

    net = made(lambda: EnhanceNet(EnhanceConfig()))
    return EnhancedVvc(VvcCodec(), net)._enhanced(_img(side=48)[0], 30)


def _deepjscc() -> Any:
    from scmc_comm.baselines.deepjscc_net import DeepJsccConfig, DeepJsccNet

    net = made(lambda: DeepJsccNet(DeepJsccConfig()))
    esno_db, uses = torch.full((1,), 10.0), torch.tensor([500])
    on_device(net.balance, _img(2))
    symbols = on_device(net.encode, _img(), esno_db, uses)
    return symbols, on_device(net.decode, symbols, (64, 64), esno_db, esno_db, uses)


def _zoo() -> Any:
    from compressai.models import ScaleHyperprior

    net = made(lambda: ScaleHyperprior(8, 12))
    place_part(net.g_s)
    return net.g_s(torch.rand(1, 12, 4, 4))


def _judge() -> Any:
    from experiments.training.gan import PatchDiscriminator

    return on_device(made(PatchDiscriminator), _img())


def _layout_model() -> Any:
    from experiments.training.text_model import LayoutNet
    from scmc_comm.codec import text_model as tm

    net = made(lambda: LayoutNet(30, 8, torch.Generator()))
    near = torch.zeros(2, 25, len(tm.NEIGHBOURS), dtype=torch.long)
    return on_device(net, near, torch.zeros(2, 30))


NETWORKS: dict[str, Case] = {
    "captioner": _captioner,
    "edges": _edges,
    "pidinet": _pidinet,
    "fusion": _fusion,
    "generator": _generator,
    "signal": _signal,
    "enhance": _enhance,
    "deepjscc": _deepjscc,
    "compressai": _zoo,
    "discriminator": _judge,
    "layout_model": _layout_model,
}
ON_PROCESSOR = {"kinds": "a linear head on features that `flower_kind` below takes on the device"}


def _features(source: Any) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(shape) for name, shape in source.shapes.items()}


def _lpips(alex: bool) -> Any:
    import functools

    from torch.nn import functional as F

    from scmc_comm.metrics.perceptual import Lpips, Trunk
    from scmc_comm.zoo.feature_nets import ALEXNET, VGG16

    source = ALEXNET if alex else VGG16
    widths = (64, 192, 384, 256, 256) if alex else (64, 128, 256, 512, 512)
    pool = functools.partial(F.max_pool2d, kernel_size=3 if alex else 2, stride=2)

    def make() -> Any:
        heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(widths)}
        return Lpips(Trunk(source, _features(source), pool), heads)

    return on_device(made(make), _img(2), _img(2))


def _dists() -> Any:
    from scmc_comm.metrics.perceptual import Dists, Trunk, l2_pool
    from scmc_comm.zoo.feature_nets import VGG16

    def make() -> Any:
        weights = {name: torch.rand(1, 1475, 1, 1) for name in ("alpha", "beta")}
        return Dists(Trunk(VGG16, _features(VGG16), l2_pool), weights)

    return on_device(made(make), _img(2), _img(2))


def _vgg_features() -> Any:
    import functools

    from torch.nn import functional as F

    from scmc_comm.metrics.perceptual import Trunk
    from scmc_comm.metrics.picture_features import compute_features
    from scmc_comm.zoo.feature_nets import VGG16

    pool = functools.partial(F.max_pool2d, kernel_size=2)
    trunk = made(lambda: Trunk(VGG16, _features(VGG16), pool).requires_grad_(False))
    return on_device(compute_features, trunk, _img(2))


def _similarity(name: str) -> Any:
    from scmc_comm.metrics import distortion

    # It looks at the values, and there are none.
    with mock.patch.object(distortion, "check_pair", lambda img, _: img.shape[2:]):
        return getattr(distortion, name)(_img(side=192), _img(side=192))


def _sentences() -> Any:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1,
                        num_attention_heads=2, intermediate_size=16)  # fmt: skip
    words = torch.zeros(1, 4, dtype=torch.long)
    return on_device(made(lambda: BertModel(config)), input_ids=words)["last_hidden_state"]


MEASURED: dict[str, Case] = {
    "ssim": lambda: _similarity("ssim"),
    "ms_ssim": lambda: _similarity("ms_ssim"),
    "lpips": lambda: _lpips(alex=True),
    "lpips_vgg": lambda: _lpips(alex=False),
    "dists": _dists,
    "flower_kind": _vgg_features,
    "bird_kind": _vgg_features,
    "kid_vgg16": _vgg_features,
    "fid_vgg16": _vgg_features,
    "sentence_similarity": _sentences,
    "caption_similarity": _sentences,
}
OF_NO_NETWORK = {"mse", "psnr_db", "vmaf", "layout_agreement"}
BY_THE_CAPTIONER = {"caption_f1"}
"""It says the same words everywhere, since it runs on the processor."""


@pytest.mark.parametrize("name", [*NETWORKS, *MEASURED])
def test_it_runs_on_the_device_and_its_result_comes_back(name: str) -> None:
    with fake_gpu():
        result = (NETWORKS | MEASURED)[name]()
    assert devices_of(result) == {"cpu"}


def test_a_constant_that_stays_on_the_processor_is_found() -> None:
    class Mixed(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + torch.ones(1, 4)

    with fake_gpu(), pytest.raises(RuntimeError, match="device"):
        on_device(made(lambda: Mixed(4, 4)), torch.rand(1, 4))


def test_no_metric_is_left_out() -> None:
    built_in = {name for name in METRICS if METRICS.plugin(name) is None} | set(OF_SETS)
    assert built_in == set(MEASURED) | OF_NO_NETWORK | BY_THE_CAPTIONER


def test_no_shipped_weights_are_left_out() -> None:
    shipped = {path.stem for path in models.FOLDER.glob("*.safetensors")}
    assert shipped - set(NETWORKS) == set(ON_PROCESSOR)


def test_no_network_class_is_left_out() -> None:
    seen: set[type[nn.Module]] = set()
    with fake_gpu(seen):
        for case in {*NETWORKS.values(), *MEASURED.values()}:
            case()
    run = {base for cls in seen for base in cls.__mro__}
    assert {cls.__qualname__ for cls in _network_classes() - run} == set()


def _network_classes() -> set[type[nn.Module]]:
    """The networks of the packages that compute something when they are called."""
    found = set()
    for package in (scmc_comm, experiments.training):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.endswith("__main__") or ".testing" in info.name:
                continue
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, type) and issubclass(value, nn.Module):
                    own = value.__module__.startswith(package.__name__)
                    found |= {value} if own and "forward" in vars(value) else set()
    return found
