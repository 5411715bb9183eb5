"""The script that trains heads which tell kinds."""

import json

import made_up_sets as made
import numpy as np
import pytest
import torch
from PIL import Image

from experiments.training import kinds
from scmc_comm.errors import ScmcError
from scmc_comm.metrics.kinds import load_heads
from scmc_comm.metrics.picture_features import NUM_KIND, NUM_MEAN

SPLITS = ("train", "train", "train", "test", "val")


@pytest.fixture
def mean_colour(monkeypatch):
    """Features that are the mean colour, in place of VGG16's."""
    calls = []

    def features(trunk, imgs):
        calls.append(len(imgs))
        out = torch.zeros(len(imgs), NUM_KIND + NUM_MEAN)
        out[:, :3] = imgs.mean((2, 3))
        return out

    monkeypatch.setattr(kinds, "vgg16_trunk", torch.nn.Identity)
    monkeypatch.setattr(kinds, "compute_features", features)
    return calls


def flowers(folder):
    """Plain pictures whose colour is their kind's."""
    folder = made.table(folder, 45, SPLITS)
    colours = ((220, 30, 30), (30, 30, 220), (30, 220, 30))
    for n in range(45):
        pixels = np.full((40, 40, 3), colours[n % 3], np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"p{n}.png")
    return folder


def test_heads_are_trained_judged_and_kept(tmp_path, mean_colour, caplog):
    flowers(tmp_path / "data" / "flowers256")
    kinds.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    heads = load_heads(tmp_path / "out" / "kinds.safetensors")
    assert heads["flower_kind"].names == ("blue rose", "green rose", "red rose")
    assert len(heads["bird_kind"].names) == 100 and "shipped head is kept" in caplog.text
    report = json.loads((tmp_path / "out" / "kinds.json").read_text())
    assert set(report) == {"flower_kind"}
    assert report["flower_kind"]["original"] == {"accuracy": 1.0, "pictures": 9.0}
    count = len(mean_colour)
    kinds.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    assert len(mean_colour) == count  # the features were kept


def test_a_folder_that_is_itself_a_set_trains_its_own_head_alone(tmp_path):
    birds = made.cub(tmp_path / "CUB_200_2011")
    assert kinds.known_sets(birds) == {"bird_kind": "cub-200-2011"}
    assert kinds.known_sets(made.table(tmp_path / "roses")) == {}


def test_data_without_kinds_is_refused_in_one_line(tmp_path):
    roses = made.table(tmp_path / "roses")
    with pytest.raises(ScmcError, match="flowers256 or oxford-102 or birds224 or cub-200-2011"):
        kinds.main(["--data", str(roses), "--out", str(tmp_path / "out")])
    with pytest.raises(ScmcError, match="--every 0"):
        kinds.main(["--data", str(roses), "--out", str(tmp_path / "out"), "--every", "0"])
