"""Image codecs as rivals: by name, and the finest quality that fits a budget."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch

from channels.errors import ChannelError, no_such
from channels.plugins import Plugin, PluginError
from channels.registry import Registry
from channels.specs import parse_arguments
from scmc_comm.baselines.avif import AvifCodec
from scmc_comm.baselines.compressai_zoo import ARCHITECTURES, ZooCodec
from scmc_comm.baselines.hevc import HevcCodec
from scmc_comm.baselines.image_codec import ImageCodec
from scmc_comm.baselines.jpeg import JpegCodec
from scmc_comm.baselines.jpeg2000 import Jpeg2000Codec
from scmc_comm.baselines.vvc import VvcCodec
from scmc_comm.baselines.webp import WebpCodec
from scmc_comm.errors import ScmcError, TooFineError
from scmc_comm.images import to_uint8
from scmc_comm.lru_cache import LruCache
from scmc_comm.models import files_state, weights_state
from scmc_comm.types import CODEC_ALIASES

Enhance = Literal["none", "perceptual"]
"""What the receiver does to decoded pictures: nothing, or a network makes them look better."""
PLAIN: Enhance = "none"
ENHANCED = ("vvc",)
"""Codecs that there is an enhancement network for."""


def _vvc(slim: bool = True, enhance: Enhance = PLAIN) -> ImageCodec:
    if enhance == PLAIN:
        return VvcCodec(slim)
    from scmc_comm.baselines.enhanced import EnhancedVvc

    return EnhancedVvc(load_image_codec("vvc:headers=slim"))


def _scmc_signal() -> ImageCodec:
    from scmc_comm.baselines.scmc_signal import ScmcSignalCodec

    return ScmcSignalCodec()


def _plugin_codec(plugin: Plugin) -> Callable[..., ImageCodec]:
    """A plug-in's class, or a copy of its object, under the name it was given."""
    component = plugin.component
    if not (isinstance(component, ImageCodec) or _is_codec_class(component)):
        raise PluginError(
            f"image codec {plugin.name!r} of {plugin.origin} is {component!r}; expected "
            "FunctionCodec(encode, decode, qualities), or an ImageCodec"
        )

    def make() -> ImageCodec:
        made: ImageCodec = component() if isinstance(component, type) else copy.copy(component)
        made.name = plugin.name
        return made

    return make


def _is_codec_class(component: object) -> bool:
    return isinstance(component, type) and issubclass(component, ImageCodec)


IMAGE_CODECS: Registry[Callable[..., ImageCodec]] = Registry(
    "image_codec",
    {
        "jpeg": JpegCodec,
        "webp": WebpCodec,
        "jpeg2000": Jpeg2000Codec,
        "avif": AvifCodec,
        "hevc": HevcCodec,
        "vvc": _vvc,
        **{family: partial(ZooCodec, family) for family in ARCHITECTURES},
        "scmc-signal": _scmc_signal,
    },
    _plugin_codec,
    aliases=CODEC_ALIASES,
)
Headers = Literal["slim", "file"]
"""Constant headers known to the receiver, or sent with each picture."""


def has_headers(family: str) -> bool:
    """Has the codec of a name constant headers? A plug-in's has none that are known of.

    Example:
        >>> has_headers("jpeg"), has_headers("scmc-signal")
        (True, False)
    """
    return family != "scmc-signal" and IMAGE_CODECS.plugin(family) is None


def make_image_codec(name: str) -> ImageCodec:
    """The image codec called ``NAME:headers=slim|file``.

    A learned one has ``weights=PATH`` too, VVC ``enhance=perceptual``.

    Args:
        name: From `IMAGE_CODECS`. With slim headers (the default) the receiver knows what does not
            depend on the image; ``headers=file`` sends complete files. ``weights`` is a
            checkpoint or a folder of checkpoints.

    Raises:
        ScmcError: for an unknown name or option, or a codec that this machine lacks.

    Example:
        >>> make_image_codec("jpeg").qualities[0], make_image_codec("jpeg:headers=file").name
        (1.0, 'jpeg:headers=file')
    """
    options = codec_options(name)
    return IMAGE_CODECS[family_of(name)](**options)


def load_image_codec(name: str) -> ImageCodec:
    """As `make_image_codec`, once a process for each state of the weights it is made from."""
    files = files_state([codec_options(name).get("weights")])
    return _loaded(name, files, weights_state(), IMAGE_CODECS.identity(family_of(name)))


@lru_cache(maxsize=32)
def _loaded(name: str, *_: str) -> ImageCodec:
    return make_image_codec(name)


def family_of(name: str) -> str:
    """The name without options, in our words.

    Example:
        >>> family_of("bpg:headers=file")
        'hevc'
    """
    base = name.partition(":")[0]
    return CODEC_ALIASES.get(base, base)


def codec_options(name: str) -> dict[str, Any]:
    """Arguments of an image codec's factory; nothing is loaded.

    Raises:
        ScmcError: An unknown name or option.

    Example:
        >>> codec_options("hyperprior:headers=file")
        {'slim': False}
    """
    base, args = family_of(name), name.partition(":")[2]
    if base not in IMAGE_CODECS:
        raise ScmcError(no_such("image codec", base, IMAGE_CODECS, CODEC_ALIASES))
    known: dict[str, Any] = {"headers": Headers}
    if base in ARCHITECTURES:
        known["weights"] = str
    if base in ENHANCED:
        known["enhance"] = Enhance
    try:
        options = parse_arguments(f"image codec {base!r}", known, args)
    except ChannelError as error:
        raise ScmcError(str(error)) from error
    headers = options.pop("headers", None)
    if not has_headers(base):
        if headers == "file":
            raise ScmcError(f"image codec {base!r} got {args!r}; it has no constant headers")
    elif headers is not None:
        options["slim"] = headers == "slim"
    if options.get("enhance", PLAIN) != PLAIN and headers == "file":
        raise ScmcError(
            f"image codec {base!r} got {args!r}; the enhancement network reads the QP of slim "
            "headers: leave headers=file out"
        )
    if "weights" in options:
        options["weights"] = Path(options["weights"])
    return options


_CACHED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class CodedImage:
    """An image coded at one quality."""

    quality: float
    data: bytes


def largest_fitting(codec: ImageCodec, img: torch.Tensor, max_bytes: int) -> CodedImage | None:
    """The finest quality whose bytes fit.

    Between two qualities whose sizes are known, the next to be tried is where the logarithm of the
    size, taken to be linear, reaches the limit; every third one lies halfway, so that no curve
    makes the search long. Sizes grow with quality but for a byte here and there, so it finds the
    finest or a neighbour of it. What is tried depends on the picture and the limit alone. Encodes
    are kept: searching one image for another budget, with the same codec, costs only the
    qualities not yet seen.

    Args:
        codec: The image codec.
        img: float [3, H, W] in [0, 1].
        max_bytes: Budget in bytes.

    Returns:
        The coded image, or None if not even the coarsest quality fits.
    """
    pixels = to_uint8(img)  # what codecs see: images that round alike share their encodes
    digest = sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
    low, high = -1, len(codec.qualities)  # qualities[low] fits, qualities[high] does not
    best: CodedImage | None = None
    codec = codec.source
    cache = _encodes.setdefault(codec, LruCache(_CACHED_BYTES))
    sizes: dict[int, int] = {}
    step = 0
    while high - low > 1:
        tried = _between(low, high, sizes, max_bytes) if step % 3 < 2 else (low + high) // 2
        step += 1
        quality = codec.qualities[tried]
        data = cache.get((digest, quality), partial(_encoded, codec, img, quality))
        if data is not None:
            sizes[tried] = len(data)
        if data is not None and len(data) <= max_bytes:
            low, best = tried, CodedImage(quality, data)
        else:
            high = tried
    return best


def _between(low: int, high: int, sizes: Mapping[int, int], max_bytes: int) -> int:
    """Of the qualities between one that fits and one that does not the one to be tried next."""
    if low not in sizes or high not in sizes:
        return (low + high) // 2
    share = math.log(max_bytes / sizes[low]) / math.log(sizes[high] / sizes[low])
    return min(max(low + int(share * (high - low)), low + 1), high - 1)


def forget_encodes() -> None:
    """Drop what `largest_fitting` kept, so that the next search takes its full time."""
    _encodes.clear()


def _encoded(codec: ImageCodec, img: torch.Tensor, quality: float) -> bytes | None:
    """The bytes, or None where the encoder cannot code the picture so finely."""
    try:
        return codec.encode(img, quality)
    except TooFineError:
        return None


_encodes: WeakKeyDictionary[ImageCodec, LruCache] = WeakKeyDictionary()
"""What each codec made, for as long as it lives."""
