"""The contract of each kind of component, as functions that fail where it is broken."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from channels.fading.added import check_power
from channels.fading.draws import child_seed
from channels.fading.models import channel_identity, make_channel
from channels.phy.names import PHYS, data_uses, make_phy, symbol_pilot_uses
from channels.types import Frame, Mcs
from scmc_comm.baselines.image_codecs import load_image_codec
from scmc_comm.datasets.named_sets import DATASETS
from scmc_comm.link.budget import Budget, Design, design_for
from scmc_comm.link.prepared import Prepared
from scmc_comm.metrics import METRICS, measure
from scmc_comm.registry import make_system
from scmc_comm.systems.base import System
from scmc_comm.transmission import AnalogPhy, prepare, send
from scmc_comm.types import MIN_SIDE, Annotation

SIZES = ((64, 80), (96, 64))
RATIOS = (1e-4, 1 / 24, 1 / 6)
LINKS = (("awgn", "flat"), ("rayleigh_block", "flat"), ("awgn", "ofdm"))
_MOST_SETS = 16


def picture(size: tuple[int, int], seed: int = 0) -> Tensor:
    """A smooth picture with colours, float32 [3, H, W] in [0, 1].

    Example:
        >>> picture((32, 40)).shape
        torch.Size([3, 32, 40])
    """
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)[0]


def check_image(img: Tensor, size: tuple[int, int], who: str) -> None:
    """Is it float32 [3, H, W] in [0, 1]?"""
    assert tuple(img.shape) == (3, *size), f"{who} is {list(img.shape)}; expected {[3, *size]}"
    assert img.dtype == torch.float32, f"{who} is {img.dtype}; expected float32"
    assert bool(((img >= 0) & (img <= 1)).all()), f"{who} has values outside [0, 1]"


def check_identity(identity: str, again: str) -> None:
    """Is it told, and the same each time?"""
    assert identity == again, "the identity differs from call to call"
    assert " of run " not in identity, (
        "what it is made of cannot be told, so nothing of it is kept: put it in a file, and name "
        "weights that it reads as files=[...]"
    )


def _sent(name: str) -> Iterator[tuple[System, Tensor, Design, Prepared]]:
    """The system, a picture, what it is designed for and what it sends, over sizes and rates."""
    for size, rho in itertools.product(SIZES, RATIOS):
        system, img = make_system(name), picture(size)
        design = design_for(system.side_information, "rayleigh_block", 12.0, "flat", 10.0)
        yield system, img, design, prepare(system, img, design.budget(rho))


def check_system_sends(name: str) -> None:
    """A budget is kept, power is 1, the same is sent again, and what is sent is data."""
    for system, img, design, sent in _sent(name):
        budget = design.budget(_rho_of(sent))
        assert sent.ledger.used <= budget.uses(sent.size), "more channel uses than the budget"
        assert prepare(system, img, budget) == sent, "the same picture is sent otherwise again"
        assert pickle.loads(pickle.dumps(sent)) == sent
        assert Prepared.from_dict(json.loads(json.dumps(sent.to_dict()))) == sent
        if sent.infeasible is not None:
            assert not sent.frames and sent.symbols is None, "infeasible, and yet something is sent"
        elif sent.symbols is not None:
            power = float(np.mean(np.abs(sent.symbols.astype(np.complex128)) ** 2))
            assert abs(power - 1) < 1e-4, f"symbols have mean power {power:.4g}; expected 1"


def _rho_of(sent: Prepared) -> float:
    return next(r for r in RATIOS if Budget(r, 0.0).all_uses(sent.size) == sent.ledger.budget_uses)


def check_system_shows(name: str) -> None:
    """Of any set of frames a picture is shown, of what arrived alone; of none, mid-grey."""
    for system, _, _, sent in _sent(name):
        nothing = system.reconstruct(sent, frozenset())
        assert nothing.level is None, "of nothing a level is shown"
        assert bool((nothing.img_hat == 0.5).all()), "of nothing something else than mid-grey"
        if system.analog:
            continue
        sets = [frozenset(tags) for n in range(len(sent.tags) + 1)
                for tags in itertools.combinations(sent.tags, n)]  # fmt: skip
        for delivered in sets[-_MOST_SETS:]:
            usable = sent.usable(delivered)
            shown = system.reconstruct(sent, usable)
            check_image(shown.img_hat, sent.size, f"what {sorted(usable)} shows")
            hidden = system.reconstruct(_without_rest(sent, usable), usable)
            assert torch.equal(hidden.img_hat, shown.img_hat), "it looks at what did not arrive"


def _without_rest(sent: Prepared, usable: frozenset[str]) -> Prepared:
    """The transmission with other bits in all frames that did not arrive."""
    frames = tuple(
        frame if frame.tag in usable else dataclasses.replace(frame, bits=1 - frame.bits)
        for frame in sent.frames
    )
    return dataclasses.replace(sent, frames=frames)


def check_system_on_links(name: str) -> None:
    """It is sent over flat and OFDM links, and the same seed gives the same picture."""
    for channel, phy in LINKS:
        system, img = make_system(name), picture(SIZES[0])
        design = design_for(system.side_information, channel, 20.0, phy, 20.0)
        sent = prepare(system, img, design.budget(1 / 6))
        assert sent.ledger.used <= sent.ledger.budget_uses
        seeds, pictures = [child_seed(0, n) for n in range(2)], []
        for _ in range(2):
            report = send(sent, make_channel(channel), 20.0, seeds, make_phy(phy))
            shown = [system.reconstruct(sent, report.received(n)).img_hat for n in range(2)]
            for img_hat in shown:
                check_image(img_hat, sent.size, f"what arrived over {channel}, {phy}")
            pictures.append(shown)
        assert all(map(torch.equal, *pictures)), "the same symbols are shown otherwise again"


def check_system_identity(name: str) -> None:
    """Stored results can be found by what it is made of."""
    check_identity(make_system(name).identity(), make_system(name).identity())


def check_image_codec(name: str) -> None:
    """Pictures come back in their size, from their bytes alone, the same each time."""
    codec = load_image_codec(name)
    assert list(codec.qualities) == sorted(set(codec.qualities)), "qualities do not rise"
    chosen = sorted({0, len(codec.qualities) // 2, len(codec.qualities) - 1})
    for size in SIZES:
        img, lengths = picture(size), []
        for quality in (codec.qualities[at] for at in chosen):
            data = codec.encode(img, quality)
            assert data == codec.encode(img, quality), "the same picture gives other bytes"
            shown = codec.decode(data, size)
            check_image(shown, size, f"quality {quality:g}")
            codec.encode(picture(size, seed=1), quality)
            same = torch.equal(codec.decode(data, size), shown)
            assert same, "the same bytes are shown otherwise again"
            lengths.append(len(data))
        assert lengths == sorted(lengths), f"finer qualities take fewer bytes: {lengths}"


def check_channel(name: str) -> None:
    """Gains have mean power 1 and depend on the trial's seed alone; a longer draw begins alike."""
    channel = make_channel(name)
    assert make_channel(channel.name).name == channel.name, "its name does not make it again"
    check_power.__wrapped__(channel)
    seeds = [child_seed(0, n) for n in range(3)]
    h = channel.draw(64, 5.0, seeds).h
    assert torch.equal(h, channel.draw(64, 5.0, seeds).h), "the same seeds give other gains"
    assert torch.equal(h[1:2], channel.draw(64, 5.0, seeds[1:2]).h), "a trial depends on the others"
    assert torch.equal(h, channel.draw(64, 9.0, seeds).h), "fades depend on the Es/N0"
    begins = channel.draw(16, 5.0, seeds).h
    assert torch.allclose(h[:, :16], begins), (
        "a shorter draw is not the beginning of a longer one, so systems that use different "
        "numbers of symbols would not see the same fades"
    )
    check_identity(channel_identity(name), channel_identity(name))


def check_metric(name: str) -> None:
    """A number a picture, the same each time, and no better of mid-grey than of the picture.

    Where it is undefined for the picture, NaN, it is so whatever is shown.
    """
    img, stated = picture((192, 176)), Annotation("passion flower", ("a purple flower.",))
    shown = (img, torch.full_like(img, 0.5), torch.full_like(img, 0.5))
    same, grey, again = (measure(img, other, [name], stated)[name] for other in shown)
    if np.isnan(same):
        assert np.isnan(grey), f"{name} is undefined for the picture, but {grey:g} of mid-grey"
        return
    assert grey == again
    better = same >= grey if METRICS[name].better == "higher" else same <= grey
    assert better, f"{name} of the picture is {same:g} and of mid-grey {grey:g}: other direction?"
    check_identity(METRICS.identity(name), METRICS.identity(name))


def check_dataset(name: str) -> None:
    """Pictures in [0, 1], the same each time."""
    first, again = DATASETS[name](None, None), DATASETS[name](None, None)
    assert [x.name for x in first] == [x.name for x in again] and len(first) > 0
    for one, two in zip(first, again, strict=True):
        img = one.read()
        size = (int(img.shape[1]), int(img.shape[2]))
        check_image(img, size, one.name)
        assert min(size) >= MIN_SIDE and torch.equal(img, two.read())


def check_pilots(name: str) -> None:
    """The pilots that a physical layer declares never fall, and a budget keeps room for them."""
    with_symbols = [symbol_pilot_uses(name, number) for number in range(4097)]
    assert with_symbols[0] == 0, "there are pilots where nothing is sent"
    assert with_symbols == sorted(with_symbols), "more symbols have fewer pilots"
    for budget in (0, 1, 100, 1000, 4096):
        data = data_uses(name, budget)
        assert data + with_symbols[data] <= budget, "data and pilots take more than the budget"


def check_phy(name: str) -> None:
    """Frames arrive over a good channel and are lost over a bad one.

    The channel uses that it reports are those of the code and of the pilots that it declares.
    """
    check_pilots(name)
    frames = [Frame(tag, np.ones(80, np.uint8), Mcs(2, 0.5)) for tag in ("a", "b")]
    sent = Prepared.of_frames(frames, [0, 0], Budget(1, 10.0, phy=name), (64, 64))
    good, bad = (
        send(sent, make_channel("awgn"), esno_db, [1, 2, 3], make_phy(name))
        for esno_db in (40.0, -40.0)
    )
    assert good.delivered.all(), "frames are lost at 40 dB"
    assert not bad.delivered.any(), "frames arrive at -40 dB"
    if isinstance(phy := make_phy(name), AnalogPhy):
        symbols = torch.ones(64, dtype=torch.complex64)
        *_, uses = phy.send_symbols(symbols, make_channel("awgn"), 10.0, [1])
        expected = 64 + symbol_pilot_uses(name, 64)
        assert uses == expected, f"64 symbols take {uses} channel uses; declared are {expected}"
    check_identity(PHYS.identity(name), PHYS.identity(name))
