"""What each part of the fusion is worth, and what receivers see side by side."""

import json
from argparse import Namespace
from dataclasses import asdict

import numpy as np
import pytest
import torch

from experiments.training import ablation, fusion, gallery
from experiments.training.data import CaptionedImages, evenly, to_uint8
from experiments.training.gallery import sheet, views
from scmc_comm.codec.fusion_net import FusionConfig, FusionNet
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.datasets.image_sets import image_set
from scmc_comm.errors import ScmcError
from scmc_comm.metrics import unavailable


@pytest.fixture(scope="module")
def photo():
    return image_set("photos", 1)[0].img[:, 128:192, 128:192].contiguous()


def test_difference_is_paired():
    mean, half = ablation.difference([1.0, 5.0, 9.0], [0.0, 3.0, 8.0])
    assert mean == pytest.approx(4 / 3)
    assert half == pytest.approx(4.303 * np.std([1, 2, 1], ddof=1) / 3**0.5, rel=1e-3)
    assert np.isnan(ablation.difference([1.0], [0.0])[1])


def test_every_run_is_a_command_that_the_training_script_takes(tmp_path, monkeypatch):
    seen = []

    def record(command, env, **how):
        seen.append((command, env["OMP_NUM_THREADS"]))
        return 0

    def stop(*args):
        raise InterruptedError

    args = Namespace(data=tmp_path, lower=tmp_path, out=tmp_path, cache=tmp_path, steps=7, jobs=99)
    monkeypatch.setattr(ablation, "call", record)
    monkeypatch.setattr(fusion, "load_split", stop)
    for name in ablation.VARIANTS:
        ablation.train(name, args)
    assert len({tuple(command) for command, _ in seen}) == len(ablation.VARIANTS)
    for command, threads in seen:
        assert threads == "1"
        with pytest.raises(InterruptedError):  # its options were understood
            fusion.main(command[3:])


def test_a_run_that_fails_says_where_its_log_is(tmp_path, monkeypatch):
    args = Namespace(data=tmp_path, lower=tmp_path, out=tmp_path, cache=tmp_path, steps=7, jobs=1)
    monkeypatch.setattr(ablation, "call", lambda *_, **__: 1)
    with pytest.raises(ScmcError, match="log.txt"):
        ablation.train("gan", args)


def test_the_whole_against_itself_is_no_difference(tmp_path, monkeypatch, photo, capsys):
    if missing := unavailable(ablation.METRICS):
        pytest.skip(str(missing))
    pixels = to_uint8(torch.stack([photo, photo.flip(2)]))
    nobody = ("", "")
    data = CaptionedImages(pixels, nobody, nobody, ("a", "b"), ((), ()))

    def train(name, args):
        torch.manual_seed(3 if name == "semantics" else 2)
        net = FusionNet(FusionConfig((8, 8, 8, 8), 8))
        (args.out / name).mkdir()
        torch.save(
            {
                "config": {"net": asdict(net.config)},
                "step": 5,
                "state": {"averaged": net.state_dict()},
            },
            args.out / name / "checkpoint.pt",
        )

    monkeypatch.setattr(ablation, "train", train)
    monkeypatch.setattr(ablation, "load_split", lambda *_: data)
    folder = str(tmp_path)
    ablation.main(
        ["--data", folder, "--lower", folder, "--out", folder, "--count", "2", "--jobs", "1"]
    )
    shown = capsys.readouterr().out
    rows = [line for line in shown.splitlines() if line.startswith("| gan |")]
    same = "| gan | 5 | +0.00 ± 0.00 | +0.000 ± 0.000 | +0.000 ± 0.000 | +0.000 ± 0.000 |"
    assert rows == [same, same]
    other = [line for line in shown.splitlines() if line.startswith("| semantics |")]
    assert other and other[0] != same.replace("gan", "semantics")
    record = json.loads((tmp_path / "ablation.json").read_text())
    assert set(record) == {"steps", "level 0", "level 1"}
    assert len(record["level 1"]["whole"]["dists"]) == 2


def test_no_checkpoint_is_one_line(tmp_path):
    with pytest.raises(ScmcError, match="train it first"):
        ablation.load_fusion(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("wrong", [["--steps", "0"], ["--jobs", "0"], ["--count", "1"]])
def test_wrong_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(ScmcError, match="expected at least"):
        ablation.main(
            ["--data", str(tmp_path), "--lower", str(tmp_path), "--out", str(tmp_path), *wrong]
        )


def test_a_sheet_that_cannot_be_written_is_said_before_the_work(tmp_path):
    with pytest.raises(ScmcError, match="expected the name of a picture"):
        gallery.main(["--data", str(tmp_path), "-o", str(tmp_path / "sheet")])


def test_pictures_are_evenly_spaced():
    assert evenly(519, 26)[0] == 0 and evenly(519, 26)[-1] == 518
    assert evenly(3, None) == [0, 1, 2] == evenly(3, 9)


def test_a_sheet_lays_views_below_one_another():
    pictures = [np.full((2, 8, 8, 3), 10 * i, np.uint8) for i in range(1, 4)]
    pictures[1][1] += 100
    pixels = np.asarray(sheet(pictures, columns=2, side=8))
    assert pixels.shape == (36, 20, 3)
    assert (pixels[:16, :8] == 10).all() and (pixels[20:, :8] == 30).all()
    assert (pixels[:8, 12:] == 20).all() and (pixels[8:16, 12:] == 120).all()
    assert (pixels[16:20] == 255).all() and (pixels[20:, 12:] == 255).all()


def test_views_go_from_the_original_to_all_layers(photo):
    seen = views(LayeredCodec(), photo)
    assert len(seen) == 5 and seen[0] is photo
    assert all(view.shape == photo.shape for view in seen)
    errors = [float((view - photo).square().mean()) for view in seen[1:]]
    assert errors[0] > min(errors[1:])
