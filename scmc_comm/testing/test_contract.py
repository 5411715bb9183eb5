"""Tests all that ``--plugin`` or an entry point adds; see `scmc_comm.testing.checks`."""

from __future__ import annotations

from typing import Any

from channels.fading.models import CHANNELS
from channels.phy.names import PHYS
from channels.registry import Registry
from scmc_comm.baselines.image_codecs import IMAGE_CODECS
from scmc_comm.datasets.named_sets import DATASETS
from scmc_comm.link.planners import PROTECTIONS
from scmc_comm.metrics import METRICS
from scmc_comm.registry import SYSTEMS
from scmc_comm.testing import checks

_REGISTRIES: dict[str, Registry[Any]] = {
    "system": SYSTEMS, "image_codec": IMAGE_CODECS, "channel": CHANNELS, "metric": METRICS,
    "dataset": DATASETS, "phy": PHYS,
}  # fmt: skip


def _added(registry: Registry[Any]) -> list[str]:
    return [name for name in registry if name not in registry.built_in]


def _systems() -> list[str]:
    """Systems, codecs as the systems that they become, and planners with the layered system."""
    codecs = [
        f"{name}{form}" for name in _added(IMAGE_CODECS) for form in (":law=awgn", ":layers=2")
    ]
    own = [name for name in _added(SYSTEMS) if name not in IMAGE_CODECS]
    return [*own, *codecs, *(f"scmc:protection={name}" for name in _added(PROTECTIONS))]


def pytest_generate_tests(metafunc: Any) -> None:
    """A test for each component of the kind that a test asks for."""
    for kind, registry in _REGISTRIES.items():
        if kind in metafunc.fixturenames:
            names = _systems() if kind == "system" else _added(registry)
            metafunc.parametrize(kind, names)


def test_system_sends(system: str) -> None:
    """See `checks.check_system_sends`."""
    checks.check_system_sends(system)


def test_system_shows(system: str) -> None:
    """See `checks.check_system_shows`."""
    checks.check_system_shows(system)


def test_system_on_links(system: str) -> None:
    """See `checks.check_system_on_links`."""
    checks.check_system_on_links(system)


def test_system_identity(system: str) -> None:
    """See `checks.check_system_identity`."""
    checks.check_system_identity(system)


def test_image_codec(image_codec: str) -> None:
    """See `checks.check_image_codec`."""
    checks.check_image_codec(image_codec)


def test_channel(channel: str) -> None:
    """See `checks.check_channel`."""
    checks.check_channel(channel)


def test_metric(metric: str) -> None:
    """See `checks.check_metric`."""
    checks.check_metric(metric)


def test_dataset(dataset: str) -> None:
    """See `checks.check_dataset`."""
    checks.check_dataset(dataset)


def test_phy(phy: str) -> None:
    """See `checks.check_phy`."""
    checks.check_phy(phy)
