"""Edge detector: published layout, shapes, thinning, loss; the shipped weights find an outline."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from scmc_comm.codec.edges import EdgeConfig, EdgeDetector, thin
from scmc_comm.codec.weights import save_weights
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER

TINY = EdgeConfig((4, 6, 8, 6), (1, 2, 1, 1), (1, 2, 2, 1), (1, 1, 1, 2), 3)
VGG16 = {1: (64, 2), 2: (128, 2), 3: (256, 3), 4: (512, 3), 5: (512, 3)}


def published_state() -> dict[str, torch.Tensor]:
    """Random numbers under the names and shapes of the authors' checkpoint."""
    rng = torch.Generator().manual_seed(3)
    state, previous = {}, 3
    for stage, (channels, depth) in VGG16.items():
        for i in range(1, depth + 1):
            name = f"conv{stage}_{i}"
            gain = math.sqrt(2 / (9 * previous))
            state[f"{name}.weight"] = gain * torch.randn(channels, previous, 3, 3, generator=rng)
            state[f"{name}.bias"] = torch.zeros(channels)
            state[f"{name}_down.weight"] = 0.01 * torch.randn(21, channels, 1, 1, generator=rng)
            state[f"{name}_down.bias"] = torch.zeros(21)
            previous = channels
        state[f"score_dsn{stage}.weight"] = torch.randn(1, 21, 1, 1, generator=rng)
        state[f"score_dsn{stage}.bias"] = torch.zeros(1)
    state["score_fuse.weight"] = torch.full((1, 5, 1, 1), 0.2)
    state["score_fuse.bias"] = torch.zeros(1)
    return state


def published_forward(state: dict[str, torch.Tensor], img: torch.Tensor) -> torch.Tensor:
    """RCF written out: ceil-mode pooling, bilinear deconvolution, crop. Fused score."""
    mean = torch.tensor([104.00698793, 116.66876762, 122.67891434]).view(1, 3, 1, 1)
    x, scores = img.flip(1) * 255 - mean, []
    for stage, (_, depth) in VGG16.items():
        if stage > 1:
            x = functional.max_pool2d(x, 2, 1 if stage == 5 else 2, ceil_mode=True)
        total = 0
        for i in range(1, depth + 1):
            pad = 2 if stage == 5 else 1
            conv = state[f"conv{stage}_{i}.weight"]
            x = functional.relu(functional.conv2d(x, conv, padding=pad, dilation=pad))
            total = total + functional.conv2d(x, state[f"conv{stage}_{i}_down.weight"])
        score = functional.conv2d(total, state[f"score_dsn{stage}.weight"])
        scale = min(2 ** (stage - 1), 8)
        if scale > 1:
            taps = 1 - (torch.arange(2 * scale) + 0.5 - scale).abs() / scale
            kernel = torch.outer(taps, taps)[None, None]
            crop = 0 if stage == 5 else scale // 2
            score = functional.conv_transpose2d(score, kernel, stride=scale)[..., crop:, crop:]
        scores.append(score[..., : img.shape[2], : img.shape[3]])
    height, width = (min(s.shape[d] for s in scores) for d in (2, 3))
    return functional.conv2d(
        torch.cat([s[..., :height, :width] for s in scores], 1), state["score_fuse.weight"]
    )


def test_published_checkpoint_gives_the_published_network():
    state = published_state()
    wrapped = {f"module.{name}": value for name, value in state.items()}
    wrapped["weight_deconv2"] = torch.zeros(1, 1, 4, 4)
    detector = EdgeDetector.from_published(wrapped)
    img = torch.rand(1, 3, 176, 176, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        got, want = detector.logits(img)[-1], published_forward(state, img)
    inner = (..., slice(76, 100), slice(76, 100))  # borders are padded differently
    torch.testing.assert_close(got[inner], want[inner], rtol=1e-3, atol=1e-3 * float(want.std()))


def test_wrong_checkpoint_is_refused():
    state = published_state()
    del state["conv3_2.weight"]
    with pytest.raises(ScmcError, match="conv3_2"):
        EdgeDetector.from_published(state)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 2), st.integers(16, 45), st.integers(16, 45))
def test_any_size_gives_probabilities(batch, height, width):
    torch.manual_seed(0)
    detector = EdgeDetector(TINY)
    with torch.inference_mode():
        prob = detector(torch.rand(batch, 3, height, width))
    assert prob.shape == (batch, 1, height, width)
    assert prob.dtype == torch.float32
    assert ((prob >= 0) & (prob <= 1)).all()


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 8, 32)])
def test_wrong_shape_is_named(shape):
    with pytest.raises(ScmcError, match="expected"):
        EdgeDetector(TINY)(torch.zeros(shape))


def test_uneven_config_is_refused():
    with pytest.raises(ScmcError, match="equally long"):
        EdgeConfig(channels=(4, 4), depths=(1,), strides=(1,), dilations=(1,))


def test_save_and_load_keep_the_function(tmp_path):
    detector = EdgeDetector(TINY).eval()
    path = tmp_path / "edges.safetensors"
    save_weights("edges", asdict(detector.config), detector.state_dict(), path)
    img = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(EdgeDetector.load(path)(img), detector(img), atol=5e-3, rtol=0)
    with pytest.raises(ScmcError, match="no weights"):
        EdgeDetector.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120])
def test_thinning_leaves_the_ridge_of_a_straight_line(degrees):
    y, x = torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")
    normal = math.radians(degrees)
    distance = ((x - 32) * math.cos(normal) + (y - 32) * math.sin(normal)).abs()
    prob = torch.exp(-((distance / 3) ** 2))[None, None]
    kept = thin(prob)[0, 0, 8:-8, 8:-8] > 0.05
    assert distance[8:-8, 8:-8][kept].max() <= 1.0
    assert 45 <= int(kept.sum()) <= 110  # one to two pixels wide over 49 rows or columns


def test_loss_prefers_the_truth_and_ignores_doubtful_pixels():
    training = pytest.importorskip("experiments.training.edges")
    cfg = training.TrainConfig()
    share = torch.zeros(1, 1, 8, 8)
    share[..., 3] = 0.8
    share[..., 4] = 0.1  # fewer than eta of the annotators
    truth = torch.where(share > 0.3, 4.0, -4.0)
    doubtful = truth.clone()
    doubtful[..., 4] = 9.0
    loss = training.balanced_loss(truth, share, cfg)
    assert loss < training.balanced_loss(-truth, share, cfg)
    torch.testing.assert_close(loss, training.balanced_loss(doubtful, share, cfg))


def test_training_runs_and_resumes(tmp_path):
    training = pytest.importorskip("experiments.training.edges")
    folder = tmp_path / "bsds500" / "train"
    folder.mkdir(parents=True)
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 200
    marks = np.zeros((48, 64), np.uint8)
    marks[:, 31:33] = 255
    Image.fromarray(picture).save(folder / "one.jpg")
    Image.fromarray(marks).save(folder / "one.png")
    rng = torch.Generator().manual_seed(0)
    cfg = training.TrainConfig(cpu_minutes=1e-9, batch=1, crop=32)
    img, share = training.random_crops(training.load_split(tmp_path, "train"), cfg, rng)
    assert img.shape == (1, 3, 32, 32)
    assert 0 <= float(share.min()) <= float(share.max()) <= 1
    training.train(tmp_path, tmp_path / "out", cfg, None)
    first = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    training.train(tmp_path, tmp_path / "out", cfg, None)  # nothing left to do: same state
    again = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert again["step"] == first["step"]
    assert all(
        torch.equal(again["state"]["detector"][k], v) for k, v in first["state"]["detector"].items()
    )
    assert EdgeDetector.load(tmp_path / "out" / "edges.safetensors").config == EdgeConfig()


@pytest.mark.skipif(not (FOLDER / "edges.safetensors").is_file(), reason="no shipped weights")
def test_shipped_detector_outlines_a_disc_and_not_its_texture():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    radius = torch.hypot(x - 48, y - 48)
    texture = 0.04 * torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(0))
    disc = torch.where(radius < 28, 0.8, 0.25) * torch.tensor([1.0, 0.6, 0.3]).view(3, 1, 1)
    with torch.inference_mode():
        prob = EdgeDetector.load()((disc + texture).clamp(0, 1)[None])[0, 0]
    rim, away = prob[(radius - 28).abs() < 1.5].mean(), prob[(radius - 28).abs() > 10].mean()
    assert rim > 0.5
    assert away < 0.2
