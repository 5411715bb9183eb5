"""Data sets by name, on made-up copies in their published layouts."""

import logging

import made_up_sets as made
import numpy as np
import pytest
import torch
from PIL import Image

from experiments.training.data import SIDE, load_split
from scmc_comm.datasets import find_set, read_set
from scmc_comm.datasets.picture import split_by_name
from scmc_comm.errors import ScmcError


def by_split(folder):
    out = {"train": [], "val": [], "test": []}
    for p in read_set(folder):
        out[p.split].append(p)
    return out


# --- layouts --------------------------------------------------------------------------------


def test_cub_reads_the_published_lists(tmp_path):
    folder = made.cub(tmp_path / "CUB_200_2011", per_class=30)
    every = read_set(folder)
    assert len(every) == 90 and all(p.path.is_file() for p in every)
    first = every[0]
    assert first.name == "001.Black_footed_Albatross/Black_footed_Albatross_0000_1.jpg"
    assert first.class_name == "black footed albatross" and every[-1].class_name == "cardinal"
    assert len(first.captions) == 10
    assert first.captions[3] == "this bird number 1 has 3 feathers."
    splits = by_split(folder)
    assert len(splits["test"]) == 45  # published, untouched
    assert len(splits["val"]) + len(splits["train"]) == 45
    assert 1 <= len(splits["val"]) <= 10
    assert all(split_by_name(p.name) == "val" for p in splits["val"])
    assert not {p.name for p in splits["train"]} & {p.name for p in splits["val"]}


@pytest.mark.parametrize(
    "missing",
    ["images", "train_test_split.txt", "classes.txt", "image_class_labels.txt", "text_c10"],
)
def test_cub_says_what_is_missing(tmp_path, missing):
    folder = made.cub(tmp_path / "cub", per_class=1)
    (folder / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(ScmcError, match=f"lacks {missing} of the CUB-200-2011 layout"):
        read_set(folder)


def test_cub_says_all_that_is_missing(tmp_path):
    (tmp_path / "images.txt").write_text("1 a/b.jpg\n")
    with pytest.raises(ScmcError, match="lacks images, train_test_split.txt, classes.txt, "):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "match"),
    [
        ("train_test_split.txt", "1 1\n", "no line for picture 2"),
        ("image_class_labels.txt", "1 1\n", "no line for picture 2"),
        ("image_class_labels.txt", "1 1\n2 9\n3 3\n", "no class 9"),
        ("images.txt", "1\n", "line 1 of"),
        ("images.txt", "1 a.jpg\n1 b.jpg\n", "line 2 of"),
    ],
)
def test_cub_lists_that_disagree(tmp_path, file, text, match):
    folder = made.cub(tmp_path / "cub", per_class=1)
    (folder / file).write_text(text)
    with pytest.raises(ScmcError, match=match):
        read_set(folder)


def test_cub_captions_missing_or_empty(tmp_path):
    folder = made.cub(tmp_path / "cub", per_class=1)
    text = next((folder / "text_c10").rglob("*.txt"))
    text.write_text("\n \n")
    with pytest.raises(ScmcError, match="empty"):
        read_set(folder)
    text.unlink()
    with pytest.raises(ScmcError, match=text.name):
        read_set(folder)


def test_captions_with_bytes_of_no_encoding_are_read(tmp_path):
    folder = made.cub(tmp_path / "cub", per_class=1)
    text = next((folder / "text_c10").rglob("*.txt"))
    text.write_bytes(b"a bird \xff with a beak\n")
    assert ("a bird \ufffd with a beak",) in [p.captions for p in read_set(folder)]


def test_oxford_reads_matlab_s_splits_and_labels(tmp_path):
    splits = by_split(made.oxford(tmp_path / "102flowers"))
    assert [p.name for p in splits["train"]] == ["image_00001.jpg", "image_00008.jpg"]
    assert [p.name for p in splits["val"]] == ["image_00003.jpg"]
    assert len(splits["test"]) == 5
    one, eight = splits["train"]
    assert (one.class_name, eight.class_name) == ("passion flower", "pink primrose")
    assert len(one.captions) == 10 and one.captions[9] == "flower 1, caption 9"
    assert splits["test"][2].class_name == "pink-yellow dahlia"


def test_oxford_without_captions(tmp_path):
    every = read_set(made.oxford(tmp_path / "102flowers", captions=False))
    assert len(every) == 8 and not any(p.captions for p in every)


@pytest.mark.parametrize("missing", ["jpg", "imagelabels.mat", "setid.mat"])
def test_oxford_says_what_is_missing(tmp_path, missing):
    folder = made.oxford(tmp_path / "102flowers")
    (folder / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(ScmcError, match=f"lacks {missing} of the Oxford-102 layout"):
        read_set(folder)


def test_oxford_files_that_are_no_or_other_matlab_files(tmp_path):
    from scipy.io import savemat

    folder = made.oxford(tmp_path / "102flowers", captions=False)
    savemat(folder / "imagelabels.mat", {"labels": np.array([[5, 10, 1]])})
    with pytest.raises(ScmcError, match="names picture 4, but imagelabels.mat has 3"):
        read_set(folder)
    savemat(folder / "imagelabels.mat", {"labels": np.full((1, 8), 103)})
    with pytest.raises(ScmcError, match="label 103"):
        read_set(folder)
    savemat(folder / "setid.mat", {"other": np.zeros((1, 3))})
    with pytest.raises(ScmcError, match="trnid, valid, tstid"):
        read_set(folder)
    (folder / "setid.mat").write_bytes(b"MATLAB 5.0 no such thing" * 20)
    with pytest.raises(ScmcError, match="is not the MATLAB file"):
        read_set(folder)


def test_a_table_needs_only_file_and_split(tmp_path):
    made.picture(tmp_path / "images" / "a.png", 0)
    (tmp_path / "captions.csv").write_text("split,file\nval,a.png\n")
    (only,) = read_set(tmp_path)
    assert (only.name, only.split, only.captions, only.class_name) == ("a.png", "val", (), "")


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ("file,split,caption\na.png,test,red, green\n", "line 2 .* put cells .* in quotes"),
        ("file,split,caption\na.png,test\n", "line 2 .* another number of cells"),
        ('file,split,caption\na.png,test,"red\nb.png,test,blue\n', "no CSV"),
        ("file,split\na.png,train\na.png,test\n", "line 3 .* 'a.png' again"),
        ("file,split,caption,caption\na.png,test,x,y\n", "column 'caption' twice"),
        ("file;split\na.png;test\n", "lacks the column 'file'.* with commas"),
    ],
)
def test_a_table_that_would_lose_something_is_refused(tmp_path, lines, match):
    (tmp_path / "images").mkdir()
    (tmp_path / "captions.csv").write_text(lines)
    with pytest.raises(ScmcError, match=match):
        read_set(tmp_path)


def test_a_table_as_excel_writes_it(tmp_path):
    (tmp_path / "images").mkdir()
    text = '\ufefffile,split,caption\r\na.png,test,"red, green"\r\n'
    (tmp_path / "captions.csv").write_bytes(text.encode())
    assert [p.captions for p in read_set(tmp_path)] == [("red, green",)]


def test_tables_may_have_several_captions_a_picture(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "captions.csv").write_text(
        "file,split,caption,caption2,caption3\na.png,val,one,,three\nb.png,val,,,\n"
    )
    assert [p.captions for p in read_set(tmp_path)] == [("one", "three"), ()]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("file,caption\na.png,x\n", "lacks the column 'split'"),
        ("", "lacks the column 'file'"),
        ("file,split\na.png,train\nb.png,dev\n", "line 3 of .*'dev'"),
        ("file,split\na.png\n", "line 2 of .*another number of cells"),
        ("file,split\na.png,tr\udcffin\n", "is no CSV in UTF-8"),
        (f"file,split,caption\na.png,train,{'x' * 200_000}\n", "is no CSV in UTF-8: field larger"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, match):
    (tmp_path / "images").mkdir()
    (tmp_path / "captions.csv").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(ScmcError, match=match):
        read_set(tmp_path)


def test_a_table_without_its_images(tmp_path):
    (tmp_path / "captions.csv").write_text("file,split\n")
    with pytest.raises(ScmcError, match="lacks images"):
        read_set(tmp_path)


@pytest.mark.parametrize("inner", ["", "images"])
def test_a_folder_of_pictures_is_split_by_name(tmp_path, inner):
    for name in ("robin.png", "owl.png", "finch.png"):
        made.picture(tmp_path / inner / name, 0)
    (tmp_path / inner / "notes.txt").write_text("x")
    (tmp_path / inner / ".hidden.png").write_text("x")
    got = {p.name: p.split for p in read_set(tmp_path)}
    assert got == {"robin.png": "train", "owl.png": "val", "finch.png": "test"}
    made.picture(tmp_path / inner / "a.png", 0)
    assert got.items() <= {p.name: p.split for p in read_set(tmp_path)}.items()


def test_splits_by_name_are_8_1_1():
    splits = [split_by_name(f"{i:05d}.jpg") for i in range(20_000)]
    assert splits.count("val") / 20_000 == pytest.approx(0.1, abs=0.01)
    assert splits.count("test") / 20_000 == pytest.approx(0.1, abs=0.01)


def test_an_unknown_layout_lists_the_known(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ScmcError, match=r"CUB-200-2011: .*Oxford-102: .*captions.csv: .*pictures:"):
        read_set(tmp_path)


# --- finding --------------------------------------------------------------------------------


def test_the_folder_of_several_sets_and_the_set_itself(tmp_path, caplog):
    folder = made.table(tmp_path / "roses")
    assert find_set(tmp_path, "roses") == folder
    assert find_set(folder, "roses") == folder and not caplog.text
    with caplog.at_level(logging.WARNING):
        assert find_set(folder, "flowers256") == folder
    assert "stands in for flowers256" in caplog.text


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("cub-200-2011", "CUB_200_2011"),
        ("oxford-102", "102flowers"),
        ("oxford-102", "flowers-102"),
        ("cub-200-2011", "cub-200-2011"),
    ],
)
def test_published_names_know_their_folders(tmp_path, name, inside):
    (tmp_path / inside).mkdir()
    assert find_set(tmp_path, name) == tmp_path / inside


def test_no_such_set(tmp_path):
    made.table(tmp_path / "roses")
    with pytest.raises(ScmcError, match="no data set 'tulips'"):
        find_set(tmp_path, "tulips")
    with pytest.raises(ScmcError, match="no data set"):
        find_set(tmp_path / "none", "tulips")


# --- load_split -----------------------------------------------------------------------------


def test_load_split_of_a_table(tmp_path):
    made.table(tmp_path / "roses")
    got = load_split(tmp_path, "roses", "train", tmp_path / "cache")
    assert got.files == ("p0.png", "p1.png", "p4.png", "p5.png") and len(got) == 4
    assert got.captions[1] == "a blue rose, with many petals"
    assert got.class_names[0] == "red rose"
    assert got.all_captions[0] == (got.captions[0],)
    assert got.pixels.shape == (4, SIDE, SIDE, 3) and got.pixels.dtype == np.uint8
    batch = got.batch([2, 0])
    assert batch.shape == (2, 3, SIDE, SIDE) and batch.dtype == torch.float32


def test_load_split_keeps_ten_captions_and_the_middle_square(tmp_path):
    folder = made.cub(tmp_path / "CUB_200_2011", per_class=2)
    for p in read_set(folder):
        wide = np.zeros((100, 300, 3), np.uint8)
        wide[:, 100:200] = 200
        Image.fromarray(wide).save(p.path)
    got = load_split(tmp_path, "cub-200-2011", "test", tmp_path / "cache")
    assert [len(c) for c in got.all_captions] == [10, 10, 10]
    assert got.captions[0] == got.all_captions[0][0]
    assert got.class_names == ("black footed albatross", "laysan albatross", "cardinal")
    assert got.pixels[:, :, 8:-8].min() > 190  # cropped, not squeezed


def test_pictures_are_decoded_once_and_again_if_the_set_changed(tmp_path, monkeypatch):
    folder, cache = made.table(tmp_path / "roses"), tmp_path / "cache"
    first = load_split(tmp_path, "roses", "train", cache).pixels.copy()
    with monkeypatch.context() as patch:
        patch.setattr("scmc_comm.images.load_square", lambda *a: pytest.fail("decoded twice"))
        np.testing.assert_array_equal(load_split(folder, "x", "train", cache).pixels, first)
    made.picture(folder / "images" / "p0.png", 99, (60, 60))
    again = load_split(tmp_path, "roses", "train", cache).pixels
    assert (again[0] != first[0]).any() and (again[1] == first[1]).all()
    assert sorted(p.suffix for p in cache.iterdir()) == [".npy", ".sha256"]


def test_a_picture_that_is_missing_or_damaged_leaves_nothing_half_done(tmp_path):
    folder, cache = made.table(tmp_path / "roses"), tmp_path / "cache"
    (folder / "images" / "p4.png").write_bytes(b"no picture")
    with pytest.raises(ScmcError, match=r"p4\.png cannot be read"):
        load_split(tmp_path, "roses", "train", cache)
    assert not list(cache.iterdir())
    (folder / "images" / "p4.png").unlink()
    with pytest.raises(ScmcError, match=r"names picture p4\.png"):
        load_split(tmp_path, "roses", "train", cache)


def test_a_split_without_pictures_says_what_there_is(tmp_path):
    made.table(tmp_path / "roses", count=2)
    with pytest.raises(ScmcError, match="no pictures in split 'val'; it has 2 in train, 0 in val"):
        load_split(tmp_path, "roses", "val", tmp_path / "cache")


def test_pictures_of_other_modes_are_converted(tmp_path):
    Image.fromarray(np.full((50, 50), 77, np.uint8)).save(tmp_path / "robin.png")
    Image.new("RGBA", (64, 40), (255, 0, 0, 0)).save(tmp_path / "dog.png")
    got = load_split(tmp_path, "any", "train", tmp_path / "cache")
    assert got.files == ("dog.png", "robin.png") and got.captions == ("", "")
    assert (got.pixels[0] == 255).all() and (got.pixels[1] == 77).all()
