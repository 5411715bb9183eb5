"""Kinds of flowers and birds recovered: heads, names, and what is undefined."""

import math

import pytest
import torch

from scmc_comm.codec.weights import save_weights
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import kinds, measure_many, picture_features, unavailable
from scmc_comm.metrics.kinds import KindHead, load_heads
from scmc_comm.metrics.picture_features import NUM_KIND, NUM_MEAN, SIDE, compute_features
from scmc_comm.models import FOLDER
from scmc_comm.types import UNANNOTATED, Annotation

RED, BLUE = (torch.zeros(3, 40, 40) for _ in range(2))
RED[0], BLUE[2] = 1, 1


@pytest.fixture
def colours(monkeypatch):
    """A head that tells red from blue by features that are the mean colour; counts pictures."""
    weight = torch.zeros(2, NUM_KIND)
    weight[0, 0] = weight[1, 2] = 1
    head = KindHead(("lazuli bunting", "red rose"), weight.flip(0), torch.zeros(2))
    monkeypatch.setattr(kinds, "load_heads", lambda: {"flower_kind": head, "bird_kind": head})
    looked = []

    def features(imgs):
        looked.append(len(imgs))
        out = torch.zeros(len(imgs), NUM_KIND + NUM_MEAN)
        out[:, :3] = imgs.mean((2, 3))
        return out

    monkeypatch.setattr(kinds, "picture_features", features)
    return looked


def test_one_if_the_stated_kind_is_seen_else_zero_and_undefined_without(colours):
    stated = [
        Annotation("Red Rose"), Annotation("lazuli-bunting"), Annotation("oak"), UNANNOTATED,
        Annotation("lazuli_bunting"),
    ]  # fmt: skip
    shown = [RED, RED, RED, RED, BLUE]
    got = measure_many([RED] * 5, shown, ["flower_kind"], stated)
    values = [row["flower_kind"] for row in got]
    assert values[:2] == [1, 0] and values[4] == 1
    assert all(map(math.isnan, values[2:4]))  # never 0
    assert colours == [3]  # nothing else is looked at
    assert math.isnan(measure_many([RED], [RED], ["bird_kind"])[0]["bird_kind"])


def test_the_shipped_heads_know_flowers_and_birds():
    heads = load_heads(FOLDER / "kinds.safetensors")
    assert {name: len(head.names) for name, head in heads.items()} == {
        "flower_kind": 102, "bird_kind": 100,
    }  # fmt: skip
    assert heads["flower_kind"].number("passion flower") is not None
    assert heads["bird_kind"].number("Black-footed Albatross") is not None
    assert (FOLDER / "kinds.safetensors").stat().st_size < 2**20


def test_a_file_of_other_features_is_refused(tmp_path):
    path = tmp_path / "kinds.safetensors"
    state = {"flower_kind.weight": torch.zeros(2, 7), "flower_kind.bias": torch.zeros(2)}
    save_weights("kinds", {"kinds": {"flower_kind": ["a", "b"]}}, state, path)
    with pytest.raises(ScmcError, match="scmc-comm train kinds"):
        load_heads(path)


def test_features_are_of_unit_length_and_looked_up_once(monkeypatch):
    if missing := unavailable(["flower_kind"]):
        pytest.skip(missing["flower_kind"])
    rng = torch.Generator().manual_seed(0)
    imgs = torch.rand(2, 3, 64, 96, generator=rng)
    found = picture_features.picture_features(imgs)
    assert found.shape == (2, NUM_KIND + NUM_MEAN)
    for part in found[:, :NUM_KIND].split(NUM_KIND // 2, dim=1):
        assert torch.allclose(part.norm(dim=1), torch.ones(2), atol=1e-5)
    monkeypatch.setattr(picture_features, "compute_features", lambda *_: pytest.fail("again"))
    assert torch.equal(picture_features.picture_features(imgs.flip(0)), found.flip(0))


def test_pictures_of_all_sizes_are_looked_at_in_one_area():
    class Stages(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.seen = []

        def forward(self, x):
            self.seen.append(tuple(x.shape[2:]))
            yield from (x.mean(1, keepdim=True).expand(-1, 512, -1, -1) for _ in range(5))

    net = Stages()
    for size in ((64, 64), (512, 512), (512, 768), (40, 640)):
        compute_features(net, torch.rand(1, 3, *size))
    assert net.seen[:2] == [(SIDE, SIDE)] * 2
    for height, width in net.seen:
        assert height % 16 == width % 16 == 0
        assert height * width == pytest.approx(SIDE**2, rel=0.15)
