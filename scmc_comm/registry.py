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


def _envelope(codec_name: str, utility: str | None = None) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.baselines.envelope import EnvelopeSystem
        from scmc_comm.baselines.image_codecs import make_image_codec
        from scmc_comm.baselines.separation import SeparationSystem

        return EnvelopeSystem(SeparationSystem(make_image_codec(codec_name)), utility)

    return factory


def _scmc_signal() -> System:
    from scmc_comm.baselines.scmc_signal import ScmcSignalCodec
    from scmc_comm.baselines.separation import SeparationSystem

    return SeparationSystem(ScmcSignalCodec())


def _deepjscc(name: str, **options: Any) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.baselines.deepjscc import DeepJsccSystem

        return DeepJsccSystem(name=name, **options)

    return factory


IMAGE_CODEC_NAMES = (
    "jpeg", "vvc", "webp", "jpeg2000", "avif", "hevc",
    "hyperprior", "factorized", "mbt2018-mean", "mbt2018", "cheng2020-anchor", "cheng2020-attn",
)  # fmt: skip
"""Slim forms of `scmc_comm.baselines.image_codecs`; ``NAME-file`` are the complete files."""

SYSTEMS: dict[str, Callable[..., System]] = {
    "scmc": _scmc("unequal"),
    "scmc-equal": _scmc("equal"),
    "scmc-optimised": _scmc("optimised"),
    "scmc-optimised-lpips": _scmc("optimised-lpips"),
    "scmc-optimised-fixed": _scmc("optimised-fixed"),
    **{name: _separation(name) for name in IMAGE_CODEC_NAMES},
    **{f"{name}-file": _separation(f"{name}-file") for name in IMAGE_CODEC_NAMES},
    **{f"{name}-envelope": _envelope(name) for name in IMAGE_CODEC_NAMES},
    **{f"{name}-file-envelope": _envelope(f"{name}-file") for name in IMAGE_CODEC_NAMES},
    **{f"{name}-envelope-lpips": _envelope(name, "lpips") for name in IMAGE_CODEC_NAMES},
    "scmc-signal": _scmc_signal,
    "deepjscc": _deepjscc("deepjscc"),
    "deepjscc-fixed": _deepjscc("deepjscc-fixed", fixed=True),
    "deepjscc-peak": _deepjscc("deepjscc-peak", peak_db=6.0),
}

ANALOG = frozenset({"deepjscc", "deepjscc-fixed", "deepjscc-peak"})
"""Systems that send symbols rather than bits."""

KNOWS: dict[str, frozenset[str]] = {
    **{name: frozenset({"esno_db", "channel"}) for name in SYSTEMS if "-envelope" in name},
    "scmc-optimised": frozenset({"esno_db", "channel"}),
    "scmc-optimised-lpips": frozenset({"esno_db", "channel"}),
    "scmc-optimised-fixed": frozenset({"channel"}),
    "deepjscc": frozenset({"esno_db"}),
    "deepjscc-peak": frozenset({"esno_db"}),
}
"""`System.knows` of the systems that know something of the point they send at."""


def knows(name: str) -> frozenset[str]:
    """What the sender of a system knows of the point it sends at, without loading it.

    Example:
        >>> knows("vvc")
        frozenset()
    """
    return KNOWS.get(name, frozenset())


def make_system(name: str, **options: Any) -> System:
    """The system called ``name``.

    Example:
        >>> make_system("webp-file").name
        'webp-file'
    """
    if name not in SYSTEMS:
        raise ScmcError(f"no system is called {name!r}; expected one of {', '.join(SYSTEMS)}")
    return SYSTEMS[name](**options)
