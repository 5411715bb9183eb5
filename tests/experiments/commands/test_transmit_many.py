"""``scmc-comm transmit`` of several pictures and over many draws."""

import json

import pandas as pd
import pytest
from PIL import Image
from verbs import fails, run

from scmc_comm.images import load_photo, save_png


def test_several_pictures_have_a_row_each_and_a_picture_each(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("chelsea", "coffee"):
        save_png(load_photo(name, 64), tmp_path / "in" / f"{name}.png")
    sends = (
        "transmit", tmp_path / "in", "--snr", "5", "--cbr", "1/2", "--system", "jpeg:layers=2",
        "--channel", "rayleigh_block", "--trials", "20", "-o", tmp_path / "out", "--report",
    )  # fmt: skip
    out = run(capsys, *sends, tmp_path / "a.csv")
    assert "chelsea.png: delivered image.1 " in out and "2 pictures in" in out
    assert Image.open(tmp_path / "out" / "coffee.png").size == (64, 64)
    rows = pd.read_csv(tmp_path / "a.csv")
    assert rows.image.tolist() == ["chelsea.png", "coffee.png"] and set(rows.trials) == {20}
    run(capsys, *sends, tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    for row, one in zip(rows.to_dict("records"), told["pictures"], strict=True):
        arrived = [d["delivered"] for d in one["draws"]]
        assert row["delivered_image.1"] == sum("image.1" in tags for tags in arrived) / 20
        each = [d["metrics"]["psnr_db"] for d in one["draws"]]
        assert row["psnr_db"] == pytest.approx(sum(each) / 20)
        assert one["ledger"]["units"] and row["channel_uses"] == one["ledger"]["used"]
    assert len({d["seed"] for one in told["pictures"] for d in one["draws"]}) == 40


def test_a_draw_of_many_is_repeated_by_its_seed(folder, tmp_path, capsys):
    sends = ("transmit", folder / "cat.png", "--snr", "8", "--cbr", "1/8", "--system", "jpeg",
             "--channel", "rayleigh_block", "-o", tmp_path / "a.png", "--report", tmp_path / "a.json")  # fmt: skip
    out = run(capsys, *sends, "--trials", "9")
    assert "95 % interval" in out and "9 draws" in out
    draw = json.loads((tmp_path / "a.json").read_text())["draws"][5]
    run(capsys, *sends, "--seed", draw["seed"])
    again = json.loads((tmp_path / "a.json").read_text())
    assert again["draws"] == [draw] and again["delivered"] == draw["delivered"]


MANY = ("transmit", "cat.png", "cat.png", "--snr", "3", "--cbr", "1/8", "--system", "jpeg")


@pytest.mark.parametrize(
    ("args", "word"),
    [((*MANY, "-o", "x.png"), "go to a folder"), ((*MANY, "-o", "."), "holds the originals"),
     ((*MANY, "-o", "out", "--report", "r.txt"), "end in .json or .csv"),
     ((*MANY, "-o", "out", "--trials", "0"), "a whole number, 1 to 1e7"),
     (("transmit", "none", *MANY[3:], "-o", "out"), "no image set, folder or picture 'none'")],
)  # fmt: skip
def test_mistakes_with_several_pictures(folder, capsys, monkeypatch, args, word):
    monkeypatch.chdir(folder)
    assert word in fails(capsys, *args)
    assert not (folder / "out").exists()


@pytest.mark.parametrize("system", ["jpeg", "deepjscc"])
def test_times_of_both_codecs_stand_in_the_report_when_asked_for(folder, tmp_path, capsys, system):
    sends = ("transmit", folder / "cat.png", "--snr", "8", "--cbr", "1/8", "--system", system,
             "-o", tmp_path / "a.png", "--report")  # fmt: skip
    out = run(capsys, *sends, tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    assert "encode" not in out and "times" not in told and "machine" not in told
    out = run(capsys, *sends, tmp_path / "a.json", "--times", "2")
    told = json.loads((tmp_path / "a.json").read_text())
    assert "medians of 2" in out and told["machine"]["cores"] >= 1
    assert told["times"].pop("num_repetitions") == 2
    names = {"encode_s", "encode_cpu_s", "decode_s", "decode_cpu_s"}
    assert set(told["times"]) == names and min(told["times"].values()) > 0
    run(capsys, *sends, tmp_path / "a.csv", "--times", "1")
    (row,) = pd.read_csv(tmp_path / "a.csv").to_dict("records")
    assert row["num_repetitions"] == 1 and min(row[name] for name in names) > 0


def test_a_picture_that_cannot_be_read_is_known_before_the_first_is_sent(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    save_png(load_photo("coffee", 64), tmp_path / "in" / "1.png")
    (tmp_path / "in" / "2.png").write_bytes(b"no picture")
    sends = ("transmit", tmp_path / "in", *MANY[3:], "-o", tmp_path / "out")
    assert "2.png cannot be read" in fails(capsys, *sends)
    assert not (tmp_path / "out").exists()
