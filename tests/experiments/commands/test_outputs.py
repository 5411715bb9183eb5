"""Every verb says that its files cannot be written, or are of another format, before the work."""

import pytest
from verbs import fails

SEND = ("transmit", "cat.png", "--snr", "3", "--cbr", "1/8", "--system", "jpeg")
PLAN = ("plan", "--cbr", "1/24", "--snr", "6", "--json")
VERBS = {
    "encode": (("encode", "cat.png", "-o"), "x.scmc"),
    "decode": (("decode", "cat.scmc", "-o"), "x.png"),
    "transmit": ((*SEND, "-o"), "x.png"),
    "report of transmit": ((*SEND, "-o", "x.png", "--report"), "x.json or x.csv"),
    "plan": (PLAN, "x.json"),
    "stream": (("stream", "photos", "--out"), "x.gif or x.mp4"),
    "bler": (("bler", "--mcs", "2,0.5", "--bits", "512", "--out"), "x.npz"),
    "compare": (("compare", "results", "-o"), "x.csv"),
    "plot": (("plot", "results", "-o"), "x.pdf or x.svg or x.png"),
    "report": (("report", "results", "--out"), "x.html or x.htm"),
}
FOLDERS = {
    "sweep": ("sweep", "quick", "--out"),
    "timed": ("sweep", "congestion", "--out"),
    "rd": ("rd", "--codecs", "jpeg", "--images", "photos", "--out"),
    "transmit": (*SEND[:2], "cat.png", *SEND[2:], "-o"),
    "figures of compare": ("compare", "results", "--figures"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("ending", [".jpg", ".docx", ""])
def test_a_name_of_another_format_is_refused(folder, capsys, monkeypatch, verb, ending):
    monkeypatch.chdir(folder)
    args, names = VERBS[verb]
    said = fails(capsys, *args, f"x{ending}")
    assert f"name it {names}" in said
    assert not list(folder.glob("x*"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_that_is_not_there_or_cannot_be_written_to_is_said(
    folder, capsys, monkeypatch, verb
):
    monkeypatch.chdir(folder)
    args, names = VERBS[verb]
    name = names.split()[0]
    if verb != "report":  # which makes its folder
        assert "create it first" in fails(capsys, *args, f"none/{name}")
    assert "cannot write to folder /proc" in fails(capsys, *args, f"/proc/{name}")


@pytest.mark.parametrize("verb", FOLDERS)
def test_a_folder_of_results_that_cannot_be_made_is_said(folder, capsys, monkeypatch, verb):
    monkeypatch.chdir(folder)
    assert "cannot write to folder /proc/x" in fails(capsys, *FOLDERS[verb], "/proc/x")
    assert "is a file" in fails(capsys, *FOLDERS[verb], "cat.scmc")
