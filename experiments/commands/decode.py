"""``scmc-comm decode``."""

from __future__ import annotations

import argparse
from pathlib import Path

from channels.errors import no_such
from experiments.commands.codec_options import add_codec_options, codec_options
from experiments.commands.common import AddVerb, add_max_pixels, say_shown
from experiments.execution.devices import add_device
from scmc_comm.errors import ScmcError


def decode(args: argparse.Namespace) -> None:
    """Decode a container, or some of its layers."""
    from experiments.execution.output import check_picture
    from scmc_comm.bitstream import LayeredBitstream
    from scmc_comm.codec.options import make_codec
    from scmc_comm.images import save_png
    from scmc_comm.types import LayerKind

    if not args.container.is_file():
        what = "is a folder or a device" if args.container.exists() else "is not there"
        raise ScmcError(f"container {args.container} {what}; make one with 'scmc-comm encode'")
    check_picture(args.output, inputs=[args.container])
    try:
        stream = LayeredBitstream.from_bytes(args.container.read_bytes(), strict=False)
    except ScmcError as error:
        raise ScmcError(f"{args.container}: {error}") from error
    known = [kind.tag for kind in LayerKind]
    names = known if args.layers is None else args.layers.replace(" ", "").split(",")
    for name in filter(None, names):
        if name not in known:
            raise ScmcError(no_such("layer", name, known))
    layers = [layer for layer in stream.layers if layer.kind.tag in names]
    if not layers and args.caption is None:
        raise ScmcError(
            f"{args.container} has none of the layers asked for; it holds "
            f"{', '.join(layer.kind.tag for layer in stream.layers)}"
        )
    codec = make_codec(codec_options(args))
    reconstruction = codec.decode(layers, stream.size, stream.seed, args.caption)
    save_png(reconstruction.img_hat, args.output)
    say_shown(reconstruction)
    print(args.output)


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb("decode", decode, "decode photo.scmc -o back.png --layers semantic,structure")
    sub.add_argument("container", type=Path, metavar="X.scmc")
    sub.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    sub.add_argument("--layers", help="comma-separated: semantic, structure, signal (all)")
    sub.add_argument("--caption", help="paint these words instead of the caption that was sent")
    add_max_pixels(sub)
    add_device(sub)
    add_codec_options(sub, decoder=True)
