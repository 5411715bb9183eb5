"""Training the signal layer given the colour map."""

from dataclasses import replace

import numpy as np
import torch

from experiments.training.colour_maps import ColourMaps, code
from experiments.training.data import CaptionedImages
from experiments.training.scalable import MapCrops, ScalableRecipe, fit_linear, load_start
from experiments.training.signal import SignalRecipe
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.signal_transforms import SignalConfig
from scmc_comm.codec.vvc import decode_slim, encode_slim
from scmc_comm.codec.vvc_stream import VvcSettings

SMALL = SignalConfig(
    slices=(6, 6), parts=(1, 1), filters=(4, 8, 8), hyper_filters=(4, 8), context_filters=8,
    cond_filters=(4, 4, 8), base_filters=(6, 3),
)  # fmt: skip


def crops_of(pixels, base_latents=6):
    """Crops of pictures whose maps are their own halves."""
    count = len(pixels)
    data = CaptionedImages(pixels, ("",) * count, ("",) * count, ("",) * count, ((),) * count)
    maps = ColourMaps(np.arange(count), pixels[:, ::2, ::2], np.full(count, 70))
    signal = replace(SignalRecipe(), net=replace(SMALL, base_latents=base_latents), batch=4)
    return MapCrops([data], [[maps]], ScalableRecipe(signal, shares=(1.0,)))


def smooth(count):
    """Pictures of one colour each, uint8."""
    colours = np.random.default_rng(0).integers(0, 256, (count, 1, 1, 3))
    return np.broadcast_to(colours, (count, 256, 256, 3)).astype(np.uint8)


def test_a_network_that_reads_maps_starts_as_the_one_that_does_not(tmp_path):
    torch.manual_seed(0)
    plain = TrainedSignalNet(SMALL).eval()
    path = tmp_path / "checkpoint.pt"
    torch.save({"state": {"averaged": plain.state_dict()}}, path)
    reading = TrainedSignalNet(replace(SMALL, base_latents=6)).eval()
    load_start(reading, path)
    img, quality = torch.rand(2, 3, 64, 64), torch.tensor([1.0, 3.0])
    for base in (None, torch.rand(2, 3, 32, 32) - 0.5):
        assert torch.allclose(plain.encode_decode(img, quality)[1],
                              reading.encode_decode(img, quality, base=base)[1])  # fmt: skip


def test_crops_and_their_maps_are_of_the_same_place():
    img, base, keep = crops_of(smooth(5)).batch(np.random.default_rng(0))
    there = keep > 0
    mean = img.mean((2, 3)) * 255
    assert torch.allclose(mean[there], base.mean((2, 3))[there] * 256 + 128, atol=1e-3)
    assert not base[~there].any()


def test_what_maps_say_of_even_pictures_saves_bits():
    torch.manual_seed(1)
    crops = crops_of(smooth(16))
    net = TrainedSignalNet(crops.recipe.signal.net)
    fit_linear(net, crops, batches=8)
    img, base, keep = crops.batch(np.random.default_rng(9))
    quality = torch.full((4,), 5.0)
    net.eval()
    _, without = net.encode_decode(img, quality)
    _, given = net.encode_decode(img, quality, base=base, keep=keep)
    assert given[keep > 0].sum() < 0.85 * without[keep > 0].sum()
    assert torch.allclose(given[keep == 0], without[keep == 0])


def test_maps_coded_in_one_stream_are_those_of_single_pictures():
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    maps = np.stack([np.broadcast_to(ramp[:, None, None], (128, 128, 3)),
                     np.broadcast_to(ramp[None, :, None], (128, 128, 3))])  # fmt: skip
    decoded, sizes = code(maps, 50)
    settings = VvcSettings(color=True, screen_content=False)
    for picture, seen, size in zip(maps, decoded, sizes, strict=True):
        slim = encode_slim(picture, 50, settings)
        single = decode_slim(slim, (128, 128), settings)
        assert np.abs(single.astype(int) - seen).max() <= 2
        assert abs(size - len(slim)) <= 16
