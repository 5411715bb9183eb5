"""What a plan leaves over makes its frames more robust, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_transmit import FakeCodec

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.names import make_phy
from channels.types import Frame, Mcs
from scmc_comm.link.budget import design_for
from scmc_comm.link.leftover import strengthened
from scmc_comm.link.mcs import MCS_GRID, required_esno_db
from scmc_comm.registry import make_system
from scmc_comm.systems.scmc import Scmc

TABLES = make_phy("flat", "expected")
frames_of = st.lists(
    st.tuples(st.integers(2, 400).map(lambda n: 8 * n), st.sampled_from(MCS_GRID)),
    min_size=1, max_size=5,
)  # fmt: skip


@given(frames_of, st.floats(1.0, 4.0), st.booleans())
def test_no_frame_gets_weaker_and_no_step_that_fits_is_left(frames, room, together):
    bits, before = [b for b, _ in frames], [m for _, m in frames]
    if together:
        before = [before[0]] * len(bits)
    num_uses = int(room * sum(map(num_channel_uses, bits, before)))
    after = strengthened(bits, before, num_uses, together)
    used = sum(map(num_channel_uses, bits, after))
    assert used <= num_uses
    needs = [
        [required_esno_db(m, b) for b, m in zip(bits, s, strict=True)] for s in (before, after)
    ]
    if together:
        assert len(set(after)) == 1 and max(needs[1]) <= max(needs[0])
        rest = [m for m in MCS_GRID if sum(num_channel_uses(b, m) for b in bits) <= num_uses]
        assert max(needs[1]) <= min(max(required_esno_db(m, b) for b in bits) for m in rest) + 1e-9
        return
    assert all(b <= a for a, b in zip(*needs, strict=True))
    for b, mcs, need in zip(bits, after, needs[1], strict=True):
        room_here = num_uses - used + num_channel_uses(b, mcs)
        better = [m for m in MCS_GRID if required_esno_db(m, b) < need]
        assert all(num_channel_uses(b, m) > room_here for m in better)


def test_delivery_only_rises():
    bits, before = [160, 900, 2400], [Mcs(2, 602 / 1024), Mcs(4, 490 / 1024), Mcs(4, 616 / 1024)]
    after = strengthened(bits, before, 4000)
    for channel in ("awgn", "rayleigh_block", "rayleigh_block:coherence_symbols=300"):
        for esno_db in (-3.0, 3.0, 9.0):
            chance = []
            for schemes in (before, after):
                frames = [
                    Frame(str(i), np.ones(b, np.uint8), m)
                    for i, (b, m) in enumerate(zip(bits, schemes, strict=True))
                ]
                sets = TABLES.expected_delivery(frames, make_channel(channel), esno_db)
                tags = (frame.tag for frame in frames)
                chance.append([sum(p for s, p in sets.items() if tag in s) for tag in tags])
            assert (np.array(chance[1]) >= np.array(chance[0]) - 1e-9).all()


@pytest.mark.parametrize(
    "name",
    ["scmc", "scmc:protection=equal", "scmc:protection=optimised", "scmc:protection=range",
     "jpeg", "jpeg:law=awgn", "jpeg:mcs=adaptive", "webp:mcs=range"],
)  # fmt: skip
@pytest.mark.parametrize("rho", [1 / 96, 1 / 24, 1 / 6])
def test_no_system_leaves_uses_that_a_more_robust_scheme_could_take(name, rho):
    system = make_system(name)
    if isinstance(system, Scmc):
        system = Scmc(protection=system.protection, codec=FakeCodec())
    coarse = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(5))
    img = torch.nn.functional.interpolate(coarse, (256, 256), mode="bicubic").clamp(0, 1)[0]
    design = design_for(system.side_information, "rayleigh_block", 6.0, "flat", 10.0)
    prepared = system.prepare(img, design.budget(rho))
    bits, schemes = [f.bits.size for f in prepared.frames], [f.mcs for f in prepared.frames]
    together = len(bits) == 1 or "equal" in name
    again = strengthened(bits, schemes, prepared.ledger.budget_uses, together)
    assert again == tuple(schemes)
    totals = prepared.ledger.uses_by_item()
    assert sum(totals.values()) == pytest.approx(prepared.ledger.budget_uses)
