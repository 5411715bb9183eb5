"""Codecs of rate-distortion runs, and measurements that can be resumed."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_architecture import import_graph

from experiments.execution import fingerprint
from experiments.execution.fingerprint import ROOT
from experiments.rd import measure as rd_measure
from experiments.rd.codecs import ScmcCurveCodec, make_rd_codec
from experiments.sweep.originals import Original
from experiments.sweep.rate_points import ImageCurveCodec
from scmc_comm.baselines.image_codecs import IMAGE_CODECS, make_image_codec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.zoo.sources import kept_path


@pytest.fixture(scope="module")
def images():
    return {name: Original.of(load_photo(name, 48)) for name in ("coffee", "chelsea")}


def only(images, name="coffee"):
    return {name: images[name]}


def test_every_codec_has_a_ladder_of_its_own_qualities():
    for name in IMAGE_CODECS:
        codec = make_image_codec(name)
        points, whole = make_rd_codec(name).points, ImageCurveCodec(codec).points
        assert set(points) <= set(whole) and set(map(float, whole)) <= set(codec.qualities)
        assert len(points) >= 6 and [float(p) for p in points] == sorted(map(float, points))


def test_rows_hold_what_was_sent_and_a_second_run_measures_nothing(images, tmp_path, monkeypatch):
    names, metrics = ("jpeg", "webp:headers=file"), ("psnr_db",)
    frame = rd_measure.measure_points(names, images, metrics, 1, tmp_path, progress=False)
    assert len(frame) == sum(len(make_rd_codec(n).points) for n in names) * len(images)
    row = frame[(frame.codec == "jpeg") & (frame.image == "chelsea") & (frame.point == "25")].iloc[
        0
    ]
    data = make_image_codec("jpeg").encode(images["chelsea"].img, 25)
    assert row.bytes == len(data) and row.bpp == 8 * len(data) / 48**2
    assert row.encode_s > 0 and row.decode_s > 0

    def fail(*args):
        raise AssertionError("measured again")

    monkeypatch.setattr(ImageCurveCodec, "code", fail)
    again = rd_measure.measure_points(names, images, metrics, 1, tmp_path, progress=False)
    pd.testing.assert_frame_equal(frame, again)
    # Half of it lost: only that is measured, the rest is read.
    first = rd_measure.measure_points(names[:1], only(images), metrics, 1, tmp_path, progress=False)
    assert len(first) == len(make_rd_codec("jpeg").points)


@pytest.mark.parametrize(
    ("codec", "counts", "does_not"),
    [
        ("jpeg", ("scmc_comm/baselines/jpeg.py", "scmc_comm/zoo/feature_nets.py",
                  "experiments/rd/codecs.py", "experiments/sweep/rate_points.py"),
         ("scmc_comm/codec/signal.py", "channels/units.py", "experiments/rd/tables.py")),
        ("hyperprior", ("scmc_comm/codec/tensors.py", "scmc_comm/wire.py"), ()),
        ("scmc-signal", ("scmc_comm/codec/signal.py", "experiments/rd/codecs.py"), ()),
        ("scmc", ("scmc_comm/codec/signal.py", "experiments/rd/codecs.py"),
         ("experiments/rd/tables.py",)),
    ],
)  # fmt: skip
def test_a_key_changes_with_the_code_that_the_codec_runs(
    source_tree, monkeypatch, codec, counts, does_not
):
    for module in (rd_measure, fingerprint):
        monkeypatch.setattr(module, "ROOT", source_tree)
    maker = str(source_tree / "experiments" / "rd" / "codecs.py")
    for name in (*counts, *does_not):
        before = rd_measure.codec_fingerprint(codec, maker)
        with (source_tree / name).open("a") as file:
            file.write("\nANOTHER = 1\n")
        assert (rd_measure.codec_fingerprint(codec, maker) != before) == (name in counts), name


@pytest.mark.parametrize("codec", ["vvc", "scmc"])
def test_a_key_changes_with_the_encoder_and_the_metrics_weights(codec, tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "ffmpeg"))
    for path in (tmp_path / "ffmpeg", kept_path("alexnet"), kept_path("vgg16")):
        before = rd_measure.codec_fingerprint(codec)
        path.write_bytes(b"another")
        assert rd_measure.codec_fingerprint(codec) != before


def test_rivals_run_no_code_that_their_keys_leave_out():
    """All modules that codecs and metrics import, but for what the other networks run."""
    found = {path.relative_to(ROOT) for p in rd_measure._SOURCES for path in ROOT.glob(p)}
    own = ("scmc_comm.baselines.scmc_signal", "scmc_comm.metrics.semantic", "channels.errors")
    own += ("scmc_comm.baselines.enhanced",)  # its keys hold all code and weights
    graph, todo = import_graph(), ["scmc_comm.baselines.image_codecs", "scmc_comm.metrics"]
    seen = {*todo, *own}
    while todo:
        name = todo.pop()
        path = Path(*name.split("."))
        assert {path.with_suffix(".py"), path / "__init__.py"} & found, f"no key holds {name}"
        todo += [target for target in graph[name] if target not in seen]
        seen.update(todo)


def test_a_run_cut_short_keeps_what_it_measured(images, tmp_path, monkeypatch):
    wanted, real, calls = make_rd_codec("jpeg").points, ImageCurveCodec.code, []

    def dies(codec, img, point):
        calls.append(point)
        if len(calls) == 4:
            raise ScmcError("power cut")
        return real(codec, img, point)

    monkeypatch.setattr(ImageCurveCodec, "code", dies)
    run = {"metrics": ("psnr_db",), "jobs": 1, "folder": tmp_path, "progress": False}
    with pytest.raises(ScmcError, match="power cut"):
        rd_measure.measure_points(["jpeg"], only(images), **run)
    calls.clear()
    calls.extend(["already failed"] * 4)
    rd_measure.measure_points(["jpeg"], only(images), **run)
    assert calls[4:] == list(wanted[3:])


def test_the_key_depends_on_codec_image_and_metrics(images, tmp_path):
    run = {"jobs": 1, "folder": tmp_path, "progress": False}
    first = rd_measure.measure_points(["jpeg"], only(images), ("psnr_db",), **run)
    other = rd_measure.measure_points(["jpeg"], only(images, "chelsea"), ("psnr_db",), **run)
    assert not np.allclose(first.psnr_db, other.psnr_db)
    more = rd_measure.measure_points(["jpeg"], only(images), ("psnr_db", "mse"), **run)
    assert np.allclose(-10 * np.log10(more.mse), first.psnr_db)


def test_rewritten_weights_are_measured_anew_in_the_same_process(images, tmp_path):
    from compressai.zoo.image import model_architectures

    path, found = tmp_path / "net-1.pth.tar", []
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(model_architectures["bmshj2018-hyperprior"](8, 12).state_dict(), path)
        os.utime(path, ns=(seed, seed))
        run = {"jobs": 1, "folder": tmp_path / "cache", "progress": False}
        name = f"hyperprior:weights={path}"
        found.append(rd_measure.measure_points([name], only(images), ("psnr_db",), **run))
    assert found[0].psnr_db[0] != found[1].psnr_db[0]


@pytest.mark.slow
def test_scmc_points_are_its_layers_from_the_whole_container():
    img = load_photo("coffee", 64)
    codec = ScmcCurveCodec()
    found = {p: codec.code(img, p) for p in (*ScmcCurveCodec.points[:4], "signal 96")}
    sizes = [coded.num_bytes for coded in found.values()]
    assert sizes[:3] == sorted(set(sizes[:3])) and sizes[0] < 80
    assert sizes[1] < sizes[3] < sizes[4], "a signal comes above the coarse structure"
    assert all(coded.img_hat.shape == (3, 64, 64) for coded in found.values())
    assert codec.num_parameters() > 1e6


def test_learned_codecs_from_a_folder(tmp_path):
    from compressai.zoo.image import model_architectures

    torch.manual_seed(0)
    net = model_architectures["bmshj2018-hyperprior"](8, 12)
    for quality in (1, 2):
        torch.save(net.state_dict(), tmp_path / f"net-{quality}.pth.tar")
    codec = make_rd_codec(f"hyperprior:weights={tmp_path}")
    assert codec.points == ("1", "2")
    assert codec.num_parameters() == sum(p.numel() for p in net.parameters())
