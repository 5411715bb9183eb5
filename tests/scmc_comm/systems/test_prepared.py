"""A transmission is data: stored, read back and shown by a process that never saw the image."""

import json
import pickle
import subprocess
import sys

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
from scmc_comm.transmit import send

LEARNED = ("hyperprior", "factorized", "mbt2018", "mbt2018-mean", "cheng2020-anchor",
           "cheng2020-attn")  # fmt: skip
NAMES = (
    *(name for name in SYSTEMS if name not in LEARNED),  # the zoo's weights are not on every machine
    "scmc:protection=equal", "scmc:protection=optimised", "jpeg:mcs=adaptive",
    "vvc:headers=file", "deepjscc:peak_db=6",
)  # fmt: skip


def image(seed, size=(64, 80)):
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)[0]


def same(a, b):
    assert (a.size, a.ledger, a.bpp, a.infeasible, a.design_esno_db) == (
        b.size, b.ledger, b.bpp, b.infeasible, b.design_esno_db,
    )  # fmt: skip
    assert dict(a.needs) == dict(b.needs) and a.tags == b.tags
    for x, y in zip(a.frames, b.frames, strict=True):
        assert (x.tag, x.mcs, x.power_db, x.priority) == (y.tag, y.mcs, y.power_db, y.priority)
        np.testing.assert_array_equal(x.bits, y.bits)
    np.testing.assert_array_equal(a.symbols, b.symbols)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4)
@given(st.integers(0, 99), st.sampled_from([1e-4, 1 / 96, 1 / 24, 1 / 6]), st.floats(-6.0, 20.0))
def test_it_survives_pickle_and_json(name, seed, rho, esno_db):
    system = make_system(name)
    design = design_for(system.side_information, "rayleigh_block", esno_db, "flat", 10.0)
    prepared = system.prepare(image(seed), design.budget(rho))
    same(pickle.loads(pickle.dumps(prepared)), prepared)
    again = Prepared.from_dict(json.loads(json.dumps(prepared.to_dict())))
    same(again, prepared)
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


def test_what_contradicts_itself_is_refused():
    frame = Frame("image", np.zeros(400, np.uint8), Mcs(2, 0.5))
    budget = Budget(1 / 24, 10.0)
    good = Prepared.of_frames([frame], [0], budget, (64, 64))
    with pytest.raises(ScmcError, match="does not list the frames"):
        Prepared((64, 64), good.ledger)
    with pytest.raises(ScmcError, match="416 channel uses; expected the 3 symbols"):
        Prepared((64, 64), good.ledger, symbols=np.ones(3, np.complex64))
    with pytest.raises(ScmcError, match="the budget is 51"):
        Prepared.of_frames([frame], [0], Budget(1 / 240, 10.0), (64, 64))


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
