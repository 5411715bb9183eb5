"""Edge detectors from published checkpoints: PiDiNet written out by its paper, RCF, wrong files."""

from __future__ import annotations

import pickle

import pytest
import torch
from test_edges import published_state
from torch.nn import functional as F

from scmc_comm.codec.edges import EdgeDetector
from scmc_comm.codec.pretrained.detectors import load_detector
from scmc_comm.codec.pretrained.pidinet import DifferenceConv, PiDiNet
from scmc_comm.codec.structure import StructureCodec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo


def pidinet_state(channels: int, context: int | None, attention: bool) -> dict[str, torch.Tensor]:
    """Random numbers under the names and shapes of the authors' checkpoints, listed by hand."""
    shapes: dict[str, tuple[int, ...]] = {"init_block.weight": (channels, 3, 3, 3)}
    c = channels
    ins = c
    for stage, (width, depth) in enumerate(((c, 3), (2 * c, 4), (4 * c, 4), (4 * c, 4)), start=1):
        for i in range(1, depth + 1):
            name = f"block{stage}_{i}"
            if stage > 1 and i == 1:
                shapes |= {f"{name}.shortcut.weight": (width, ins, 1, 1)}
                shapes |= {f"{name}.shortcut.bias": (width,)}
            shapes |= {f"{name}.conv1.weight": (ins, 1, 3, 3)}
            shapes |= {f"{name}.conv2.weight": (width, ins, 1, 1)}
            ins = width
        fused, s = width, stage - 1
        if context is not None:
            fused = context
            shapes |= {f"dilations.{s}.conv1.weight": (fused, width, 1, 1)}
            shapes |= {f"dilations.{s}.conv1.bias": (fused,)}
            shapes |= {
                f"dilations.{s}.conv2_{j}.weight": (fused, fused, 3, 3) for j in (1, 2, 3, 4)
            }
        if attention:
            shapes |= {f"attentions.{s}.conv1.weight": (4, fused, 1, 1)}
            shapes |= {f"attentions.{s}.conv1.bias": (4,)}
            shapes |= {f"attentions.{s}.conv2.weight": (1, 4, 3, 3)}
        shapes |= {f"conv_reduces.{s}.conv.weight": (1, fused, 1, 1)}
        shapes |= {f"conv_reduces.{s}.conv.bias": (1,)}
    shapes |= {"classifier.weight": (1, 4, 1, 1), "classifier.bias": (1,)}
    rng = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(shape, generator=rng) / max(torch.Size(shape[1:]).numel(), 1) ** 0.5
        for name, shape in shapes.items()
    }


SIZES = {"table5_pidinet-small": (30, 12, True), "table5_pidinet-tiny-l": (20, None, False)}


@pytest.mark.parametrize("name", SIZES)
def test_pidinet_checkpoint_by_its_public_names(tmp_path, name):
    state = pidinet_state(*SIZES[name])
    wrapped = {"epoch": 19, "state_dict": {f"module.{k}": v for k, v in state.items()}}
    torch.save(wrapped, tmp_path / f"{name}.pth")
    detector = load_detector(tmp_path / f"{name}.pth")
    assert isinstance(detector, PiDiNet)
    assert {k: tuple(v.shape) for k, v in detector.state_dict().items()} == {
        k: tuple(v.shape) for k, v in state.items()
    }
    assert all(torch.equal(detector.state_dict()[k], v) for k, v in state.items())
    prob = detector(torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(0)))
    assert prob.shape == (2, 1, 37, 50) and ((prob >= 0) & (prob <= 1)).all()
    assert torch.equal(
        load_detector(tmp_path)(torch.ones(1, 3, 16, 16)), detector(torch.ones(1, 3, 16, 16))
    )


def differences(kind: str, w: torch.Tensor, x: torch.Tensor) -> float:
    """One output pixel of a difference convolution, as the paper defines it, pair by pair."""
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]  # clockwise
    total = 0.0
    if kind == "cd":
        return float(sum(w[r, c] * (x[r + 1, c + 1] - x[2, 2]) for r in range(3) for c in range(3)))
    if kind == "ad":  # the weight of a pixel times its difference to the next one clockwise
        for (r, c), (nr, nc) in zip(ring, ring[1:] + ring[:1], strict=True):
            total += float(w[r, c] * (x[r + 1, c + 1] - x[nr + 1, nc + 1]))
        return total
    for r, c in ring:  # "rd": the outer ring's pixel less the inner one's in the same direction
        total += float(RADIAL[r, c](w) * (x[2 * r, 2 * c] - x[r + 1, c + 1]))
    return total


# The authors number a radial kernel's eight weights row by row, from the second of nine on.
RADIAL = {
    place: (lambda w, i=i: w.flatten()[i])
    for i, place in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)], 1)
}


@pytest.mark.parametrize("kind", ["cd", "ad", "rd"])
def test_difference_convolutions_against_their_definition(kind):
    rng = torch.Generator().manual_seed(1)
    conv = DifferenceConv(kind, 1, 1)
    conv.weight.data = torch.randn(1, 1, 3, 3, generator=rng)
    x = torch.randn(5, 5, generator=rng)
    got = conv(x[None, None])[0, 0, 2, 2].item()
    assert got == pytest.approx(differences(kind, conv.weight.detach()[0, 0], x), abs=1e-5)
    flat = conv(torch.ones(1, 1, 9, 9))[0, 0, 2:-2, 2:-2]
    assert flat.abs().max() < 1e-5, "nothing differs in a flat picture"


def test_the_forward_pass_uses_all_four_stages_at_full_size():
    state = pidinet_state(4, 2, True)
    for name in state:
        if name.startswith("conv_reduces") and name.endswith("weight"):
            state[name] = torch.zeros_like(state[name])
    for stage in range(4):
        state[f"conv_reduces.{stage}.conv.bias"] = torch.tensor([float(stage)])
    prob = PiDiNet.from_published(state)(torch.rand(1, 3, 32, 48))
    expected = (state["classifier.weight"].flatten() * torch.arange(4)).sum() + state[
        "classifier.bias"
    ]
    assert torch.allclose(prob, torch.sigmoid(expected).expand_as(prob), atol=1e-6)


def test_a_stage_halves_by_maximum_and_keeps_a_shortcut():
    network = PiDiNet.from_published(pidinet_state(4, None, False))
    block, x = network.block2_1, torch.rand(1, 4, 12, 12)
    block.conv2.weight.zero_()
    assert torch.allclose(block(x), F.conv2d(F.max_pool2d(x, 2), *block.shortcut.parameters()))


def test_rcf_checkpoint_file(tmp_path):
    path = tmp_path / "bsds500_pascal_model.pth"
    torch.save(published_state(), path)
    detector = load_detector(path)
    assert isinstance(detector, EdgeDetector) and len(detector.config.channels) == 5
    img = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(detector(img), EdgeDetector.from_published(published_state())(img))


def test_another_detector_draws_other_edges_that_any_receiver_reads(tmp_path):
    torch.save(pidinet_state(20, 8, True), tmp_path / "pidinet.pth")
    mine = StructureCodec.load(load_detector(tmp_path / "pidinet.pth"))
    shipped, photo = StructureCodec.load(), load_photo("chelsea", 64)
    payload = mine.encode(photo)
    assert payload != shipped.encode(photo)
    assert torch.equal(
        shipped.decode(payload, (64, 64), None), mine.decode(payload, (64, 64), None)
    )


class Evil:
    def __reduce__(self):
        return (print, ("code in a checkpoint ran",))


def test_wrong_files_give_one_line_and_run_no_code(tmp_path, capsys):
    cases = {
        "none.pth": ("no edge detector at", None),
        "text.pth": ("not readable as a checkpoint", b"a note"),
        "empty.pth": ("not readable as a checkpoint", b""),
        "evil.pth": ("not readable as a checkpoint", pickle.dumps(Evil(), protocol=2)),
        "text.safetensors": ("not a readable safetensors", b"a note"),
        "notes.txt": ("is no weight file", b"a note"),
    }
    for name, (words, data) in cases.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(ScmcError, match=words) as caught:
            load_detector(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out
    with pytest.raises(ScmcError, match="weight files"):
        load_detector(tmp_path)


def test_checkpoints_of_other_networks_are_named(tmp_path):
    converted = pidinet_state(20, 8, True)
    converted["block1_2.conv1.weight"] = torch.zeros(20, 1, 5, 5)  # the authors' converted form
    short = published_state()
    del short["conv3_2.weight"]
    for state, words in (
        ({"layer.weight": torch.zeros(2)}, "expected the tensors of RCF.*found layer.weight"),
        (converted, "unconverted layout.*block1_2.conv1.weight"),
        (short, "conv3_2"),
        ([1, 2], "no state dict"),
    ):
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(ScmcError, match=words) as caught:
            load_detector(tmp_path / "x.pth")
        assert "\n" not in str(caught.value)
