"""Systems by name, written ``NAME:key=value,key=value``. Nothing is imported until one is made."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from channels.plugins import Plugin, PluginError
from channels.registry import Registry
from scmc_comm.errors import ScmcError
from scmc_comm.types import CODEC_ALIASES

if TYPE_CHECKING:
    from scmc_comm.codec.options import CodecOptions
    from scmc_comm.systems.base import System


@dataclass(frozen=True)
class Entry:
    """Where a system is declared.

    Attributes:
        place: ``module:class``, or the class.
        summary: What it is, in a line.
        fixed: Fields of the class that the name stands for.
        layered: ``module:class`` of its form in layers, which the option ``layers`` asks for.
    """

    place: str | type[System]
    summary: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    layered: str | None = None

    def load(self, layered: bool = False) -> type[System]:
        """The class, or that of its form in layers if there is one."""
        place = self.layered if layered and self.layered is not None else self.place
        if not isinstance(place, str):
            return place
        module, _, name = place.partition(":")
        found: type[System] = getattr(importlib.import_module(module), name)
        return found


def _image(codec: str, summary: str, layered: str = "Simulcast") -> Entry:
    place = "scmc_comm.systems.separate:Separate"
    return Entry(place, summary, {"codec": codec}, f"scmc_comm.systems.layered_file:{layered}")


def _learned(codec: str, summary: str) -> Entry:
    return Entry("scmc_comm.systems.separate:LearnedSeparate", summary, {"codec": codec})


def _plugin_entry(plugin: Plugin) -> Entry:
    """The declaration of a plug-in: a system's class, two functions, or an image codec."""
    from channels.specs import summary
    from scmc_comm.systems.base import System
    from scmc_comm.systems.jscc import Jscc, JsccSystem

    component = plugin.component
    if plugin.kind == "image_codec":
        return _image(plugin.name, f"{plugin.name} in one frame")
    if isinstance(component, Jscc):
        return Entry(JsccSystem, f"{plugin.name}, an analog network", {"functions": component})
    if isinstance(component, type) and issubclass(component, System):
        return Entry(component, summary(component))
    raise PluginError(
        f"system {plugin.name!r} of {plugin.origin} is {component!r}; expected a class of System, "
        "or Jscc(encode, decode)"
    )


_BUILT_IN = {
    "scmc": Entry("scmc_comm.systems.scmc:Scmc", "the layered codec, its layers protected apart"),
    "scmc-signal": _image("scmc-signal", "control: its signal layer alone, in one frame"),
    "jpeg": _image("jpeg", "JPEG in one frame"),
    "vvc": Entry(
        "scmc_comm.systems.enhanced:EnhancedSeparate",
        "VVC intra (vvenc) in one frame",
        {"codec": "vvc"},
        "scmc_comm.systems.enhanced:EnhancedSimulcast",
    ),
    "webp": _image("webp", "WebP in one frame"),
    "jpeg2000": _image("jpeg2000", "JPEG 2000 in one frame", "QualityLayers"),
    "avif": _image("avif", "AVIF (AV1 intra) in one frame"),
    "hevc": _image("hevc", "HEVC intra, the tools of BPG, in one frame"),
    **{
        name: _learned(name, f"{what} of CompressAI's zoo in one frame")
        for name, what in {
            "hyperprior": "scale hyperprior",
            "factorized": "factorised prior",
            "mbt2018-mean": "mean-scale hyperprior",
            "mbt2018": "joint autoregressive prior",
            "cheng2020-anchor": "Cheng 2020 (anchor)",
            "cheng2020-attn": "Cheng 2020 (attention)",
        }.items()
    },
    "deepjscc": Entry("scmc_comm.systems.deepjscc:DeepJscc", "deep joint source-channel coding"),
    "swinjscc": Entry("scmc_comm.systems.swin_clones:SwinJscc", "SwinJSCC, from a clone of it"),
    "witt": Entry("scmc_comm.systems.swin_clones:Witt", "WITT, from a clone of it"),
    "deepjscc-clone": Entry(
        "scmc_comm.systems.deepjscc_clone:DeepJsccClone", "the first deep JSCC, from a clone of it"
    ),
}
SYSTEMS: Registry[Entry] = Registry(
    "system", _BUILT_IN, _plugin_entry, also=("image_codec",), aliases=CODEC_ALIASES
)
"""All systems by name."""


def make_system(text: str) -> System:
    """The system written ``NAME`` or ``NAME:key=value,key=value``; networks load when used.

    Raises:
        ScmcError: There is no such system, or it has no such option or value.

    Example:
        >>> make_system("webp:headers=file").headers
        'file'
        >>> make_system("scmc:realism=0").realism
        0.0
        >>> type(make_system("webp:layers=3")).__name__
        'Simulcast'
    """
    from channels.errors import ChannelError
    from channels.specs import option_types, parse_arguments

    if not isinstance(text, str):
        raise ScmcError(f"system is {text!r}; expected its name as text")
    name, _, args = text.partition(":")
    entry = find_system(name)
    keys = {item.partition("=")[0].strip() for item in args.split(",")}
    cls = entry.load(layered="layers" in keys)
    known = option_types(cls)
    in_layers = option_types(entry.load(layered=True))
    either = known | {key: kind for key, kind in in_layers.items() if key not in known}
    try:
        options = parse_arguments(f"system {name!r}", either, args)
        if alone := sorted(options.keys() - known.keys()):
            raise ScmcError(f"system {name!r} has {alone[0]} only in layers; add layers=N")
        return cls(**entry.fixed, **options)
    except ChannelError as error:
        raise ScmcError(str(error)) from error


def find_system(name: str) -> Entry:
    """The declaration of a system by its name or alias.

    Raises:
        ScmcError: There is none; the nearest name is proposed.
    """
    from channels.errors import no_such

    name = CODEC_ALIASES.get(name, name)
    if name not in SYSTEMS:
        raise ScmcError(no_such("system", name, SYSTEMS, CODEC_ALIASES))
    return SYSTEMS[name]


def parse_options(owner: str, text: str) -> CodecOptions:
    """Options of the layered codec from ``key=value,key=value``.

    Args:
        owner: Whose they are, for errors.
        text: As written behind the colon of a name.

    Raises:
        ScmcError: An unknown option, or a value that it cannot have.

    Example:
        >>> parse_options("scmc", "realism=0,beams=1").chosen()
        {'beams': 1, 'realism': 0.0}
    """
    from channels.errors import ChannelError
    from channels.specs import option_types, parse_arguments
    from scmc_comm.codec.options import CodecOptions

    try:
        return CodecOptions(**parse_arguments(owner, option_types(CodecOptions), text))
    except ChannelError as error:
        raise ScmcError(str(error)) from error
