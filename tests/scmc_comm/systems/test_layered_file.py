"""Layered digital rivals: what any subset shows, what it costs, and that the search finds the best."""

import itertools

import numpy as np
import pytest
import torch

from channels.coding.transport_block import max_payload_bits
from channels.fading.models import make_channel
from channels.phy.names import make_phy
from scmc_comm.baselines.image_codecs import make_image_codec
from scmc_comm.baselines.jpeg2000 import Jpeg2000Layers
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import SIDE_INFORMATION, Budget, design_for
from scmc_comm.link.delivery import make_link
from scmc_comm.link.ladder import LadderSearch, Rung, rule_ladder
from scmc_comm.link.leftover import strengthened
from scmc_comm.link.mcs import MCS_GRID, required_esno_db
from scmc_comm.registry import make_system

NAMES = [
    f"{name},protection={protection}"
    for name in ("jpeg:layers=2", "webp:layers=3", "jpeg2000:layers=4")
    for protection in ("unequal", "equal", "optimised", "range")
]


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 256)


def psnr(img, img_hat):
    return -10 * np.log10(float((img_hat - img).square().mean()))


def prepared_by(name, photo, rho=1 / 24, law="rayleigh_block", esno_db=10.0):
    system = make_system(name)
    design = design_for(system.side_information, law, esno_db, "flat", 10.0)
    return system, system.prepare(photo, design.budget(rho))


@pytest.mark.parametrize("name", NAMES)
def test_every_subset_is_shown_and_more_is_better(name, photo):
    system, sent = prepared_by(name, photo)
    assert 1 <= len(sent.frames) <= system.layers and sent.ledger.used <= sent.ledger.budget_uses
    assert [f.priority for f in sent.frames] == list(range(len(sent.frames)))
    seen = {}
    for count in range(len(sent.tags) + 1):
        for tags in itertools.combinations(sent.tags, count):
            shown = system.reconstruct(sent, frozenset(tags))
            assert shown.img_hat.shape == photo.shape and 0 <= float(shown.img_hat.min())
            usable = sent.usable(frozenset(tags))
            finest = max((sent.tags.index(tag) for tag in usable), default=None)
            assert (shown.level is None) == (finest is None)
            same = seen.setdefault(finest, shown.img_hat)
            assert torch.equal(same, shown.img_hat)  # a function of the finest usable layer
    quality = [psnr(photo, seen[i]) for i in range(len(sent.tags))]
    assert quality == sorted(quality) and quality[0] > psnr(photo, seen[None])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rho", [1 / 96, 1 / 6])
def test_budget_protection_and_leftover(name, rho, photo):
    system, sent = prepared_by(name, photo, rho)
    bits, schemes = [f.bits.size for f in sent.frames], [f.mcs for f in sent.frames]
    equal = system.protection == "equal"
    assert strengthened(bits, schemes, sent.ledger.budget_uses, equal) == tuple(schemes)
    assert len(set(schemes)) == 1 or not equal
    if system.protection == "unequal":
        needs = [required_esno_db(m, b) for m, b in zip(schemes, bits, strict=True)]
        assert needs == sorted(needs) and (len(needs) == 1 or needs[0] < needs[-1] - 2)
    assert sum(sent.ledger.uses_by_item().values()) == pytest.approx(sent.ledger.budget_uses)
    nested = {t: u for u, t in itertools.pairwise(sent.tags)} if "2000" in name else {}
    assert dict(sent.needs) == nested


def test_it_knows_what_the_layered_codec_knows_under_the_same_protection():
    for protection in ("unequal", "equal", "optimised", "range"):
        ours, theirs = (make_system(f"{name}protection={protection}").side_information
                        for name in ("scmc:", "vvc:layers=3,"))  # fmt: skip
        assert ours == theirs
    assert (
        make_system("jpeg2000:layers=2,protection=optimised").side_information == SIDE_INFORMATION
    )


def quality(bits):
    return 15 + 1.5 * np.log2(max(bits, 80) / 80)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("esno_db", [0.0, 10.0, 20.0])
def test_no_single_layer_and_no_rule_is_better_by_the_model(nested, esno_db):
    link = make_link("rayleigh_block", 4096, (esno_db,))
    search = LadderSearch(3, 4096, link, quality, 12.0, nested)
    found = search.value(search.best())
    assert all(found >= search.value((Rung(mcs, 4096),)) - 1e-9 for mcs in MCS_GRID)
    for equal, design in itertools.product((True, False), (0.0, 5.0, 10.0)):
        assert found >= search.value(rule_ladder(3, 4096, design, equal)) - 0.05


def test_a_small_search_is_near_the_best_of_all_plans():
    link, num_uses = make_link("rayleigh_block", 1024, (8.0,)), 1024
    search = LadderSearch(2, num_uses, link, quality, 12.0)
    best = search.value(search.best())
    every = (
        search.value((Rung(a, num_uses * share // 32), Rung(b, num_uses - num_uses * share // 32)))
        for a in MCS_GRID[::3]
        for b in MCS_GRID[::3]
        for share in range(1, 32, 3)
    )
    assert best >= max(every) - 0.01


@pytest.mark.parametrize("nested", [False, True])
def test_the_promise_is_what_the_link_delivers(nested):
    """The model's expected utility against delivered sets of the tables, summed by hand."""
    from channels.types import Frame

    ladder = (Rung(MCS_GRID[6], 500), Rung(MCS_GRID[10], 1000), Rung(MCS_GRID[16], 2500))
    link = make_link("rayleigh_block", 4000, (7.0,))
    search = LadderSearch(3, 4000, link, quality, 12.0, nested)
    bits = [max_payload_bits(r.num_uses, r.mcs) // 8 * 8 for r in ladder]
    frames = [Frame(str(i), np.ones(b, np.uint8), r.mcs)
              for i, (b, r) in enumerate(zip(bits, ladder, strict=True))]  # fmt: skip
    sets = make_phy("flat", "expected").expected_delivery(
        frames, make_channel("rayleigh_block"), 7.0
    )
    total = 0.0
    for tags, p in sets.items():
        arrived = [str(i) in tags for i in range(3)]
        count = next((i for i in range(3) if not arrived[i]), 3)
        last = max((i for i in range(3) if arrived[i]), default=None)
        if nested:
            shown = quality(sum(bits[:count])) if count else 12.0
        else:
            shown = 12.0 if last is None else quality(bits[last])
        total += p * shown
    assert search.value(ladder) == pytest.approx(total, abs=0.01)


def test_quality_layers_are_one_code_stream_cut_at_its_layers(photo):
    codec, room = Jpeg2000Layers(), [120, 300, 700, 2000]
    parts = codec.encode(photo, room)
    assert len(parts) == 4
    assert (np.cumsum([len(p) for p in parts]) <= np.cumsum(room)).all()
    assert sum(map(len, parts)) > 0.85 * sum(room)
    single = make_image_codec("jpeg2000")
    for count in range(1, 5):
        shown = psnr(photo, codec.decode(parts[:count], (256, 256)))
        num_bytes = sum(map(len, parts[:count]))
        fitting = [q for q in single.qualities[::4] if len(single.encode(photo, q)) <= num_bytes]
        alone = single.decode(single.encode(photo, fitting[-1]), (256, 256))
        assert shown > psnr(photo, alone) - 0.6  # what cutting costs
    assert codec.encode(photo, [10]) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("vvc:layers=5", "whole number, 2 to 4"), ("vvc:layers=1", "whole number, 2 to 4"),
     ("vvc:layers=3,mcs=adaptive", "there is no key 'mcs'"),
     ("vvc:layer=3", "did you mean layers?"),
     ("vvc:protection=equal", "has protection only in layers; add layers=N"),
     ("vvc:layers=3,utility=lpips", "use protection=optimised"),
     ("jpeg2000:layers=2,protection=best", "one of unequal, equal, optimised, range"),
     ("hyperprior:layers=2", "no key 'layers'")],
)  # fmt: skip
def test_a_wrong_option_is_one_line(name, says):
    with pytest.raises(ScmcError) as error:
        make_system(name)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_nothing_fits_is_declared(photo):
    for name in ("jpeg:layers=3", "jpeg2000:layers=4,protection=optimised"):
        sent = make_system(name).prepare(photo, Budget(1 / 50_000, 10.0))
        assert sent.infeasible and not sent.frames
