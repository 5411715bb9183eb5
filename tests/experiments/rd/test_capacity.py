"""Codec + capacity against published values: how it is read, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.commands.main import main
from experiments.rd import capacity
from experiments.rd.anchors import Anchors, load_anchors
from experiments.sweep.originals import Original
from experiments.sweep.rate_points import RatePoints
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo

CURVES = Path(os.environ.get("SCMC_ANCHORS", "nowhere")) / "kodak_rd.json"


def exact(codec, at, image="a", shift=0.0):
    """Points of a codec whose curve is that which was published, moved by so many dB."""
    rows = [p for p in capacity.PUBLISHED if p.codec == codec]
    bpp = [capacity.bpp_at_capacity(p.rho, p.esno_db) for p in rows]
    bits, psnr = [at * b for b in bpp], [p.psnr_db + shift for p in rows]
    return RatePoints(codec, image, tuple(bits), {"psnr_db": tuple(psnr)}, {"psnr_db": 12.0})


@pytest.fixture(scope="module")
def pictures():
    photos = {"a": "coffee", "b": "chelsea"}
    return {key: Original.of(load_photo(name, 64)) for key, name in photos.items()}


@pytest.mark.parametrize(("shift", "result"), [(0.0, "pass"), (0.25, "pass"), (-0.35, "FAIL")])
def test_a_curve_passes_within_its_tolerance(pictures, shift, result):
    table = capacity.compare([exact("jpeg-plain", 64 * 64, shift=shift)], pictures)
    assert table.result.tolist() == [result] * 2
    np.testing.assert_allclose(table.difference, shift, atol=1e-9)


def test_the_mean_curve_is_not_the_mean_of_curves(pictures):
    found = [exact("vvc:headers=file", 64 * 64), exact("vvc:headers=file", 2 * 64 * 64, "b", 2.0)]
    table = capacity.compare(found, pictures)
    # The second picture needs twice the bits: at the lowest rate its own curve has no point yet.
    assert table.per_image.iloc[0] == pytest.approx((27.31 + 12.0) / 2)
    assert np.isnan(table.mean_curve.iloc[0]) and table.result.iloc[0] == "FAIL"


def test_a_better_codec_has_no_limit(pictures):
    table = capacity.compare([exact("jpeg:headers=file", 64 * 64, shift=5)], pictures)
    assert table.result.tolist() == ["no limit"] * 2
    assert capacity.cells(table)[1][0][-2:] == ["-", "no limit"]


def test_published_curves_are_read_anew(pictures):
    bpp = np.array([0.1, 10.0])
    curves = Anchors("toy", {"jpeg": {"bpp": bpp, "psnr_db": np.array([20.0, 40.0])}})
    table = capacity.compare([exact("jpeg-plain", 64 * 64)], pictures, curves)
    wanted = 20 + 20 * np.log(table.bpp / 0.1) / np.log(100)
    np.testing.assert_allclose(table.published_curve, wanted)


@pytest.mark.skipif(
    not CURVES.is_file(), reason="SCMC_ANCHORS does not name a folder with kodak_rd.json"
)
def test_published_values_are_those_of_the_published_curves():
    curves = load_anchors(CURVES).curves
    for anchor in capacity.PUBLISHED:
        rate = capacity.bpp_at_capacity(anchor.rho, anchor.esno_db)
        theirs = curves[anchor.curve]
        found = capacity.psnr_at(theirs["bpp"], theirs["psnr_db"], rate)
        assert found == pytest.approx(anchor.psnr_db, abs=0.01)


def test_plain_tables_cost_bytes_and_change_no_pixel(pictures):
    plain, fitted = capacity.PlainJpeg(), make_image_codec("jpeg:headers=file")
    img = pictures["a"].img
    long, short = plain.encode(img, 25), fitted.encode(img, 25)
    assert len(long) > len(short)
    assert (plain.decode(long, (64, 64)) == fitted.decode(short, (64, 64))).all()


def test_the_anchors_are_measured_at_their_own_qualities(pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(capacity.QUALITIES, "jpeg-plain", (25, 75))
    (found, _) = capacity.measure_anchors(["jpeg-plain"], pictures, 1, tmp_path, progress=False)
    data = capacity.PlainJpeg().encode(pictures["a"].img, 25)
    assert found.points == ("25", "75") and found.num_bits[0] == 8 * len(data)


def test_other_pictures_or_codecs_are_refused(tmp_path, capsys):
    with pytest.raises(ScmcError, match="24 of Kodak"):
        capacity.run_anchors("photos", tmp_path, progress=False)
    with pytest.raises(SystemExit) as stop:
        main(["anchors", "--images", "photos", "--out", str(tmp_path), "--codecs", "bpg"])
    assert stop.value.code == 2
    assert "there are published values for jpeg-plain" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
