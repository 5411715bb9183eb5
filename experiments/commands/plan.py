"""``scmc-comm plan``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channels.ranges import Seed
from experiments.commands.common import COUNT, AddVerb, Number, bandwidth_ratio
from experiments.execution.devices import add_device
from scmc_comm.errors import ScmcError
from scmc_comm.types import STRUCTURE_LEVELS, LayerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.statistics.means import Interval
    from experiments.statistics.tables import Table
    from scmc_comm.link.budget import Budget
    from scmc_comm.link.optimiser import Allocation, Request
    from scmc_comm.link.protection import ProtectionPlan
    from scmc_comm.link.quality import QualityModel

MODULATIONS = {2: "QPSK", 4: "16-QAM", 6: "64-QAM", 8: "256-QAM"}
_HEAD = ["unit", "bytes", "modulation", "code rate", "repeated", "power", "uses", "delivered"]
_CHUNK = 50


def plan(args: argparse.Namespace) -> None:
    """Find the protection of the layers that looks best on average over a channel."""
    from channels.fading.models import make_channel
    from experiments.execution.output import check_ending, check_files, write_json
    from scmc_comm.link.budget import Budget
    from scmc_comm.link.optimiser import Request, check_fits, optimise
    from scmc_comm.link.protection import equal_plan, unequal_plan
    from scmc_comm.link.utility import Utility

    if args.simulate is not None and args.simulate < 1:
        raise ScmcError(f"--simulate is {args.simulate}; expected a number of trials above 0")
    check_ending(args.json, ".json")
    check_files(args.json)
    utility, channel = Utility.parse(args.utility), make_channel(args.channel)
    levels, size = _levels(args, [name for name, _ in utility.weights])
    budget = Budget(args.rho, max(args.esno_db), channel.name, args.utility)
    request = Request(
        budget.uses(size), channel.name, args.esno_db, args.weights, args.utility,
        with_power=args.power,
    )  # fmt: skip
    check_fits(request, levels[0])
    every = [optimise(request, quality, size) for quality in levels]
    level = max(range(len(every)), key=lambda i: every[i].utility)
    best = every[level]
    rivals = {
        "equal": _rival(equal_plan, request, levels, size),
        "unequal": _rival(unequal_plan, request, levels, size),
    }
    print(f"{request.num_uses} channel uses for {size[0]}x{size[1]} pixels, {_where(request)}")
    print(table(best).text())
    if best.units[LayerKind.STRUCTURE] is not None:
        print(f"structure at level {level} (0 is the coarsest, {len(levels) - 1} the finest)")
    print(f"expected {args.utility}: {best.utility:.3f}")
    for name, other in rivals.items():
        value = "nothing can be sent" if other is None else f"{other.utility:.3f}"
        print(f"  with {name} protection: {value}")
    simulated = None
    if args.simulate is not None:
        drawn = _simulate(best, request, budget, size, args.simulate, args.seed)
        simulated = {name: float(value) for name, value in vars(drawn).items()}
        simulated["num_trials"] = args.simulate
        print(
            f"  simulated: {drawn.mean:.3f}, 95 % interval {drawn.low:.3f} to {drawn.high:.3f}, "
            f"{args.simulate} bit-true trials"
        )
    if args.json is not None:
        told = {
            "request": dataclasses.asdict(request),
            "size": list(size),
            "structure_level": level,
            **{name: _as_dict(found) for name, found in {"optimised": best, **rivals}.items()},
            "simulated": simulated,
        }
        write_json(args.json, told)


def _where(request: Request) -> str:
    means = ", ".join(f"{esno_db:g}" for esno_db in request.esno_db)
    if len(request.esno_db) == 1:
        return f"{request.channel} at {means} dB"
    shares = "all alike" if request.weights is None else f"weights {request.weights}"
    return f"{request.channel} at one of {means} dB ({shares})"


def _rival(
    make: Callable[..., ProtectionPlan],
    request: Request,
    levels: Sequence[QualityModel],
    size: tuple[int, int],
) -> Allocation | None:
    """The plan of a rule at the level of the structure layer that is best for it."""
    from scmc_comm.link.optimiser import compare

    found = [compare(make, request, quality, size) for quality in levels]
    sent = [allocation for allocation in found if allocation is not None]
    return max(sent, key=lambda allocation: allocation.utility, default=None)


def _levels(
    args: argparse.Namespace, metrics: list[str]
) -> tuple[list[QualityModel], tuple[int, int]]:
    """Curves at each structure level, of the validation pictures or of the one given; its size."""
    from scmc_comm.link.layer_curves import load_quality
    from scmc_comm.link.quality import quality_model

    if args.image is None:
        return [load_quality(args.size, level) for level in range(STRUCTURE_LEVELS)], args.size
    from experiments.training.layer_curves import measure_picture
    from scmc_comm.codec.layered import LayeredCodec
    from scmc_comm.images import load_image

    img = load_image(args.image)
    measured = measure_picture(LayeredCodec(), img, metrics)
    size = (int(img.shape[1]), int(img.shape[2]))
    levels = range(STRUCTURE_LEVELS)
    return [quality_model([measured], metrics, size, level) for level in levels], size


def table(found: Allocation) -> Table:
    """The plan: a unit each, and the sum."""
    from channels.coding.transport_block import num_channel_uses
    from experiments.statistics.tables import Table
    from scmc_comm.link.optimiser import UNITS

    rows, total = [], 0
    units = zip(UNITS, found.units, found.num_bits, found.delivery, strict=True)
    for tag, how, bits, chance in units:
        if how is None or not bits:
            rows.append([tag, "-", *[""] * 4, "0", "not sent" if how is None else "empty"])
            continue
        uses = num_channel_uses(bits, how.mcs)
        total += uses
        rows.append([
            tag, str(bits // 8), MODULATIONS[how.mcs.num_bits_per_symbol],
            f"{how.mcs.coderate:.3f}", str(how.mcs.repetition), f"{how.power_db:+.1f} dB",
            str(uses), f"{100 * chance:.2f} %",
        ])  # fmt: skip
    rows.append(["sum", str(sum(found.num_bits) // 8), *[""] * 4, str(total), ""])
    return Table(_HEAD, rows)


def _simulate(
    found: Allocation,
    request: Request,
    budget: Budget,
    size: tuple[int, int],
    num_trials: int,
    seed: int,
) -> Interval:
    import numpy as np
    from tqdm import tqdm

    from channels.fading.models import make_channel
    from channels.phy.bit_true import BitTruePhy
    from experiments.statistics.means import bounded_mean
    from scmc_comm.link.prepared import Prepared
    from scmc_comm.transmission import send

    frames = found.frames()
    prepared = Prepared.of_frames(frames, [8] * len(frames), budget, size)
    weights = np.ones(len(request.esno_db)) if request.weights is None else request.weights
    means = np.random.default_rng(seed).choice(
        request.esno_db, num_trials, p=np.asarray(weights) / np.sum(weights)
    )
    channel, values = make_channel(request.channel), np.empty(num_trials)
    with tqdm(total=num_trials, desc="trials", disable=num_trials <= _CHUNK) as bar:
        for mean_db in np.unique(means):
            at = np.nonzero(means == mean_db)[0]
            for i in range(0, len(at), _CHUNK):
                some = at[i : i + _CHUNK]
                seeds = [seed * 1_000_003 + int(trial) for trial in some]
                sent = send(prepared, channel, float(mean_db), seeds, BitTruePhy())
                values[some] = [found.score(sent.delivered_tags(n)) for n in range(len(some))]
                bar.update(len(some))
    every = frozenset(frame.tag for frame in frames)
    return bounded_mean(values, (found.score(frozenset()), found.score(every)))


def _as_dict(found: Allocation | None) -> dict[str, Any] | None:
    from scmc_comm.link.optimiser import UNITS

    if found is None:
        return None
    units = zip(UNITS, found.units, found.num_bits, found.delivery, strict=True)
    return {
        "utility": found.utility,
        "units": {
            tag: {
                **dataclasses.asdict(how.mcs),
                "power_db": how.power_db,
                "num_bits": bits,
                "delivered": chance,
            }
            for tag, how, bits, chance in units
            if how is not None
        },
    }


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in text.lower().split("x"))
        if min(height, width) >= 32:
            return height, width
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is no size; write HEIGHTxWIDTH as in 256x256, each side 32 or more"
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of numbers; write one or several as in 6 or -3,3,9"
        ) from None


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "plan",
        plan,
        "plan --rho 1/24 --channel rayleigh_block --esno-db 6",
        "nothing is kept; a smaller --simulate takes less time",
    )
    sub.add_argument(
        "--rho", type=bandwidth_ratio, required=True, help="channel uses / (3 H W), as in 1/24"
    )
    sub.add_argument("--channel", default="awgn", help="for example awgn, rayleigh_block (awgn)")
    sub.add_argument(
        "--esno-db", type=_numbers, required=True, metavar="DB[,DB...]",
        help="mean Es/N0 in dB; several if the sender does not know which, as in -3,3,9",
    )  # fmt: skip
    sub.add_argument(
        "--weights", type=_numbers, metavar="W[,W...]", help="how likely each Es/N0 is (all alike)"
    )
    sub.add_argument(
        "--size", type=_size, default=(256, 256), metavar="HxW", help="of the picture (256x256)"
    )
    sub.add_argument(
        "--utility", default="psnr_db",
        help="what to make best: a sum such as psnr_db-20*lpips, of psnr_db, ms_ssim, lpips, "
        "dists (psnr_db)",
    )  # fmt: skip
    sub.add_argument(
        "--image", type=Path, metavar="FILE",
        help="plan for this picture, measured now, in place of the mean of validation pictures",
    )  # fmt: skip
    sub.add_argument("--power", action="store_true", help="let units differ in power")
    sub.add_argument("--simulate", type=COUNT, metavar="N", help="check with N bit-true trials")
    sub.add_argument("--seed", type=Number(Seed), default=0, help="of the simulation (0)")
    add_device(sub)
    sub.add_argument("--json", type=Path, metavar="FILE", help="JSON to write")
