"""The command line as a user meets it: what it writes, and one line for every mistake."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from verbs import fails, run

from channels.fading.models import make_channel
from channels.specs import parameters
from experiments.commands.main import main, parser
from experiments.sweeps import load_sweep, plain
from scmc_comm.images import load_photo, save_png

ROOT = Path(__file__).parents[3]


def test_encode_then_decode(folder, capsys):
    out = run(capsys, "decode", folder / "cat.scmc", "-o", folder / "back.png")
    assert "shown from: signal" in out and "From top to bottom:" in out
    assert Image.open(folder / "back.png").size == (128, 128)


def test_decode_some_layers(folder, capsys):
    out = run(
        capsys, "decode", folder / "cat.scmc", "-o", folder / "low.png",
        "--layers", "semantic,structure",
    )  # fmt: skip
    assert "shown from: structure" in out


def test_decode_other_words(folder, capsys):
    out = run(
        capsys, "decode", folder / "cat.scmc", "-o", folder / "rose.png",
        "--layers", "semantic", "--caption", "a red rose",
    )  # fmt: skip
    assert "caption: a red rose" in out


def test_decode_for_least_error_or_best_look(folder, capsys):
    original = np.asarray(Image.open(folder / "cat.png"), float)
    errors = []
    for realism in ("0", "1"):
        target = folder / f"look{realism}.png"
        run(capsys, "decode", folder / "cat.scmc", "-o", target, "--signal.realism", realism)
        errors.append(((np.asarray(Image.open(target), float) - original) ** 2).mean())
    assert errors[0] < errors[1]


@pytest.mark.parametrize("system", ["scmc", "jpeg", "vvc", "deepjscc"])
def test_transmit_writes_picture_and_report(folder, capsys, system):
    target, report = folder / f"{system}.png", folder / f"{system}.json"
    run(
        capsys, "transmit", folder / "cat.png", "--esno-db", "12", "--rho", "1/8",
        "--system", system, "-o", target, "--report", report,
    )  # fmt: skip
    told = json.loads(report.read_text())
    assert told["ledger"]["used"] <= told["ledger"]["budget_uses"] == 128 * 128 * 3 // 8
    assert told["level"] == "signal" if system == "scmc" else told["delivered"]
    assert told["metrics"]["psnr_db"] > 15 and 1 < told["papr_db"] < 30
    assert Image.open(target).size == (128, 128)


@pytest.mark.parametrize("system", ["jpeg", "scmc"])
def test_reports_of_small_pictures_are_strict_json(tmp_path, capsys, system):
    save_png(load_photo("chelsea", 32), tmp_path / "small.png")
    run(
        capsys, "transmit", tmp_path / "small.png", "--snr", "12", "--cbr", "1/2", "--system",
        system, "-o", tmp_path / "got.png", "--report", tmp_path / "got.json",
    )  # fmt: skip

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    told = json.loads((tmp_path / "got.json").read_text(), parse_constant=refuse)
    assert told["metrics"]["ms_ssim"] is None and told["metrics"]["psnr_db"] > 10


SENDS = ("transmit", "cat.png", "--esno-db", "3", "--rho", "1/8")
MISTAKES = {
    "missing picture": (("encode", "none.png", "-o", "x.scmc"), "none.png"),
    "text as a picture": (("encode", "notes.png", "-o", "x.scmc"), "notes.png"),
    "one pixel": (("encode", "dot.png", "-o", "x.scmc"), "32"),
    "quality too high": (("encode", "cat.png", "-o", "x.scmc", "--quality", "500"), "0 to 96"),
    "no folder": (("encode", "cat.png", "-o", "no/x.scmc"), "create it first"),
    "missing container": (("decode", "none.scmc", "-o", "x.png"), "scmc-comm encode"),
    "empty container": (("decode", "empty.scmc", "-o", "x.png"), "ends early"),
    "random container": (("decode", "noise.scmc", "-o", "x.png"), "scmc"),
    "unknown layer": (("decode", "cat.scmc", "-o", "x.png", "--layers", "sky"), "no layer 'sky'"),
    "realism of two": (
        ("decode", "cat.scmc", "-o", "x.png", "--signal.realism", "2"),
        "0 to 1",
    ),
    "unknown system": (
        ("transmit", "cat.png", "--esno-db", "3", "--rho", "1/8", "-o", "x.png", "--system", "png"),
        "There are scmc, scmc-signal, jpeg",
    ),
    "unknown channel": (
        (
            "transmit",
            "cat.png",
            "--esno-db",
            "3",
            "--rho",
            "1/8",
            "-o",
            "x.png",
            "--channel",
            "sea",
        ),
        "rayleigh_block",
    ),
    "rho not a number": (
        ("transmit", "cat.png", "--esno-db", "3", "--rho", "wide", "-o", "x.png"),
        "bandwidth ratio",
    ),
    "rho beyond all bounds": ((*SENDS[:-1], "1e400", "-o", "x.png"), "bandwidth ratio"),
    "no folder for the report": (
        (*SENDS, "-o", "x.png", "--report", "no/r.json"),
        "create it first",
    ),
    "no folder for the picture": ((*SENDS, "-o", "no/x.png"), "create it first"),
    "picture and report in one": ((*SENDS, "-o", "x.png", "--report", "x.png"), ".json or .csv"),
    "a picture of another format": ((*SENDS, "-o", "x.jpg"), "name it x.png"),
    "decoded to another format": (("decode", "cat.scmc", "-o", "x.webp"), "name it x.png"),
    "container over the picture": (("encode", "cat.png", "-o", "cat.png"), "name it cat.scmc"),
    "received over the picture": ((*SENDS, "-o", "cat.png"), "is the input"),
    "container is a folder": (("encode", "cat.png", "-o", "."), "is a folder"),
    "no folder for the plan": (
        ("plan", "--rho", "1/24", "--esno-db", "6", "--json", "no/p.json"),
        "create it first",
    ),
    "an option twice": ((*SENDS, "--cbr", "1/4", "-o", "x.png"), "was given twice"),
    "a key of a sweep twice": (
        ("sweep", "quick", "--out", "out", "--set", "cbr=1/4", "--set", "rho=1/8"),
        "--set gives 'rho' twice",
    ),
    "images twice": (
        ("sweep", "quick", "--out", "out", "--images", "photos", "--set", "images=photos"),
        "images is given twice, by --images and --set",
    ),
    "a system under two names": (
        ("sweep", "quick", "--out", "out", "--set", "systems=bpg,jpeg,hevc"),
        "systems bpg and hevc are the same",
    ),
    "a channel under two names": (
        ("sweep", "quick", "--out", "out", "--set", "channels=awgn,awgn@flat"),
        "channels awgn and awgn@flat are the same",
    ),
    "a bound under two names": (
        ("sweep", "quick", "--out", "out", "--set", "bounds=jpeg,jpeg:headers=slim"),
        "are the same",
    ),
    "a scheme under two names": (
        ("sweep", "congestion", "--out", "out", "--set", "schemes=scmc,scmc:priorities=layers"),
        "schemes scmc and scmc:priorities=layers are the same",
    ),
    "an analog scheme": (
        ("sweep", "congestion", "--out", "out", "--set", "schemes=scmc,deepjscc"),
        "'deepjscc' is analog; the timed link carries packets of bits",
    ),
    "an axis as a setting": (
        ("sweep", "congestion", "--out", "out", "--set", "load=0.5,1,2"),
        "to sweep it set axis=load and give its values as values",
    ),
    "a metric by half its name": (
        ("sweep", "quick", "--out", "out", "--set", "metrics=psnr"),
        "did you mean psnr_db?",
    ),
    "a system in capitals": ((*SENDS, "-o", "x.png", "--system", "SCMC"), "did you mean scmc?"),
    "a key by its start": (
        (*SENDS, "-o", "x.png", "--channel", "rician_block:k=6"),
        "did you mean k_factor_db?",
    ),
    "a sweep of no YAML": (("sweep", "bad.yaml", "--out", "out"), "bad.yaml: the sweep is not"),
    "a place in no YAML": (("sweep", "bad.yaml", "--out", "out"), "line 3, column 5"),
    "no such picture to send": (
        ("transmit", "nope.png", "--snr", "10", "--cbr", "1/6", "-o", "y.png"),
        "image set, folder or picture 'nope.png'",
    ),
    "a scheduler without an address": (
        ("sweep", "quick", "--out", "out", "--dask", "LOCAL"),
        "expected 'local' or an address such as tcp://host:8786",
    ),
    "an empty option": ((*SENDS, "-o", "x.png", "--device", ""), "--device: its value is empty"),
    "an empty place": (("encode", "", "-o", "x.scmc"), "IMG: its value is empty"),
    "a list of nothing": (("plot", "empty", "--systems", ","), "names none"),
    "no edge detector": (
        ("encode", "cat.png", "-o", "x.scmc", "--structure.edges", ""),
        "--structure.edges: its value is empty",
    ),
    "a key of a channel without keys": (
        (*SENDS, "-o", "x.png", "--channel", "awgn:k=1"),
        "it has no keys, write its name alone",
    ),
    "a name with a line end": (("encode", "cat.png", "-o", "a\nb.scmc"), "not printable UTF-8"),
    "a folder with a line end": (("sweep", "quick", "--out", "a\nb"), "not printable UTF-8"),
    "a file of results": (("plot", "cat.png"), "cat.png is a file; give the folder"),
    "no cache to merge": (("cache", "merge", "."), "holds no entries of a cache"),
    "a picture as a container": (("decode", "cat.png", "-o", "x.png"), "cat.png: "),
    "unknown verb": (("encod", "cat.png"), "did you mean encode? There are"),
    "unknown network": (("train", "fuson"), "did you mean fusion?"),
    "unknown sweep": (("sweep", "quik", "--out", "out"), "did you mean quick?"),
    "unknown estimator": (("sweep", "quick", "--out", "out", "--estimator", "guess"), "expected"),
    "no jobs": (("sweep", "quick", "--out", "out", "--jobs", "0"), "1 to 1024"),
    "no scheduler": (("sweep", "quick", "--out", "out", "--dask", "nowhere://x"), "tcp://"),
    "nothing to plot": (("plot", "empty"), "empty"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_clear_line_and_write_nothing(folder, capsys, monkeypatch, name):
    monkeypatch.chdir(folder)
    before = sorted(p.name for p in folder.rglob("*"))
    args, word = MISTAKES[name]
    line = fails(capsys, *args)
    assert word in line and "Traceback" not in line
    assert sorted(p.name for p in folder.rglob("*")) == before


def test_a_list_that_begins_with_a_minus_is_a_value():
    args = parser().parse_args(["plan", "--rho", "1/24", "--esno-db", "-3,3,9"])
    assert args.esno_db == (-3.0, 3.0, 9.0)
    assert (
        parser().parse_args([*SENDS[:2], "--snr", "-1e-1", *SENDS[4:], "-o", "x"]).esno_db == -0.1
    )


def test_a_reader_who_has_seen_enough_is_no_error():
    code = "from experiments.commands.main import main; main(['channels'])"
    command = f'{sys.executable} -c "{code}" | head -1'
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("awgn") and done.stderr == ""


def test_transmit_says_what_the_fade_was(folder, capsys, tmp_path):
    args = ("transmit", folder / "cat.png", "--snr", "4", "--cbr", "1/8", "--system", "jpeg")
    sent = (*args, "-o", tmp_path / "a.png", "--report", tmp_path / "a.json")
    assert "fade of this draw: +0.00 dB, so Es/N0 4.00 dB" in run(capsys, *sent)
    run(capsys, *sent, "--channel", "rayleigh_block", "--seed", "3")
    told = json.loads((tmp_path / "a.json").read_text())
    drawn = make_channel("rayleigh_block").draw(10, 4.0, [3]).h.abs().square().mean()
    assert told["fade_db"] == pytest.approx(10 * math.log10(drawn), abs=1e-4)


def test_a_budget_for_nothing_is_a_failure_that_is_shown(folder, capsys):
    args = ("transmit", str(folder / "cat.png"), "--esno-db", "3", "--rho", "1/10000")
    out = run(capsys, *args, "-o", str(folder / "nothing.png"))
    assert "infeasible: " in out and "channel uses" in out and "delivered: nothing" in out
    (folder / "nothing.png").unlink()


def test_transmit_tells_an_adaptive_system_its_channel(folder, capsys, tmp_path):
    rates = []
    for channel in ("awgn", "rayleigh_block"):
        report = tmp_path / "got.json"
        args = ("--system", "jpeg:mcs=adaptive", "--channel", channel, "--esno-db", "10")
        run(capsys, "transmit", str(folder / "cat.png"), *args, "--rho", "1/2",
            "-o", str(tmp_path / "got.png"), "--report", str(report))  # fmt: skip
        (frame,) = json.loads(report.read_text())["ledger"]["frames"]
        rates.append((frame["payload"] + frame["header"]) / frame["channel_uses"])
    assert rates[1] < 0.7 * rates[0], "a fade needs a slower scheme than AWGN of the same mean"


def test_systems_are_listed_and_described(capsys):
    out = run(capsys, "systems")
    assert "scmc " in out and "bpg = hevc" in out and "vvc-" not in out
    out = run(capsys, "systems", "scmc", "bpg")
    for word in ("protection=unequal", "realism", "mcs=fixed", "headers=slim", "IEEE TCSVT"):
        assert word in out
    assert "did you mean scmc?" in fails(capsys, "systems", "scmk")


def test_info_lists_what_there_is(capsys):
    out = run(capsys, "info")
    for word in ("scmc-comm systems", "rayleigh_block", "quick", "signal"):
        assert word in out
    assert "jpeg" not in out, "systems have a verb of their own"


def test_help_needs_no_torch_and_little_time():
    code = (
        "import sys, time; start = time.process_time()\n"
        "from experiments.commands.main import parser; parser().format_help()\n"
        "heavy = {'torch', 'numpy', 'scipy', 'xarray', 'matplotlib'} & sys.modules.keys()\n"
        "print(time.process_time() - start, *heavy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    cpu_s, *heavy = done.stdout.split()
    assert float(cpu_s) < 0.5 and not heavy


@pytest.mark.parametrize(
    ("verb", "mine"),
    [("encode", ("cat.png", "-o", "x.scmc")), ("decode", ("cat.scmc", "-o", "x.png"))],
)
def test_coding_imports_no_experiment(folder, verb, mine):
    """Nor what only sweeps and figures need; torch and the networks are the price of coding."""
    code = (
        "import sys\nfrom experiments.commands.main import main; main(sys.argv[1:])\n"
        "wanted = ('experiments.sweep', 'experiments.timed', 'experiments.training', 'channels.phy',"
        " 'xarray', 'matplotlib', 'diffusers', 'simpy', 'lpips')\n"
        "print('imports', *(name for name in wanted if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, verb, *mine], cwd=folder, capture_output=True, text=True,
        check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "imports"


def test_options_have_the_names_of_the_literature():
    args = parser().parse_args(
        ["transmit", "a.png", "--snr", "3", "--cbr", "1/8", "--design-snr", "4", "-o", "b.png"]
    )
    assert (args.esno_db, args.rho, args.design_esno_db) == (3, 1 / 8, 4)


@pytest.mark.parametrize("name", ["quick", "congestion", "perception", "control"])
def test_a_spec_that_is_shown_says_every_key_and_is_a_spec_again(capsys, tmp_path, name):
    text = run(capsys, "sweep", name, "--show", "--set", "seed=7")
    spec = load_sweep(name).override(["seed=7"])
    (tmp_path / "again.yaml").write_text(text)
    assert load_sweep(tmp_path / "again.yaml") == spec
    for parameter in parameters(type(spec)):
        (comment,) = re.findall(rf"((?:^# .*\n)+){parameter.name}:", text, re.M)
        words = " ".join(re.sub(r"^# ", "", comment, flags=re.M).split())
        assert words.startswith(plain(parameter.meaning))
    assert "[dB]" in text and "channel uses / (3 H W)" in text.replace("\n# ", " ")


def test_an_option_of_a_group_given_twice_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["encode", "a.png", "-o", "b.scmc", "--semantic.beams", "1", "--semantic.beams", "2"])
    assert "--semantic.beams was given twice; keep one of them" in capsys.readouterr().err
