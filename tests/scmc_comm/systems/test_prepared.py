"""A transmission is data: stored, read back and shown by a process that never saw the image."""

import copy
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.fading.models import make_channel
from channels.phy.names import make_phy
from channels.types import Frame, Mcs
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget, design_for
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import SYSTEMS, make_system
from scmc_comm.transmission import send

LEARNED = ("hyperprior", "factorized", "mbt2018", "mbt2018-mean", "cheng2020-anchor",
           "cheng2020-attn")  # fmt: skip
CLONES = ("swinjscc", "witt", "deepjscc-clone")
NAMES = (
    # The zoo's weights are not on every machine, nor clones of published schemes.
    *(name for name in SYSTEMS if name not in (*LEARNED, *CLONES)),
    "scmc:protection=equal", "scmc:protection=optimised", "jpeg:mcs=adaptive",
    "vvc:headers=file", "deepjscc:peak_db=6", "jpeg:scale=1", "webp:mcs=range",
    "vvc:layers=3", "jpeg2000:layers=4", "jpeg:layers=2,protection=optimised",
    "jpeg2000:layers=3,protection=range",
)  # fmt: skip


def image(seed, size=(64, 80)):
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)[0]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4)
@given(st.integers(0, 99), st.sampled_from([1e-4, 1 / 96, 1 / 24, 1 / 6]), st.floats(-6.0, 20.0))
def test_it_survives_pickle_and_json(name, seed, rho, esno_db):
    system = make_system(name)
    design = design_for(system.side_information, "rayleigh_block", esno_db, "flat", 10.0)
    prepared = system.prepare(image(seed), design.budget(rho))
    assert pickle.loads(pickle.dumps(prepared)) == prepared
    again = Prepared.from_dict(json.loads(json.dumps(prepared.to_dict())))
    assert again == prepared and hash(again) == hash(prepared)
    assert repr(again.ledger) in repr(again)
    channel, phy = make_channel("rayleigh_block"), make_phy()
    shown = []
    for sent in (prepared, again):
        report = send(sent, channel, esno_db, [seed], phy)
        shown.append(system.reconstruct(sent, report.received(0)))
    torch.testing.assert_close(shown[0].img_hat, shown[1].img_hat, rtol=0, atol=0)
    assert shown[0].level == shown[1].level and 0 <= shown[0].img_hat.min()


CHILD = """
import json, pickle, sys
import torch
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import make_system
torch.set_num_threads(1)
folder = sys.argv[1]
shown = {}
for name, text in json.load(open(folder + "/stored.json")).items():
    prepared = Prepared.from_dict(text)
    shown[name] = make_system(name).reconstruct(prepared, frozenset(prepared.tags)).img_hat
pickle.dump(shown, open(folder + "/shown.pkl", "wb"))
"""


def test_another_process_shows_what_this_one_would(tmp_path):
    names = ("scmc", "jpeg", "vvc:headers=file", "scmc-signal")
    stored = {
        name: make_system(name).prepare(image(1), Budget(1 / 6, 10.0)).to_dict() for name in names
    }
    (tmp_path / "stored.json").write_text(json.dumps(stored))
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    shown = pickle.loads((tmp_path / "shown.pkl").read_bytes())
    for name in names:
        prepared = Prepared.from_dict(stored[name])
        here = make_system(name).reconstruct(prepared, frozenset(prepared.tags))
        torch.testing.assert_close(shown[name], here.img_hat, rtol=0, atol=1e-5)


def coded():
    bits = np.arange(400).astype(np.uint8) % 2
    frames = [Frame("a", bits, Mcs(2, 0.5)), Frame("b", bits, Mcs(4, 0.5), priority=1)]
    return Prepared.of_frames(frames, [8, 0], Budget(1 / 12, 10.0), (64, 64), {"b": "a", "c": "b"})


def analog():
    symbols = torch.view_as_complex(torch.randn(60, 2))
    return Prepared.of_symbols(symbols, 4, Budget(1 / 96, 10.0), (64, 64))


@pytest.mark.parametrize("made", [coded, analog])
def test_nobody_can_write_into_it(made):
    for prepared in (first := made(), pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        arrays = [frame.bits for frame in prepared.frames]
        arrays += [] if prepared.symbols is None else [prepared.symbols]
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        with pytest.raises(TypeError):
            prepared.needs["a"] = "b"
        assert prepared == first and hash(prepared) == hash(first)
    bits = np.zeros(8, np.uint8)
    frame = Frame("a", bits, Mcs(2, 0.5))
    before = Prepared.of_frames([frame], [0], Budget(1, 10.0), (64, 64))
    bits[0] = 1
    after = Prepared.of_frames([frame], [0], Budget(1, 10.0), (64, 64))
    assert before.frames[0].bits[0] == 0 and before != after and len({before, after}) == 2


def test_what_contradicts_itself_is_refused():
    good, symbols = coded(), analog()
    for changes, says in [
        ({"frames": ()}, "does not list the frames"),
        ({"frames": good.frames[::-1]}, "does not list the frames"),
        ({"frames": [replace(f, mcs=Mcs(2, 0.6)) for f in good.frames]}, "does not list"),
        ({"symbols": np.ones(3, np.complex64)}, "channel uses; expected the 3 symbols"),
        ({"needs": {"b": "c"}}, r"needs name \['c'\]"),
        ({"infeasible": "too small"}, "are sent, yet infeasible"),
        ({"design_esno_db": 3.0}, "goes with symbols"),
        ({"size": (64, 1)}, "expected sides"),
    ]:
        with pytest.raises(ScmcError, match=says):
            replace(good, **changes)
    with pytest.raises(ScmcError, match="expected each once"):
        Prepared.of_frames([good.frames[0]] * 2, [0, 0], Budget(1, 10.0), (64, 64))
    with pytest.raises(ScmcError, match="not finite"):
        replace(symbols, symbols=symbols.symbols * np.nan)
    with pytest.raises(ScmcError, match="the budget is 51"):
        Prepared.of_frames(good.frames, [0, 0], Budget(1 / 240, 10.0), (64, 64))


HOSTILE = [
    None, True, -1, 0, 3, 10**9, 2**80, 0.5, math.nan, math.inf, "", "x", "AAAA", "!!!!", [], [1],
    [-1, 5], ["a", "b"], [10**9, 10**9], [2, 0.5], [2, math.nan, 1], [2, 0.5, 10**12], {}, {"a": 1},
    {"b": "zz"}, {1: "a"}, b"bytes", (2, 2),
]  # fmt: skip


def places(values, path=()):
    """The path to everything in nested lists and dicts."""
    yield path
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items if isinstance(values, dict | list) else ():
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def hostile_at(values, path):
    """Copies in which something else stands there."""
    if path:
        for other in hostile_at(values[path[0]], path[1:]):
            changed = copy.copy(values)
            changed[path[0]] = other
            yield changed
        return
    yield from HOSTILE
    if isinstance(values, dict) and values:  # a name too few, a name too many
        yield from (dict(list(values.items())[1:]), {**values, "more": 1})
    if isinstance(values, list) and values:
        yield from (values[1:], [*values, values[-1]])


@pytest.mark.parametrize(
    "made", [coded, analog, lambda: Prepared.nothing((64, 64), Budget(1, 1.0), "no")]
)
def test_what_it_did_not_write_is_refused_in_one_line(made):
    """Whatever stands in whatever place: an error, or a transmission that is written as read."""
    stored, accepted = made().to_dict(), 0
    for path in places(stored):
        for hostile in hostile_at(stored, path):
            try:
                read = Prepared.from_dict(hostile)
            except ScmcError as error:
                assert "\n" not in str(error) and len(str(error)) < 400, path
            else:
                again, accepted = read.to_dict(), accepted + 1
                assert Prepared.from_dict(again) == read
                assert all(again[name] == hostile[name] for name in again), path
    assert accepted < 200


@pytest.mark.parametrize(
    ("sender", "other"),
    [("scmc", "scmc:protection=equal"), ("scmc", "scmc:protection=optimised,utility=lpips"),
     ("jpeg", "jpeg:mcs=adaptive"), ("vvc", "vvc:law=awgn")],
)  # fmt: skip
def test_receivers_of_equal_identity_show_the_same(sender, other):
    """What only the transmitter looks at is no part of how a shown picture is kept."""
    one, two = make_system(sender), make_system(other)
    assert one.receiver_identity() == two.receiver_identity()
    assert one.identity() != two.identity()
    prepared = one.prepare(image(3), Budget(1 / 4, 12.0))
    for delivered in (frozenset(), frozenset(prepared.tags[:1]), frozenset(prepared.tags)):
        shown, again = (s.reconstruct(prepared, delivered).img_hat for s in (one, two))
        assert torch.equal(shown, again)


@pytest.mark.parametrize(
    ("one", "two"),
    [("scmc", "scmc:realism=0"), ("jpeg", "webp"), ("vvc", "vvc:headers=file")],
)
def test_receivers_that_may_differ_have_other_identities(one, two):
    assert make_system(one).receiver_identity() != make_system(two).receiver_identity()
