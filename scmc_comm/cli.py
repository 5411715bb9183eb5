"""The command line, which sees all three packages and holds no logic of its own."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channels.errors import ChannelError
from scmc_comm import __version__
from scmc_comm.commands import COMMANDS
from scmc_comm.commands.common import Command, bandwidth_ratio, write_bytes
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.system import Transmission
    from scmc_comm.types import Reconstruction


def encode(args: argparse.Namespace) -> None:
    """Code an image in three layers."""
    from scmc_comm.codec.layered import LayeredCodec
    from scmc_comm.images import load_image

    img = load_image(args.image)
    codec = LayeredCodec.load()
    stream = codec.encode(img, args.quality, args.seed)
    data = stream.to_bytes()
    write_bytes(args.output, data)
    bits_per_byte_pixel = 8 / (stream.size[0] * stream.size[1])
    for layer in stream.layers:
        size = len(layer.payload)
        print(f"{layer.kind.tag:10} {size:7} bytes  {size * bits_per_byte_pixel:.4f} bpp")
    overhead = len(data) - sum(len(layer.payload) for layer in stream.layers)
    print(f"{'container':10} {overhead:7} bytes  {overhead * bits_per_byte_pixel:.4f} bpp")
    print(f"caption: {codec.semantic.caption(stream.layers[0].payload)}")
    print(f"{args.output}: {len(data)} bytes, {len(data) * bits_per_byte_pixel:.4f} bpp")


def decode(args: argparse.Namespace) -> None:
    """Decode a container, or some of its layers."""
    from scmc_comm.bitstream import LayeredBitstream
    from scmc_comm.codec.layered import LayeredCodec
    from scmc_comm.images import save_png
    from scmc_comm.types import LayerKind

    if not args.container.is_file():
        raise ScmcError(f"no file {args.container}; make one with 'scmc-comm encode'")
    stream = LayeredBitstream.from_bytes(args.container.read_bytes(), strict=False)
    known = {kind.tag: kind for kind in LayerKind}
    wanted = set(known.values())
    if args.layers is not None:
        names = [name.strip() for name in args.layers.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise ScmcError(f"no layer is called {name!r}; expected some of {', '.join(known)}")
        wanted = {known[name] for name in names}
    layers = [layer for layer in stream.layers if layer.kind in wanted]
    if not layers and args.caption is None:
        raise ScmcError(
            f"{args.container} has none of the layers asked for; it holds "
            f"{', '.join(layer.kind.tag for layer in stream.layers)}"
        )
    reconstruction = LayeredCodec.load().decode(layers, stream.size, stream.seed, args.caption)
    save_png(reconstruction.img_hat, args.output)
    _say(reconstruction)
    print(args.output)


def transmit(args: argparse.Namespace) -> None:
    """Send one image over a channel and show what arrives."""
    from channels.models import make_channel
    from channels.phy import BitTruePhy
    from scmc_comm.images import load_image, save_png
    from scmc_comm.metrics import measure
    from scmc_comm.registry import make_system
    from scmc_comm.system import Budget

    system, channel = make_system(args.system), make_channel(args.channel)
    img = load_image(args.image)
    design = args.esno_db if args.design_esno_db is None else args.design_esno_db
    budget = Budget(args.rho, design)
    sent = system.transmit(img, channel, args.esno_db, budget, [args.seed], BitTruePhy())
    shown = sent.prepared.reconstruct(sent.delivered[0])
    metrics = measure(img, shown.img_hat)
    save_png(shown.img_hat, args.output)
    if args.report is not None:
        report = _report(args, sent, shown, metrics)
        write_bytes(args.report, json.dumps(report, indent=2).encode() + b"\n")
    if sent.prepared.infeasible:
        print(f"infeasible: {sent.prepared.infeasible}")
    print(sent.prepared.ledger.to_text())
    print(f"delivered: {', '.join(sorted(shown.delivered)) or 'nothing'}")
    _say(shown)
    print("  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    print(args.output)


def _say(shown: Reconstruction) -> None:
    print(f"level: {'none, mid-grey' if shown.level is None else shown.level.tag}")
    if shown.caption is not None:
        print(f"caption: {shown.caption}")


def _report(
    args: argparse.Namespace, sent: Transmission, shown: Reconstruction, metrics: dict[str, float]
) -> dict[str, Any]:
    return {
        "version": __version__,
        "image": str(args.image),
        "system": args.system,
        "channel": args.channel,
        "esno_db": args.esno_db,
        "rho": args.rho,
        "seed": args.seed,
        "size": list(sent.prepared.size),
        "bpp": sent.prepared.bpp,
        "infeasible": sent.prepared.infeasible,
        "delivered": sorted(shown.delivered),
        "level": None if shown.level is None else shown.level.tag,
        "caption": shown.caption,
        "metrics": metrics,
        "ledger": sent.prepared.ledger.to_dict(),
    }


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="scmc-comm",
        description="Code images in scalable semantic layers and send them over noisy links.",
    )
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, run: Command, example: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name, help=run.__doc__, description=run.__doc__, epilog=f"example: scmc-comm {example}"
        )
        sub.set_defaults(run=run)
        return sub

    sub = verb("encode", encode, "encode photo.png -o photo.scmc --quality 48")
    sub.add_argument("image", type=Path, metavar="IMG", help="picture, 32 x 32 or larger")
    sub.add_argument("-o", "--output", type=Path, required=True, help="container to write")
    sub.add_argument("--quality", type=int, default=48, help="of the signal layer, 0 to 96 (48)")
    sub.add_argument("--seed", type=int, default=0, help="of the generator's noise (0: no byte)")

    sub = verb("decode", decode, "decode photo.scmc -o back.png --layers semantic,structure")
    sub.add_argument("container", type=Path, metavar="X.scmc")
    sub.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    sub.add_argument("--layers", help="comma-separated: semantic, structure, signal (all)")
    sub.add_argument("--caption", help="paint these words instead of the caption that was sent")

    sub = verb(
        "transmit",
        transmit,
        "transmit photo.png --channel rayleigh_block --esno-db 4 --rho 1/16 -o got.png",
    )
    sub.add_argument("image", type=Path, metavar="IMG")
    sub.add_argument("--channel", default="awgn", help="for example awgn, rayleigh_block (awgn)")
    sub.add_argument("--esno-db", type=float, required=True, help="mean Es/N0 in dB")
    sub.add_argument("--design-esno-db", type=float, help="Es/N0 designed for (that of the link)")
    sub.add_argument(
        "--rho", type=bandwidth_ratio, required=True, help="channel uses / (3 H W), as in 1/16"
    )
    sub.add_argument("--system", default="scmc", help="scmc, scmc-equal, jpeg or vvc (scmc)")
    sub.add_argument("--seed", type=int, default=0, help="of the channel's draw (0)")
    sub.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    sub.add_argument("--report", type=Path, help="JSON with ledger and metrics to write")

    for command in COMMANDS:
        command.add(verb)
    return top


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; a user's error is one line on standard error and exit status 2."""
    args = parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(levelname)s: %(message)s"
    )
    if not args.verbose:
        warnings.simplefilter("ignore")
    try:
        args.run(args)
    except (ScmcError, ChannelError) as error:
        print(f"scmc-comm: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"scmc-comm: {error.strerror}: {error.filename}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
