"""``scmc-comm transmit``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.commands.codec_options import add_codec_options, chosen_system, codec_options
from experiments.commands.common import AddVerb, bandwidth_ratio, say_shown
from scmc_comm import __version__

if TYPE_CHECKING:
    from channels.fading.models import Channel
    from scmc_comm.link.prepared import Prepared
    from scmc_comm.transmission import Transmission
    from scmc_comm.types import Reconstruction


def transmit(args: argparse.Namespace) -> None:
    """Send one image over a channel and show what arrives."""
    from channels.fading.models import make_channel
    from channels.phy.names import make_phy
    from experiments.execution.output import check_picture, write_json
    from scmc_comm.images import load_image, save_png
    from scmc_comm.link.budget import design_for
    from scmc_comm.metrics import measure
    from scmc_comm.transmission import transmit

    check_picture(args.output, args.report)
    channel, phy = make_channel(args.channel), make_phy(args.phy)
    system = chosen_system(args)
    img = load_image(args.image)
    stated = args.esno_db if args.design_esno_db is None else args.design_esno_db
    design = design_for(system.side_information, args.channel, args.esno_db, args.phy, stated)
    sent = transmit(system, img, design.budget(args.rho), channel, args.esno_db, [args.seed], phy)
    shown, prepared = sent.reconstruction(0), sent.prepared
    metrics, fade_db = measure(img, shown.img_hat), _fade_db(args, channel, prepared)
    save_png(shown.img_hat, args.output)
    if args.report is not None:
        write_json(args.report, _report(args, sent, shown, metrics, fade_db))
    if prepared.infeasible:
        print(f"infeasible: {prepared.infeasible}")
    print(f"where the channel uses go:\n{prepared.ledger.to_text()}")
    if not prepared.infeasible:
        print(f"PAPR of the waveform: {prepared.papr_db:.2f} dB")
    if fade_db is not None:
        print(f"fade of this draw: {fade_db:+.2f} dB, so Es/N0 {args.esno_db + fade_db:.2f} dB")
    arrived = [tag for tag in prepared.tags if tag in shown.delivered]
    print(f"delivered: {', '.join(arrived) or 'nothing'}")
    say_shown(shown)
    print("  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    print(args.output)


def _fade_db(args: argparse.Namespace, channel: Channel, prepared: Prepared) -> float | None:
    """Mean gain of the draw over all channel uses in dB; None on another link than the flat one.

    The draw is that of the transmission, since channels draw by the seed alone.
    """
    if args.phy != "flat" or prepared.infeasible:
        return None
    state = channel.draw(prepared.ledger.used, args.esno_db, [args.seed])
    return 10 * math.log10(float(state.h.abs().square().mean()))


def _report(
    args: argparse.Namespace,
    sent: Transmission,
    shown: Reconstruction,
    metrics: dict[str, float],
    fade_db: float | None,
) -> dict[str, Any]:
    return {
        "version": __version__,
        "image": str(args.image),
        "system": args.system,
        "options": codec_options(args).chosen(),
        "channel": args.channel,
        "phy": args.phy,
        "esno_db": args.esno_db,
        "rho": args.rho,
        "seed": args.seed,
        "size": list(sent.prepared.size),
        "bpp": sent.prepared.bpp,
        "papr_db": None if sent.prepared.infeasible else sent.prepared.papr_db,
        "infeasible": sent.prepared.infeasible,
        "fade_db": fade_db,
        "delivered": [tag for tag in sent.prepared.tags if tag in shown.delivered],
        "level": None if shown.level is None else shown.level.tag,
        "caption": shown.caption,
        "metrics": metrics,
        "ledger_units": {
            "frames": "bits, but for channel_uses and pilots",
            "uses_by_item": "channel uses",
        },
        "ledger": sent.prepared.ledger.to_dict(),
    }


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "transmit",
        transmit,
        "transmit photo.png --channel rayleigh_block --esno-db 4 --rho 1/16 -o got.png",
    )
    sub.add_argument("image", type=Path, metavar="IMG")
    sub.add_argument("--channel", default="awgn", help="for example awgn, rayleigh_block (awgn)")
    sub.add_argument(
        "--phy", default="flat", help="flat, or ofdm:KEY=VALUE,... with pilots charged (flat)"
    )
    sub.add_argument("--esno-db", type=float, required=True, help="mean Es/N0 in dB")
    sub.add_argument(
        "--design-esno-db",
        type=float,
        help="of systems that do not know the mean (the mean)",
    )
    sub.add_argument(
        "--rho", type=bandwidth_ratio, required=True, help="channel uses / (3 H W), as in 1/16"
    )
    sub.add_argument(
        "--system", default="scmc", help="scmc, vvc:mcs=adaptive, ...: see scmc-comm systems (scmc)"
    )
    sub.add_argument("--seed", type=int, default=0, help="of the channel's draw (0)")
    sub.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    sub.add_argument("--report", type=Path, help="JSON with ledger and metrics to write")
    add_codec_options(sub, encoder=True, decoder=True)
