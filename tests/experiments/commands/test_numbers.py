"""Every number of every verb and component has a range, and is refused outside it at once."""

import argparse
import time
import typing
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.errors import ChannelError
from channels.fading.models import CHANNELS, make_channel
from channels.ofdm.grid import OfdmGrid
from channels.ofdm.impairments import Impairments
from channels.phy.names import make_phy
from channels.phy.ofdm import OfdmPhy
from channels.specs import is_union, option_types, range_of
from experiments.commands.common import Number
from experiments.commands.main import parser
from experiments.sweep.spec import SweepSpec
from experiments.timed.schemes import Scheme
from experiments.timed.spec import TimedSpec
from scmc_comm.codec.options import CodecOptions
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.registry import SYSTEMS, make_system

EXTREME = (
    "1e400", "-1e400", "1e308", "-1e308", "1e9999999", "1/1e9999999", "1e9999999/3", "9" * 5000,
    "-" + "9" * 5000, "0x" + "f" * 300, "nan", "inf", "-inf", "1e23", "-1", str(2**64), str(2**63),
    "1e-400", "0/0", "1/0", "1" * 4000 + "/3", "", " ", "1_000", "\u0663", "\x1b[31m", "\ud800",
)  # fmt: skip
SWEEP = SweepSpec("demo", ("scmc",), ("awgn",), (0.0,), (1 / 24,))
TIMED = TimedSpec("demo", "load", (0.5,), ("scmc",))
extremes = st.one_of(
    st.sampled_from(EXTREME),
    st.integers().map(str),
    st.floats().map(str),
    st.integers(-(10**400), 10**400).map(str),
    st.text(max_size=30),
)
GRID = {"num_subcarriers", "subcarrier_spacing_hz", "num_pilot_symbols", "pilot_spacing"}


def numbers_of(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in fields(cls):
        kind = hints[field.name]
        if typing.get_origin(kind) is tuple:
            kind = typing.get_args(kind)[0]
        if is_union(kind):
            kind = next(part for part in typing.get_args(kind) if part is not type(None))
        base = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
        if field.init and not field.metadata and base in (int, float):
            yield field.name, kind


def components():
    yield from (CHANNELS[name] for name in CHANNELS)
    yield from (OfdmPhy, OfdmGrid, Impairments, CodecOptions, Budget, Scheme)
    for name in SYSTEMS:
        yield SYSTEMS[name].load()
        if SYSTEMS[name].layered is not None:
            yield SYSTEMS[name].load(layered=True)
    yield from (SweepSpec, TimedSpec)


@pytest.mark.parametrize("cls", dict.fromkeys(components()), ids=lambda cls: cls.__name__)
def test_every_number_of_a_component_states_its_range(cls):
    assert is_dataclass(cls)
    without = [name for name, kind in numbers_of(cls) if range_of(kind) is None]
    assert without == (["values"] if cls is TimedSpec else [])  # those are of the axis


def options_of(top):
    verbs = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    for name, sub in verbs.choices.items():
        yield from ((name, action) for action in sub._actions)


OPTIONS = [(verb, a) for verb, a in options_of(parser()) if a.type not in (None, str)]
NUMBERS = [(verb, a) for verb, a in OPTIONS if isinstance(a.type, Number)]


def test_every_number_of_a_verb_states_its_range_and_shows_it():
    assert {a.type for _, a in OPTIONS} & {int, float} == set()
    for verb, action in NUMBERS:
        allowed = range_of(action.type.kind)
        assert f"[{allowed}]" in action.help, (verb, action.dest)


@pytest.mark.parametrize("text", EXTREME)
def test_a_verb_reads_extreme_numbers_in_no_time(text):
    start = time.process_time()
    for kind in {action.type for _, action in NUMBERS}:
        try:
            assert kind(text) in range_of(kind.kind)
        except argparse.ArgumentTypeError as error:
            assert len(str(error)) < 500 and str(error).isprintable()
    assert time.process_time() - start < 1


@settings(max_examples=60, deadline=2000)
@given(st.sampled_from(NUMBERS), extremes)
def test_any_number_of_any_verb_is_in_range_or_refused(option, text):
    kind = option[1].type
    try:
        assert kind(text) in range_of(kind.kind)
    except argparse.ArgumentTypeError as error:
        assert len(str(error)) < 500 and str(error).isprintable()


def refused_in_a_line(call):
    try:
        call()
    except (ScmcError, ChannelError) as error:
        assert len(str(error)) <= 500 and str(error).isprintable()


CHANNEL_KEYS = [(name, key) for name in CHANNELS for key in option_types(CHANNELS[name])]
SYSTEM_KEYS = [(name, key) for name in SYSTEMS for key in option_types(SYSTEMS[name].load())]
LAYER_KEYS = [("webp:layers=3", key) for key in option_types(SYSTEMS["webp"].load(layered=True))]
OFDM_KEYS = [key for part in (OfdmPhy, OfdmGrid, Impairments) for key in option_types(part)]


@settings(max_examples=60, deadline=5000)
@given(st.sampled_from(CHANNEL_KEYS), extremes)
def test_any_parameter_of_any_channel_is_right_or_refused(parameter, text):
    name, key = parameter
    refused_in_a_line(lambda: make_channel(f"{name}:{key}={text}"))


@settings(max_examples=60, deadline=5000)
@given(st.sampled_from(OFDM_KEYS), extremes)
def test_any_parameter_of_the_ofdm_link_is_right_or_refused(key, text):
    refused_in_a_line(lambda: make_phy(f"ofdm:{key}={text}"))


@settings(max_examples=60, deadline=5000)
@given(st.sampled_from(SYSTEM_KEYS), extremes)
def test_any_option_of_any_system_is_right_or_refused(option, text):
    name, key = option
    refused_in_a_line(lambda: make_system(f"{name}:{key}={text}"))


@settings(max_examples=60, deadline=5000)
@given(st.sampled_from([SWEEP, TIMED]), st.data(), extremes)
def test_any_key_of_any_spec_is_right_or_refused(spec, data, text):
    key = data.draw(st.sampled_from([f.name for f in fields(spec)]))
    refused_in_a_line(lambda: spec.override([f"{key}={text}"]))


@settings(max_examples=60, deadline=5000)
@given(st.sampled_from([SWEEP, TIMED]), st.data(), st.one_of(st.integers(), st.floats()))
def test_python_cannot_go_around_the_ranges(spec, data, value):
    key = data.draw(st.sampled_from([name for name, _ in numbers_of(type(spec))]))
    refused_in_a_line(lambda: type(spec)(**{**vars(spec), key: value}))


@pytest.mark.parametrize("text", ["0:1e15:1", "0:1:1e-15", "0:1e308:1e-308", "nan:1:1", "0:inf:1"])
def test_a_range_of_too_many_points_is_refused(text):
    start = time.process_time()
    with pytest.raises(ScmcError):
        SWEEP.override([f"esno_db={text}"])
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: make_channel("rician_block:k_factor_db=1e9"), "a number, -100 to 100"),
        (lambda: make_channel("rayleigh_block:coherence_symbols=1" + "0" * 23), "2\\*\\*31 - 1"),
        (lambda: SWEEP.override(["seed=-1"]), "a whole number, 0 to 2\\*\\*63 - 1"),
        (lambda: SWEEP.override(["seed=18446744073709551616"]), "0 to 2\\*\\*63 - 1"),
        (lambda: SWEEP.override(["num_trials=1e300"]), "a whole number, 1 to 1e8"),
        (lambda: SWEEP.override(["esno_db=1e308"]), "each -100 to 100"),
        (lambda: SWEEP.override(["rho=1e9999999"]), "each above 0 up to 4"),
        (lambda: Budget(1 / 24, -1000.0), "a number, -100 to 100"),
    ],
)  # fmt: skip
def test_the_line_says_what_was_expected(make, expected):
    with pytest.raises((ScmcError, ChannelError), match=expected):
        make()
