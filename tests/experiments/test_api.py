"""Sweeps from Python: run, read with every failure, plot, compare."""

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

import scmc_comm as sc
from experiments.api import changed
from experiments.figures.paper import PaperSpec, write_paper_figure
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError

SPEC = {
    "name": "small", "systems": ["jpeg", "webp"], "channels": ["rayleigh_block"],
    "snr": np.array([3, 6, 9, 12]), "cbr": "1/4", "images": "photos@64", "num_images": 2,
    "metrics": ("psnr_db",), "num_trials": 3, "seed": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return sc.sweep(SPEC, tmp_path_factory.mktemp("api") / "small", progress=False, num_trials=4)


def test_trials_hold_every_failure(results):
    assert results.spec == changed(SPEC, {"num_trials": 4})
    assert len(results.trials) == 2 * 4 * 2 * 4
    lost = results.trials[results.trials.delivered == "none"]
    assert len(lost) and lost.psnr_db.notna().all()
    means = results.trials.groupby(["system", "esno_db"]).psnr_db.mean()
    points = results.points.set_index(["system", "esno_db"]).psnr_db
    assert means.to_numpy() == pytest.approx(points[means.index].to_numpy())
    assert results.ds.psnr_db.mean() == pytest.approx(results.trials.psnr_db.mean())


def test_what_was_written_is_read_again(results):
    again = sc.load(results.folder)
    assert again.trials.equals(results.trials) and again == results
    with pytest.raises(ScmcError, match="run the sweep first"):
        sc.load(results.folder / "none")


def test_exact_expectations_have_points_and_no_trials(tmp_path):
    found = sc.sweep(SPEC, tmp_path, progress=False, estimator="expected", systems="jpeg")
    assert len(found.points) == 4
    with pytest.raises(ScmcError, match="look at points"):
        _ = found.trials


def test_another_spec_goes_to_another_folder_unless_it_is_to_replace(tmp_path, monkeypatch):
    first = sc.sweep(SPEC, tmp_path, progress=False, systems="jpeg", snr=9)
    before = (tmp_path / "results.nc").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("experiments.api.run_sweep", None)  # it must not come to that
        with pytest.raises(ScmcError, match="another spec.*overwrite=True"):
            sc.sweep(SPEC, tmp_path, progress=False, systems="jpeg", snr=12)
    assert (tmp_path / "results.nc").read_bytes() == before
    text = (tmp_path / "spec.yaml").read_text()
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(yaml.safe_load(text)))  # in another order
    assert sc.sweep(first.spec, tmp_path, progress=False).trials.equals(first.trials)
    (tmp_path / "spec.yaml").write_text("name: [")
    with pytest.raises(ScmcError, match="another spec"):
        sc.sweep(first.spec, tmp_path, progress=False)
    again = sc.sweep(SPEC, tmp_path, progress=False, overwrite=True, systems="jpeg", snr=12)
    assert again.spec.esno_db == (12.0,)


def test_a_sweep_takes_either_name_and_not_both():
    same = [
        changed(SPEC, keys)
        for keys in ({"snr_db": (1, 2), "cbr": "1/8"}, {"esno_db": (1, 2), "rho": 1 / 8})
    ]
    assert same[0] == same[1] and same[0].esno_db == (1.0, 2.0)
    with pytest.raises(ScmcError, match="'esno_db' is given twice"):
        changed(SPEC, {"snr_db": 1, "esno_db": 1})


def test_a_figure_takes_either_name_of_the_ratio(results):
    with pytest.raises(ScmcError, match="cbr and rho are both given"):
        sc.plot(results, cbr="1/4", rho="1/4")
    assert isinstance(sc.plot(results, rho="1/4"), Figure)


def test_a_figure_is_that_of_the_command(results, tmp_path):
    figure = sc.plot(results, systems="webp", labels={"webp": "Mine"}, delivery=False)
    assert isinstance(figure, Figure) and figure.get_size_inches()[0] == 3.5
    assert figure._repr_png_()[:4] == b"\x89PNG"
    results.plot(column="double", out=tmp_path / "fig.pdf", cbr="1/4")
    assert {"fig.pdf", "fig.csv", "fig.dat", "fig.tex", "fig_table.tex"} == {
        p.name for p in tmp_path.iterdir()
    }


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"column": "triple"}, "no column 'triple'"), ({"systems": "vvc"}, "no system"),
     ({"cbr": "1/0"}, "cbr is"), ({"metric": "lpips"}, "no metric"),
     ({"style": "none.mplstyle"}, "no style file")],
)  # fmt: skip
def test_wrong_choices_of_a_figure_get_one_line(results, wrong, word):
    with pytest.raises(ScmcError, match=word):
        sc.plot(results, **wrong)


@pytest.mark.parametrize(
    ("text", "word"),
    [("savefig.dpi: 1e9", "cannot draw with it: Image size"),
     ("nonsense: {", "sets nonsense, which Matplotlib does not know"),
     ("lines.linewidth: {", "style")],
)  # fmt: skip
def test_a_style_that_cannot_be_drawn_is_one_line(results, tmp_path, text, word, caplog):
    (tmp_path / "paper.mplstyle").write_text(text)
    spec = PaperSpec(style=tmp_path / "paper.mplstyle")
    with pytest.raises(ScmcError, match=word):
        write_paper_figure(results.folder, tmp_path / "fig.png", spec)
    assert not caplog.records and not list(tmp_path.glob("fig*"))


def test_the_output_s_name_says_its_format_whatever_the_style_says(results, tmp_path):
    (tmp_path / "paper.mplstyle").write_text("savefig.format: foo\nbackend: TkAgg")
    spec = PaperSpec(style=tmp_path / "paper.mplstyle")
    assert (tmp_path / "fig.pdf") in write_paper_figure(results.folder, tmp_path / "fig.pdf", spec)


def test_systems_are_compared(results):
    found = sc.compare(results, systems="jpeg,webp")
    assert found.differences.num_images.tolist() == [2] and "JPEG" in found.text
    with pytest.raises(ScmcError, match="one system"):
        sc.compare(results.folder, systems=["jpeg"])


def test_specs_come_in_every_form(tmp_path):
    spec = changed(SPEC, {})
    (tmp_path / "a.yaml").write_text(spec.to_yaml())
    assert spec == changed(spec, {}) == changed(tmp_path / "a.yaml", {}) == changed(
        str(tmp_path / "a.yaml"), {}
    )  # fmt: skip
    assert isinstance(changed("quick", {}), SweepSpec)
    assert changed("congestion", {"num_users": 2}).num_users == 2
    assert changed(SPEC, {"cbr": (1 / 24, "1/12")}).rho == (1 / 24, 1 / 12)


def test_keys_that_a_mapping_lacks_may_be_arguments():
    lacking = {k: v for k, v in SPEC.items() if k not in ("rho", "cbr", "snr", "esno_db")}
    for keys in ({"snr_db": (3, 6), "cbr": "1/8"}, {"esno_db": (3, 6), "rho": 1 / 8}):
        found = changed(lacking, keys)
        assert found.esno_db == (3.0, 6.0) and found.rho == (1 / 8,)
        assert "changed" not in found.description, "nothing that was said is otherwise"


@pytest.mark.parametrize(
    ("spec", "changes", "word"),
    [("quik", {}, "did you mean quick"), ("quick", {"sytems": "jpeg"}, "did you mean systems"),
     ("quick", {"snr": 1, "esno_db": 2}, "given twice"), ("quick", {"num_trials": "many"}, "whole"),
     ({"systems": "jpeg"}, {}, "lacks name"), ("none.yaml", {}, "no sweep file")],
)  # fmt: skip
def test_wrong_specs_get_one_line(spec, changes, word):
    with pytest.raises(ScmcError, match=word):
        changed(spec, changes)


@pytest.mark.parametrize(
    ("call", "word"),
    [(lambda ds: sc.load(None), "is None; expected a path"),
     (lambda ds: sc.plot(None), "is None; expected a path"),
     (lambda ds: sc.sweep(None, "out"), "the sweep is None"),
     (lambda ds: sc.sweep("quick", None), "out is None"),
     (lambda ds: sc.sweep("quick", "out", jobs="a"), "jobs is 'a'"),
     (lambda ds: sc.plot(ds, labels="x"), "labels are 'x'"),
     (lambda ds: sc.plot(ds, systems=[1]), "names are"),
     (lambda ds: sc.compare(ds, systems=3), "names are 3")],
)  # fmt: skip
def test_arguments_of_another_kind_get_one_line(results, call, word):
    with pytest.raises(ScmcError, match=word):
        call(results)


def test_a_draw_that_there_is_not_gets_one_line():
    img = np.full((64, 64, 3), 0.5)
    sent = sc.transmit(img, "jpeg", channel="awgn", snr_db=20, cbr="1/2", trials=2)
    assert sent.picture(1).size == (64, 64)
    for trial in (2, -3, 0.5):
        with pytest.raises(ScmcError, match="expected 0 to 1"):
            sent.picture(trial)
        with pytest.raises(ScmcError, match="expected 0 to 1"):
            sent.metrics(trial, ["mse"])
    with pytest.raises(ScmcError, match="expected a list"):
        sent.metrics(0, "mse")
