"""The stream: pictures along an SNR trace, and the film of what arrives."""

import math

import numpy as np
import pytest
from fakes import TOYS
from PIL import Image

from channels.fading.trace import ReplayTrace
from channels.timed.traces import ConstantTrace
from experiments.commands.main import main
from experiments.execution.cache import Cache
from experiments.figures import film as films
from experiments.figures.film import Film, save
from experiments.timed.library import Library
from experiments.timed.stream import StreamSettings, play, synthetic_fade
from scmc_comm.errors import ScmcError

SCHEMES = ("toy", "toy-flat:priorities=equal")
SETTINGS = StreamSettings(pictures_per_s=2.0, bandwidth_hz=1500.0)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    cache = Cache(tmp_path_factory.mktemp("stream"))
    images = TOYS.load_images("photos", 3)
    return Library(images, "toy", 1 / 24, 10.0, ("psnr_db",), cache, TOYS)


@pytest.fixture(scope="module")
def fade():
    return ReplayTrace((0.0, 2.0, 4.0, 6.0), (20.0, -6.0, -6.0, 20.0))


@pytest.fixture(scope="module")
def film(library, fade):
    return Film(library, play(library, SCHEMES, fade, SETTINGS), fade, 0.5, side=96)


def test_a_fade_takes_the_upper_layers_first(film):
    shots = film.shots["toy"]
    assert len(shots) == 12 and [s.image for s in shots[:4]] == ["img0", "img1", "img2", "img0"]
    assert shots[0].delivered == shots[-1].delivered == {"semantic", "structure", "signal"}
    assert shots[0].sent == ("semantic", "structure", "signal")
    deepest = [len(shot.delivered) for shot in shots[4:8]]
    assert max(deepest) < 3
    for shot in shots:
        assert "signal" not in shot.delivered or "semantic" in shot.delivered
        assert shot.seen.caption == ("a toy picture" if "semantic" in shot.delivered else "")


def test_a_frame_shows_what_arrived(film):
    clear, faded = (np.asarray(film.frame(i), dtype=float) for i in (0, 5))
    assert clear.shape == (film.size[1], film.size[0], 3) and film.size[0] % 2 == 0
    top = slice(8 + 17, 8 + 17 + 64)
    original, shown = clear[top, 8:72], clear[top, 112:176]
    assert (
        0
        < np.abs(original - shown).mean()
        < np.abs(faded[top, 8:72] - faded[top, 112:176]).mean() + 20
    )  # the toy's signal layer is a little coarser than the original


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_films_hold_every_picture(film, tmp_path, ending):
    path = tmp_path / f"film{ending}"
    save(film, path)
    assert list(tmp_path.iterdir()) == [path]
    if ending == ".gif":
        with Image.open(path) as opened:
            assert opened.n_frames >= 8 and opened.size == film.size
            durations = []
            for i in range(opened.n_frames):
                opened.seek(i)
                durations.append(opened.info["duration"])
            assert sum(durations) == 6000
    else:
        data = path.read_bytes()
        assert data[4:8] == b"ftyp" and b"avc1" in data


def test_the_built_in_fade_begins_and_ends_well():
    trace = synthetic_fade()
    assert trace.levels_db[0] == pytest.approx(trace.levels_db[-1])
    assert -10 < min(trace.levels_db) < -7 < 17 < trace.esno_db(0.0)
    assert math.isfinite(trace.esno_db(100.0)) and isinstance(ConstantTrace(1.0).level_db, float)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"pictures_per_s": 0.0}, "pictures_per_s is 0"),
        ({"bandwidth_hz": math.nan}, "bandwidth_hz is nan"),
        ({"duration_s": -1.0}, "duration_s is -1"),
    ],
)
def test_wrong_settings_are_refused(change, wrong):
    with pytest.raises(ScmcError, match=wrong):
        StreamSettings(**change)


def test_too_long_and_too_short_streams_are_refused(fade):
    for settings in (StreamSettings(pictures_per_s=1000.0), StreamSettings(duration_s=0.1)):
        with pytest.raises(ScmcError, match="expected 1 to 600"):
            settings.num_pictures(fade)


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["photos", "--out", "film.avi"], "name it film.gif or film.mp4"),
        (["photos", "--out", "absent/film.gif"], "create it first"),
        (["photos", "--out", "film.gif", "--trace", "absent.csv"], "no trace file"),
        (["photos", "--out", "film.gif", "--trace", "bad.csv"], "line 3"),
        (["absent", "--out", "film.gif"], "absent"),
        (["photos", "--out", "film.gif", "--bandwidth-hz", "0"], "--bandwidth-hz: '0'"),
        (["photos", "--out", "film.gif", "--num-images", "0"], "num-images: '0'"),
        (["photos", "--out", "film.gif", "--side", "9"], "side: '9'"),
    ],
)
def test_the_command_refuses_in_one_line(args, wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("time_s,esno_db\n0,1\n1,x\n")
    with pytest.raises(SystemExit) as exit_info:
        main(["stream", *args])
    error = capsys.readouterr().err
    assert exit_info.value.code == 2 and wrong in error and error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["bad.csv"]


def test_long_captions_are_cut(film):
    assert films._wrap("word " * 100, 96)[-1].endswith("…")
    assert len(films._wrap("word " * 100, 96)) == 4


@pytest.mark.parametrize(("more", "loaded"), [([], 9), (["--duration-s", "2"], 2)])
def test_a_film_longer_than_the_set_shows_its_pictures_again(
    monkeypatch, tmp_path, capsys, more, loaded
):
    def stop(images, *_):
        raise ScmcError(f"{len(images)} images")

    monkeypatch.setattr("experiments.timed.library.Library", stop)  # before anything is coded
    with pytest.raises(SystemExit):
        main(["stream", "photos", "--out", str(tmp_path / "film.gif"), *more])
    assert f"scmc-comm: {loaded} images" in capsys.readouterr().err
