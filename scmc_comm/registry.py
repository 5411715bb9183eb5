"""Components by name. Nothing is imported until a factory is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.system import System


def _scmc(protection: str) -> Callable[..., System]:
    def factory(codec: Any = None, seed: int = 0) -> System:
        from scmc_comm.transmit import ScmcSystem

        if codec is None:
            from scmc_comm.codec.layered import LayeredCodec

            codec = LayeredCodec.load()
        return ScmcSystem(codec, protection, seed)

    return factory


def _separation(codec_name: str) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.baselines.image_codecs import make_image_codec
        from scmc_comm.baselines.separation import SeparationSystem

        return SeparationSystem(make_image_codec(codec_name))

    return factory


SYSTEMS: dict[str, Callable[..., System]] = {
    "scmc": _scmc("unequal"),
    "scmc-equal": _scmc("equal"),
    "jpeg": _separation("jpeg"),
    "vvc": _separation("vvc"),
}


def make_system(name: str, **options: Any) -> System:
    """The system called ``name``.

    Example:
        >>> sorted(SYSTEMS)
        ['jpeg', 'scmc', 'scmc-equal', 'vvc']
    """
    if name not in SYSTEMS:
        raise ScmcError(f"no system is called {name!r}; expected one of {', '.join(SYSTEMS)}")
    return SYSTEMS[name](**options)
