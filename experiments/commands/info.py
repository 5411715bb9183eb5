"""``scmc-comm info``."""

from __future__ import annotations

import argparse

from experiments.commands.common import AddVerb
from scmc_comm import __version__


def info(args: argparse.Namespace) -> None:
    """Say what is installed: channels, sweeps, weights, device, packages."""
    from channels.fading.models import CHANNELS
    from experiments.execution.fingerprint import package_versions
    from experiments.sweeps import list_sweeps
    from scmc_comm.device import DEVICE_ENV, EXPECTED, describe_device
    from scmc_comm.models import model_path

    print(f"scmc-comm {__version__}")
    print("systems:  listed by 'scmc-comm systems'")
    print(f"channels: {', '.join(CHANNELS)}; described by 'scmc-comm channels'")
    for name, spec in list_sweeps().items():
        print(f"sweep:    {name}: {spec.description}")
    for path in sorted(model_path("").glob("*.safetensors")):
        print(f"weights:  {path.stem}, {path.stat().st_size / 1e6:.1f} MB")
    print(f"device:   networks run on {describe_device()}; {EXPECTED} by --device or ${DEVICE_ENV}")
    print("packages: " + ", ".join(f"{k} {v}" for k, v in package_versions().items()))


def add(verb: AddVerb) -> None:
    """Add the verb."""
    verb("info", info, "info")
