"""Sets of images: photographs, folders, sides, splits of data sets."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scmc_comm.datasets.image_sets import annotations_of, image_set, set_size, side_of
from scmc_comm.datasets.named_sets import _picture
from scmc_comm.errors import ScmcError
from scmc_comm.images import PHOTOS, save_png
from scmc_comm.types import UNANNOTATED, Annotation


def pixels():
    return np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def test_photos_are_colour_photographs_in_sorted_order():
    got = image_set("photos")
    assert [x.name for x in got] == sorted(PHOTOS) == list(PHOTOS)
    for x in got:
        assert x.img.shape == (3, 256, 256) and x.img.dtype == torch.float32
        assert 0 <= x.img.min() and x.img.max() <= 1 and x.img.std() > 0.05
        assert (x.img[0] - x.img[2]).abs().mean() > 0.01, f"{x.name} is grey"


def test_photo_needs_no_import_of_the_wheels_that_carry_it():
    code = (
        "import sys; from scmc_comm.datasets.image_sets import image_set; image_set('photos', 3, side=64); "
        "assert not {'skimage', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_folder_keeps_pictures_only_in_sorted_order(tmp_path):
    for name in ("b.PNG", "a.webp", "c.jpg", ".hidden.png"):
        Image.fromarray(pixels()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "sub.png").mkdir()
    assert [x.name for x in image_set(tmp_path)] == ["a.webp", "b.PNG", "c.jpg"]
    first = image_set(str(tmp_path), num_images=1, side=32)
    assert [(x.name, tuple(x.img.shape)) for x in first] == [("a.webp", (3, 32, 32))]
    assert [x.name for x in image_set(tmp_path / "c.jpg")] == ["c.jpg"]


@pytest.mark.parametrize(
    ("make", "arguments", "match"),
    [
        (False, {}, "no image set"),
        (True, {}, "holds no pictures"),
        (True, {"num_images": 0}, "num_images"),
        (True, {"side": 16}, "side"),
    ],
)
def test_sets_that_cannot_be(tmp_path, make, arguments, match):
    folder = tmp_path / "set"
    if make:
        folder.mkdir()
    with pytest.raises(ScmcError, match=match):
        image_set(folder, **arguments)


def test_of_too_few_pictures_all_are_taken_with_a_notice(caplog):
    assert len(image_set("photos", num_images=99, side=32)) == 9
    assert "photos has 9 images of the 99 asked for; all are taken" in caplog.text


def test_a_folder_of_a_set_s_name_is_told_apart(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    save_png(torch.rand(3, 40, 40), tmp_path / "photos" / "mine.png")
    assert image_set("photos", 1, side=32)[0].name == "astronaut"
    assert "not the folder photos that is here too; write ./photos" in caplog.text
    for folder in ("./photos", Path("photos")):
        assert [x.name for x in image_set(folder)] == ["mine.png"]
    assert set_size("./photos") == set_size(Path("photos")) == 1


def test_sets_are_looked_for_here_and_then_in_the_folder_of_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SCMC_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for place in ("data/theirs", "data/both", "both"):
        (tmp_path / place).mkdir(parents=True)
        save_png(torch.rand(3, 40, 40), tmp_path / place / f"{place.replace('/', '-')}.png")
    assert [x.name for x in image_set("theirs@32")] == ["data-theirs.png@32"]
    assert [x.name for x in image_set("both")] == ["both.png"]
    with pytest.raises(ScmcError, match="'none', here or in the folder that SCMC_DATA names"):
        image_set("none")
    monkeypatch.delenv("SCMC_DATA")
    with pytest.raises(ScmcError, match="'theirs', here or in"):
        image_set("theirs")


def test_one_set_at_several_sides(tmp_path):
    got = image_set("photos@32+64", num_images=2)
    names = [f"{name}@{side}" for side in (32, 64) for name in PHOTOS[:2]]
    assert [x.name for x in got] == names
    assert [side_of(x.name) for x in got] == [x.img.shape[1] for x in got]
    odd = tmp_path / "set@64"  # a folder that is called so
    odd.mkdir()
    Image.fromarray(pixels()).save(odd / "a.png")
    assert [x.name for x in image_set(odd)] == ["a.png"]
    with pytest.raises(ScmcError, match="side is 4"):
        image_set("photos@4")


def test_a_split_of_a_data_set_gives_every_nth_picture(tmp_path):
    (tmp_path / "images").mkdir()
    rows = ["file,split"]
    for i in range(12):
        save_png(torch.full((3, 40, 40), i / 12), tmp_path / "images" / f"{i:02}.png")
        rows.append(f"{i:02}.png,{'test' if i % 2 else 'train'}")
    (tmp_path / "captions.csv").write_text("\n".join(rows) + "\n")
    source = f"{tmp_path}:test"
    assert set_size(source) == set_size(f"{source}@32") == 6
    names = [x.name for x in image_set(source)]
    assert names == ["01.png", "03.png", "05.png", "07.png", "09.png", "11.png"]
    assert [x.name for x in image_set(source, 3)] == ["01.png", "05.png", "09.png"]
    assert [x.name for x in image_set(f"{source}@32", 2)] == ["01.png@32", "07.png@32"]
    with pytest.raises(ScmcError, match="no pictures in split 'val'"):
        image_set(f"{tmp_path}:val")


def test_two_pictures_of_one_name_in_a_split_are_refused(tmp_path):
    """One of them would take the other's place in results, and its captions."""
    for kind in ("rose", "tulip"):
        (tmp_path / "images" / kind).mkdir(parents=True)
        save_png(torch.rand(3, 40, 40), tmp_path / "images" / kind / "1.png")
    table = tmp_path / "captions.csv"
    table.write_text("file,split\nrose/1.png,test\ntulip/1.png,test\n")
    for read in (image_set, annotations_of):
        with pytest.raises(ScmcError, match="two pictures called 1.png, .*rose.* and .*tulip"):
            read(f"{tmp_path}:test")
    table.write_text("file,split\nrose/1.png,test\ntulip/1.png,train\n")
    assert [x.name for x in image_set(f"{tmp_path}:test")] == ["1.png"]


def test_what_a_table_states_goes_with_its_pictures(tmp_path):
    (tmp_path / "images").mkdir()
    rows = ["file,split,class_name,caption,caption2"]
    for n in range(4):
        Image.fromarray(pixels()).save(tmp_path / "images" / f"{n}.png")
        rows.append(f"{n}.png,{'test' if n % 2 else 'train'},rose {n},a rose,flower {n}")
    (tmp_path / "captions.csv").write_text("\n".join(rows))
    source = f"{tmp_path}:test"
    want = {f"{n}.png": Annotation(f"rose {n}", ("a rose", f"flower {n}")) for n in (1, 3)}
    assert annotations_of(source) == want
    assert {x.name: x.annotation for x in image_set(source)} == want
    assert list(annotations_of(source, 1)) == [x.name for x in image_set(source, 1)]
    at_sides = {x.name: x.annotation for x in image_set(f"{source}@32+40", 2)}
    assert at_sides == annotations_of(f"{source}@32+40", 2) and len(at_sides) == 4
    loose = {x.name: x.annotation for x in image_set(tmp_path / "images")}
    assert loose == annotations_of(tmp_path / "images") == dict.fromkeys(loose, UNANNOTATED)
    assert set(annotations_of("photos", 2).values()) == {UNANNOTATED}


@pytest.mark.parametrize(
    ("picture", "match"),
    [
        (torch.full((3, 40, 40), 200.0), "values from 200 to 200; expected 0 to 1"),
        (torch.full((3, 40, 40), torch.nan), "values from nan"),
        (torch.zeros(3, 0, 40), r"is \[3, 0, 40\]"),
        (object(), "is object; expected"),
    ],
)
def test_a_plug_in_s_pictures_that_are_none_say_what_came(picture, match):
    with pytest.raises(ScmcError, match=match):
        _picture("mine", picture, None)
