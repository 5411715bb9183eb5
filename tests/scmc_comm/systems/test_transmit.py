"""The layered path end to end, with a codec of deterministic bytes."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
import torch

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.bit_true import BitTruePhy
from channels.types import LinkReport
from scmc_comm.datasets.named_sets import NamedImage
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.mcs import required_esno_db
from scmc_comm.link.packetize import bits_to_bytes
from scmc_comm.link.planners import PROTECTIONS
from scmc_comm.link.prepared import Prepared
from scmc_comm.registry import SYSTEMS, find_system, make_system
from scmc_comm.sent import send_each
from scmc_comm.setting import Setting
from scmc_comm.systems.base import PYTHON_ONLY, System, check_image
from scmc_comm.systems.scmc import Scmc, reassemble
from scmc_comm.transmission import Transmission, send, transmit
from scmc_comm.types import Layer, LayerKind, Reconstruction

IMG = torch.full((3, 256, 256), 0.25)
ALL = frozenset({"semantic", "structure", "signal"})
CODED = ("jpeg", "jpeg:law=awgn", "jpeg:mcs=adaptive", "jpeg:layers=2",
         "jpeg:layers=3,protection=equal", "jpeg:layers=2,protection=optimised")  # fmt: skip


class FakeCodec:
    """Payload lengths are given; each delivered layer brightens a black picture."""

    def __init__(
        self, semantic=12, structure=(105,), min_signal=40, signal_name="residual", num_parts=1
    ):
        self.lengths, self.min_signal = (semantic, *structure), min_signal
        self.num_parts = num_parts
        self.structure_levels = len(self.lengths) - 1
        self.signal_name, self.decodes = signal_name, []

    def encode_semantic(self, img):
        return Layer(LayerKind.SEMANTIC, "caption", bytes(self.lengths[0]))

    def encode_structure(self, img, level=0):
        return Layer(LayerKind.STRUCTURE, "edges", b"\x01" * self.lengths[1 + level])

    def encode_signal(self, img, quality, structure=None):
        return self._signal(self.min_signal + quality)

    def _signal(self, size):
        cuts = tuple(size * i // self.num_parts for i in range(1, self.num_parts))
        return Layer(LayerKind.SIGNAL, self.signal_name, b"\x02" * size, cuts)

    def needs(self, layer):
        return None

    def encode_signal_fitting(self, img, fits, structure=None):
        best = None
        for size in range(self.min_signal, 20_000):
            if not fits(self._signal(size)):
                break
            best = self._signal(size)
        return best

    def decode(self, layers, size, seed=0, caption=None):
        kinds = [x.kind for x in layers]
        self.decodes.append((tuple(k.tag for k in kinds), seed))
        img_hat = torch.full((3, *size), sum(0.1 * (1 + k) for k in kinds))
        return Reconstruction(img_hat, max(kinds), frozenset(k.tag for k in kinds))


class ScriptedPhy:
    """Trial i delivers the tags of ``script[i % len(script)]``."""

    def __init__(self, *script, corrupt=()):
        self.script, self.corrupt = script, corrupt

    def send(self, frames, channel, esno_db, seeds):
        sets = [self.script[i % len(self.script)] for i in range(len(seeds))]
        return LinkReport(
            tags=tuple(f.tag for f in frames),
            delivered=np.array([[f.tag in s for f in frames] for s in sets]),
            channel_uses=np.array([num_channel_uses(f.bits.size, f.mcs) for f in frames]),
            bits_hat=tuple(
                np.tile(f.bits ^ (f.tag in self.corrupt), (len(seeds), 1)) for f in frames
            ),
        )


def prepare(rho=1 / 24, design=10.0, protection="unequal", seed=0, img=IMG, **codec):
    system = Scmc(codec=FakeCodec(**codec), protection=protection, seed=seed)
    return system, system.prepare(img, Budget(rho, design))


@pytest.mark.parametrize("protection", ["unequal", "equal"])
def test_the_budget_is_filled_and_never_exceeded(protection):
    _, prepared = prepare(protection=protection)
    assert prepared.tags == ("semantic", "structure", "signal")
    assert prepared.ledger.budget_uses == 8192
    assert 0.98 * 8192 < prepared.ledger.used <= 8192
    num_bytes = sum(f.bits.size for f in prepared.frames) // 8
    assert prepared.bpp == 8 * num_bytes / 256**2
    headers = sum(e.header for e in prepared.ledger.entries)
    assert headers == 3 * 8


def test_a_codec_name_and_a_large_image_are_paid_for():
    img = torch.full((3, 300, 400), 0.5)
    system, prepared = prepare(img=img, signal_name="a-rather-long-name", seed=300)
    headers = [e.header // 8 for e in prepared.ledger.entries]
    assert headers == [1 + 4 + 2] * 2 + [1 + 4 + 2 + 1 + len("a-rather-long-name")]
    assert prepared.ledger.used <= 300 * 400 * 3 // 24
    assert system.reconstruct(prepared, frozenset({"signal"})).img_hat.shape == (3, 300, 400)


def test_every_subset_decodes_and_each_is_computed_once():
    system, prepared = prepare(seed=7)
    phy = ScriptedPhy(ALL, {"semantic"}, {"semantic", "signal"}, set())
    report = send(prepared, make_channel("awgn"), 10.0, range(12), phy)
    sent = Transmission(system, prepared, report)
    assert len(sent.delivered) == 12 and prepared.infeasible is None
    levels = [sent.reconstruction(t).level for t in range(12)]
    assert levels == [LayerKind.SIGNAL, LayerKind.SEMANTIC, LayerKind.SIGNAL, None] * 3
    assert system.codec.decodes == [
        (("semantic", "structure", "signal"), 7),
        (("semantic",), 7),
        (("semantic", "signal"), 7),
    ]
    assert torch.all(sent.reconstruction(3).img_hat == 0.5)
    assert sent.reconstruction(0) is sent.reconstruction(4)


def test_parts_of_the_signal_are_frames_of_their_own():
    system, prepared = prepare(num_parts=4)
    assert prepared.tags[2:] == ("signal", "signal.2", "signal.3", "signal.4")
    needed = [required_esno_db(f.mcs, f.bits.size) for f in prepared.frames[2:]]
    assert needed[0] <= needed[1] <= needed[3] <= 10.0 and needed[0] < needed[3]
    assert prepared.ledger.used <= prepared.ledger.budget_uses

    arrived = frozenset({"semantic", "signal", "signal.2", "signal.4"})
    usable = arrived - {"signal.4"}
    assert prepared.usable(arrived) == usable
    assert reassemble(prepared.frames, arrived).layers[1].parts == tuple(
        bits_to_bytes(frame.bits)[1:] for frame in prepared.frames[2:4]
    )
    assert system.reconstruct(prepared, arrived).delivered == {"semantic", "signal"}
    orphan = frozenset({"semantic", "signal.3"})
    assert system.reconstruct(prepared, orphan).level == LayerKind.SEMANTIC


def test_layers_without_room_are_left_out():
    _, only_caption = prepare(rho=1 / 1024, structure=(400,))
    assert only_caption.tags == ("semantic",)
    _, no_signal = prepare(rho=1 / 192, min_signal=10_000)
    assert no_signal.tags == ("semantic", "structure")


def test_the_structure_is_sent_at_the_finest_level_that_has_room():
    lengths = []
    for rho in (1 / 512, 1 / 24):
        _, prepared = prepare(rho=rho, structure=(60, 400))
        sent = dict(zip(prepared.tags, prepared.frames, strict=True))
        lengths.append(sent["structure"].bits.size // 8 - 1)
    assert lengths == [60, 400]


def test_what_the_signal_leaves_strengthens_the_others():
    _, with_signal = prepare(rho=1 / 128, design=4.0)
    _, without = prepare(rho=1 / 128, design=4.0, min_signal=10_000)
    assert "signal" in with_signal.tags and "signal" not in without.tags

    def needed(prepared):
        return [required_esno_db(f.mcs, f.bits.size) for f in prepared.frames[:2]]

    assert all(b <= a for a, b in zip(needed(with_signal), needed(without), strict=True))
    assert without.ledger.used >= sum(e.channel_uses for e in with_signal.ledger.entries[:2])


def test_an_impossible_budget_names_uses_and_rho():
    system, nothing = prepare(rho=1 / 10_000)
    assert re.search(r"needs \d+, which .* bandwidth ratio of 1/\d+", nothing.infeasible)
    assert nothing.frames == () and nothing.ledger.used == 0
    report = send(nothing, make_channel("awgn"), 40.0, range(3), BitTruePhy())
    assert report.delivered.shape == (3, 0) and report.delivered_tags(2) == frozenset()
    assert system.reconstruct(nothing, frozenset()).level is None


@pytest.mark.parametrize("phy", ["flat", "ofdm"])
@pytest.mark.parametrize("rho", [1e-6, 1 / 300])
@pytest.mark.parametrize("design", [-100.0, -40.0, -11.0, 100.0])
def test_no_budget_and_no_design_is_an_error(design, rho, phy):
    """What cannot be sent is a transmission of nothing that says why, for every system."""
    img, budget = torch.rand(3, 64, 64), Budget(rho, design, phy=phy)
    every = [Scmc(codec=FakeCodec(), protection=protection) for protection in PROTECTIONS]
    every += [make_system(name) for name in CODED]
    for system in every:
        prepared = system.prepare(img, budget)
        assert (prepared.infeasible is None) == bool(prepared.frames)
        if (design < -20 and not system.side_information) or rho < 1e-5:
            assert prepared.infeasible, system


def test_undetected_errors_count_as_losses(caplog):
    _, prepared = prepare()
    phy = ScriptedPhy(ALL, corrupt={"structure"})
    report = send(prepared, make_channel("awgn"), 10.0, [0], phy)
    assert report.delivered_tags(0) == ALL - {"structure"}
    assert "undetected" in caplog.text


def test_foreign_tags_and_missing_seeds_are_errors():
    system, prepared = prepare()
    with pytest.raises(ScmcError, match="never sent"):
        system.reconstruct(prepared, frozenset({"image"}))
    with pytest.raises(ScmcError, match="seeds"):
        send(prepared, make_channel("awgn"), 10.0, [], ScriptedPhy(ALL))


def test_bit_true_link_degrades_layer_by_layer():
    system = Scmc(codec=FakeCodec())
    budget, awgn = Budget(1 / 48, 10.0), make_channel("awgn")
    expected = {
        12.0: {"semantic", "structure", "signal"},
        6.2: {"semantic", "structure"},
        1.0: {"semantic"},
        -9.0: set(),
    }
    for esno_db, tags in expected.items():
        sent = transmit(system, IMG, budget, awgn, esno_db, range(4), BitTruePhy())
        assert sent.delivered == (frozenset(tags),) * 4, esno_db


def test_equal_protection_loses_all_at_once():
    system = Scmc(codec=FakeCodec(), protection="equal")
    budget, awgn = Budget(1 / 48, 10.0), make_channel("awgn")
    for esno_db, tags in {12.0: ALL, 5.0: frozenset()}.items():
        sent = transmit(system, IMG, budget, awgn, esno_db, range(4), BitTruePhy())
        assert sent.delivered == (tags,) * 4


@pytest.mark.parametrize(
    "img",
    [
        torch.zeros(256, 256),
        torch.zeros(1, 64, 64),
        torch.zeros(3, 64, 64, dtype=torch.uint8),
        torch.zeros(3, 16, 64),
        torch.full((3, 64, 64), 255.0),
        torch.full((3, 64, 64), float("nan")),
    ],
)
def test_wrong_images_are_refused(img):
    with pytest.raises(ScmcError, match="image"):
        check_image(img)


@pytest.mark.parametrize("values", [(0.0, 1.0), (float("nan"), 1.0), (0.1, float("inf"))])
def test_wrong_budgets_are_refused(values):
    with pytest.raises(ScmcError, match="expected"):
        Budget(*values)


def test_registry_names_what_there_is():
    assert {"scmc", "jpeg", "vvc", "hyperprior", "deepjscc"} <= set(SYSTEMS)
    assert make_system("scmc:protection=equal").protection == "equal"
    assert make_system("bpg") == make_system("hevc") and find_system("bpg").fixed["codec"] == "hevc"
    with pytest.raises(ScmcError, match="did you mean jpeg2000.* There are scmc, "):
        make_system("jpeg2k0")


@dataclasses.dataclass(frozen=True)
class Sends(System):
    """Sends what it is given."""

    prepared: Prepared = dataclasses.field(metadata=PYTHON_ONLY)

    def prepare(self, img, budget):
        return self.prepared

    def reconstruct(self, prepared, delivered):
        raise AssertionError("nothing is sent")


class SendsSymbols(Sends):
    analog = True


def test_a_system_that_sends_other_than_it_says_is_refused_not_scored_as_grey():
    budget, img = Budget(1, 20.0), torch.rand(3, 32, 32)
    symbols = Prepared.of_symbols(torch.ones(8) + 0j, 0, budget, (32, 32))
    frames = make_system("jpeg").prepare(img, budget)
    for system, said in ((Sends(symbols), False), (SendsSymbols(frames), True)):
        with pytest.raises(ScmcError, match=f"but its class says analog = {said}; set analog"):
            transmit(system, img, budget, make_channel("awgn"), 20.0, [1], BitTruePhy())


def test_a_written_plan_says_what_it_has_no_room_for(tmp_path, caplog):
    """Once for all pictures, and in the transmission itself."""
    plan = tmp_path / "plan.yaml"
    lines = ("semantic: {modulation: QPSK, coderate: 1/2}", "structure: {modulation: QPSK, coderate: 1/5}",
             "signal: {modulation: QPSK, coderate: 1/2}")  # fmt: skip
    plan.write_text("\n".join(lines))
    system = Scmc(codec=FakeCodec(structure=(4000,)), plan=str(plan))
    pictures = [NamedImage(name, IMG) for name in ("first", "second")]
    sent = list(send_each(pictures, Setting(system, "awgn", 10.0, 1 / 24)))
    for each in sent:
        assert list(each.prepared.left_out) == ["structure"]
        assert "structure" not in each.prepared.tags and "signal" in each.prepared.tags
        assert Prepared.from_dict(each.prepared.to_dict()) == each.prepared
        assert pickle.loads(pickle.dumps(each.prepared)) == each.prepared
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert re.fullmatch(
        r"first is sent without its structure, which needs \d+ channel uses, \d+ are left", told[0]
    )
