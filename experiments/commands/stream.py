"""``scmc-comm stream``."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Annotated

from channels.ranges import EsnoDb, Range, Seed, SymbolRateHz
from experiments.commands.common import AGAIN, COUNT, AddVerb, Number, bandwidth_ratio
from experiments.execution.devices import add_device

PicturesPerS = Annotated[float, Range(0, 1e6, open_low=True)]
Seconds = Annotated[float, Range(0, 1e6, open_low=True)]
FilmSide = Annotated[int, Range(64, 1024)]


def stream(args: argparse.Namespace) -> None:
    """Send a folder of pictures over a timed link along an SNR trace, and film what arrives."""
    from tqdm import tqdm

    from channels.fading.trace import read_trace
    from experiments.execution.cache import Cache, default_cache_dir
    from experiments.figures.film import Film, check_side, check_target, save
    from experiments.sweep.components import Components
    from experiments.timed.library import Library
    from experiments.timed.stream import SCHEMES, StreamSettings, play, synthetic_fade
    from scmc_comm.datasets.image_sets import set_size

    check_target(args.out)
    check_side(args.side)
    trace = synthetic_fade() if args.trace is None else read_trace(args.trace)
    settings = StreamSettings(args.pictures_per_s, args.bandwidth_hz, args.duration_s, args.seed)
    count = settings.num_pictures(trace)
    components = Components()
    wanted = args.num_images or set_size(args.images)
    images = components.load_images(args.images, min(wanted, count))
    cache = Cache(default_cache_dir())
    library = Library(
        images, "scmc", args.rho, args.design_esno_db, ("psnr_db",), cache, components
    )
    shots = play(library, SCHEMES, trace, settings)
    film = Film(library, shots, trace, 1 / settings.pictures_per_s, args.side)
    save(film, args.out, partial(tqdm, total=count, desc="film", unit="frame"))
    for name, seen in shots.items():
        mean_db = sum(shot.seen.metrics["psnr_db"] for shot in seen) / count
        some = sum(bool(shot.delivered) for shot in seen)
        whole = sum(len(shot.delivered) == len(shot.sent) for shot in seen)
        print(
            f"{name.partition(':')[0]:5} {count} pictures: {whole} complete, {some - whole} in "
            f"part, {count - some} lost; mean PSNR {mean_db:.2f} dB"
        )
    print(f"film: {args.out} ({args.out.stat().st_size / 1e6:.2f} MB)")


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("stream", stream, "stream photos --out stream.gif", AGAIN)
    sub.add_argument("images", metavar="DIR", help="a folder of pictures, or 'photos' (built in)")
    sub.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="film to write, .gif or .mp4"
    )
    sub.add_argument(
        "--trace", type=Path, metavar="CSV", help="columns time_s,esno_db (a built-in fade)"
    )
    sub.add_argument(
        "--pictures-per-s", type=Number(PicturesPerS), default=1.0, help="pictures a second (1)"
    )
    sub.add_argument(
        "--bandwidth-hz",
        type=Number(SymbolRateHz),
        default=20e3,
        help="channel uses a second (20000)",
    )
    sub.add_argument("--duration-s", type=Number(Seconds), help="length (once through the trace)")
    sub.add_argument(
        "--rho", type=bandwidth_ratio, default=1 / 24,
        help="bandwidth ratio that SCMC codes a picture for; rivals get as many bytes (1/24)",
    )  # fmt: skip
    sub.add_argument(
        "--design-esno-db", type=Number(EsnoDb), default=10.0, help="and Es/N0 in dB (10)"
    )
    sub.add_argument("--num-images", type=COUNT, help="only the first so many pictures")
    sub.add_argument(
        "--side", type=Number(FilmSide), default=160, help="height of a picture in the film (160)"
    )
    sub.add_argument("--seed", type=Number(Seed), default=1, help="of block errors (1)")
    add_device(sub)
