"""Links by name in sweeps: pilots are charged, preparations shared, parameters drawn."""

import dataclasses

import fakes
import numpy as np
import pytest
import xarray as xr
from fakes import TOYS, ToyPhy

from channels.errors import ChannelError
from channels.fading.models import make_channel
from channels.phy.names import expectation_draws, make_phy
from experiments.figures import plots
from experiments.figures.parameters import differing, parameter_charts, plan
from experiments.sweep import store
from experiments.sweep.components import Components
from experiments.sweep.delivery import delivery_probabilities
from experiments.sweep.designs import designs_of
from experiments.sweep.links import Link
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.sweep.summary import quality
from scmc_comm.link.budget import Budget

OFDM = "ofdm:antennas=1x2,num_subcarriers=48"
CSI = ("perfect", "ls", "lmmse")
SPEC = SweepSpec(
    "toy-csi", ("toy", "toy-flat"), tuple(f"clarke:speed_kmh=30@{OFDM},csi={csi}" for csi in CSI),
    (3.0, 12.0), (1 / 8,), num_images=1, num_trials=6, metrics=("psnr_db",), strip_images=0,
)  # fmt: skip
REAL_LINK = dataclasses.replace(TOYS, make_phy=lambda estimator, phy: make_phy(phy, estimator))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("links")
    before = fakes.CALLS.get("toy", 0)
    out = run_sweep(SPEC, folder / "out", cache_dir=folder / "cache", components=REAL_LINK,
                    progress=False)  # fmt: skip
    return out, fakes.CALLS["toy"] - before


def test_pilots_are_in_the_store_and_in_the_budget(ran):
    ds = store.load(ran[0])
    prepared = fakes.ToySystem("toy").prepare(fakes.toy_images("x", 1)["img0"], Budget(1, 1))
    data = prepared.ledger.used
    uses = ds.channel_uses.sel(system="toy").values
    pilots = ds.pilot_uses.sel(system="toy").values
    assert (uses - pilots == data).all() and (pilots > 0).all()
    assert (uses <= 1 / 8 * 3 * 64 * 64).all()
    grid = make_phy(OFDM).grid
    assert (pilots == grid.pilot_uses(data, 1)).all()


def test_knowledge_of_the_channel_shares_a_preparation_and_more_pilots_do_not(ran):
    assert ran[1] == 1
    assert len(designs_of(SPEC, frozenset()).each) == 1
    pilots = tuple(f"clarke@ofdm:num_pilot_symbols={n}" for n in (1, 2, 4))
    assert len(designs_of(dataclasses.replace(SPEC, channels=pilots), frozenset()).each) == 3
    knowing = designs_of(SPEC, {"channel"}).each
    assert [d.phy for d in knowing] == [f"{OFDM},csi={csi}" for csi in CSI]
    assert {d.channel for d in knowing} == {"clarke:speed_kmh=30"}


def test_better_knowledge_delivers_no_less(ran):
    ds = store.load(ran[0])
    share = delivery_probabilities(ds).probability.sel(unit="signal", system="toy-flat", rho=1 / 8)
    assert (share.sel(channel=SPEC.channels[0]) >= share.sel(channel=SPEC.channels[1]) - 0.35).all()
    assert float(share.sel(channel=SPEC.channels[0], esno_db=12.0)) > 0.5


def test_the_link_of_the_spec_is_that_of_plain_entries(tmp_path):
    seen = []

    class Recording(ToyPhy):
        def __init__(self, estimator, phy):
            super().__init__(estimator, phy)
            seen.append(phy)

    spec = dataclasses.replace(
        SPEC, channels=("awgn", "awgn@flat"), phy="ofdm:csi=ls", esno_db=(3.0,), systems=("toy",)
    )
    parts = dataclasses.replace(TOYS, make_phy=Recording)
    with pytest.raises(Exception, match="symbols per frame"):  # the toy link sends no pilots
        run_sweep(spec, tmp_path / "out", use_cache=False, components=parts, progress=False)
    assert set(seen) == {"ofdm:csi=ls", "flat"}
    assert SweepSpec.from_yaml(spec.to_yaml()) == spec
    assert SPEC.override(["phy=ofdm:antennas=1x2,csi=ls"]).phy == "ofdm:antennas=1x2,csi=ls"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"phy": "wifi"}, "there are flat, ofdm"),
        ({"channels": ("awgn@ofdm:csi=genie",)}, "csi is 'genie'"),
        ({"channels": ("nowhere@ofdm",)}, "no channel 'nowhere'"),
        ({"phy": "harq"}, "timed link"),
        ({"channels": ("clarke:speed_kmh=900@ofdm",)}, "a Doppler shift"),
        ({"channels": ("gilbert_elliott@ofdm:csi=lmmse",)}, "use csi=ls"),
    ],
)
def test_unknown_links_fail_before_any_work(change, wrong):
    spec = dataclasses.replace(SPEC, systems=("jpeg",), **change)
    with pytest.raises(ChannelError, match=wrong):
        Components().check_names(spec)


def test_entries():
    assert Link.parse("awgn", "ofdm").phy == "ofdm"
    assert Link.parse("awgn@flat", "ofdm") == Link("awgn", "flat")
    assert Link.parse("trace:path=me@home.csv").channel == "trace:path=me@home.csv"
    assert differing(SPEC.channels, "flat") == {"csi": list(CSI)}


def test_plans():
    over = plan([f"tdl:model={m},speed_kmh={v}" for m in "AC" for v in (3, 30, 120)])
    assert over.x == "speed_kmh" and over.values == (3.0, 30.0, 120.0)
    assert [c.label for c in over.columns[0][1]] == ["model=A", "model=C"]
    assert over.columns[0][1][1].entries[0] == "tdl:model=C,speed_kmh=3"
    csi = plan([f"tdl:model={m}@ofdm:csi={c}" for m in "AC" for c in CSI])
    assert csi.x == "esno_db" and [title for title, _ in csi.columns] == [
        "tdl:model=A", "tdl:model=C"
    ]  # fmt: skip
    assert plan(["tdl:speed_kmh=3", "clarke:speed_kmh=30", "awgn"]) is None
    holes = ["tdl:model=A,speed_kmh=3", "tdl:model=A,speed_kmh=30", "tdl:model=C,speed_kmh=3"]
    assert plan(holes) is None


def test_a_figure_for_each_metric(ran, tmp_path):
    names = {path.name for path in plots.plot_sweep(ran[0], progress=False)}
    assert {"psnr_db_esno_db_rho1_8.png", "summary.csv"} <= names
    assert not any(name.startswith("loss") for name in names)


def test_lines_go_through_the_means(ran):
    ds = store.load(ran[0])
    values = (3.0, 30.0, 120.0)
    entries = [f"clarke:speed_kmh={v:g}" for v in values]
    ds = ds.assign_coords(channel=entries)
    found, arrivals = quality(ds, num_resamples=50), delivery_probabilities(ds)
    (chart,) = parameter_charts(ds, found, arrivals, plan(entries), "a note")
    drawn = chart.draw()
    top = drawn.axes[0]
    mean = found.value_mean.sel(metric="psnr_db", system="toy", esno_db=3.0, rho=1 / 8)
    np.testing.assert_allclose(top.lines[0].get_ydata(), mean.values)
    np.testing.assert_allclose(top.lines[0].get_xdata(), values)
    assert drawn.axes[2].get_xscale() == "log" or drawn.axes[1].get_xlabel()


def test_a_rewritten_trace_is_sent_anew(tmp_path):
    trace = tmp_path / "snr.csv"
    spec = dataclasses.replace(
        SPEC, systems=("toy", "toy-analog"), channels=(f"trace:path={trace}",), esno_db=(9.0,),
        phy="flat", rho=(1 / 24,), num_trials=8, metrics=("psnr_db",),
    )  # fmt: skip
    found = []
    for cache, dip_db in (("a", 0.0), ("a", -40.0), ("b", -40.0)):  # below the mean but at first
        trace.write_text(f"time_s,esno_db\n0,0\n0.01,{dip_db}\n1,{dip_db}\n")
        out = run_sweep(spec, tmp_path / f"out{len(found)}", cache_dir=tmp_path / cache,
                        components=TOYS, progress=False)  # fmt: skip
        found.append(store.expand(store.load(out)).psnr_db.values)
    np.testing.assert_array_equal(found[1], found[2])
    assert (found[0] != found[1]).any(axis=(1, 2, 3, 4, 5)).all()  # of both systems


def test_expectations_are_called_exact_only_where_no_fade_is_drawn(tmp_path):
    mixed = ("awgn", "rayleigh_block", "clarke", "awgn@ofdm")
    for channels, draws, note in [
        (mixed[:2], [0, 0], "exact expectations"),
        (mixed, [0, 0, 1024, 256], "of some channels over 256 drawn fades"),
        (("clarke",), [1024], "of the channel over 1024 drawn fades"),
    ]:
        ds = xr.Dataset({"fade_draws": ("channel", draws)})
        assert note in store.expectation_note(ds)
        links = [Link.parse(entry) for entry in channels]
        found = [expectation_draws(link.phy, make_channel(link.channel)) for link in links]
        assert found == draws
    assert "error of up to 0.031" in store.expectation_note(
        ds.assign(fade_draws=("channel", [256]))
    )
