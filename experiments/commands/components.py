"""``scmc-comm metrics``, ``codecs``, ``planners``, ``datasets`` and ``phys``: what has a name."""

from __future__ import annotations

import argparse

from experiments.commands.common import AddVerb, listed


def metrics(args: argparse.Namespace) -> None:
    """List the metrics, which way is better, and where each comes from."""
    from scmc_comm.metrics import METRICS

    width = max(map(len, METRICS))
    for name, metric in METRICS.items():
        unit = f" in {metric.unit}" if metric.unit else ""
        print(listed(METRICS, name, f"{metric.better} is better{unit}", width))


def codecs(args: argparse.Namespace) -> None:
    """List the image codecs and where each comes from; every one is a system too."""
    from scmc_comm.baselines.image_codecs import IMAGE_CODECS

    for name in IMAGE_CODECS:
        print(listed(IMAGE_CODECS, name))


def planners(args: argparse.Namespace) -> None:
    """List what protects the layers (scmc:protection=NAME) and where each comes from."""
    from scmc_comm.link.planners import PROTECTIONS

    for name in PROTECTIONS:
        print(listed(PROTECTIONS, name))


def datasets(args: argparse.Namespace) -> None:
    """List the sets of pictures that have a name and where each comes from."""
    from scmc_comm.datasets.image_sets import DATASETS

    for name in DATASETS:
        print(listed(DATASETS, name))
    print("and any folder of pictures, see docs/datasets.md")


def phys(args: argparse.Namespace) -> None:
    """List the physical layers and where each comes from; their keys are told by channels."""
    from channels.phy.names import PHYS

    for name in PHYS:
        print(listed(PHYS, name))


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    for run in (metrics, codecs, planners, datasets, phys):
        verb(run.__name__, run, run.__name__)
