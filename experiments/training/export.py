"""Turn a checkpoint into the weights that ship.

    python -m experiments.training.export signal DIR/checkpoint.pt -o signal.safetensors

``--start OLD.safetensors --keep 0.5`` averages the weights with those that the training went on
from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from experiments.training.loop import check_share, keep_some, start_state
from scmc_comm.codec.weights import save_weights, with_tuples
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER


def export_signal(config: dict[str, Any], state: dict[str, Any], path: Path) -> None:
    """Signal network: halve the weights first, then make the integer tables from them."""
    from experiments.training.signal_net import TrainedSignalNet
    from scmc_comm.codec.signal_transforms import SignalConfig

    net = TrainedSignalNet(SignalConfig(**with_tuples(config)))
    net.load_state_dict(state)
    keep = "bottleneck."
    for name, value in net.named_parameters():
        if not name.startswith(keep):
            value.data = value.data.half().float()
    net.freeze_tables()
    tables = dict(net.state_dict())
    tables["gaussian.scale_table"] = net.gaussian.scale_table.double().float()
    save_weights("signal", asdict(net.config), tables, path, keep_float32=(keep, "gaussian."))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=("signal", "fusion", "deepjscc", "enhance"))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--start", type=Path, help="weights that the training went on from")
    parser.add_argument("--keep", type=float, default=0.0, help="share of --start in the result")
    args = parser.parse_args(argv)
    check_share(args.keep)
    if args.keep and not args.start:
        raise ScmcError("--keep is a share of the weights at the start; give --start as well")
    saved = torch.load(args.checkpoint, weights_only=True, map_location="cpu")
    out = args.out or FOLDER / f"{args.network}.safetensors"
    config, state = saved["config"]["net"], saved["state"]["averaged"]
    if args.start:
        state = keep_some(state, start_state(args.network, args.start), args.keep)
    if args.network == "signal":
        export_signal(config, state, out)
    else:
        # The analog baseline decodes noise: eight bits are not seen there.
        eight_bits = args.network == "deepjscc"
        save_weights(args.network, config, state, out, eight_bits=eight_bits)


if __name__ == "__main__":
    main()
