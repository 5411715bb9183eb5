"""Curves of codecs: one ladder, each point measured once, no point beyond what is asked for."""

import dataclasses

import numpy as np
import pytest
import torch
from fakes import TOYS, ToyCodec, toy_image, toy_images, toy_measure

from experiments.execution.executors import executor
from experiments.rd.codecs import make_rd_codec
from experiments.statistics.bounds import RateQuality
from experiments.sweep.bounds import best_of_resolutions
from experiments.sweep.originals import Original, originals
from experiments.sweep.rate_points import (
    LADDERS,
    ImageCurveCodec,
    RateTask,
    bound_tasks,
    measure_curves,
    run_rate_task,
)
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.errors import TooFineError


@pytest.fixture
def task(tmp_path):
    img = Original.of(next(iter(toy_images("toys", 1).values())))
    return RateTask(
        "toy-codec", "a", img, ("psnr_db", "mse"), "v1", tmp_path, ToyCodec, toy_measure
    )


def test_a_curve_holds_bits_scores_times_and_the_failure(task):
    found = run_rate_task(task)
    assert found.points == ("1", "2", "3", "4")
    assert found.num_bits == tuple(8 * 3 * 4**q for q in (1, 2, 3, 4))
    assert list(found.metrics["psnr_db"]) == sorted(found.metrics["psnr_db"])
    assert found.failure["mse"] == pytest.approx(float((task.original.img - 0.5).square().mean()))
    assert min(found.encode_s + found.decode_s) > 0


def test_the_first_point_that_reaches_the_rate_is_the_last(task):
    bits = run_rate_task(task).num_bits
    cut = run_rate_task(dataclasses.replace(task, max_bits=bits[1]))
    assert cut.num_bits == bits[:2] and len(cut.metrics["mse"]) == 2


class LimitedCodec(ToyCodec):
    """Cannot code what a real encoder's buffer does not hold."""

    def encode(self, img, quality):
        if quality > 2:
            raise TooFineError("take a coarser quality")
        return super().encode(img, quality)


def test_a_curve_ends_where_the_encoder_can_no_more(task):
    limited = dataclasses.replace(task, make_codec=LimitedCodec, fingerprint="limited")
    assert run_rate_task(limited).points == ("1", "2")


@pytest.mark.parametrize(
    ("change", "measured"),
    [
        ({}, False),
        ({"image": "renamed"}, False),
        ({"fingerprint": "v2"}, True),
        ({"metrics": ("mse",)}, False),
        ({"metrics": ("mse", "ssim")}, True),
        ({"original": Original.of(torch.rand(3, 64, 64))}, True),
    ],
    ids=["nothing", "name", "code", "fewer metrics", "another metric", "picture"],
)
def test_what_is_known_is_not_measured_again(task, monkeypatch, change, measured):
    run_rate_task(task)
    calls, real = [], ImageCurveCodec.code
    monkeypatch.setattr(
        ImageCurveCodec, "code", lambda *args: calls.append(args[-1]) or real(*args)
    )
    run_rate_task(dataclasses.replace(task, **change))
    assert calls == (["1", "2", "3", "4"] if measured else [])


def test_a_bound_s_key_holds_the_files_that_the_codec_is_made_from(tmp_path, toy_spec):
    class Learned(ToyCodec):
        files = (tmp_path / "net",)

    spec = dataclasses.replace(toy_spec, bounds=("toy-codec",))
    keys = []
    for content in (b"one", b"two", b"two"):
        Learned.files[0].write_bytes(content)
        components = dataclasses.replace(TOYS, make_codec=Learned)
        (task,) = bound_tasks(
            spec, originals(toy_images("toys", 1)), ("mse",), "v1", tmp_path, components
        )
        keys.append(task.fingerprint)
    assert keys[0] != keys[1] == keys[2]
    (plain,) = bound_tasks(spec, originals(toy_images("toys", 1)), ("mse",), "v1", tmp_path, TOYS)
    assert plain.fingerprint == "v1"


def test_curves_come_in_the_order_of_their_tasks(task):
    tasks = [dataclasses.replace(task, image=name) for name in "cab"]
    with executor(1) as workers:
        found = measure_curves(tasks, workers, "toys", progress=False)
    assert [points.image for points in found] == list("cab")


@pytest.mark.parametrize("family", LADDERS)
def test_a_rate_distortion_run_takes_its_part_of_the_one_ladder(family):
    codec = make_image_codec(family)
    whole, part = ImageCurveCodec(codec).points, make_rd_codec(family).points
    start = whole.index(part[0])
    assert part == whole[start : start + len(part)] and len(part) >= 8


def test_bounds_know_reduced_resolutions(tmp_path):
    """A system may send a small picture, so that its codec's bound has to know it too."""
    img = Original.of(toy_image(1))
    task = RateTask(
        "jpeg:headers=file", "toy", img, ("psnr_db",), "v1", tmp_path, make_image_codec,
        toy_measure,
    )  # fmt: skip
    whole, both = (
        run_rate_task(dataclasses.replace(task, reduced=reduced)) for reduced in (False, True)
    )
    assert both.points[: len(whole.points)] == whole.points
    assert {point.partition(" at ")[2] for point in both.points} == {"", "1/2", "1/4", "1/8"}
    assert min(both.num_bits) < min(whole.num_bits)
    best = best_of_resolutions(both)
    curves = [
        RateQuality(np.array(c.num_bits), np.array(c.metrics["psnr_db"]), c.failure["psnr_db"])
        for c in (whole, best)
    ]
    bits = np.geomspace(min(both.num_bits), max(both.num_bits), 200)
    one, other = (curve.at(bits) for curve in curves)
    assert (other >= one - 1e-9).all() and (other > one + 0.5).any()
    reached = curves[1].at(np.array(both.num_bits))
    assert (reached >= np.array(both.metrics["psnr_db"]) - 1e-9).all()
    assert best_of_resolutions(whole) == whole
