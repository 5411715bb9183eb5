"""Time and energy of encoders and decoders on the timed link, against sums by hand."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import TOYS

from experiments.computing.times import Coding, PictureTimes, Times, read_times, write_times
from experiments.execution.stopwatch import Duration
from experiments.figures.timed import plot_timed
from experiments.timed import library, results
from experiments.timed.runner import run_timed
from experiments.timed.schemes import Computing, Scheme
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError

STATED = "toy:encode_s=0.1,decode_s=0.05"
# The fades stand still, so that computing moves all transmissions alike.
SPEC = TimedSpec(
    "toy-computing", "deadline_s", (0.12, 1e4), ("toy", STATED), num_images=2,
    metrics=("psnr_db",), bandwidth_hz=10e3, speed_mps=0.0, spread_db=0.0, esno_db=25.0,
    num_users=2, duration_s=5.0, num_replications=2, transmit_w=2.0, encoder_w=3.0, decoder_w=4.0,
)  # fmt: skip
MEASURED = dataclasses.replace(SPEC, schemes=("toy", "toy:computing=cpu", "toy:computing=wall"))


def run(spec, folder, name, cache="cache"):
    return run_timed(spec, folder / name, cache_dir=folder / cache, components=TOYS, progress=False)


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    with results.reading(run(SPEC, tmp_path_factory.mktemp("c"), "out") / "results.nc") as ds:
        yield ds.load()


def test_latency_is_that_of_the_link_and_both_codecs(stated):
    free, taking = (stated.sel(scheme=name, value=1e4) for name in SPEC.schemes)
    assert (free.delivered == free.offered).all() and (taking.delivered == taking.offered).all()
    for name in ("p50_s", "p95_s", "p99_s"):
        np.testing.assert_allclose(taking[name] - free[name], 0.1 + 0.05)
    np.testing.assert_allclose(taking.wait_s - free.wait_s, 0.1)
    np.testing.assert_allclose(taking.energy_per_picture_j, free.energy_per_picture_j)


def test_what_computing_takes_is_not_left_for_the_link(stated):
    tight = stated.sel(value=0.12)
    assert (tight.all_delivered.sel(scheme="toy") > 0.5).all()
    assert (tight.all_delivered.sel(scheme=STATED) == 0).all()
    assert (tight.psnr_db.sel(scheme=STATED) < tight.psnr_db.sel(scheme="toy")).all()


def test_joules_are_watts_times_seconds(stated):
    free, taking = stated.sel(scheme="toy"), stated.sel(scheme=STATED)
    assert (free.encoder_energy_j == 0).all() and (free.decoder_energy_j == 0).all()
    np.testing.assert_allclose(taking.encoder_energy_j, 3.0 * 0.1)
    np.testing.assert_allclose(taking.decoder_energy_j.sel(value=1e4), 4.0 * 0.05)
    assert (taking.decoder_energy_j.sel(value=0.12) == 0).all()  # nothing came to be decoded
    whole = taking.energy_per_picture_j + taking.encoder_energy_j + taking.decoder_energy_j
    np.testing.assert_allclose(taking.total_energy_j, whole)
    np.testing.assert_allclose(taking.busy_encoders, taking.num_pictures / 5.0 * 0.1)
    assert json.loads(stated.attrs["machine"]) == {}  # nothing was measured


def test_energy_on_air_goes_with_the_transmit_power(stated, tmp_path):
    plain = dataclasses.replace(SPEC, schemes=("toy",), transmit_w=1.0)
    with results.reading(run(plain, tmp_path, "out") / "results.nc") as ds:
        assert "total_energy_j" not in ds and "machine" not in ds.attrs
        one, two = ds.energy_per_picture_j, stated.energy_per_picture_j.sel(scheme=["toy"])
        np.testing.assert_allclose(two, 2 * one)


def test_a_set_takes_the_time_of_its_least_urgent_unit(tmp_path):
    classes = Scheme.parse("toy").classes(
        ("semantic", "signal"), (1, 1, 1), Computing(0.5, {"semantic": 0.1, "signal": 0.3})
    )
    assert [(k.encode_s, k.decode_s) for k in classes] == [(0.5, 0.1), (0.5, 0.3)]


@pytest.fixture
def clock(monkeypatch):
    """A measurement that takes no time and gives other times whenever it is called."""
    calls = []

    def measure(system, prepare, coding):
        calls.append(coding)
        seconds = 0.01 * len(calls)
        decode = {frame.tag: Duration(3 * seconds, seconds / 2) for frame in prepare().frames}
        return PictureTimes(coding, Duration(2 * seconds, seconds), decode)

    monkeypatch.setattr(library, "measure_picture", measure)
    return calls


def test_measured_times_are_kept_beside_the_results_and_taken_again(clock, tmp_path):
    first = run(MEASURED, tmp_path, "out")
    kept = (first / "times.json").read_bytes()
    assert len(clock) == 2  # one system, two pictures
    tables = [(first / name).read_bytes() for name in ("results.csv", "spec.yaml")]
    again = run(MEASURED, tmp_path, "out")
    assert len(clock) == 2 and (again / "times.json").read_bytes() == kept
    assert [(again / name).read_bytes() for name in ("results.csv", "spec.yaml")] == tables
    with results.reading(again / "results.nc") as ds:
        np.testing.assert_allclose(ds.encode_s, [0, 0.015, 0.03])  # the means over two pictures
        np.testing.assert_allclose(ds.decode_s.sel(unit="signal")[1:], [0.0075, 0.045])
        assert json.loads(ds.attrs["machine"])["cores"] >= 1
    # In no cache: another folder is measured afresh, and a file that is named is taken.
    other = run(MEASURED, tmp_path, "other")
    assert len(clock) == 4 and (other / "times.json").read_bytes() != kept
    named = dataclasses.replace(MEASURED, times=str(first / "times.json"))
    third = run(named, tmp_path, "third")
    assert len(clock) == 4 and not (third / "times.json").exists()
    assert (third / "results.csv").read_bytes() == tables[0]


def test_a_file_that_lacks_a_time_or_comes_from_elsewhere_is_refused(clock, tmp_path):
    path = run(MEASURED, tmp_path, "out") / "times.json"
    wider = dataclasses.replace(MEASURED, num_images=3)
    with pytest.raises(ScmcError, match="has no times of toy for img2"):
        run(dataclasses.replace(wider, times=str(path)), tmp_path, "named")
    with pytest.raises(ScmcError, match="has no times of toy for img0"):
        run(dataclasses.replace(MEASURED, rho=1 / 12, times=str(path)), tmp_path, "named")
    times = read_times(path)
    write_times(path, dataclasses.replace(times, machine={**times.machine, "cpu": "abacus"}))
    with pytest.raises(ScmcError, match="measured with cpu 'abacus'"):
        run(wider, tmp_path, "out")
    run(MEASURED, tmp_path, "out")  # where nothing is missing, nothing is mixed
    with pytest.raises(ScmcError, match="there is no"):
        run(dataclasses.replace(MEASURED, times=str(tmp_path / "none.json")), tmp_path, "named")
    whole = path.read_text()
    for key, wrong in (
        ("cpu_s", "-"),
        ("cpu_s", "1" + "0" * 400),
        ("num_repetitions", "Infinity;"),
    ):
        path.write_text(whole.replace(f'"{key}": ', f'"{key}": {wrong}').replace(";", "} #"))
        with pytest.raises(ScmcError, match="holds no computing times|is not what") as error:
            run(MEASURED, tmp_path, "out")
        assert "\n" not in str(error.value)


def _swapped(name, count):
    found = TOYS.load_images(name, count)
    return dict(zip(found, reversed(found.values()), strict=True))


def test_times_of_other_pixels_are_measured_anew(clock, tmp_path):
    path = run(MEASURED, tmp_path, "out") / "times.json"
    components = dataclasses.replace(TOYS, load_images=_swapped)
    named = dataclasses.replace(MEASURED, times=str(path))
    with pytest.raises(ScmcError, match="or of other content"):
        run_timed(named, tmp_path / "named", components=components, progress=False)
    run_timed(MEASURED, tmp_path / "out", components=components, progress=False)
    assert len(clock) == 4 and len(read_times(path).pictures) == 4


def test_a_file_without_a_unit_or_with_a_picture_twice_is_refused(clock, tmp_path):
    path = run(MEASURED, tmp_path, "out") / "times.json"
    times = read_times(path)
    first, *rest = times.pictures
    short = {tag: took for tag, took in first.decode.items() if tag != "signal"}
    write_times(path, dataclasses.replace(
        times, pictures=(dataclasses.replace(first, decode=short), *rest)
    ))  # fmt: skip
    with pytest.raises(ScmcError, match="lacks what decoding signal of img0 takes with toy"):
        run(MEASURED, tmp_path, "out")
    for wrong, word in (
        (dataclasses.replace(times, pictures=(first, first)), "stands there twice"),
        (dataclasses.replace(times, num_repetitions=-5), "expected 1 or more"),
    ):
        write_times(path, wrong)
        with pytest.raises(ScmcError, match=word):
            read_times(path)


def test_times_round_trip(tmp_path):
    coding = Coding("vvc", "a", (64, 48), 1 / 24, 10.0, "scmc", "1f")
    found = PictureTimes(coding, Duration(2.0, 1.0), {"image": Duration(0.5, 0.25)})
    times = Times.none_yet(3).plus(found)
    write_times(tmp_path / "times.json", times)
    assert read_times(tmp_path / "times.json") == times
    assert times.get(coding) is found
    assert times.get(dataclasses.replace(coding, rho=0.1)) is None


@pytest.mark.parametrize(
    ("scheme", "wrong"),
    [
        ("toy:computing=fast", "computing is 'fast'; expected one of none, wall, cpu"),
        ("toy:computing=cpu,encode_s=1", "give measured times or stated ones"),
        ("toy:decode_s=-1", "decode_s"),
    ],
)
def test_wrong_computing_is_refused(scheme, wrong):
    with pytest.raises(ScmcError, match=wrong):
        dataclasses.replace(SPEC, schemes=(scheme,))


def test_columns_are_documented_and_figures_drawn(tmp_path):
    out = run(SPEC, tmp_path, "out")
    stems = {path.stem for path in plot_timed(out) if path.suffix == ".png"}
    assert stems == {"quality", "delivery", "latency", "energy", "computing"}
    page = (Path(__file__).parents[3] / "docs" / "results.md").read_text()
    part = page.partition("## Of the timed link")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    units = ("semantic", "structure", "signal")
    columns = pd.read_csv(out / "results.csv").columns
    found = {re.sub(rf"^({'|'.join(units)})_", "UNIT_", name) for name in columns}
    found = {{"psnr_db": "METRIC", "deadline_s": "AXIS"}.get(name, name) for name in found}
    assert found == documented
