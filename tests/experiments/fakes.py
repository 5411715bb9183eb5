"""Toy systems, link and metrics: deterministic, fast, and importable by spawned workers."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm

from channels.coding.transport_block import num_channel_uses
from channels.fading.models import make_channel
from channels.phy.analog import send_symbols
from channels.types import Frame, LinkReport, Mcs
from experiments.sweep.components import Components
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.link.ledger import Ledger, ledger_entry
from scmc_comm.link.protection import InfeasibleBudgetError
from scmc_comm.systems.analog import analog
from scmc_comm.systems.base import Budget, Prepared, System, grey, infeasible
from scmc_comm.types import LayerKind, Reconstruction

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


class ToySystem(System):
    """Layers are averages of the picture at three scales."""

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        size = (int(img.shape[1]), int(img.shape[2]))
        if not PLANS[self.name]:
            if float(img[0, 0, 0]) > 0.5:  # both ways of saying so must end as a kept failure
                raise InfeasibleBudgetError("toy: nothing fits")
            return infeasible(size, budget, "toy: nothing fits")
        note_call(self.name)
        frames = []
        for priority, (tag, code) in enumerate(PLANS[self.name].items()):
            num_bits = {"semantic": 64, "structure": 160, "signal": 240}[tag]
            draw = torch.Generator().manual_seed(priority + int(1e6 * img.sum()))
            bits = torch.randint(0, 2, (num_bits,), generator=draw).numpy().astype(np.uint8)
            frames.append(Frame(tag, bits, CODE[code], priority=priority))
        ledger = Ledger(tuple(ledger_entry(f, 8) for f in frames), 10_000)

        def reconstruct(tags: frozenset[str]) -> Reconstruction:
            kinds = [k for k in LayerKind if k.tag in tags]
            if not kinds:
                return grey(size, tags)
            side = POOL[kinds[-1].tag]
            small = torch.nn.functional.avg_pool2d(img[None], side)
            shown = torch.nn.functional.interpolate(small, scale_factor=side, mode="nearest")[0]
            caption = "a toy picture" if LayerKind.SEMANTIC in kinds else None
            return Reconstruction(shown, kinds[-1], tags, caption)

        bpp = sum(f.bits.size for f in frames) / (size[0] * size[1])
        return Prepared(tuple(frames), ledger, bpp, reconstruct, size)


class TunedSystem(ToySystem):
    """Picks its frames by what it is told: more and faster ones at a higher Es/N0.

    In fading it is more careful, for ms_ssim it never sends the signal. The receiver cannot use
    the signal without the structure.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.knows = KNOWS[name]

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        note_call(self.name)
        esno_db = budget.design_esno_db - (6 if budget.channel != "awgn" else 0)
        if esno_db < -8:
            raise InfeasibleBudgetError("toy: nothing gets through")
        tags = ("semantic", *(("structure",) if esno_db > 2 else ()))
        if esno_db > 8 and budget.utility != "ms_ssim":
            tags += ("signal",)
        code = CODE["weak" if esno_db > 14 else "middle" if esno_db > 5 else "strong"]
        whole = ToySystem("toy").prepare(img, budget)
        frames = tuple(replace(f, mcs=code) for f in whole.frames if f.tag in tags)
        ledger = Ledger(tuple(ledger_entry(f, 8) for f in frames), 10_000)
        bpp = sum(f.bits.size for f in frames) / img[0].numel()

        def usable(delivered: frozenset[str]) -> frozenset[str]:
            return delivered if "structure" in delivered else delivered - {"signal"}

        return Prepared(
            frames, ledger, bpp, whole.reconstruct, whole.size, usable=usable
        )  # fmt: skip


class AnalogToy(System):
    """Sends the means of 8 x 8 blocks, two to a symbol, and knows their scale."""

    def __init__(self, name: str) -> None:
        self.name, self.knows = name, toy_knows(name)

    def prepare(self, img: torch.Tensor, budget: Budget) -> Prepared:
        note_call(self.name)
        size = (int(img.shape[1]), int(img.shape[2]))
        uses = budget.uses(size)
        small = torch.nn.functional.avg_pool2d(img[None] - 0.5, 8)
        pairs = torch.view_as_complex(small.reshape(-1, 2))
        if uses < len(pairs):
            return infeasible(size, budget, "toy: too few uses")
        scale = pairs.abs().square().mean(dtype=torch.float64).sqrt().float()
        told = budget.design_esno_db

        def receive(x_hat: torch.Tensor, esno: torch.Tensor) -> torch.Tensor:
            shrink = (1 + 10 ** (-told / 10)) / (1 + 1 / esno)  # it takes the SNR for that told
            values = torch.view_as_real(x_hat * scale * shrink[:, None])
            blocks = values.reshape(-1, *small.shape[1:])
            return torch.nn.functional.interpolate(blocks, scale_factor=8).add(0.5).clamp(0, 1)

        return analog(pairs / scale, receive, size, uses)


def is_analog_toy(name: str) -> bool:
    return name.startswith("toy-analog")


def toy_knows(name: str) -> frozenset[str]:
    return KNOWS.get(name, frozenset())


def make_toy(name: str) -> System:
    if is_analog_toy(name):
        return AnalogToy(name)
    return TunedSystem(name) if name in KNOWS else ToySystem(name)


CALLS: dict[str, int] = {}


def note_call(name: str) -> None:
    """Counts encodings in this process."""
    CALLS[name] = CALLS.get(name, 0) + 1


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


def toy_measure(img, img_hat, names):
    note_call("measure")
    mse = float((img - img_hat).double().square().mean())
    known = {"mse": mse, "psnr_db": -10 * math.log10(mse), "ms_ssim": math.exp(-30 * mse)}
    return {name: known[name] for name in names if name in known}


def toy_available(names):
    return tuple(name for name in names if name != "lpips")


def toy_images(name: str, num_images: int | None) -> dict[str, torch.Tensor]:
    images = {}
    for i in range(num_images or 3):
        draw = torch.Generator().manual_seed(i)
        coarse = torch.rand((1, 3, 8, 8), generator=draw)
        images[f"img{i}"] = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic")[
            0
        ].clamp(0, 1)
    return images


def check_toy(name: str) -> None:
    known = (*PLANS, *KNOWS)
    if name not in known:
        raise ScmcError(f"there is no system {name!r}; there are {', '.join(sorted(known))}")


def toy_fingerprint() -> str:
    return "toy-1"


class ToyCodec:
    """Block means at finer and finer scales, eight bits a value."""

    qualities = (1.0, 2.0, 3.0, 4.0)

    def __init__(self, name: str) -> None:
        if name != "toy-codec":
            raise ScmcError(f"no image codec {name!r}; there is toy-codec")
        self.name = name

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
    check_system=check_toy,
    make_system=make_toy,
    knows=toy_knows,
    is_analog=is_analog_toy,
    make_channel=make_channel,
    make_phy=ToyPhy,
    make_codec=ToyCodec,
    measure=toy_measure,
    available_metrics=toy_available,
    load_images=toy_images,
    fingerprint=toy_fingerprint,
)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class SlowPhy(ToyPhy):
    """A link that leaves time to be killed in."""

    def send(self, frames, channel, esno_db, seeds) -> LinkReport:
        time.sleep(0.05)
        return super().send(frames, channel, esno_db, seeds)
