"""Sweeps as data: YAML, overrides, and errors a person can act on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.components import Components
from experiments.sweep.spec import SweepSpec
from experiments.sweeps import load_sweep, read_sweep
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.ranges import MAX_RHO

SPEC = SweepSpec("demo", ("scmc", "vvc"), ("awgn",), (-3.0, 0.0), (1 / 48, 1 / 24))


def test_a_description_names_what_was_changed():
    quick = load_sweep("quick")
    spec = quick.override(["images=photos@64", "rho=1/48,1/24", "esno_db=-3:3:3"])
    told = "(changed: images=photos@64; rho=1/48,1/24; esno_db=-3,0,3)"
    assert spec.description == f"{quick.description} {told}"
    again = read_sweep(spec.to_yaml()).override(["images=photos", "seed=9", "name=other"])
    told = "(changed: images=photos; rho=1/48,1/24; esno_db=-3,0,3; seed=9)"
    assert again.description == f"{quick.description} {told}"
    assert quick.override([f"seed={quick.seed}"]) == quick, "nothing was changed"
    assert quick.override(["description=Mine", "seed=9"]).description == "Mine"
    assert SPEC.override(["seed=9"]).description == SPEC.description == ""
    long = quick.override(["systems=" + ",".join(f"vvc:utility=lpips,layers={n}" for n in "234")])
    assert long.description.endswith("...)") and len(long.description) < 160
    assert quick.override(["num_images=3"]).description.endswith("num_images=3)")


@given(
    esno_db=st.lists(st.floats(-40, 60), min_size=1, max_size=5, unique=True),
    rho=st.lists(st.floats(1e-4, 4), min_size=1, max_size=4, unique=True),
    trials=st.integers(1, 10**6),
    stop=st.none() | st.floats(0.001, 0.4),
)
def test_yaml_round_trip_is_exact(esno_db, rho, trials, stop):
    spec = SweepSpec(
        "x", ("scmc",), ("rician_block:k_factor_db=3,coherence_symbols=8",), tuple(esno_db),
        tuple(rho), num_trials=trials, stop_half_width=stop, description="a: b # c é",
    )  # fmt: skip
    assert SweepSpec.from_yaml(spec.to_yaml()) == spec


def test_yaml_speaks_in_fractions():
    assert "- 1/48\n- 1/24\n" in SPEC.to_yaml()


def test_keys_may_stand_in_groups_and_be_called_as_in_the_literature():
    grouped = "name: demo\naxes: {systems: [scmc, vvc], channels: awgn, snr: [-3, 0], cbr: [1/48, 1/24]}\n"
    assert SweepSpec.from_yaml(grouped + "base: {design_esno_db: 10}\n") == SPEC
    ranged = grouped.replace("[-3, 0]", "-3:0:3") + "seed: 9007199254740993\n"
    assert SweepSpec.from_yaml(ranged) == replace(SPEC, seed=2**53 + 1), "no number to base 60"
    assert SPEC.override(["snr=1", "cbr=1/2"]) == SPEC.override(["esno_db=1", "rho=0.5"])
    with pytest.raises(ScmcError, match="'rho' stands twice"):
        SweepSpec.from_yaml(SPEC.to_yaml() + "cbr: [0.1]\n")


def test_overrides_are_typed():
    spec = SPEC.override(
        ["num_trials=8", "rho=1/96, 0.1", "esno_db=-6:21:3", "stop_half_width=none",
         "channels=awgn,rician_block:k_factor_db=3,coherence_symbols=4", "images=photos"]
    )  # fmt: skip
    assert spec.num_trials == 8
    assert spec.rho == (1 / 96, 0.1)
    assert spec.esno_db == tuple(float(e) for e in range(-6, 22, 3))
    assert spec.channels == ("awgn", "rician_block:k_factor_db=3,coherence_symbols=4")
    assert SPEC.num_trials == 32


@pytest.mark.parametrize(
    "text", ["num_trials=many", "num_trials=1.5", "num_trials=0", "rho=1/0", "rho=0", "rho=-1",
             "esno_db=warm", "esno_db=", "esno_db=nan", "esno_db=0:5:0", "esno_db=1,1",
             "systems=", "num_images=0", "seed=-1", "stop_half_width=2", "name=../x",
             "esno_db=0:1:1e-9", "esno_db=6:-6:6", "esno_db=0:1:nan", "rho=1e400", "rho=6",
             "design_esno_db=inf", "num_trials=inf", "trials=3", "rho"],
)  # fmt: skip
def test_bad_overrides_are_one_line_errors(text):
    with pytest.raises(ScmcError) as caught:
        SPEC.override([text])
    assert "\n" not in str(caught.value)


def test_a_range_that_is_empty_or_endless_says_so():
    with pytest.raises(ScmcError, match="esno_db: the range 6:-6:6 is empty; write start:stop"):
        SPEC.override(["esno_db=6:-6:6"])
    with pytest.raises(ScmcError, match=r"1e-9 has 1000000000 values; .* with 1 to 10000 values"):
        SPEC.override(["esno_db=0:1:1e-9"])


def test_a_range_in_another_language_s_order_is_refused():
    with pytest.raises(ScmcError, match="the range 0:3:12 holds 0 alone; .* such as 0:12:3"):
        SPEC.override(["esno_db=0:3:12"])
    assert SPEC.override(["esno_db=4:4:1"]).esno_db == (4.0,)


def test_every_ratio_that_a_spec_takes_a_budget_takes():
    assert Budget(SPEC.override([f"rho={MAX_RHO}"]).rho[0], 10.0).rho == MAX_RHO
    timed = TimedSpec("t", "load", (1.0,), ("scmc",))
    for spec in (SPEC, timed):
        with pytest.raises(ScmcError, match="up to 4"):
            spec.override([f"rho={MAX_RHO + 0.1}"])


def test_an_unknown_key_lists_the_known_ones_and_proposes_the_nearest():
    with pytest.raises(ScmcError, match=r"no sweep key 'num_trial'; did you mean num_trials\? The"):
        SPEC.override(["num_trial=3"])


def test_a_choice_is_checked_however_it_came():
    for make in (
        lambda: SPEC.override(["estimator=exact"]),
        lambda: replace(SPEC, estimator="exact"),
    ):
        with pytest.raises(
            ScmcError, match="estimator is 'exact'; expected one of monte-carlo, ta"
        ):
            make()


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "name: x", "a: [", "axes: 3", "name: x\naxes: {systems: [a]}\n",
             "kind: timed\nname: x", "!!python/object/apply:os.system ['true']", "name: [a]"],
)  # fmt: skip
def test_bad_yaml_is_a_one_line_error(text):
    with pytest.raises(ScmcError) as caught:
        SweepSpec.from_yaml(text)
    assert "\n" not in str(caught.value)


def test_a_file_s_errors_name_the_file_and_the_place(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\n  seed: 1\n")
    with pytest.raises(ScmcError, match=r"mine\.yaml: the sweep is not valid YAML: line 2, column"):
        load_sweep(path)
    path.write_text("name: x\nsede: 1\n")
    with pytest.raises(
        ScmcError, match=r"mine\.yaml: there is no sweep key 'sede'; did you mean s"
    ):
        load_sweep(path)


def test_a_key_given_twice_is_refused():
    with pytest.raises(ScmcError, match="twice"):
        SweepSpec.from_yaml(SPEC.to_yaml() + "rho: [0.1]\n")
    with pytest.raises(ScmcError, match="--set gives 'rho' twice"):
        SPEC.override(["cbr=1/4", "rho=1/8"])


def test_an_unknown_system_or_channel_lists_what_exists():
    with pytest.raises(ScmcError, match="did you mean vvc"):
        Components().check_names(SPEC.override(["systems=scmc,vcc"]))
    with pytest.raises(ValueError, match="rayleigh_block"):
        Components().check_names(SPEC.override(["channels=awgm"]))


def test_metrics_are_known_by_name():
    components = Components()
    assert set(components.available_metrics(("psnr_db", "ms_ssim"))) == {"psnr_db", "ms_ssim"}
    with pytest.raises(ScmcError, match="ms_ssim"):
        components.available_metrics(("psnr",))
