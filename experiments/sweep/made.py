"""What a process makes once: systems, links, and the identity of its code."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from channels.fading.models import channel_identity
from channels.phy.names import phy_identity
from channels.plugins import Loaded, changes, load_same, new_run
from experiments.sweep.components import Components
from experiments.sweep.links import Link
from scmc_comm.device import device_class
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.systems.base import System


def load_system(components: Components, name: str) -> System:
    """A system, made once a process for each state of the files and plug-ins that it names."""
    state = changes()
    return _made_system(components, name, state, _made_system(components, name, state).identity())


@functools.cache
def _made_system(components: Components, name: str, state: int, _: str = "") -> System:
    system: System = components.make_system(name)
    return system


def link_of(components: Components, link: Link, estimator: str) -> tuple[Any, Any]:
    """Channel and physical layer of an estimator."""
    identity = channel_identity(link.channel), phy_identity(link.phy)
    return _made_link(components, link, estimator, identity)


@functools.cache
def _made_link(
    components: Components, link: Link, estimator: str, _: tuple[str, str]
) -> tuple[Any, Any]:
    """Channel and physical layer, made once a process for each identity of both."""
    return components.make_channel(link.channel), components.make_phy(estimator, link.phy)


def fingerprint_of(components: Components) -> str:
    """Identity of the code and weights that this process runs, hashed once for each device."""
    return _fingerprint_on(components, device_class())


@functools.cache
def _fingerprint_on(components: Components, _: str) -> str:
    return components.fingerprint()


def check_code(
    components: Components, fingerprint: str, plugins: Sequence[Loaded], run: str
) -> None:
    """Makes this process, perhaps a worker elsewhere, compute what the sweep's would.

    Args:
        components: What the sweep is made of.
        fingerprint: Of the sweep's code.
        plugins: What was loaded for the sweep, which is loaded here.
        run: The sweep's token, see `channels.plugins.new_run`.

    Raises:
        ScmcError: Other code, weights or packages, or another class of device, are here.
        PluginError: Another plug-in is here.
    """
    for plugin in plugins:
        load_same(plugin)
    if run:
        new_run(run)
    found = fingerprint_of(components)
    if found != fingerprint:
        raise ScmcError(
            f"a worker has other code, weights, packages or device ({found[:12]}) than the sweep "
            f"({fingerprint[:12]}); install the same version on every machine"
        )
