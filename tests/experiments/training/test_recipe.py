"""The verb ``train`` and the recipe that retrains every layer on one set."""

import json
import re
import shutil

import made_up_sets as made
import pytest
import torch

from experiments.commands import main as cli
from experiments.commands.train import NETWORKS
from experiments.execution.fingerprint import ROOT
from experiments.training import codec_curves, layer_curves, recipe
from scmc_comm.codec.weights import load_weights
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER
from scmc_comm.zoo.sources import alexnet_features, vgg16_features

ENOUGH = ("train",) * recipe.MIN_TRAIN + ("val", "test")


@pytest.fixture
def roses(tmp_path):
    return made.table(tmp_path / "roses", len(ENOUGH), ENOUGH)


def plan(data, out, minutes=10.0, boundaries=None):
    return recipe.Plan(data, boundaries, out, minutes, 8)


class Recorder:
    """Runs nothing, makes the files that the recipe copies, fails on demand."""

    def __init__(self, fail_at=None):
        self.ran, self.fail_at = [], fail_at

    def __call__(self, command, models):
        if command[0] == self.fail_at:
            raise ScmcError(f"{command[0]} failed")
        self.ran.append(" ".join(command[:2]) if command[0] in ("lower", "export") else command[0])
        if command[0] in ("captioner", "edges", "generator", "kinds"):
            folder = models.parent / command[0]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{command[0]}.safetensors").touch()
        if command[0].endswith("_curves"):
            folder = models.parent / "curves"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{command[0]}.json").touch()


ORDER = [
    "captioner_features", "captioner", "text_model", "generator", "lower sketches", "fusion", "fusion", "export fusion",
    "lower pictures", "signal", "signal", "export signal", "deepjscc", "export deepjscc",
    "colour_maps", "colour_maps", "scalable", "detail", "export signal", "enhance",
    "export enhance", "layer_curves", "codec_curves",
]  # fmt: skip


def test_stages_run_in_the_order_in_which_they_build_on_each_other(roses, tmp_path):
    run = Recorder()
    recipe.train_all(plan(roses, tmp_path / "out"), run)
    assert run.ran == ORDER
    models = tmp_path / "out" / "models"
    shipped = (FOLDER / "edges.safetensors").read_bytes()
    assert (models / "edges.safetensors").read_bytes() == shipped  # no boundaries to learn from
    assert (models / "captioner.safetensors").is_file()
    assert (models / "codec_curves.json").is_file()  # without it no rival could be designed


def test_kinds_are_learned_where_a_set_names_them_and_else_kept(roses, tmp_path):
    recipe.train_all(plan(roses, tmp_path / "out"), Recorder())
    kept = (tmp_path / "out" / "models" / "kinds.safetensors").read_bytes()
    assert kept == (FOLDER / "kinds.safetensors").read_bytes()
    flowers = shutil.copytree(roses, tmp_path / "flowers256")
    run = Recorder()
    recipe.train_all(plan(flowers, tmp_path / "other"), run)
    assert run.ran == [*ORDER[:-2], "kinds", *ORDER[-2:]]


def test_minutes_are_shared_out_whole(roses, tmp_path, monkeypatch):
    monkeypatch.setattr("scmc_comm.zoo.sources.vgg16_features", dict)
    made.boundaries(tmp_path)
    assert recipe.boundaries_of(roses) == tmp_path  # beside the set
    stages = plan(roses, tmp_path / "out", 200, tmp_path).stages()
    minutes = [
        float(command[i + 1])
        for stage in stages
        for command in stage.commands
        for i, word in enumerate(command)
        if word in ("--minutes", "--cpu-minutes")
    ]
    assert minutes == [10, 16, 34, 24, 6, 30, 14, 14, 18, 16, 18] and sum(minutes) == 200
    assert stages[0].name == "edges"
    page = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    told = re.search(r"The stages are .*?Those without a share", page, re.DOTALL)
    assert told is not None
    assert [2 * int(share) for share in re.findall(r"\((\d+) %", told[0])] == minutes


def test_a_stopped_run_goes_on_where_it_was(roses, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ScmcError, match="fusion failed"):
        recipe.train_all(plan(roses, out), Recorder("fusion"))
    second = Recorder()
    recipe.train_all(plan(roses, out), second)
    assert second.ran == ORDER[5:]
    third = Recorder()
    recipe.train_all(plan(roses, out), third)
    assert third.ran == []


def test_other_minutes_and_changed_early_stages_run_what_builds_on_them(roses, tmp_path):
    out = tmp_path / "out"
    recipe.train_all(plan(roses, out), Recorder())
    (out / "done" / "generator.json").unlink()
    again = Recorder()
    recipe.train_all(plan(roses, out), again)
    assert again.ran == ORDER[3:]
    longer = Recorder()
    recipe.train_all(plan(roses, out, 20), longer)
    assert longer.ran == ORDER[1:], "features of the captioner take what they need"


def test_a_folder_of_runs_belongs_to_one_set(roses, tmp_path):
    out = tmp_path / "out"
    recipe.train_all(plan(roses, out), Recorder())
    other = shutil.copytree(roses, tmp_path / "tulips")
    with pytest.raises(ScmcError, match="give another --out"):
        recipe.train_all(plan(other, out), Recorder())


@pytest.mark.parametrize(
    ("splits", "match"),
    [
        (("train",) * 70 + ("val",), "no pictures in split test"),
        (("train",) * 5 + ("val", "test"), "5 training pictures"),
    ],
)
def test_sets_that_some_stage_could_not_use_are_refused_at_once(tmp_path, splits, match):
    data = made.table(tmp_path / "roses", len(splits), splits)
    run = Recorder()
    with pytest.raises(ScmcError, match=match):
        recipe.train_all(plan(data, tmp_path / "out"), run)
    assert not run.ran and not (tmp_path / "out").exists()


def test_sets_without_captions_are_refused(tmp_path):
    for i in range(150):
        made.picture(tmp_path / "plain" / f"{i:03d}.png", i)
    with pytest.raises(ScmcError, match="no captions"):
        recipe.check_data(tmp_path / "plain")


@pytest.mark.parametrize("arguments", [["--minutes", "0"], ["--minutes", "1", "--count", "0"]])
def test_nothing_to_do_is_refused(roses, tmp_path, arguments):
    with pytest.raises(ScmcError, match="expected above 0"):
        recipe.main(["--data", str(roses), "--out", str(tmp_path / "out"), *arguments])


def test_a_script_that_fails_is_one_line(roses, tmp_path, capfd):
    with pytest.raises(ScmcError, match="'scmc-comm train export' failed with status 2"):
        recipe.run_script(("export", "no_network"), tmp_path)
    assert "usage: scmc-comm train export" in capfd.readouterr().err


# --- the verb -------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_every_script_has_help_under_its_name(network, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", network, "--help"])
    assert stop.value.code == 0
    assert f"usage: scmc-comm train {network} " in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["train", "weights"])
def test_the_verbs_have_help_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    assert stop.value.code == 0
    assert f"example: scmc-comm {verb} " in " ".join(capsys.readouterr().out.split())


def test_a_user_s_mistake_in_a_script_is_one_line_and_status_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "signal", "--data", str(tmp_path), "--out", str(tmp_path / "o")])
    assert stop.value.code == 2
    assert "no data set 'flowers256'" in capsys.readouterr().err.splitlines()[-1]


# --- models in another folder ---------------------------------------------------------------


def test_models_folder_replaces_all_shipped_models(tmp_path, monkeypatch):
    from scmc_comm.codec.text_coder import TextCoder

    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    for load in (lambda: load_weights("generator"), TextCoder.load):
        with pytest.raises(ScmcError, match=str(tmp_path)):
            load()
    shutil.copy(FOLDER / "generator.safetensors", tmp_path)
    assert load_weights("generator")[1]
    monkeypatch.delenv("SCMC_MODELS")
    assert load_weights("signal")[1]


def test_results_remember_which_models_they_came_from(tmp_path, monkeypatch):
    from experiments.execution.fingerprint import code_fingerprint

    shipped = code_fingerprint()
    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    (tmp_path / "signal.safetensors").write_bytes(b"one")
    one = code_fingerprint()
    (tmp_path / "signal.safetensors").write_bytes(b"two")
    assert len({shipped, one, code_fingerprint()}) == 3


def test_the_whole_recipe_makes_models_that_code_a_picture(tmp_path, monkeypatch):
    """Every script as it is, for a step or two on a handful of pictures."""
    try:
        alexnet_features(), vgg16_features()
    except ScmcError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(recipe, "MIN_TRAIN", 8)
    for name, value in (("METRICS", ("psnr_db",)), ("QUALITIES", (0, 48)), ("ALONE", (0,))):
        monkeypatch.setattr(layer_curves, name, value)
    for name, value in (("METRICS", ("psnr_db",)), ("CODECS", ("jpeg",))):
        monkeypatch.setattr(codec_curves, name, value)
    splits = ("train",) * recipe.MIN_TRAIN + ("val", "test")
    roses = made.table(tmp_path / "roses", len(splits), splits)
    made.boundaries(tmp_path)
    out, threads = tmp_path / "out", torch.get_num_threads()
    monkeypatch.setattr("os.nice", lambda by: 0)  # the edge script makes way for others

    def run(command, models):
        monkeypatch.setenv("SCMC_MODELS", str(models))
        cli.main(["train", *command])

    try:
        recipe.train_all(plan(roses, out, 0.01, tmp_path), run)
    finally:
        torch.set_num_threads(threads)
    assert json.loads((out / "done" / "edges.json").read_text())[0][0] == "edges"
    monkeypatch.setenv("SCMC_MODELS", str(out / "models"))
    from scmc_comm.codec.layered import LayeredCodec

    codec, img = LayeredCodec(), torch.rand(3, 64, 64)
    stream = codec.encode(img, 20)
    assert [layer.kind.tag for layer in stream.layers] == ["semantic", "structure", "signal"]
    shown = codec.decode(stream.layers, stream.size)
    assert shown.level.tag == "signal" and bool(shown.img_hat.isfinite().all())
    config, _ = load_weights("generator")
    assert "petals" in config["vocabulary"] and "flower" not in config["vocabulary"]
