"""Components by name. Nothing is imported until a factory is called.

The layered systems take the options of `scmc_comm.codec.options.CodecOptions` behind a colon:
``scmc:realism=0``, ``scmc-optimised:generator=DIR,beams=1``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_type_hints

from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from scmc_comm.codec.options import CodecOptions
    from scmc_comm.systems.base import System


def _scmc(protection: str) -> Callable[..., System]:
    def factory(codec: Any = None, seed: int = 0) -> System:
        from scmc_comm.systems.scmc import ScmcSystem

        if codec is None:
            from scmc_comm.codec.layered import LayeredCodec

            codec = LayeredCodec.load()
        return ScmcSystem(codec, protection, seed)

    return factory


def _separation(codec_name: str) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.baselines.image_codecs import make_image_codec
        from scmc_comm.systems.separate import SeparationSystem

        return SeparationSystem(make_image_codec(codec_name))

    return factory


def _envelope(codec_name: str, utility: str | None = None) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.baselines.image_codecs import make_image_codec
        from scmc_comm.systems.adaptive import EnvelopeSystem
        from scmc_comm.systems.separate import SeparationSystem

        return EnvelopeSystem(SeparationSystem(make_image_codec(codec_name)), utility)

    return factory


def _scmc_signal() -> System:
    from scmc_comm.baselines.scmc_signal import ScmcSignalCodec
    from scmc_comm.systems.separate import SeparationSystem

    return SeparationSystem(ScmcSignalCodec())


def _deepjscc(name: str, **options: Any) -> Callable[..., System]:
    def factory() -> System:
        from scmc_comm.systems.deepjscc import DeepJsccSystem

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

LAYERED = frozenset(name for name in SYSTEMS if name.startswith("scmc") and name != "scmc-signal")
"""Systems that take options of the codec."""

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
    return KNOWS.get(name.partition(":")[0], frozenset())


def identity(name: str) -> str:
    """The name, and what identifies the local files that its options name: for cache keys.

    Example:
        >>> identity("scmc:realism=0")
        'scmc:realism=0'
    """
    args = name.partition(":")[2]
    return name + parse_options(f"system {name!r}", args).files_state() if args else name


def check_system(name: str) -> None:
    """Whether a name can be a system's; its networks are not looked for.

    Raises:
        ScmcError: There is no such system, or it has no such options.

    Example:
        >>> check_system("scmc:realism=0")
    """
    _parse(name)


def _parse(name: str) -> tuple[str, CodecOptions | None]:
    """Name of a system and what is behind its colon, None for nothing."""
    base, _, args = name.partition(":")
    if base not in SYSTEMS:
        raise ScmcError(f"there is no system {base!r}; there are {', '.join(sorted(SYSTEMS))}")
    if not args:
        return base, None
    if base not in LAYERED:
        raise ScmcError(
            f"system {base!r} takes no options, got {args!r}; {', '.join(sorted(LAYERED))} do"
        )
    return base, parse_options(f"system {base!r}", args)


def parse_options(owner: str, text: str) -> CodecOptions:
    """Options of the codec from ``key=value,key=value``.

    Args:
        owner: Whose they are, for errors.
        text: As written behind the colon of a system's name.

    Raises:
        ScmcError: An unknown option, or a value that it cannot have.

    Example:
        >>> parse_options("scmc", "realism=0,beams=1").chosen()
        {'beams': 1, 'realism': 0.0}
    """
    from channels.errors import ChannelError
    from channels.specs import parse_arguments
    from scmc_comm.codec.options import CodecOptions

    try:
        return CodecOptions(**parse_arguments(owner, get_type_hints(CodecOptions), text))
    except ChannelError as error:
        raise ScmcError(str(error)) from error


def make_system(name: str, **options: Any) -> System:
    """The system called ``name``.

    Args:
        name: One of `SYSTEMS`, the layered ones with options behind a colon if need be.
        **options: For the system's factory.

    Raises:
        ScmcError: There is no such system, or something that it needs is missing.

    Example:
        >>> make_system("webp-file").name
        'webp-file'
        >>> make_system("scmc:realism=0").name
        'scmc:realism=0'
    """
    base, chosen = _parse(name)
    if chosen is None:
        return SYSTEMS[base](**options)
    if "codec" in options:
        raise ScmcError(f"system {name!r} names its codec's options; no codec can be given too")
    from scmc_comm.codec.options import make_codec

    system = SYSTEMS[base](codec=make_codec(chosen), **options)
    system.name = name
    return system
