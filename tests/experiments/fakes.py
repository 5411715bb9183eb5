"""Toy systems, link and metrics: deterministic, fast, and importable by spawned workers."""

from __future__ import annotations

import functools
import itertools
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.analog import send_symbols
from channels.phy.names import pilot_uses
from channels.types import Frame, LinkReport, Mcs
from experiments.sweep.components import Components
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.prepared import Prepared
from scmc_comm.systems.base import System, grey
from scmc_comm.types import Annotation, LayerKind, Reconstruction

SIZE = (64, 64)
TOY = SweepSpec(
    "toy", ("toy", "toy-equal", "toy-flat", "toy-too-big"), ("awgn", "rayleigh_block"),
    (-3.0, 3.0, 9.0, 15.0), (1 / 24,), num_images=3, num_trials=12, seed=5,
)  # fmt: skip
# Es/N0 in dB at which a frame of the toy link is lost half the time, by bits per use.
CODE = {"strong": Mcs(2, 0.25), "middle": Mcs(4, 490 / 1024), "weak": Mcs(6, 616 / 1024)}
PLANS = {
    "toy": {"semantic": "strong", "structure": "middle", "signal": "weak"},
    "toy-equal": dict.fromkeys(("semantic", "structure", "signal"), "middle"),
    "toy-flat": {"signal": "middle"},
    "toy-too-big": {},
}
KNOWS = {
    "toy-tuned": frozenset({"esno_db", "channel"}),
    "toy-law": frozenset({"channel"}),
    "toy-fixed": frozenset(),
    "toy-analog": frozenset({"esno_db"}),
    "toy-analog-fixed": frozenset(),
}
POOL = {"semantic": 32, "structure": 8, "signal": 2}


def prepared_of(frames, size, budget, needs=None) -> Prepared:
    """A transmission whose budget is never too small."""
    entries = tuple(ledger_entry(f, 8) for f in frames)
    ledger = Ledger(entries, 10_000, () if budget.phy == "flat" else pilot_uses(budget.phy, frames))
    sent = {frame.tag for frame in frames}
    needs = {tag: need for tag, need in (needs or {}).items() if tag in sent}
    return Prepared(size, ledger, tuple(frames), needs)


@dataclass(frozen=True)
class ToySystem(System):
    """Layers are averages of the picture at three scales, which the receiver finds again."""

    name: str

    @property
    def side_information(self):
        return KNOWS.get(self.name, frozenset())

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        size = (int(img.shape[1]), int(img.shape[2]))
        if not PLANS[self.name]:
            return Prepared.nothing(size, budget, "toy: nothing fits")
        note_call(self.name)
        frames = []
        for priority, (tag, code) in enumerate(PLANS[self.name].items()):
            num_bits = {"semantic": 64, "structure": 160, "signal": 240}[tag]
            bits = np.random.default_rng(priority).integers(0, 2, num_bits, dtype=np.uint8)
            bits[:32] = np.unpackbits(remember(img))
            frames.append(Frame(tag, bits, CODE[code], priority=priority))
        return prepared_of(frames, size, budget)

    def reconstruct(self, prepared: Prepared, delivered) -> Reconstruction:
        kinds = [k for k in LayerKind if k.tag in prepared.usable(delivered)]
        if not kinds:
            return grey(prepared.size, delivered)
        frame = next(f for f in prepared.frames if f.tag == kinds[-1].tag)
        img, side = recall(np.packbits(frame.bits[:32])), POOL[kinds[-1].tag]
        small = torch.nn.functional.avg_pool2d(img[None], side)
        shown = torch.nn.functional.interpolate(small, scale_factor=side, mode="nearest")[0]
        caption = "a toy picture" if LayerKind.SEMANTIC in kinds else None
        return Reconstruction(shown, kinds[-1], delivered, caption)


def remember(img: torch.Tensor) -> np.ndarray:
    """Four bytes that stand for a toy picture."""
    numbers = (number for number in range(64) if torch.equal(toy_image(number), img))
    return np.array([next(numbers), 0, 0, 0], np.uint8)


def recall(stamp: np.ndarray) -> torch.Tensor:
    """The toy picture of `remember`."""
    return toy_image(int(stamp[0]))


class TunedSystem(ToySystem):
    """Picks its frames by what it knows: more and faster ones at a higher Es/N0.

    In fading it is more careful, for ms_ssim it never sends the signal. The receiver cannot use
    the signal without the structure.
    """

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        note_call(self.name)
        size = (int(img.shape[1]), int(img.shape[2]))
        esno_db = budget.design_esno_db - (6 if budget.channel != "awgn" else 0)
        if esno_db < -8:
            return Prepared.nothing(size, budget, "toy: nothing gets through")
        tags = ("semantic", *(("structure",) if esno_db > 2 else ()))
        if esno_db > 8 and budget.utility != "ms_ssim":
            tags += ("signal",)
        code = CODE["weak" if esno_db > 14 else "middle" if esno_db > 5 else "strong"]
        whole = ToySystem("toy").prepare(img, budget)
        frames = tuple(replace(f, mcs=code) for f in whole.frames if f.tag in tags)
        needs = {"signal": "structure"} if "signal" in tags else {}
        return prepared_of(frames, size, budget, needs)


@dataclass(frozen=True)
class AnalogToy(System):
    """Sends the means of 8 x 8 blocks, two to a symbol, at a scale that both ends know."""

    analog = True
    scale = 0.3

    name: str

    @property
    def side_information(self):
        return KNOWS[self.name]

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        note_call(self.name)
        size = (int(img.shape[1]), int(img.shape[2]))
        uses = budget.uses(size)
        small = torch.nn.functional.avg_pool2d(img[None] - 0.5, 8)
        pairs = torch.view_as_complex(small.reshape(-1, 2))
        if uses < len(pairs):
            return Prepared.nothing(size, budget, "toy: too few uses")
        scale = pairs.abs().square().mean(dtype=torch.float64).sqrt().float()
        return Prepared.of_symbols(pairs / scale, 0, budget, size)

    def reconstruct(self, prepared: Prepared, delivered) -> Reconstruction:
        if isinstance(delivered, frozenset):
            return grey(prepared.size)
        assumed = 10 ** (-prepared.design_esno_db / 10)  # it takes the SNR for the design's
        shrink = (1 + assumed) / (1 + 1 / delivered.esno)
        values = torch.view_as_real(delivered.symbols * self.scale * shrink)
        blocks = values.reshape(1, 3, prepared.size[0] // 8, prepared.size[1] // 8)
        img_hat = torch.nn.functional.interpolate(blocks, scale_factor=8)[0].add(0.5).clamp(0, 1)
        return Reconstruction(img_hat, LayerKind.SIGNAL, frozenset(prepared.tags))


def make_toy(name: str) -> System:
    if name not in (*PLANS, *KNOWS):
        known = ", ".join(sorted((*PLANS, *KNOWS)))
        raise ScmcError(f"there is no system {name!r}; there are {known}")
    if name.startswith("toy-analog"):
        return AnalogToy(name)
    return TunedSystem(name) if name in KNOWS else ToySystem(name)


# On a logger, of which no result depends: a count in a global would be part of what toys are, and
# one that ran would not be found again.
LOG = logging.getLogger("toys")
LOG.counted = {}
CALLS = LOG.counted
MEASURED: Counter[str] = Counter()


def note_call(name: str) -> None:
    """Counts encodings in this process."""
    LOG.counted[name] = LOG.counted.get(name, 0) + 1


MARGIN = 0.15  # of the toy link's draw, in bits per use


class ToyPhy:
    """A frame arrives when the SNR of its fade beats its rate, give or take a seeded draw."""

    send_symbols = staticmethod(send_symbols)

    def __init__(self, estimator: str = "monte-carlo", phy: str = "flat") -> None:
        self.estimator = estimator

    def send(self, frames, channel, esno_db, seeds) -> LinkReport:
        uses = np.array([num_channel_uses(f.bits.size, f.mcs) for f in frames])
        state = channel.draw(int(uses.sum()), esno_db, seeds)
        snr = state.h.abs().square().mean(dim=1).double().numpy() / state.no
        slack = np.stack([np.random.default_rng(s).normal(0, MARGIN, len(frames)) for s in seeds])
        capacity = np.log2(1 + snr)[:, None] * 0.75
        need = np.array([f.mcs.bits_per_use for f in frames])
        delivered = capacity + slack > need
        return LinkReport(tuple(f.tag for f in frames), delivered, uses)

    def expected_delivery(self, frames, channel, esno_db) -> dict[frozenset[str], float]:
        """The same link, the fade integrated over: one fade is shared by all frames."""
        assert self.estimator == "expected"
        gain, weight = np.ones(1), np.ones(1)
        if channel.name == "rayleigh_block":
            gain = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
            weight = np.full(gain.shape, 1 / len(gain))
        capacity = 0.75 * np.log2(1 + gain * 10 ** (esno_db / 10))
        arrives = np.array([norm.cdf((capacity - f.mcs.bits_per_use) / MARGIN) for f in frames])
        found = {}
        for flags in itertools.product((True, False), repeat=len(frames)):
            each = np.where(np.array(flags)[:, None], arrives, 1 - arrives).prod(axis=0)
            tags = frozenset(f.tag for f, ok in zip(frames, flags, strict=True) if ok)
            found[tags] = float(each @ weight)
        return found


def toy_measure(img, img_hat, names, annotation=None):
    note_call("measure")
    MEASURED.update(names)
    mse = float((img - img_hat).double().square().mean())
    known = {"mse": mse, "psnr_db": -10 * math.log10(mse), "ms_ssim": math.exp(-30 * mse)}
    known["ssim"] = math.exp(-10 * mse)
    return {name: known[name] for name in names if name in known}


def toy_available(names):
    return tuple(name for name in names if name != "lpips")


@functools.cache
def toy_image(number: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(number)
    coarse = torch.rand((1, 3, 8, 8), generator=draw)
    smooth = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic")
    return smooth[0].clamp(0, 1)


def toy_images(name: str, num_images: int | None) -> dict[str, torch.Tensor]:
    return {f"img{i}": toy_image(i) for i in range(num_images or 3)}


def toy_annotations(name: str, num_images: int | None) -> dict[str, Annotation]:
    return {}


def toy_fingerprint() -> str:
    return "toy-1"


class ToyCodec:
    """Block means at finer and finer scales, eight bits a value."""

    qualities = (1.0, 2.0, 3.0, 4.0)
    files = ()

    def __init__(self, name: str) -> None:
        if name != "toy-codec":
            raise ScmcError(f"no image codec {name!r}; there is toy-codec")
        self.name = name

    def check_size(self, size) -> None:
        pass

    def warm(self, size, quality) -> None:
        pass

    def encode(self, img, quality) -> bytes:
        side = 64 >> int(quality)
        note_call(f"{self.name} {quality:g}")
        small = torch.nn.functional.avg_pool2d(img[None], side)[0]
        return bytes((255 * small).round().to(torch.uint8).flatten().tolist())

    def decode(self, data, size) -> torch.Tensor:
        values = torch.tensor(list(data), dtype=torch.float32) / 255
        side = size[0] // math.isqrt(len(data) // 3)
        small = values.reshape(1, 3, size[0] // side, size[1] // side)
        return torch.nn.functional.interpolate(small, scale_factor=side, mode="nearest")[0]


TOYS = Components(
    make_system=make_toy,
    make_channel=make_channel,
    make_phy=ToyPhy,
    make_codec=ToyCodec,
    measure=toy_measure,
    available_metrics=toy_available,
    load_images=toy_images,
    annotations=toy_annotations,
    fingerprint=toy_fingerprint,
)

ANNOTATED = ("img1", "img2")


def some_annotations(name: str, num_images: int | None) -> dict[str, Annotation]:
    return {name: Annotation("rose") for name in ANNOTATED}


def partly_measure(img, img_hat, names, annotation):
    """MS-SSIM for pictures with a class name alone."""
    found = toy_measure(img, img_hat, names, annotation)
    if "ms_ssim" in found and not annotation.class_name:
        found["ms_ssim"] = math.nan
    return found


PARTLY = replace(TOYS, measure=partly_measure, annotations=some_annotations)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class SlowPhy(ToyPhy):
    """A link that leaves time to be killed in."""

    def send(self, frames, channel, esno_db, seeds) -> LinkReport:
        time.sleep(0.05)
        return super().send(frames, channel, esno_db, seeds)
