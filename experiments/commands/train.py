"""``scmc-comm train NETWORK ...``: the flat scripts of ``experiments.training`` by name."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from experiments.commands.common import AddVerb

NETWORKS = (
    "captioner_features", "captioner", "caption_scores", "colour_maps", "scalable", "generator",
    "edges", "fusion", "signal", "detail", "deepjscc", "enhance", "vvc_pairs",
    "kinds", "text_model", "lower", "layer_curves", "codec_curves", "export", "evaluate",
    "evaluate_deepjscc", "evaluate_enhance", "ablation", "gallery", "all",
)  # fmt: skip
"""What can be named: scripts of ``experiments.training``, and its ``recipe`` as 'all'."""


def train(args: argparse.Namespace) -> None:
    """Train one network, or all of them in order; 'train NETWORK --help' lists its options."""
    name = "recipe" if args.network == "all" else args.network
    script = importlib.import_module(f"experiments.training.{name}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    program = sys.argv[0]
    sys.argv[0] = f"scmc-comm train {args.network}"  # the script's usage line names itself so
    try:
        script.main(args.arguments)
    finally:
        sys.argv[0] = program


def add(verb: AddVerb) -> None:
    """Add the verb."""
    sub = verb(
        "train",
        train,
        "train all --data CUB_200_2011 --out runs/birds --minutes 600",
        "give the same command again, and it goes on from the checkpoint in --out",
    )
    sub.add_argument(
        "network",
        choices=NETWORKS,
        help="a network; 'lower': what the upper layers are trained on; 'layer_curves': what the "
        "protection optimiser plans with; 'codec_curves': what adaptive MCS is chosen by; "
        "'export': checkpoint to weights; 'ablation': what each part of the fusion is worth; "
        "'gallery': what receivers see, side by side; 'all': every layer on one data set",
    )
    sub.add_argument("arguments", nargs=argparse.REMAINDER, help="the script's own")
