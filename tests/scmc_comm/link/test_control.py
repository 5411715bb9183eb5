"""Control bits are part of the budget, protected like the best protected frame, for all alike."""

import json

import pytest
import torch
from test_transmit import FakeCodec

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.names import make_phy
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.link.ledger import CONTROL
from scmc_comm.link.mcs import required_esno_db
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import make_system
from scmc_comm.systems.scmc import Scmc
from scmc_comm.transmission import prepare, send

NAMES = ("scmc", "scmc:protection=equal", "jpeg", "webp:layers=3", "jpeg2000:layers=4")


def system_of(name):
    made = make_system(name)
    if isinstance(made, Scmc):
        return Scmc(protection=made.protection, codec=FakeCodec(num_parts=3))
    return made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("phy", ["flat", "ofdm"])
def test_all_uses_are_charged_and_the_link_sends_the_rest(name, phy):
    img, system = load_photo("coffee", 256), system_of(name)
    free, paid = (prepare(system, img, Budget(1 / 24, 10.0, phy=phy, control_bits=n))
                  for n in (0, 22))  # fmt: skip
    best = min(paid.frames, key=lambda f: required_esno_db(f.mcs, f.bits.size))
    assert free.ledger.control == 0
    assert paid.ledger.control == num_channel_uses(22 * len(paid.frames), best.mcs)
    totals = paid.ledger.uses_by_item()
    assert totals[CONTROL] == paid.ledger.control
    assert sum(totals.values()) == pytest.approx(paid.ledger.budget_uses) == 8192
    report = send(paid, make_channel("awgn"), 25.0, [1], make_phy(phy))
    assert report.channel_uses.sum() + paid.ledger.control == paid.ledger.used <= 8192
    assert Prepared.from_dict(json.loads(json.dumps(paid.to_dict()))) == paid
    assert f"\n{CONTROL} " in paid.ledger.to_text() and CONTROL not in free.ledger.to_text()


def test_more_frames_cost_more():
    img = load_photo("coffee", 256)
    cost = [prepare(system_of(name), img, Budget(1 / 24, 10.0, control_bits=22)).ledger.control
            for name in ("jpeg", "scmc")]  # fmt: skip
    assert cost[1] > 3 * cost[0] > 0


def test_a_budget_that_its_control_information_would_eat_is_infeasible():
    sent = prepare(
        make_system("jpeg"), torch.rand(3, 32, 32), Budget(1 / 96, 3.0, control_bits=256)
    )
    assert sent.infeasible and sent.ledger.control == 0
    with pytest.raises(ScmcError, match="control_bits is -1; expected a whole number, 0 to 256"):
        Budget(1 / 24, 10.0, control_bits=-1)
