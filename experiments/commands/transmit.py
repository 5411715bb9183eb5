"""``scmc-comm transmit``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channels.ranges import EsnoDb, Seed
from experiments.commands.codec_options import add_codec_options, chosen_system, codec_options
from experiments.commands.common import COUNT, AddVerb, Number, add_max_pixels, bandwidth_ratio
from experiments.execution.devices import add_device
from scmc_comm import __version__
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.sent import Sent
    from scmc_comm.setting import Setting


def transmit(args: argparse.Namespace) -> None:
    """Send one picture, or many, over draws of a channel and show what arrives."""
    from experiments.execution.output import check_ending
    from scmc_comm.setting import Setting

    setting = Setting(
        chosen_system(args), args.channel, args.esno_db, args.rho, args.phy, args.trials, args.seed,
        args.design_esno_db,
    )  # fmt: skip
    check_ending(args.report, ".json", ".csv")
    single = len(args.images) == 1 and Path(args.images[0]).is_file()
    (_send_one if single else _send_many)(args, setting)


def _send_one(args: argparse.Namespace, setting: Setting) -> None:
    from experiments.commands.transmit_report import entry_of, lines_of, row_of, times_line
    from experiments.execution.output import check_picture
    from scmc_comm.images import save_png
    from scmc_comm.pictures import each_picture
    from scmc_comm.sent import send_each

    check_picture(args.output, args.report, inputs=args.images)
    (sent,) = send_each(each_picture(args.images), setting)
    times = _times(args, sent)
    save_png(sent.reconstruction().img_hat, args.output)
    if args.report is not None:
        entry = entry_of(sent) | {"image": args.images[0]}
        told = _told(args) | entry | ({"times": times} if times else {})
        _write(args, [row_of(sent, args.system) | times], told)
    print("\n".join([*lines_of(sent), *([times_line(times)] if times else [])]))
    print(args.output)


def _send_many(args: argparse.Namespace, setting: Setting) -> None:
    """A line a picture; what the first draw shows of each goes to a folder."""
    from experiments.commands.transmit_report import entry_of, metrics_line, row_of
    from experiments.execution.output import check_files, check_folder, file_name
    from scmc_comm.datasets.image_sets import set_size
    from scmc_comm.images import save_png

    for source in args.images:
        set_size(source)  # there is such a picture or set
    if args.output.suffix.lower() == ".png":
        raise ScmcError(f"-o is {args.output}; several pictures go to a folder")
    sources = {Path(source).resolve() for source in args.images}
    if args.output.resolve() in sources | {source.parent for source in sources}:
        raise ScmcError(f"{args.output} holds the originals; give another folder for what arrives")
    check_folder(args.output)
    check_files(args.report)
    _check_pictures(args.images)
    written = set[Path]()
    entries, rows = list[dict[str, Any]](), list[dict[str, Any]]()
    for sent in _each(args, setting):
        target = args.output / file_name(sent.name.removesuffix(".png"), ".png")
        if target in written:
            raise ScmcError(f"two pictures would go to {target}; send them one by one")
        written.add(target)
        args.output.mkdir(parents=True, exist_ok=True)
        save_png(sent.reconstruction().img_hat, target)
        times = _times(args, sent)
        entries.append(entry_of(sent) | ({"times": times} if times else {}))
        rows.append(row_of(sent, args.system) | times)
        arrived = "  ".join(f"{tag} {share:.3g}" for tag, share in sent.delivery.items())
        print(f"{sent.name}: delivered {arrived or 'nothing'}; {metrics_line(sent)}", flush=True)
    if args.report is not None:
        _write(args, rows, _told(args) | {"pictures": entries})
    print(f"{len(rows)} pictures in {args.output}")


def _check_pictures(images: Sequence[str]) -> None:
    """Reads each once, so that one that cannot be read is known before the first is sent."""
    from scmc_comm.notices import without_notices
    from scmc_comm.pictures import each_picture

    with without_notices():  # what is converted is said when it is sent
        for _ in each_picture(images):
            pass


def _each(args: argparse.Namespace, setting: Setting) -> Iterator[Sent]:
    """The pictures as they are sent, with a progress bar that says how long all will take."""
    from tqdm import tqdm

    from scmc_comm.datasets.image_sets import set_size
    from scmc_comm.pictures import each_picture
    from scmc_comm.sent import send_each

    count = sum(map(set_size, args.images))
    yield from tqdm(send_each(each_picture(args.images), setting), "pictures", count, leave=False)


def _times(args: argparse.Namespace, sent: Sent) -> dict[str, float]:
    """Times of both codecs; empty if they are not asked for."""
    from experiments.computing.measure import measure_sent

    return {} if args.times is None else measure_sent(sent, args.times)


def _told(args: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, and with measured times the machine."""
    from experiments.execution.machine import describe_machine

    return {
        **({} if args.times is None else {"machine": describe_machine()}),
        "version": __version__,
        "system": args.system,
        "options": codec_options(args).chosen(),
        "channel": args.channel,
        "phy": args.phy,
        "esno_db": args.esno_db,
        "design_esno_db": args.design_esno_db,
        "rho": args.rho,
        "seed": args.seed,
        "trials": args.trials,
    }


def _write(args: argparse.Namespace, rows: list[dict[str, Any]], told: dict[str, Any]) -> None:
    import pandas as pd

    from experiments.commands.transmit_report import columns_of
    from experiments.execution.cache import write_atomic
    from experiments.execution.output import write_json

    if args.report.suffix.lower() == ".json":
        write_json(args.report, told)
    else:
        frame = pd.DataFrame(rows, columns=columns_of(rows))
        write_atomic(args.report, frame.to_csv(index=False).encode())


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "transmit",
        transmit,
        "transmit photo.png --channel rayleigh_block --snr 4 --cbr 1/24 --trials 100 -o got.png",
        "the pictures that were sent are there; --seed gives the same draws again",
    )
    sub.add_argument(
        "images", nargs="+", metavar="IMG", help="a picture; or several, folders or 'photos'"
    )
    sub.add_argument("--channel", default="awgn", help="for example awgn, rayleigh_block (awgn)")
    sub.add_argument(
        "--phy", default="flat", help="flat, or ofdm:KEY=VALUE,... with pilots charged (flat)"
    )
    sub.add_argument("--esno-db", type=Number(EsnoDb), required=True, help="mean Es/N0 in dB")
    sub.add_argument(
        "--design-esno-db",
        type=Number(EsnoDb),
        help="of systems that do not know the mean (the mean)",
    )
    sub.add_argument(
        "--rho", type=bandwidth_ratio, required=True, help="channel uses / (3 H W), as in 1/16"
    )
    sub.add_argument(
        "--system", default="scmc", help="scmc, vvc:mcs=adaptive, ...: see scmc-comm systems (scmc)"
    )
    sub.add_argument(
        "--trials", type=COUNT, default=1, metavar="N",
        help="draws of the channel for each picture: delivery probabilities and mean metrics (1)",
    )  # fmt: skip
    sub.add_argument("--seed", type=Number(Seed), default=0, help="of the channel's draws (0)")
    sub.add_argument(
        "-o", "--output", type=Path, required=True,
        help="PNG to write, of several pictures a folder; it shows the first draw",
    )  # fmt: skip
    sub.add_argument(
        "--report", type=Path, metavar="FILE",
        help=".json (draws, means, ledger with units) or .csv (a row a picture), docs/results.md",
    )  # fmt: skip
    sub.add_argument(
        "--times", type=COUNT, metavar="N",
        help="also time the encoder and the decoder N times each: medians, wall and CPU time",
    )  # fmt: skip
    add_max_pixels(sub)
    add_device(sub)
    add_codec_options(sub, encoder=True, decoder=True)
