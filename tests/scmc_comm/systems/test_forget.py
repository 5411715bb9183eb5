"""A system that forgets a picture does all of the work again, and gives the same."""

from collections import Counter

import pytest
import torch

from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.codec import structure
from scmc_comm.codec.semantic import SemanticCodec
from scmc_comm.codec.signal import SignalCodec
from scmc_comm.codec.structure import StructureCodec
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system

BUDGET = Budget(1 / 24, 10.0)


@pytest.fixture
def calls(monkeypatch):
    """Counts the work of the layered codec's parts and of image codecs."""
    found = Counter()

    def count(owner, name):
        method = getattr(owner, name)

        def counted(*args, **options):
            found[name] += 1
            return method(*args, **options)

        monkeypatch.setattr(owner, name, counted)

    return found, count


def test_the_layered_scheme(calls):
    found, count = calls
    img, system = load_photo("chelsea", 64), make_system("scmc")
    prepared = system.prepare(img, BUDGET)
    shown = system.reconstruct(prepared, frozenset(prepared.tags)).img_hat
    for owner, name in (
        (SemanticCodec, "encode"), (StructureCodec, "encode"), (SignalCodec, "analyse"),
        (SignalCodec, "decode"),
    ):  # fmt: skip
        count(owner, name)
    colours = structure.decode_slim
    system.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "decode_slim", lambda *a: found.update(slim=1) or colours(*a))
        again = system.prepare(img, BUDGET)
        made, found["slim"] = dict(found), 0
        system.forget()
        assert torch.equal(system.reconstruct(again, frozenset(again.tags)).img_hat, shown)
        assert found["slim"] == 1, "the colours that the sender decoded are not the receiver's"
    assert made["encode"] == 1 + system.layered_codec().structure_levels and made["analyse"] > 0
    assert found["decode"] > 0
    assert [f.bits.tobytes() for f in again.frames] == [f.bits.tobytes() for f in prepared.frames]


def test_an_image_codec_over_one_frame(monkeypatch):
    img, system = load_photo("chelsea", 64), make_system("jpeg")
    codec, coded = system.image_codec(), []
    encode = codec.encode
    monkeypatch.setattr(codec, "encode", lambda *args: coded.append(args[1]) or encode(*args))
    assert isinstance(codec, ImageCodec)
    system.forget()
    system.prepare(img, BUDGET)
    first = len(coded)
    system.prepare(img, BUDGET)
    assert len(coded) == first > 0, "what was coded is kept"
    system.forget()
    system.prepare(img, BUDGET)
    assert len(coded) == 2 * first
